//! **The question:** what does the node tell its operator?
