//! Floor 3, engines: what burns CPU or GPU on pixels and samples, or carries data between threads. No socket, no file,
//! no decision.

pub mod audio;
pub mod compose;
pub mod decode;
pub mod encode;
pub mod flow;
pub mod video;
