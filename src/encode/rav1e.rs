//! **The question:** how does rav1e encode a tick?
