//! **The question:** which captions of a recording are sealed, and which wait for that? Some are sealed together, so
//! that a store has few objects of them; until then they are in memory alone.

use crate::base::limits;
use crate::core::record::RecordedCaption;

/// The captions of one recording.
#[derive(Debug, Default)]
pub(super) struct SealedCaptions {
    waiting: Vec<RecordedCaption>,
    /// Bytes of them.
    len: usize,
    objects: u32,
}

impl SealedCaptions {
    /// Takes one; beyond what may wait it is lost.
    pub(super) fn take(&mut self, caption: RecordedCaption) {
        if self.len + caption.len() <= limits::CAPTIONS_UNSTORED_LEN_MAX {
            self.len += caption.len();
            self.waiting.push(caption);
        }
    }

    /// Whether they are worth an object.
    pub(super) fn are_many(&self) -> bool {
        self.len >= limits::CAPTION_OBJECT_LEN
    }

    /// What the next object is to hold; `None`: nothing waits.
    pub(super) fn waiting(&self) -> Option<Vec<u8>> {
        (!self.waiting.is_empty()).then(|| serde_json::to_vec(&self.waiting).expect("captions are plain data"))
    }

    /// The next object holds them.
    pub(super) fn are_stored(&mut self) {
        (self.len, self.objects) = (0, self.objects + 1);
        self.waiting.clear();
    }

    /// Those that stand in no object.
    pub(super) fn left(&self) -> Vec<RecordedCaption> {
        self.waiting.clone()
    }

    /// How many objects there are.
    pub(super) fn objects(&self) -> u32 {
        self.objects
    }
}
