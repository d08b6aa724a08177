//! Where tensors live: one name per Burn backend, chosen at run time among those compiled in.
//!
//! `flex` (the CPU) is always there. The others are cargo features of this crate with the same name, because each
//! pulls in a toolchain of its own: `cargo run --features vulkan -- train … --device vulkan`.

use std::panic;
use std::sync::{Arc, Mutex};

use anyhow::{Result, bail};
use burn::tensor::{Device, Tensor};

/// A device that `--device` may name.
#[derive(Clone, Copy, Debug)]
pub struct DeviceInfo {
    /// The name, which is also the cargo feature.
    pub name: &'static str,
    /// One line for `edgegen devices`.
    pub about: &'static str,
    /// Whether this build can open it.
    pub compiled: bool,
}

/// All devices, the default first.
pub const DEVICES: [DeviceInfo; 6] = [
    DeviceInfo { name: "flex", about: "CPU, all cores, SIMD (the default)", compiled: true },
    DeviceInfo {
        name: "ndarray",
        about: "CPU, Burn's older backend (slow, for comparison)",
        compiled: cfg!(feature = "ndarray"),
    },
    DeviceInfo {
        name: "wgpu",
        about: "GPU through WebGPU: Vulkan, Metal or DirectX",
        compiled: cfg!(feature = "wgpu"),
    },
    DeviceInfo { name: "vulkan", about: "GPU through Vulkan with SPIR-V kernels", compiled: cfg!(feature = "vulkan") },
    DeviceInfo { name: "cuda", about: "NVIDIA GPU through CUDA", compiled: cfg!(feature = "cuda") },
    DeviceInfo { name: "cpu", about: "CPU through CubeCL and LLVM", compiled: cfg!(feature = "cpu") },
];

/// Opens the device called `name`, without autodiff.
///
/// # Errors
///
/// If no device has this name, this build lacks its cargo feature, or the machine lacks what it needs.
pub fn open(name: &str) -> Result<Device> {
    let device = match name {
        "flex" => Device::flex(),
        #[cfg(feature = "ndarray")]
        "ndarray" => Device::ndarray(),
        #[cfg(feature = "wgpu")]
        "wgpu" => Device::wgpu(burn::tensor::DeviceKind::DefaultDevice),
        #[cfg(feature = "vulkan")]
        "vulkan" => Device::vulkan(burn::tensor::DeviceKind::DefaultDevice),
        #[cfg(feature = "cuda")]
        "cuda" => Device::cuda(0),
        #[cfg(feature = "cpu")]
        "cpu" => Device::cpu(),
        known if DEVICES.iter().any(|device| device.name == known) => bail!(
            "this build of edgegen has no {known} device: rebuild with `cargo build -p edgegen --features {known}`, or use --device flex"
        ),
        unknown => {
            let names: Vec<_> = DEVICES.iter().map(|device| device.name).collect();
            bail!("unknown device \"{unknown}\": expected one of {}", names.join(", "))
        }
    };
    if let Err(why) = answers(&device) {
        bail!("cannot use the device {name} here ({why}): see that its driver is installed, or use --device flex");
    }
    Ok(device)
}

/// Whether a value goes to the device and comes back. Burn opens a device when it is first used, and panics if there is
/// none, on a thread of its own as well.
fn answers(device: &Device) -> Result<(), String> {
    if *device == Device::flex() {
        return Ok(());
    }
    let said = Arc::new(Mutex::new(None));
    let before = panic::take_hook();
    let keep = Arc::clone(&said);
    panic::set_hook(Box::new(move |info| {
        // The first one is the cause; others only find that the first thread has gone.
        if let Ok(mut said) = keep.lock() {
            said.get_or_insert_with(|| info.payload_as_str().unwrap_or("it does not say why").to_owned());
        }
    }));
    let answer = panic::catch_unwind(|| Tensor::<1>::ones([1], device).into_data().iter::<f32>().sum::<f32>());
    panic::set_hook(before);
    let said = said.lock().ok().and_then(|mut said| said.take());
    match answer {
        Ok(1.0) => Ok(()),
        Ok(other) => Err(format!("it gave {other} back for 1")),
        Err(_) => Err(sentence(&said.unwrap_or_default())),
    }
}

/// The beginning of a message of any length, on one line.
fn sentence(message: &str) -> String {
    const LONGEST: usize = 160;
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST { line } else { line.chars().take(LONGEST).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_device_opens_or_says_how() {
        for device in DEVICES.iter().filter(|device| !device.compiled) {
            let message = open(device.name).unwrap_err().to_string();
            assert!(message.contains("--features"), "{message}");
        }
        assert!(open("flex").is_ok());
        assert_eq!(answers(&Device::flex()), Ok(()));
        assert!(open("tpu").unwrap_err().to_string().contains("flex"));
    }

    #[test]
    fn a_long_message_is_a_short_line() {
        assert_eq!(sentence("no adapter:\n  none found"), "no adapter: none found");
        assert_eq!(sentence(&"é".repeat(500)).chars().count(), 161);
    }
}
