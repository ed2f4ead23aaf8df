//! **The question:** how does an Opus packet become samples?
