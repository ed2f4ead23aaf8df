//! **The question:** what does each one hear?
