//! **The question:** where do recorded bytes lie?
