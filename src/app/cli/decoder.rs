//! **The question:** what does the process do that a node starts for its decoders? Nobody types this.

use std::process::ExitCode;

use clap::Args;

use crate::io::apart::{DecoderSide, confine};

/// What a node says when it starts one.
#[derive(Debug, Args)]
pub struct DecoderArgs {
    /// A node starts it, with a socket and memory for it
    #[arg(long, required = true)]
    of_a_node: bool,
}

/// Serves the node that started this process until it closes its end.
#[must_use]
pub fn run(args: &DecoderArgs) -> ExitCode {
    let DecoderArgs { of_a_node: true } = args else { return ExitCode::from(2) };
    let Ok(side) = DecoderSide::inherit() else { return ExitCode::from(2) };
    let confinement = confine();
    match side.serve(confinement) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
