//! **The question:** which of the operator's servers hear of this node, and what do they call it?

use std::sync::Arc;

use tokio::runtime::Runtime;

use crate::app::config::{Config, Hook};
use crate::app::node::machine_name;
use crate::app::workers::counters::Counts;
use crate::core::webhook::Happening;
use crate::io::store::Archive;
use crate::io::traces::Tracer;
use crate::io::webhook::{WebhookSetup, Webhooks};

/// Tells them from now on, and a collector what takes its time.
pub(super) fn begin(
    config: &Config,
    runtime: &Runtime,
    counts: &Counts,
    archive: Option<&Arc<Archive>>,
) -> (Webhooks, Tracer) {
    let tracer = Tracer::start(config.telemetry.otlp.url(), runtime.handle(), counts.traces.clone());
    (webhooks(config, runtime, counts, archive), tracer)
}

/// What is erased of the archive is told as well.
fn webhooks(config: &Config, runtime: &Runtime, counts: &Counts, archive: Option<&Arc<Archive>>) -> Webhooks {
    let chosen = &config.webhooks;
    let node = match chosen.node.as_str() {
        "" => machine_name(),
        node => node.to_owned(),
    };
    let target = |hook: &Hook| match hook.target() {
        Ok(target) => Some(target.clone()),
        Err(why) => {
            tracing::error!(why, "a webhook has no secret: nothing is told there");
            None
        }
    };
    let targets = chosen.hooks.iter().filter_map(target).collect();
    let setup = WebhookSetup { targets, node, allow_private: chosen.allow_private };
    let webhooks = Webhooks::start(setup, runtime.handle(), counts.webhooks.clone());
    if let Some(archive) = archive.filter(|_| !chosen.hooks.is_empty()) {
        let told = webhooks.clone();
        archive.hear_erased(move |recording, expired| {
            told.tell(&Happening::RecordingErased { recording: recording.to_string(), expired });
        });
    }
    webhooks
}
