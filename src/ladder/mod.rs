//! **The question:** what is asked of each sender, and when is a keyframe due?
