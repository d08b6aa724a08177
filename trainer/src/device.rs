//! Where tensors live: one name per Burn backend, chosen at run time among those compiled in.
//!
//! `flex` (the CPU) is always there. The others are cargo features of this crate with the same name, because each
//! pulls in a toolchain of its own: `cargo run --features vulkan -- train … --device vulkan`.

use anyhow::{Result, bail};
use burn::tensor::Device;

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
/// If no device has this name, or this build lacks its cargo feature.
pub fn open(name: &str) -> Result<Device> {
    Ok(match name {
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
    })
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
        assert!(open("tpu").unwrap_err().to_string().contains("flex"));
    }
}
