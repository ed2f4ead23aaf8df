//! **The question:** what did the operator type?

/// Runs the command line of this process and says how it ended.
#[must_use]
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
