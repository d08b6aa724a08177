//! Every cargo and every compiler that a tool or a test starts is the one that this repository asks for, in a clean
//! environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use edgegen_sim::{Cpu, toolchain};
use tempfile::TempDir;

/// What the environment of `cargo +nightly test`, or a user's, may say of another build.
const FOREIGN: [&str; 18] = [
    "CARGO",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL",
    "CARGO_TARGET_DIR",
    "CARGO_TARGET_THUMBV6M_NONE_EABI_LINKER",
    "CARGO_TARGET_TMPDIR",
    "RUSTC",
    "RUSTC_BOOTSTRAP",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
    "RUSTUP_TOOLCHAIN",
    "RUSTUP_TOOLCHAIN_SOURCE",
];

/// Where things are and how the network is reached.
const STAYS: [&str; 10] = [
    "CARGO_BUILD_JOBS",
    "CARGO_HOME",
    "CARGO_HTTP_PROXY",
    "CARGO_NET_OFFLINE",
    "CARGO_REGISTRIES_OWN_INDEX",
    "CARGO_REGISTRY_DEFAULT",
    "EDGEGEN_MODEL",
    "RUSTUP_DIST_SERVER",
    "RUSTUP_HOME",
    "https_proxy",
];

const TARGET: &str = "thumbv6m-none-eabi";

/// Programs that stand for those of a toolchain: each tells its environment, and `rustc` its version and where its
/// libraries are.
struct Fakes {
    folder: TempDir,
}

impl Fakes {
    /// On the path a `rustc` of a version with or without [`TARGET`]; beside it, as Debian's, one that builds core from
    /// source.
    fn new(rustc: &str, has_target: bool, debian: &str) -> Self {
        let fakes = Self { folder: tempfile::tempdir().unwrap() };
        let library = fakes.path("path/sysroot/lib/rustlib").join(TARGET).join("lib");
        fs::create_dir_all(&library).unwrap();
        if has_target {
            fs::write(library.join("libcore-1.rlib"), "").unwrap();
        }
        let source = fakes.path("debian/sysroot/lib/rustlib/src/rust/library/core/src");
        fs::create_dir_all(&source).unwrap();
        fs::write(source.join("lib.rs"), "").unwrap();
        for (folder, version) in [("path", rustc), ("debian", debian)] {
            let sysroot = fakes.path(folder).join("sysroot");
            let says = format!(
                "case \"$*\" in\n--version) echo 'rustc {version} (a test)' ;;\n\
                 '--print sysroot') echo '{}' ;;\n'--print target-list') echo {TARGET} ;;\n*) env ;;\nesac",
                sysroot.display()
            );
            for (program, text) in [("rustc", &*says), ("cargo", "env"), ("rustup", "env"), ("ld.lld", "env")] {
                let path = fakes.path(folder).join(program);
                fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
                fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
            }
        }
        fakes
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Lets a command find the fakes, in an environment that says much of Rust.
    fn around<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let path = std::env::var_os("PATH").unwrap();
        let path: OsString =
            std::env::join_paths([self.path("path")].into_iter().chain(std::env::split_paths(&path))).unwrap();
        let said = FOREIGN.into_iter().chain(STAYS).map(|name| (name, "said"));
        command.envs(said).env("PATH", path).env("EDGEGEN_DEBIAN_BIN", self.path("debian"))
    }

    /// The environment that a fake told.
    fn told(&self, command: &mut Command) -> BTreeMap<String, String> {
        let output = self.around(command).output().unwrap();
        let (text, complaints) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{complaints}");
        text.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.into(), value.into())).collect()
    }

    /// What `firmware/arm --check` prints, or complains of.
    fn check(&self) -> Result<String, String> {
        let output = self.around(toolchain::arm("").unwrap().args(["--check", TARGET])).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }
}

/// Asserts that of the foreign variables none is left but these, with other values.
fn assert_clean(told: &BTreeMap<String, String>, own: &[&str]) {
    for name in FOREIGN {
        match told.get(name) {
            Some(value) => assert!(own.contains(&name) && value != "said", "{name} is {value}"),
            None => assert!(!own.contains(&name), "{name} is missing"),
        }
    }
    for name in STAYS {
        assert_eq!(told.get(name).map(String::as_str), Some("said"), "{name}");
    }
}

#[test]
fn nothing_of_another_build_reaches_programs_for_the_host() {
    let fakes = Fakes::new("1.95.0", true, "1.96.0");
    for program in ["cargo", "rustc", "rustup"] {
        assert_clean(&fakes.told(&mut toolchain::host(program).unwrap()), &[]);
    }
}

#[test]
fn nothing_of_another_build_reaches_firmware() {
    let own = ["CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"];
    let build = || {
        let mut command = Cpu::CortexM0.cargo("boards/pico").unwrap();
        command.args(["build", "--release"]);
        command
    };
    let told = Fakes::new("1.95.0", true, "1.96.0").told(&mut build());
    assert_clean(&told, &own);
    assert!(told["CARGO_TARGET_DIR"].ends_with("/firmware/target"), "{told:?}");
    assert_eq!(told["CARGO_BUILD_TARGET"], TARGET);

    // With Debian's Rust, which needs to be told more.
    let fakes = Fakes::new("1.95.0", false, "1.96.0");
    let told = fakes.told(&mut build());
    assert_clean(&told, &[&own[..], &["CARGO_TARGET_THUMBV6M_NONE_EABI_LINKER", "RUSTC", "RUSTC_BOOTSTRAP"]].concat());
    assert_eq!(told["RUSTC"], fakes.path("debian/rustc").to_str().unwrap());
}

#[test]
fn the_toolchain_file_decides() {
    let version = |variables: &[&str]| {
        let mut rustc = toolchain::host("rustc").unwrap();
        rustc.arg("--version").envs(variables.iter().map(|name| (name, "nightly")));
        let output = rustc.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let found = version(&["RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER"]);
    assert_eq!(found, version(&[]));
    if toolchain::host("rustup").unwrap().arg("--version").output().unwrap().status.success() {
        let file = fs::read_to_string(root().join("rust-toolchain.toml")).unwrap();
        let channel = file.split('"').nth(1).unwrap();
        assert!(found.starts_with(&format!("rustc {channel} ")), "expected {channel}, found {found}");
    }
}

#[test]
fn a_compiler_that_is_too_old_is_not_called_ready() {
    let found = Fakes::new("1.95.0", true, "1.85.0").check().unwrap();
    assert!(found.contains("1.95.0") && found.contains("target installed"), "{found}");
    for (on_path, has_target) in [("1.95.0", false), ("1.85.0", true)] {
        let found = Fakes::new(on_path, has_target, "1.96.0").check().unwrap();
        assert!(found.contains("1.96.0") && found.contains("core built from source"), "{found}");
        let refused = Fakes::new(on_path, has_target, "1.85.0").check().unwrap_err();
        let expected =
            [format!("a Rust of {} or newer", rust_version("Cargo.toml")), format!("found rustc {on_path} on")];
        assert!(expected.iter().all(|part| refused.contains(part)), "{refused}");
        assert!(refused.contains("debian/rustc 1.85.0") && refused.contains("rustup target add"), "{refused}");
    }
    // 1.100 is newer than 1.95.
    assert!(Fakes::new("1.100.0", true, "1.85.0").check().is_ok());
    let minor = |version: &str| version.split('.').nth(1).unwrap().parse::<u32>().unwrap();
    for library in ["runtime/Cargo.toml", "firmware/app/Cargo.toml"] {
        let (needed, asked) = (rust_version(library), rust_version("Cargo.toml"));
        assert!(minor(&needed) <= minor(&asked), "{library} needs {needed}, and firmware/arm asks for {asked}");
    }
}

#[test]
fn only_one_function_starts_cargo_and_compilers() {
    let allowed: [&Path; 4] = [
        Path::new("firmware/sim/src/toolchain.rs"),
        Path::new("tests/toolchain.rs"),
        // These ask which compiler has built the benchmark itself, whatever it was.
        Path::new("benches/host/src/record.rs"),
        Path::new("benches/train/src/record.rs"),
    ];
    let mut sources = Vec::new();
    add_sources(&root(), &mut sources);
    let mut starts = 0;
    for path in sources {
        let name = path.strip_prefix(root()).unwrap();
        if allowed.contains(&name) {
            continue;
        }
        let mut text = fs::read_to_string(&path).unwrap();
        for program in ["cargo", "rustc", "rustup"] {
            let start = format!("toolchain::host(\"{program}\")");
            starts += text.matches(&start).count();
            text = text.replace(&start, "");
        }
        // That it is there may be asked.
        text = text.replace(".join(\"arm\").is_file()", "");
        for word in
            ["\"cargo\"", "\"rustc\"", "\"rustup\"", "(\"CARGO\")", "(\"RUSTC\")", "(\"arm\")", "firmware/arm\")"]
        {
            let line = text.lines().find(|line| line.contains(word) && !line.contains("context("));
            assert!(
                line.is_none(),
                "{}: expected edgegen_sim::toolchain to start it, found {}",
                name.display(),
                line.unwrap().trim()
            );
        }
    }
    assert!(starts >= 4, "only {starts} places found that start one");
}

/// All files of Rust in `folder`, but what was built or fetched.
fn add_sources(folder: &Path, sources: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !name.starts_with('.') && !["target", "node_modules", "out", "runs"].contains(&name) {
                add_sources(&path, sources);
            }
        } else if name.ends_with(".rs") {
            sources.push(path);
        }
    }
}

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The oldest Rust that a manifest promises.
fn rust_version(manifest: &str) -> String {
    let text = fs::read_to_string(root().join(manifest)).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("rust-version = \"")).unwrap();
    line.split('"').next().unwrap().to_owned()
}
