//! Prints the report.

fn main() {
    print!("{}", edgegen_targets::report());
}
