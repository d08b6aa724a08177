//! The program for a Raspberry Pi with Linux, cross-compiled and emulated, on ordinary files that stand for the framebuffer and for what
//! the system tells of it: the same pixels as the host draws.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use anyhow::ensure;
use edgegen_app::Show;
use edgegen_sim::skip::or_skip;
use edgegen_sim::{PanelColors, PanelSpec, stage, toolchain};
use edgegen_tests::shipped;
use image::{Rgb, RgbImage};

use crate::gallery::{Gallery, on_host};

const TARGET: &str = "aarch64-unknown-linux-gnu";
const EMULATOR: &str = "qemu-aarch64";
/// The C library that the program is linked with and runs with, where Debian's cross compiler has it.
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";

/// The program, built once; or nothing where a tool is missing, which is told, and fails where it is required.
fn program() -> Option<&'static Path> {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let ready = || {
        let checked = toolchain::arm("")?.args(["--check", TARGET]).output()?;
        ensure!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr).trim());
        for program in [EMULATOR, "aarch64-linux-gnu-gcc"] {
            let status = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            ensure!(
                status.is_ok_and(|status| status.success()),
                "the program {program} is missing: ./x test installs it"
            );
        }
        Ok(())
    };
    let built = || {
        let output = toolchain::arm("boards/raspi-linux")
            .unwrap()
            .args(["build", "--release", "--quiet", "--locked", "--target", TARGET])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let firmware = Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware");
        firmware.join("target").join(TARGET).join("release/edgegen-raspi-linux")
    };
    or_skip(ready(), "a test on the raspi with Linux", "EDGEGEN_TARGETS")?;
    Some(PROGRAM.get_or_init(built))
}

/// A framebuffer that is a file, rows longer than the picture.
struct Screen {
    folder: tempfile::TempDir,
    spec: PanelSpec,
    stride: usize,
}

impl Screen {
    fn new(width: u32, height: u32, colors: PanelColors) -> Self {
        let bytes = if colors == PanelColors::Rgb565 { 2 } else { 4 };
        let screen = Self {
            folder: tempfile::tempdir().unwrap(),
            spec: PanelSpec { width, height, colors },
            stride: (width as usize + 24) * bytes,
        };
        screen.write("virtual_size", format!("{width},{height}\n"));
        screen.write("bits_per_pixel", format!("{}\n", 8 * bytes));
        screen.write("stride", format!("{}\n", screen.stride));
        screen.write("fb0", vec![0x5A; screen.stride * height as usize]);
        screen
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.folder.path().join(name), bytes).unwrap();
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Output {
        let mut command = Command::new(EMULATOR);
        command.args(["-cpu", "cortex-a53", "-L", LIBRARIES]).arg(program).args(arguments);
        command.arg("--device").arg(self.folder.path().join("fb0")).arg("--geometry").arg(self.folder.path());
        command.output().unwrap()
    }

    /// What is in the file; and nothing beyond the rows.
    fn picture(&self) -> RgbImage {
        let bytes = fs::read(self.folder.path().join("fb0")).unwrap();
        let size = if self.spec.colors == PanelColors::Rgb565 { 2 } else { 4 };
        assert_eq!(bytes.len(), self.stride * self.spec.height as usize, "the file has kept its length");
        for row in bytes.chunks(self.stride) {
            assert!(row[self.spec.width as usize * size..].iter().all(|&byte| byte == 0x5A), "written beyond a row");
        }
        RgbImage::from_fn(self.spec.width, self.spec.height, |x, y| {
            let pixel = &bytes[y as usize * self.stride + x as usize * size..][..size];
            match *pixel {
                [low, high] => {
                    let color = u32::from(low) | u32::from(high) << 8;
                    // To the nearest part of 255.
                    let wide = |level: u32, max: u32| ((level * 255 + max / 2) / max) as u8;
                    Rgb([wide(color >> 11, 31), wide(color >> 5 & 63, 63), wide(color & 31, 31)])
                }
                [b, g, r, _] => Rgb([r, g, b]),
                _ => unreachable!(),
            }
        })
    }
}

fn model(name: &str) -> String {
    format!("{}/../models/{name}/model.egm", env!("CARGO_MANIFEST_DIR"))
}

fn draws(name: &str, screen: &Screen) {
    let Some(program) = program() else { return };
    let file = shipped(name);
    let gallery = Gallery::new(&file, screen.spec);
    let cells = gallery.grid.cells();
    let output = screen.run(program, &[&model(name), "--images", &cells.to_string()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.starts_with(&format!("model {name} ")) && told.ends_with("gallery from seed 1\n"), "{told}");
    let picture = screen.picture();
    gallery.assert_begins(&picture, &on_host(&file, screen.spec), cells);
    assert!(gallery.has_caption(&picture), "no caption has these pixels");
}

#[test]
fn digits_in_16_bits() {
    draws("mnist-dcgan", &Screen::new(240, 135, PanelColors::Rgb565));
}

#[test]
fn emoji_in_32_bits() {
    draws("emoji-dcgan", &Screen::new(320, 240, PanelColors::Rgb888));
}

#[test]
fn what_is_asked_for_and_what_is_wrong_is_told() {
    let Some(program) = program() else { return };
    let screen = Screen::new(240, 135, PanelColors::Rgb888);
    let mut damaged = shipped("mnist-dcgan").bytes().to_vec();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    screen.write("model.egm", &damaged);
    let path = screen.folder.path().join("model.egm");
    let output = screen.run(program, &[path.to_str().unwrap(), "--images", "1"]);
    assert!(output.status.success() && output.stdout.starts_with(b"fault "), "{output:?}");
    let host = stage::record(&damaged, &Show::default(), screen.spec, 1).pictures.pop().unwrap();
    assert!(screen.picture() == host, "the error screen differs");

    let output = screen.run(program, &[&model("mnist-dcgan"), "--images", "1", "--show", "walk seed=5"]);
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("walk from seed 5\n"), "{output:?}");

    let complaint = |screen: &Screen, arguments: &[&str]| {
        let output = screen.run(program, arguments);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(complaint(&screen, &["/nowhere.egm"]).contains("cannot read the model /nowhere.egm"));
    assert!(complaint(&screen, &[]).contains("expected a model file, found none"));
    screen.write("bits_per_pixel", "24\n");
    assert!(complaint(&screen, &[&model("mnist-dcgan")]).contains("16 or 32 bits a pixel, found 24"));
    screen.write("bits_per_pixel", "32\n");
    screen.write("stride", "12\n");
    assert!(complaint(&screen, &[&model("mnist-dcgan")]).contains("in rows of 12 bytes"));
    fs::remove_file(screen.folder.path().join("virtual_size")).unwrap();
    assert!(complaint(&screen, &[&model("mnist-dcgan")]).contains("is there a framebuffer"));
}
