//! **The question:** how does a PcmBlock become an Opus packet?
