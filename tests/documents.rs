//! What the documents say in figures and lists, against the code.

use std::fs;
use std::path::{Path, PathBuf};

use edgegen_export::{Label, ModelFile, cost, export, repack};
use edgegen_runtime::{Model, Packing};
use edgegen_tests::{rgb64, shipped};

/// Where CONTRIBUTING allows the keyword: files and folders, each with its reason.
const UNSAFE: [&str; 9] = [
    // Instructions that Rust knows only as unsafe functions, and assembly.
    "runtime/src/kernels/",
    // Registers and interrupts of real and emulated boards.
    "firmware/board/src/fault.rs",
    "firmware/boards/",
    "firmware/lm3s6965/src/clock.rs",
    // Semihosting, the stack's end, and memory that an emulator filled.
    "firmware/bench/src/",
    "firmware/emulated/src/host.rs",
    "firmware/proof/src/main.rs",
    // Calls from an emulator's host.
    "tests/targets/src/lib.rs",
    // The crate `gemm` takes pointers.
    "trainer/src/nets/cpu/gemm.rs",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Rust sources below a folder, those of others and what was built left out.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_symlink() || name.starts_with('.') || ["target", "node_modules", "runs", "out"].contains(&name) {
            continue;
        }
        if path.is_dir() {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_code_is_unsafe_but_where_it_is_allowed() {
    let (root, mut files) = (root(), Vec::new());
    sources(&root, &mut files);
    // In two parts, or this file would be one of them.
    let keyword = concat!("un", "safe");
    let is_in = |line: &str| {
        let code = line.split("//").next().unwrap_or(line);
        code.split(|letter: char| letter != '_' && !letter.is_alphanumeric()).any(|word| word == keyword)
    };
    let mut used = Vec::new();
    for file in files {
        let path = file.strip_prefix(&root).unwrap().to_str().unwrap();
        if let Some(index) = fs::read_to_string(&file).unwrap().lines().position(is_in) {
            let allowed = UNSAFE.iter().find(|place| path.starts_with(**place));
            assert!(allowed.is_some(), "{path}:{}: {keyword} code; CONTRIBUTING.md says where it may be", index + 1);
            used.extend(allowed);
        }
    }
    let unused: Vec<_> = UNSAFE.iter().filter(|place| !used.contains(place)).collect();
    assert!(unused.is_empty(), "nothing is {keyword} in {unused:?}: take them off the list and out of CONTRIBUTING.md");
}

/// A number as documents write it, `1 806 336`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = (digits.len() + 2) % 3 + 1;
    let (head, tail) = digits.split_at(first);
    let rest = tail.as_bytes().chunks(3).map(|group| format!(" {}", std::str::from_utf8(group).unwrap()));
    [head.to_owned()].into_iter().chain(rest).collect()
}

/// The line of a table about something.
fn row<'a>(text: &'a str, about: &str) -> &'a str {
    text.lines().find(|line| line.starts_with('|') && line.contains(about)).unwrap_or_else(|| panic!("no row {about}"))
}

/// Bytes of the file, of the arena, and of what the kernel of Cortex-M4 takes besides; and products.
fn figures(file: &ModelFile) -> [u64; 4] {
    let model = Model::parse(file.bytes()).unwrap();
    let packed = repack(file, Packing::Dsp).unwrap();
    let arena = model.arena_bytes() as u64;
    let with_kernel = Model::parse_any(packed.bytes()).unwrap().arena_bytes() as u64;
    [file.bytes().len() as u64, arena, with_kernel - arena, cost::cost(&model).macs]
}

#[test]
fn readmes_tell_the_sizes_of_the_models() {
    let [readme, models] = ["README.md", "models/README.md"].map(|name| fs::read_to_string(root().join(name)).unwrap());
    let short = |bytes: u64| format!("{:.1} KB", bytes as f64 / 1000.0);
    let mut files = Vec::new();
    for entry in fs::read_dir(root().join("models")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    assert!(files.len() >= 6, "{files:?}");
    for name in files {
        let [file, arena, _, macs] = figures(&shipped(&name));
        let expected = format!("| {} B | {} B | {} |", grouped(file), grouped(arena), grouped(macs));
        let found = row(&models, &format!("[{name}]({name}/README.md)"));
        assert!(found.contains(&expected), "models/README.md: expected {expected}, found {found}");
    }
    let rgb64 = export(&rgb64(), 4, Label { name: "rgb64", metadata: &[] }).unwrap().file;
    for (about, file) in [
        ("`models/mnist-dcgan`", shipped("mnist-dcgan")),
        ("`models/emoji-dcgan`", shipped("emoji-dcgan")),
        ("`rgb64`", rgb64),
    ] {
        let [file, arena, kernel, macs] = figures(&file);
        let kilobytes = (file + 500) / 1000;
        let expected = format!("| {} | {kilobytes} KB | {} + {} |", grouped(macs), short(arena), short(kernel));
        let found = row(&readme, about);
        assert!(found.contains(&expected), "README.md: expected {expected}, found {found}");
    }
}
