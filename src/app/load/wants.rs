//! **The question:** what does one simulated person want of the call?

use crate::base::media::RungName;

/// What a person does in the call and takes of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wants {
    /// Which pictures they have to do with.
    pub pictures: Pictures,
    /// Recordings must neither show nor sound them.
    pub unrecorded: bool,
    /// The rung they ask for; `None`: the first.
    pub rung: Option<RungName>,
}

/// Which pictures a person has to do with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pictures {
    /// They send their camera's, and take the composite.
    pub camera: bool,
    /// They share a screen.
    pub screen: bool,
}
