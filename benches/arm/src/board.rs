//! The bench firmware on an emulated board. It is built once for each processor; QEMU puts the model into flash behind it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use edgegen_export::ModelFile;
use edgegen_runtime::format::checksum;
use edgegen_sim::{Cpu, binary, qemu};
use tempfile::TempDir;

/// The board's flash.
const FLASH: u32 = 256 * 1024;
/// Images that are counted, and the seed of the first.
const IMAGES: (u32, u64) = (3, 1);

/// The bench firmware of a processor.
#[derive(Debug)]
pub struct Bench {
    cpu: Cpu,
    /// Its ELF file.
    pub elf: PathBuf,
    /// Where the model goes.
    address: u32,
    folder: TempDir,
}

/// What the firmware counted.
#[derive(Clone, Debug)]
pub struct Counts {
    /// Name of the kernel that the firmware was compiled with.
    pub kernel: String,
    /// Bytes of the model file.
    pub file: usize,
    /// Bytes of working memory: rings, and what the kernel works in.
    pub arena: u64,
    /// Bytes of a parsed model.
    pub model: u64,
    /// Bytes of a generator.
    pub generator: u64,
    /// Instructions of `Model::parse`.
    pub parse: u64,
    /// Bytes of stack of `Model::parse`, the model that it returns not counted.
    pub parse_stack: u64,
    /// Bytes of stack of `Generator::new`, the generator that it returns not counted.
    pub new_stack: u64,
    /// Instructions of each image, from the seed on.
    pub images: Vec<u64>,
    /// Of these, what drawing the latent vector takes.
    pub latent: u64,
    /// Most bytes of stack of an image.
    pub run_stack: u64,
}

impl Counts {
    /// Bytes of RAM besides the arena at the moment that takes most: what the caller holds, and stack.
    pub fn ram(&self) -> u64 {
        let held = self.model + self.generator;
        (self.model + self.parse_stack).max(held + self.new_stack).max(held + self.run_stack)
    }

    /// Instructions of the rows of an image, the mean.
    pub fn rows(&self) -> u64 {
        self.images.iter().sum::<u64>() / self.images.len() as u64 - self.latent
    }
}

impl Bench {
    /// Builds it.
    ///
    /// # Errors
    ///
    /// When compiler or QEMU are missing, saying what to install.
    pub fn build(cpu: Cpu) -> Result<Self> {
        qemu::check(cpu)?;
        let folder = tempfile::tempdir().context("could not make a temporary folder")?;
        let elf = folder.path().join("bench.elf");
        fs::copy(cpu.build("bench", &[])?, &elf)?;
        let (flash, _) = binary::sizes(&fs::read(&elf)?).context("the firmware is not an ARM ELF file")?;
        Ok(Self { cpu, elf, address: flash.next_multiple_of(1024), folder })
    }

    /// Whether a model fits behind the program.
    pub fn fits(&self, model: &ModelFile) -> bool {
        model.bytes().len() <= (FLASH - self.address) as usize
    }

    /// Runs a model. With `image`, the first image must have these bytes.
    ///
    /// # Errors
    ///
    /// What the firmware says when it fails.
    pub fn count(&self, model: &ModelFile, image: Option<&[u8]>) -> Result<Counts> {
        ensure!(self.fits(model), "a model of {} bytes does not fit the emulated flash", model.bytes().len());
        let path = self.folder.path().join("model.egm");
        fs::write(&path, model.bytes()).context("cannot write the model")?;
        let (address, length, (images, seed)) = (self.address, model.bytes().len(), IMAGES);
        let arguments = format!("arg=model={address},arg=length={length},arg=images={images},arg=seed={seed}");
        let output = qemu::command(self.cpu)?
            .arg("-semihosting-config")
            .arg(format!("enable=on,target=native,arg=bench,{arguments}"))
            .arg("-device")
            .arg(format!("loader,file={},addr={address:#x},force-raw=on", path.display()))
            .arg("-kernel")
            .arg(&self.elf)
            .stdin(Stdio::null())
            .output()
            .context("cannot start QEMU")?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "the bench firmware on {}: {text}", self.cpu);
        let counts =
            Counts::read(&text, length).with_context(|| format!("the bench firmware on {} says {text}", self.cpu))?;
        if let Some(image) = image {
            let crc32 = word(&text, "crc32")?;
            let expected = format!("{:08x}", checksum(image));
            ensure!(crc32 == expected, "the image on {}: expected crc32 {expected} as here, found {crc32}", self.cpu);
        }
        Ok(counts)
    }
}

impl Counts {
    fn read(text: &str, file: usize) -> Result<Self> {
        let images: Vec<&str> = text.lines().filter(|line| line.starts_with("image ")).collect();
        let of_images = |name: &str| images.iter().map(|line| number(line, name)).collect::<Result<Vec<u64>>>();
        let most = |name: &str| of_images(name)?.into_iter().max().context("no image");
        let about = |name: &str| {
            text.lines().find(|line| line.starts_with(name)).with_context(|| format!("no line about {name}"))
        };
        let (parse, new) = (about("parse ")?, about("new ")?);
        Ok(Self {
            kernel: word(text, "kernel")?.to_owned(),
            file,
            arena: number(text, "arena")?,
            model: number(text, "model")?,
            generator: number(text, "generator")?,
            parse: number(parse, "ticks")? * qemu::INSTRUCTIONS_PER_TICK,
            parse_stack: number(parse, "stack")?,
            new_stack: number(new, "stack")?,
            images: of_images("ticks")?.iter().map(|ticks| ticks * qemu::INSTRUCTIONS_PER_TICK).collect(),
            latent: most("latent")? * qemu::INSTRUCTIONS_PER_TICK,
            run_stack: most("stack")?,
        })
    }
}

/// The word after `name`.
fn word<'a>(text: &'a str, name: &str) -> Result<&'a str> {
    text.split_whitespace().skip_while(|word| *word != name).nth(1).with_context(|| format!("no {name}"))
}

fn number(text: &str, name: &str) -> Result<u64> {
    Ok(word(text, name)?.parse()?)
}

/// The first line of what a program says of its version.
pub fn version(mut program: Command) -> Result<String> {
    let output = program.arg("--version").output().with_context(|| format!("cannot start {program:?}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}
