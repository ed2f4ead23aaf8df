//! **The question:** what does the canvas look like before any encoder touches it? Y4M, for those who measure encoders.

use std::io;
use std::path::Path;

use crate::app::offline::temp_file::{Part, Written};
use crate::base::media::{ComposedFrame, Size};

/// A Y4M file that is being written.
pub(super) struct Raw {
    part: Part,
    frames: u64,
}

impl Raw {
    pub(super) fn create(path: &Path, size: Size, fps: u32) -> io::Result<Self> {
        let mut part = Part::create(path)?;
        // Chroma lies between the rows, on the left column, as in AV1 and H.264: "mpeg2".
        let Size { width, height } = size;
        part.write(
            format!("YUV4MPEG2 W{width} H{height} F{fps}:1 Ip A1:1 C420mpeg2 XCOLORRANGE=LIMITED\n").as_bytes(),
        )?;
        Ok(Self { part, frames: 0 })
    }

    pub(super) fn picture(&mut self, frame: &ComposedFrame) -> io::Result<()> {
        self.part.write(b"FRAME\n")?;
        self.part.write(&frame.samples)?;
        self.frames += 1;
        Ok(())
    }

    pub(super) fn finish(self) -> io::Result<Written> {
        let frames = self.frames;
        self.part.finish().map(|bytes| Written { frames, bytes })
    }
}
