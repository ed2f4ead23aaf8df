//! **The question:** in which order do the threads of a run come and go?

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::app::offline::decoded_file::DecodedFile;
use crate::app::offline::error::RecomposeError;
use crate::app::offline::job::{Job, Progress, Summary};
use crate::app::offline::outlet::encode;
use crate::app::offline::sound::mix;
use crate::app::offline::stage::Stage;
use crate::app::offline::windows::decode;
use crate::base::limits;
use crate::base::media::pts_from_tick;
use crate::engine::compose::cpu_compositor;
use crate::engine::encode::{VideoEncoderSetup, video_encoder};
use crate::io::demux;

/// Composes `job.files` into `job.out`. `progress` hears of each second composed; once `stop` is set, the file is
/// closed where it is.
///
/// # Errors
/// See [`RecomposeError`]; then `job.out` is as it was before.
pub fn run(job: &Job, stop: &AtomicBool, progress: &dyn Fn(Progress)) -> Result<Summary, RecomposeError> {
    let begun = Instant::now();
    let Opened { files, notes } = open_all(job)?;
    let setup = VideoEncoderSetup {
        codec: job.codec,
        size: job.size,
        fps: job.fps,
        bitrate: job.bitrate,
        threads: job.encoder_threads,
    };
    let raw = job.out.extension().is_some_and(|extension| extension == "y4m");
    let mut encoder = (!raw).then(|| video_encoder(job.encoder, setup)).transpose()?;
    encoder.as_mut().map_or(Ok(()), |encoder| encoder.take_time())?;
    let sounds = if job.sound && !raw { sounds(job)? } else { Vec::new() };
    let total = files.iter().filter_map(|source| source.span()).max();
    let compositor = cpu_compositor(job.size);
    let (encoder_name, compositor_name) =
        (encoder.as_ref().map_or("none", |encoder| encoder.name()), compositor.name());
    let files_with_sound = sounds.len();
    let (stage, written) = std::thread::scope(|scope| {
        let (packets, mixing) = if sounds.is_empty() { (None, None) } else { mix(scope, sounds)? };
        let (composed, encoding) = encode(scope, job, encoder, compositor.pool(), packets)?;
        let mut stage = Stage::new(job, files.len(), compositor, notes);
        let windows = decode(scope, job, files)?;
        stage.play(&windows, &composed, stop, &|done| progress(Progress { done, total }));
        // Ends: the decoders' next window finds nobody, the encoder finds no next tick, the mixer no reader.
        drop((windows, composed));
        let written = encoding.join().expect("a thread of ours does not panic")?;
        if let Some(mixing) = mixing {
            mixing.join().expect("a thread of ours does not panic");
        }
        Ok::<_, RecomposeError>((stage, written))
    })?;
    let wall_s = begun.elapsed().as_secs_f64();
    let duration_s = pts_from_tick(written.frames, job.fps).since(pts_from_tick(0, job.fps)).as_secs_f64();
    Ok(Summary {
        out: job.out.clone(),
        files: job.files.len(),
        files_with_sound,
        frames: written.frames,
        duration_s,
        bytes: written.bytes,
        bitrate: if duration_s > 0.0 { (written.bytes as f64 * 8.0 / duration_s) as u64 } else { 0 },
        wall_s,
        speed: duration_s / wall_s,
        encoder: encoder_name,
        compositor: compositor_name,
        decoded: stage.decoded,
        interrupted: stage.interrupted,
        warnings: stage.warnings,
    })
}

/// The files, and what the operator should know of them.
struct Opened {
    files: Vec<DecodedFile>,
    notes: Vec<String>,
}

fn open_all(job: &Job) -> Result<Opened, RecomposeError> {
    if job.files.is_empty() || job.files.len() > limits::PARTICIPANTS_MAX {
        return Err(RecomposeError::Count(job.files.len()));
    }
    let out = job.out.canonicalize().ok();
    let mut opened = Opened { files: Vec::with_capacity(job.files.len()), notes: Vec::new() };
    for path in &job.files {
        if out.is_some() && path.canonicalize().ok() == out {
            return Err(RecomposeError::Same(path.clone()));
        }
        let input = |fault| RecomposeError::Input { path: path.clone(), fault };
        let mut media = demux::open(path).map_err(input)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        opened.notes.extend(media.notes.drain(..).map(|note| format!("{name}: {note}")));
        let file = DecodedFile::new(media, job.fps).map_err(input)?;
        opened.files.push(if job.sound { file } else { file.muted() });
    }
    Ok(opened)
}

fn sounds(job: &Job) -> Result<Vec<demux::Sound>, RecomposeError> {
    let mut sounds = Vec::new();
    for path in &job.files {
        let media = demux::open(path).map_err(|fault| RecomposeError::Input { path: path.clone(), fault })?;
        sounds.extend(media.sound);
    }
    Ok(sounds)
}
