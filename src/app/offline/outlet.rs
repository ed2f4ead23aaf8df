//! **The question:** where do composed frames go? Through the encoder into an MP4, or as they are.

use std::io;
use std::thread::{Scope, ScopedJoinHandle};

use crossbeam_channel::{Sender, bounded};

use crate::app::offline::error::RecomposeError;
use crate::app::offline::job::Job;
use crate::app::offline::muxer::Film;
use crate::app::offline::raw::Raw;
use crate::app::offline::sound::Packets;
use crate::app::offline::temp_file::Written;
use crate::base::limits;
use crate::base::media::{ComposedFrame, EncodedFrame};
use crate::engine::compose::FramePool;
use crate::engine::encode::{EncodeError, VideoEncoder};

/// The thread that encodes, and what it will have written.
pub(super) type Encoding<'scope> = ScopedJoinHandle<'scope, Result<Written, RecomposeError>>;

/// Where composed frames go.
enum Outlet {
    /// Encoded into an MP4.
    Film { film: Film, encoder: Box<dyn VideoEncoder>, keyframe_ticks: u64, units: Vec<EncodedFrame> },
    /// As they are.
    Raw(Raw),
}

impl Outlet {
    fn open(job: &Job, encoder: Option<Box<dyn VideoEncoder>>, packets: Option<Packets>) -> io::Result<Self> {
        let Some(encoder) = encoder else { return Raw::create(&job.out, job.size, job.fps).map(Self::Raw) };
        let film = Film::create(&job.out, job.fps, packets)?;
        let keyframe_ticks = limits::KEYFRAME_INTERVAL.as_secs() * u64::from(job.fps);
        Ok(Self::Film { film, encoder, keyframe_ticks, units: Vec::new() })
    }

    fn tick(&mut self, tick: u64, frame: &ComposedFrame) -> Result<(), Fell> {
        match self {
            Self::Raw(raw) => raw.picture(frame)?,
            Self::Film { film, encoder, keyframe_ticks, units } => {
                encoder.encode(frame, tick.is_multiple_of(*keyframe_ticks), units)?;
                units.drain(..).try_for_each(|unit| film.picture(&unit))?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Written, Fell> {
        match self {
            Self::Raw(raw) => Ok(raw.finish()?),
            Self::Film { mut film, mut encoder, mut units, .. } => {
                encoder.finish(&mut units)?;
                units.drain(..).try_for_each(|unit| film.picture(&unit))?;
                Ok(film.finish()?)
            }
        }
    }
}

/// Which of the two fell over: the disk or the encoder.
#[derive(Debug, thiserror::Error)]
enum Fell {
    #[error(transparent)]
    Disk(#[from] io::Error),
    #[error(transparent)]
    Encoder(#[from] EncodeError),
}

/// Begins to encode what is sent, ticks in order.
pub(super) fn encode<'scope>(
    scope: &'scope Scope<'scope, '_>,
    job: &Job,
    encoder: Option<Box<dyn VideoEncoder>>,
    pool: FramePool,
    packets: Option<Packets>,
) -> Result<(Sender<ComposedFrame>, Encoding<'scope>), RecomposeError> {
    let (sender, mailbox) = bounded::<ComposedFrame>(limits::COMPOSED_QUEUE_LEN);
    let path = job.out.clone();
    let failed = move |fell| match fell {
        Fell::Disk(error) => RecomposeError::Output { path: path.clone(), error },
        Fell::Encoder(error) => RecomposeError::Encode(error),
    };
    let mut outlet = Outlet::open(job, encoder, packets).map_err(|error| failed(error.into()))?;
    let work = move || {
        for (tick, frame) in (0..).zip(mailbox) {
            outlet.tick(tick, &frame).map_err(&failed)?;
            pool.recycle(frame);
        }
        outlet.finish().map_err(&failed)
    };
    let builder = std::thread::Builder::new().name("encode".to_owned());
    let encoding = builder.spawn_scoped(scope, work).map_err(RecomposeError::Thread)?;
    Ok((sender, encoding))
}
