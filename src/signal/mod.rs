//! **The question:** what may be said on the data channel?
