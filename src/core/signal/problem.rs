//! **The question:** why can something that was asked not be? The kinds of problems that the data channel speaks, each
//! once.

/// Every problem's type begins with this, on the data channel and in HTTP's problem documents (RFC 9457).
pub const PROBLEM_URN: &str = "urn:tessera:problem:";

/// The type of a problem, a URN that clients match.
#[must_use]
pub fn problem_urn(kind: &str) -> String {
    format!("{PROBLEM_URN}{kind}")
}

/// Declares each kind in one place, so that none is missing from `ALL`, which `docs/signalling.md` is compared with.
macro_rules! problem_kinds {
    ($($(#[$attribute:meta])* $kind:ident = $name:literal,)*) => {
        /// What a `problem` message may say of itself; `docs/signalling.md` lists the same.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ProblemKind {
            $($(#[$attribute])* $kind,)*
        }

        impl ProblemKind {
            /// Every kind there is.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The end of its URN.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

problem_kinds! {
    /// A text is no message of this grammar, or of another generation.
    BadMessage = "bad-message",
    /// An offer cannot be read or answered.
    BadOffer = "bad-offer",
    /// A layout document is wrong.
    BadLayout = "bad-layout",
    /// Participants may not ask for this here.
    NotAllowed = "not-allowed",
    /// The same was asked a moment ago.
    TooOften = "too-often",
    /// The node is too busy for it now.
    Busy = "busy",
    /// A track's pictures are of a kind that is not shown.
    NotShown = "not-shown",
    /// An m-line of the offer is refused.
    LineRefused = "line-refused",
    /// A host removed you.
    Removed = "removed",
    /// Too few keepers of recordings answer.
    KeepersSilent = "keepers-silent",
}
