//! The `edgegen` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    edgegen::cli::main()
}
