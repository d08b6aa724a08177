//! Tells the crate whether the processor has a cycle counter, which stable Rust does not know: `cfg(cycle_counter)`.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(cycle_counter)");
    println!("cargo::rerun-if-changed=build.rs");
    if !std::env::var("TARGET").is_ok_and(|target| target.starts_with("thumbv6m")) {
        println!("cargo::rustc-cfg=cycle_counter");
    }
}
