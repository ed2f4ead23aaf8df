//! **The question:** which comes next, picture or sound? Readers of fans with their next item in sight.

use std::sync::Arc;

use crate::base::media::{EncodedFrame, MixTick, Pts};
use crate::engine::flow::{FanReader, Read};

/// A fan's reader with its next item in sight.
#[derive(Debug)]
pub(super) struct PeekReader<T> {
    reader: FanReader<T>,
    next: Option<(bool, Arc<T>)>,
    /// Nothing comes any more, and nothing is in sight.
    pub closed: bool,
    /// Something was left out before the next item that is taken.
    pub misses: bool,
}

impl<T: Timed> PeekReader<T> {
    pub(super) fn new(reader: FanReader<T>) -> Self {
        Self { reader, next: None, closed: false, misses: false }
    }

    /// One whose first item follows something else.
    pub(super) fn after_gap(reader: FanReader<T>) -> Self {
        Self { misses: true, ..Self::new(reader) }
    }

    /// Looks for the next item, unless one is in sight.
    pub(super) fn fill(&mut self) {
        if self.next.is_some() {
            return;
        }
        match self.reader.read() {
            Read::Item(item) => self.next = Some((false, item)),
            Read::AfterGap(item) => self.next = Some((true, item)),
            Read::Empty => {}
            Read::Closed => self.closed = true,
        }
    }

    /// Room time of the item in sight.
    pub(super) fn pts(&self) -> Option<Pts> {
        self.next.as_ref().map(|(_, item)| item.pts())
    }

    /// The item in sight, and whether something was left out before it.
    pub(super) fn take(&mut self) -> (bool, Arc<T>) {
        let (after_gap, item) = self.next.take().expect("only a source with an item in sight is taken from");
        (std::mem::take(&mut self.misses) | after_gap, item)
    }

    /// Leaves out everything that is there by now.
    pub(super) fn discard(&mut self) {
        self.next = None;
        self.misses = true;
        while let Read::Item(_) | Read::AfterGap(_) = self.reader.read() {}
    }

    /// Nothing that is published from now on is read; what is there still is.
    pub(super) fn stop(&self) {
        self.reader.stop();
    }
}

pub(super) trait Timed {
    fn pts(&self) -> Pts;
}

impl Timed for EncodedFrame {
    fn pts(&self) -> Pts {
        self.pts
    }
}

impl Timed for MixTick {
    fn pts(&self) -> Pts {
        self.pts
    }
}
