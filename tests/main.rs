//! The one integration-test binary: each module is one subject.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers of tests end the test too"
)]

mod access;
mod acme;
mod browser;
mod call;
mod captions;
mod client;
mod clients;
mod codecs;
mod compose;
mod config;
mod decoders;
mod doors;
mod drain;
mod fleet;
mod guide;
mod k8s;
mod keepers;
mod layout;
mod legs;
mod links;
mod live;
mod load;
mod log;
mod moderation;
mod overload;
mod pages;
mod privacy;
mod push;
mod record;
mod retention;
mod rungs;
mod sim;
mod simulcast;
mod support;
mod tcp;
mod tenants;
mod tidy;
mod traces;
mod vital;
mod webhooks;
