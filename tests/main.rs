//! The one integration-test binary: each module is one subject.

mod browser;
mod call;
mod client;
mod compose;
mod config;
mod keepers;
mod layout;
mod legs;
mod load;
mod moderation;
mod record;
mod retention;
mod sim;
mod tidy;
