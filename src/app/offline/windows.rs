//! **The question:** who decodes which files, and how many ticks of one before the next one's turn?

use std::thread::Scope;

use crossbeam_channel::{Receiver, bounded};

use crate::app::offline::decoded_file::{DecodedFile, Seen};
use crate::app::offline::error::RecomposeError;
use crate::app::offline::job::Job;
use crate::base::limits;

/// What one decode thread saw of its files in one window, in the order of the files.
pub(super) type Window = Vec<Vec<Seen>>;

/// Ticks decoded of one file before the next one's turn. Ten spare the caches; fewer where the pictures are large.
fn window_ticks(files: &[DecodedFile]) -> u64 {
    let bytes: u64 =
        files.iter().map(|file| u64::from(file.size().width) * u64::from(file.size().height) * 3 / 2).sum();
    // One window is composed from while the next is being decoded.
    (limits::RECOMPOSE_BYTES_MAX / 2 / bytes.max(1)).clamp(1, limits::RECOMPOSE_WINDOW_TICKS)
}

/// Where the windows come from: file `n` from thread `n % threads`.
pub(super) struct Windows {
    pub(super) ticks: u64,
    pub(super) threads: Vec<Receiver<Window>>,
}

/// Begins to decode `files`; the threads end when nobody listens any more.
pub(super) fn decode<'scope>(
    scope: &'scope Scope<'scope, '_>,
    job: &Job,
    files: Vec<DecodedFile>,
) -> Result<Windows, RecomposeError> {
    let count = job.decode_threads.clamp(1, files.len());
    let ticks = window_ticks(&files);
    let mut shares: Vec<Vec<DecodedFile>> = (0..count).map(|_| Vec::new()).collect();
    for (index, file) in files.into_iter().enumerate() {
        shares[index % count].push(file);
    }
    let mut threads = Vec::with_capacity(count);
    for (number, mut share) in shares.into_iter().enumerate() {
        let (outlet, mailbox) = bounded(0);
        let work = move || {
            for window in 1_u64.. {
                let seen: Window = share.iter_mut().map(|file| file.until(window * ticks)).collect();
                // Nobody listens any more: all ended, or stopped.
                if outlet.send(seen).is_err() {
                    return;
                }
            }
        };
        let builder = std::thread::Builder::new().name(format!("decode-{number}"));
        builder.spawn_scoped(scope, work).map_err(RecomposeError::Thread)?;
        threads.push(mailbox);
    }
    Ok(Windows { ticks, threads })
}
