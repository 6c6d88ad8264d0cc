//! The binary: calls [`harnessx::cli::main`], nothing else.

fn main() -> std::process::ExitCode {
    harnessx::cli::main()
}
