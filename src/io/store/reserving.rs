//! **The question:** how does a thread that never waits ask for a recording's place and key?

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use crate::core::record::Object;
use crate::core::retention::{KeeperId, RecordingName, Secret};
use crate::engine::flow::Waker;
use crate::io::store::local_keeper::KeyCustodyError;

/// A recording that has a name, an hour and a data key, wrapped by its keepers, of which nothing is stored yet.
/// Dropped, it never was.
#[derive(Debug)]
pub struct ReservedRecording {
    pub(super) recording: RecordingName,
    pub(super) key: Secret,
    /// For whom it is wrapped.
    pub(super) keepers: Vec<KeeperId>,
    /// What is stored first, as it is.
    pub(super) opening: Vec<(Object, Bytes)>,
}

/// A place that was asked for.
#[derive(Debug)]
pub struct Reserving(Answer);

type Reserved = Result<ReservedRecording, KeyCustodyError>;

#[derive(Debug)]
enum Answer {
    Awaited(oneshot::Receiver<Reserved>),
    Here(Reserved),
}

/// Wakes when it goes, whatever became of its task.
struct WakesAtEnd(Waker);

impl Reserving {
    /// Has `asking` run on `runtime`.
    pub(super) fn spawn(
        runtime: &Handle,
        waker: Waker,
        asking: impl Future<Output = Reserved> + Send + 'static,
    ) -> Self {
        let (sender, receiver) = oneshot::channel();
        let wakes = WakesAtEnd(waker);
        runtime.spawn(async move {
            // Whoever asked may be gone.
            let _ = sender.send(asking.await);
            drop(wakes);
        });
        Self(Answer::Awaited(receiver))
    }

    /// The answer, once it is there.
    pub fn look(&mut self) -> Option<Result<&ReservedRecording, &KeyCustodyError>> {
        if let Answer::Awaited(receiver) = &mut self.0 {
            self.0 = Answer::Here(match receiver.try_recv() {
                Ok(answer) => answer,
                Err(TryRecvError::Empty) => return None,
                // The runtime ended.
                Err(TryRecvError::Closed) => Err(KeyCustodyError::Silent),
            });
        }
        match &self.0 {
            Answer::Here(reserved) => Some(reserved.as_ref()),
            Answer::Awaited(_) => None,
        }
    }

    /// The answer, or this again while there is none.
    ///
    /// # Errors
    /// While there is no answer.
    pub fn take(mut self) -> Result<Reserved, Self> {
        self.look();
        match self.0 {
            Answer::Here(reserved) => Ok(reserved),
            Answer::Awaited(_) => Err(self),
        }
    }
}

impl Drop for WakesAtEnd {
    fn drop(&mut self) {
        self.0.wake();
    }
}
