//! **The question:** how is a line told to who may no longer be reading? A pipe that was closed, a full disk or a
//! closed descriptor under stdout is no reason for a node, a keeper or a half-done hand-over to end.

use std::fmt::Arguments;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something that was asked for could not be written.
static LOST: AtomicBool = AtomicBool::new(false);

/// A line on stdout, whoever reads it; takes what `println!` takes.
macro_rules! say {
    ($($words:tt)*) => { $crate::app::cli::terminal::to_stdout(format_args!($($words)*)) };
}

/// A line on stderr, whoever reads it; takes what `eprintln!` takes.
macro_rules! complain {
    ($($words:tt)*) => { $crate::app::cli::terminal::to_stderr(format_args!($($words)*)) };
}

pub(in crate::app::cli) use {complain, say};

/// Writes a line to stdout. Who hung up has read enough (`| head`); of anything else stderr is told.
pub(in crate::app::cli) fn to_stdout(words: Arguments<'_>) {
    let mut out = io::stdout().lock();
    if let Err(error) = writeln!(out, "{words}").and_then(|()| out.flush())
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        LOST.store(true, Ordering::Relaxed);
        to_stderr(format_args!("tessera: this could not be written to stdout ({error}): {words}"));
    }
}

/// Writes a line to stderr; there is nobody else to tell.
pub(in crate::app::cli) fn to_stderr(words: Arguments<'_>) {
    _ = writeln!(io::stderr(), "{words}");
}

/// Whether a line was lost that somebody would have read: a command that answered so did not do its work.
pub(in crate::app::cli) fn lost() -> bool {
    LOST.load(Ordering::Relaxed)
}
