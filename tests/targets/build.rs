//! Puts all shipped models into the program: WebAssembly has no files.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

fn main() {
    let models = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../../models");
    println!("cargo::rerun-if-changed={}", models.display());
    let folders = fs::read_dir(&models).expect("models/ is there").map(|entry| entry.expect("can be listed").path());
    let mut files: Vec<_> = folders.map(|folder| folder.join("model.egm")).filter(|file| file.exists()).collect();
    files.sort();
    let mut list = String::from("[\n");
    for file in files {
        let name = file.parent().and_then(Path::file_name).expect("the folder of a model has a name");
        writeln!(list, "({name:?}, include_bytes!({file:?})),").expect("a string takes it");
    }
    list.push(']');
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("models.rs");
    fs::write(out, list).expect("the build folder can be written");
}
