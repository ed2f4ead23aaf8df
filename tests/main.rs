//! The one integration-test binary: each module is one subject.

mod browser;
mod call;
mod compose;
mod config;
mod keepers;
mod layout;
mod legs;
mod load;
mod record;
mod retention;
mod sim;
mod tidy;
