//! **The question:** Scene + VideoFrames → ComposedFrame
