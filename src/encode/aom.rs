//! **The question:** how does libaom encode a tick in real time?
