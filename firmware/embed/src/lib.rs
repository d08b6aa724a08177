//! What the build scripts of firmware share. A board's whole build script:
//!
//! ```no_run
//! edgegen_embed::model();
//! edgegen_embed::link();
//! ```
//!
//! Instructions for Cargo go to standard output, as from any build script.

#![deny(missing_docs, unsafe_code, rustdoc::broken_intra_doc_links)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Tells the firmware where the model to embed is: `embed_model!(env!("EDGEGEN_MODEL_FILE"))`.
///
/// That is the file at `EDGEGEN_MODEL`, or models/mnist-dcgan/model.egm of this repository. Only that it can be read is
/// checked: a damaged model is for the device to report, which tests of its error screen rely on. What is missing fails
/// the build with a sentence that says so.
///
/// And what to show first: `Show::parse(env!("EDGEGEN_SHOW"))`, and how the panel differs from the board's:
/// `PanelSetup::parse(env!("EDGEGEN_PANEL"))`; the words of these variables, or none.
pub fn model() {
    model_or("mnist-dcgan");
}

/// As [`model`], with another of the models in models/ where none is named.
pub fn model_or(shipped: &str) {
    for name in ["EDGEGEN_SHOW", "EDGEGEN_PANEL"] {
        println!("cargo::rerun-if-env-changed={name}");
        let words = env::var(name).unwrap_or_default();
        println!("cargo::rustc-env={name}={}", words.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    println!("cargo::rerun-if-env-changed=EDGEGEN_MODEL");
    let named = env::var_os("EDGEGEN_MODEL").map(PathBuf::from);
    match find(named, shipped) {
        Ok(model) => {
            println!("cargo::rerun-if-changed={}", model.display());
            println!("cargo::rustc-env=EDGEGEN_MODEL_FILE={}", model.display());
        }
        Err(missing) => println!("cargo::error={missing}"),
    }
}

/// The whole path of the model: `named`, or that of `shipped`.
fn find(named: Option<PathBuf>, shipped: &str) -> Result<PathBuf, String> {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let model = named.unwrap_or_else(|| models.join(shipped).join("model.egm"));
    // Reading, not looking: a folder or a file that is not ours to read would only fail in the compiler.
    match fs::read(&model).and_then(|_| model.canonicalize()) {
        Ok(model) => Ok(model),
        Err(error) => Err(format!(
            "There is no model at {} ({error}): set EDGEGEN_MODEL to the path of an .egm file.",
            model.display()
        )),
    }
}

/// Hands the linker of a program for Cortex-M the script of `cortex-m-rt`, and this crate's memory.x if it has one.
///
/// Here and not in `.cargo/config.toml`, where a `RUSTFLAGS` of the user's would silently replace it.
pub fn link() {
    memory();
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "none") {
        println!("cargo::rustc-link-arg-bins=-Tlink.x");
        // Without page alignment between segments, which a microcontroller has no use for.
        println!("cargo::rustc-link-arg-bins=--nmagic");
    }
}

/// Lets the linker find the memory.x in this crate's folder, for all programs that use the crate. Part of [`link`].
pub fn memory() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    if here.join("memory.x").is_file() {
        println!("cargo::rerun-if-changed=memory.x");
        println!("cargo::rustc-link-search={}", here.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_model_is_found() {
        let model = find(None, "mnist-dcgan").unwrap();
        assert!(model.is_absolute() && model.ends_with("models/mnist-dcgan/model.egm"), "{}", model.display());
    }

    #[test]
    fn a_missing_model_is_named() {
        for place in ["/nowhere/x.egm", env!("CARGO_MANIFEST_DIR")] {
            let error = find(Some(place.into()), "icons").unwrap_err();
            assert!(error.contains(place) && error.contains("EDGEGEN_MODEL"), "{error}");
        }
    }
}
