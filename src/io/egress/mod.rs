//! **The question:** where does this node go by itself, and where never? Floor 4: what pushes and webhooks share, who
//! both go where somebody wrote that they should.
//!
//! Doors: [`check`], [`check_text`] and [`host`] (may this URL be asked?), [`client()`] (asks, and nowhere else),
//! [`client_of_operator`] (asks whom the configuration names), [`resolve`] (for what is not HTTP), [`Trouble`],
//! [`tls_reason`] (what went wrong), [`body()`] (what was answered), [`retry_after`] (when to ask again),
//! [`is_private`].
//!
//! A URL is whatever somebody wrote, so a node that goes wherever it is sent would reach for them what only it reaches:
//! the machine's own ports, the network behind it, the cloud's metadata (server-side request forgery). An address that
//! is not everybody's is refused unless the operator allows it, and the one that was looked at is the one that is gone
//! to: names are resolved by `addresses` alone, no proxy resolves them otherwise, and no redirect is followed unasked.

mod addresses;
mod client;
mod url;

pub use addresses::{NotPublic, is_private, resolve};
pub use client::{Trouble, body, client, client_of_operator, retry_after, tls_reason};
pub use url::{UrlError, check, check_text, host};
