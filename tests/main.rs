//! The one integration-test binary: each module is one subject.

mod config;
mod record;
mod sim;
mod tidy;
