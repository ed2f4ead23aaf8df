//! **The question:** when does a frame play?
