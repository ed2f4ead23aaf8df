//! **The question:** what can be asked, as far as leave to ask it goes?

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// To fetch what is nobody's secret: pages, probes, counts, what the node is.
    Visit,
    /// To steer or end a connection of which one knows the capability.
    SteerOwn,
    /// To say a word in a call that one is in: a line, a reaction, a raised hand.
    TakePart,
    /// To look at a room: who is there, what can be watched.
    Look,
    /// To watch a room by WebRTC.
    Watch,
    /// To watch a room by HLS, whose players may know no headers.
    Stream,
    /// To send picture and sound into a room, and nothing else.
    Publish,
    /// To take part in a room.
    Join,
    /// To change how a room looks.
    Arrange,
    /// To change how a room sounds, who is heard in it and who stays.
    Moderate,
    /// To begin or end a recording.
    Record,
    /// To see, hand over or erase recordings.
    Archive,
    /// To send a room on to another server, and to see where it goes.
    Push,
    /// To hear each voice of a room by itself, and to show everybody what was said.
    Caption,
    /// To see which rooms there are.
    Survey,
    /// To see how much was used, by whose rooms.
    Account,
    /// To hand a room over, as one node of a fleet to another.
    Settle,
    /// To see how the node fares, beyond what its metrics tell.
    Oversee,
}

impl Act {
    /// Whether it concerns no room in particular, or all of them.
    pub(super) const fn is_of_node(self) -> bool {
        matches!(self, Self::Survey | Self::Account | Self::Oversee)
    }

    /// Whether it concerns a room whose name is asked for with it.
    pub(super) const fn is_of_room(self) -> bool {
        !self.is_of_node() && !matches!(self, Self::Visit | Self::SteerOwn | Self::TakePart | Self::Archive)
    }
}
