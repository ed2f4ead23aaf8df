//! **The question:** how is a keeper in another process asked, and by whom may it be?
//!
//! Doors: [`Request`] and [`Response`] (the grammar: small frames), [`Identity`] (whose certificate proves what),
//! [`serve`] (a keeper's door), [`KeeperClient`] (the way to one keeper), [`make_certificates`] (a small authority for
//! three keepers and a node).
//!
//! Everything goes through TLS 1.3 with certificates on both sides. A node may ask for everything, another keeper for
//! the time alone, anyone who else is refused. An hour key never travels: what leaves a keeper opens one recording,
//! together with what another keeper gives out.

mod certificates;
mod client;
mod identity;
mod protocol;
mod server;

pub use certificates::{CertificateError, make_certificates};
pub use client::{KeeperClient, KeeperClientError};
pub use identity::{Identity, IdentityError, IdentityFiles, KEEPER_NAME, NODE_NAME, Role};
pub use protocol::{Malformed, Request, Response, Status};
pub use server::{Desk, ServerCounters, serve};
