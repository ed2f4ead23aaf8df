//! **The question:** what do joins cost that never connect?
