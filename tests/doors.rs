//! **The question:** do the doors hold while strangers lean on them? The real binary with a call of five in it; what is
//! tried in other rooms costs it less than 50 MB and no tick, and whoever may join can.

mod flood;
pub mod harness;
mod http;
mod joins;
mod media;
pub mod sender;
