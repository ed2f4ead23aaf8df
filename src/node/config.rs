//! **The question:** what did the operator configure?
