//! **The question:** how far is a file that is handed over?

/// How far one file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So many bytes of it were given to the host.
    Sending {
        /// So far.
        bytes: u64,
        /// In all.
        of: u64,
    },
    /// So many bytes of it were read back.
    Verifying {
        /// So far.
        bytes: u64,
        /// In all.
        of: u64,
    },
    /// A try failed; the next one comes after a pause.
    Waiting {
        /// How many failed.
        tries: u32,
    },
}

/// Who is told how far it is.
pub type Told<'a> = &'a (dyn Fn(Progress) + Send + Sync);
