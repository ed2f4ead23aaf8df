//! **The question:** how does what a room shows and says become a stored recording? From the room's fans through [`crate::core::record`]
//! to [`crate::io::store`].

pub mod room;
pub mod sealed;
pub mod tracks;
