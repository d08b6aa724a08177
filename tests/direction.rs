//! No module reaches back up: in each crate a module uses only modules that stand below it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a crate's sources are, and its modules from low to high: the files and folders beside its `lib.rs`. A module
/// with files of its own is one module here. `lib.rs` stands above them all; what it re-exports belongs to the module
/// that it comes from.
const CRATES: [(&str, &[&str]); 6] = [
    (
        "runtime/src",
        &[
            "fixed", "packing", "graph", "error", "walk", "latent", "kernels", "format", "about", "arena", "weights",
            "pictures", "ops", "rules", "sound", "model", "stream",
        ],
    ),
    (
        "trainer/export/src",
        &[
            "error",
            "file",
            "function",
            "layers",
            "stage",
            "fold",
            "calibrate",
            "centre",
            "quantize",
            "plan",
            "pack",
            "repack",
            "pictures",
            "exporter",
            "reference",
            "compare",
            "cost",
            "estimate",
            "onnx",
        ],
    ),
    (
        "firmware/app/src",
        &[
            "color", "image", "pair", "scatter", "sound", "gallery", "act", "caption", "art", "drums", "platform",
            "screen", "overlap", "fault", "report", "stage", "show", "setup",
        ],
    ),
    (
        "firmware/sim/src",
        &[
            "binary",
            "report",
            "spec",
            "photo",
            "panel",
            "stage",
            "folder",
            "toolchain",
            "skip",
            "formats",
            "cpu",
            "boards",
            "flash",
            "firmware",
            "machine",
            "qmp",
            "qemu",
            "raspi",
            "ssd1306",
            "st7789",
            "rp2040",
            "emulator",
            "playground",
            "serve",
        ],
    ),
    (
        "trainer/data/src",
        &[
            "natural",
            "sound",
            "sentence",
            "attribute",
            "dataset",
            "jpeg",
            "config",
            "resample",
            "fit",
            "decode",
            "wav",
            "idx",
            "array",
            "account",
            "sheet",
            "find",
            "decide",
            "check",
            "cache",
            "pipeline",
        ],
    ),
    (
        "trainer/src",
        &[
            "rng",
            "stderr",
            "files",
            "markup",
            "device",
            "images",
            "sounds",
            "speech",
            "nets",
            "checkpoint",
            "recipe",
            "data",
            "examples",
            "systems",
            "parse",
            "lower",
            "run",
            "translate",
            "judge",
            "closeup",
            "morph",
            "invert",
            "train",
            "eval",
            "lab",
            "cli",
        ],
    ),
];

#[test]
fn modules_use_only_what_stands_below_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut wrong = Vec::new();
    for (folder, order) in CRATES {
        let source = root.join(folder);
        let library = fs::read_to_string(source.join("lib.rs")).unwrap();
        let exported = re_exports(&library);
        let mut files = Vec::new();
        list(&source, &mut files);
        let mut seen = Vec::new();
        for file in files {
            let path = file.strip_prefix(&source).unwrap().with_extension("");
            let parts: Vec<&str> =
                path.iter().map(|part| part.to_str().unwrap()).filter(|&part| part != "mod").collect();
            let Some(height) = order.iter().position(|&module| module == parts[0]) else {
                wrong.push(format!("{folder}/{}: expected its place in tests/direction.rs, found none", parts[0]));
                continue;
            };
            seen.push(order[height]);
            for (line, name) in uses(&fs::read_to_string(&file).unwrap(), parts.len()) {
                let used = order
                    .iter()
                    .position(|&module| module == name || exported.get(&name).is_some_and(|at| at == module));
                if used.is_none_or(|used| used > height) {
                    wrong.push(format!(
                        "{folder}/{}.rs:{line}: {} uses {name}, which stands above it",
                        path.display(),
                        parts[0]
                    ));
                }
            }
        }
        let missing = order.iter().filter(|module| !seen.contains(module));
        wrong.extend(
            missing.map(|module| format!("{folder}/{module}: expected this module, found none: take it off the list")),
        );
    }
    assert!(wrong.is_empty(), "move what both need into a module below them:\n{}", wrong.join("\n"));
}

/// All sources below a folder, but for the root of the crate and files of tests.
fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !["lib.rs", "main.rs", "tests.rs"].iter().any(|name| path.ends_with(name))
        {
            files.push(path);
        }
    }
}

/// What stands directly below the crate's root in its own paths (`crate::name`, `super::name` of a file that lies
/// `depth` deep, groups in braces), with the lines. Comments do not count, nor does what stands in `mod tests`, which
/// may look at everything.
fn uses(source: &str, depth: usize) -> Vec<(usize, String)> {
    let code: Vec<&str> = source.lines().map(|line| line.split("//").next().unwrap_or(line)).collect();
    let tests = code.windows(2).position(|lines| lines[0] == "#[cfg(test)]" && lines[1].contains("mod tests"));
    let code = code[..tests.unwrap_or(code.len())].join("\n");
    let from_here = "super::".repeat(depth);
    let mut found = Vec::new();
    for root in ["crate::", &from_here] {
        for (at, _) in code.match_indices(root) {
            let is_whole =
                !code[..at].ends_with(|letter: char| letter == ':' || letter == '_' || letter.is_alphanumeric());
            if is_whole {
                let line = 1 + code[..at].matches('\n').count();
                found.extend(names(&code[at + root.len()..]).into_iter().map(|name| (line, name)));
            }
        }
    }
    found
}

/// The first names of what a path goes on with: one, or those of a group in braces.
fn names(rest: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|&letter| letter == '_' || letter.is_alphanumeric()).collect()
    };
    let mut names = Vec::new();
    if let Some(group) = rest.strip_prefix('{') {
        let (mut depth, mut start) = (1, 0);
        for (at, letter) in group.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => {}
                _ => continue,
            }
            if depth == 0 || (depth == 1 && letter == ',') {
                names.push(name(&group[start..at]));
                start = at + 1;
            }
            if depth == 0 {
                break;
            }
        }
    } else {
        names.push(name(rest));
    }
    names.retain(|name| !name.is_empty() && name != "super" && name != "self");
    names
}

/// Name to module of what `lib.rs` re-exports.
fn re_exports(library: &str) -> BTreeMap<String, String> {
    let mut exported = BTreeMap::new();
    for statement in library.split(';').filter_map(|text| text.trim().strip_prefix("pub use ")) {
        let (module, items) = statement.split_once("::").unwrap();
        let words = items.split(|letter: char| letter != '_' && !letter.is_alphanumeric());
        exported.extend(words.filter(|word| !word.is_empty()).map(|word| (word.to_owned(), module.to_owned())));
    }
    exported
}

#[test]
fn paths_are_read() {
    let source = "use crate::low::Thing; // crate::comment\n\
                  use crate::{\n    files, other::{self, Inner},\n    high,\n};\n\
                  fn f() -> super::super::deep::X { mycrate::not() + super::near() }\n\
                  #[cfg(test)]\nmod tests {\n    use crate::above;\n}\n";
    let found: Vec<(usize, String)> = uses(source, 2);
    let expected = [(1, "low"), (2, "files"), (2, "other"), (2, "high"), (6, "deep")];
    assert_eq!(found, expected.map(|(line, name)| (line, name.to_owned())));
    assert_eq!(uses("use super::near;", 1), [(1, "near".to_owned())]);
    let exported = re_exports("pub mod low;\npub use low::{Thing, other as Other};\npub use high::Top;\n");
    assert_eq!([&exported["Thing"], &exported["Other"], &exported["Top"]], ["low", "low", "high"]);
}
