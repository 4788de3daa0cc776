//! The program: arguments in, text out, a truthful exit code.

fn main() -> std::process::ExitCode {
    roadstead::cli::main()
}
