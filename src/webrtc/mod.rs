//! **The question:** what goes over the wire?
