//! **The question:** which servers are told what happens here, and what are messages to them signed by? Secrets are
//! read and checked together with the configuration, so that a wrong one is told with its line before anything runs.

use serde::{Deserialize, Serialize};

use crate::app::config::file::CheckedFile;
use crate::base::limits;
use crate::core::access::TenantId;
use crate::core::webhook::{EventKind, SecretError, SigningSecret};
use crate::io::telemetry::log::Redacted;
use crate::io::webhook::WebhookTarget;

/// `[webhooks]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Keys", into = "Keys")]
pub struct Webhooks {
    /// Servers; none: nobody is told.
    pub hooks: Vec<Hook>,
    /// What the node is called in messages; empty: as its machine.
    pub node: String,
    /// Whether messages tell what people call themselves.
    pub names: bool,
    /// Whether they may go to this machine and to networks behind it, and over plain HTTP.
    pub allow_private: bool,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    written: Redacted<WrittenHook>,
    target: Result<WebhookTarget, String>,
}

impl Hook {
    /// Where messages go, which, and signed by what.
    ///
    /// # Errors
    /// Where the environment lacks one of its secrets, which only a node has to have: who drains one, or makes a token,
    /// reads the same file. Says which.
    pub fn target(&self) -> Result<&WebhookTarget, &str> {
        self.target.as_ref().map_err(String::as_str)
    }

    /// Of whose rooms alone it is told; `None`: of everything.
    pub(super) fn tenant(&self) -> Option<&TenantId> {
        self.written.reveal().tenant.as_ref()
    }

    /// Files of its secrets.
    #[must_use]
    pub fn secret_files(&self) -> &[String] {
        &self.written.reveal().secret_files
    }
}

/// Why they cannot be used; repeats neither a URL nor a secret.
#[derive(Debug, thiserror::Error)]
enum HooksError {
    #[error("hooks: at most {}", limits::WEBHOOKS_MAX)]
    Many,
    #[error("node: 1 to {} printable ASCII characters, or none for the machine's name", limits::WEBHOOK_NODE_LEN_MAX)]
    Node,
    #[error("hooks: {0}")]
    Hook(String),
}

/// As it is written.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Keys {
    hooks: Vec<WrittenHook>,
    node: String,
    names: bool,
    allow_private: bool,
}

/// One server, as it is written.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenHook {
    url: String,
    #[serde(default)]
    events: Vec<EventKind>,
    #[serde(default)]
    secret_files: Vec<String>,
    #[serde(default)]
    secret_variables: Vec<String>,
    /// Of whose rooms alone it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<TenantId>,
}

impl TryFrom<Keys> for Webhooks {
    type Error = HooksError;

    fn try_from(keys: Keys) -> Result<Self, HooksError> {
        let Keys { hooks, node, names, allow_private } = keys;
        if hooks.len() > limits::WEBHOOKS_MAX {
            return Err(HooksError::Many);
        }
        if node.len() > limits::WEBHOOK_NODE_LEN_MAX || !node.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(HooksError::Node);
        }
        let hooks = hooks.into_iter().map(|written| hook(written, allow_private));
        Ok(Self { hooks: hooks.collect::<Result<_, _>>().map_err(HooksError::Hook)?, node, names, allow_private })
    }
}

impl From<Webhooks> for Keys {
    fn from(webhooks: Webhooks) -> Self {
        let Webhooks { hooks, node, names, allow_private } = webhooks;
        Self { hooks: hooks.into_iter().map(|hook| hook.written.into_inner()).collect(), node, names, allow_private }
    }
}

fn hook(written: WrittenHook, allow_private: bool) -> Result<Hook, String> {
    let of_files = written.secret_files.iter().map(|file| secret_of_file(file));
    let mut secrets = of_files.collect::<Result<Vec<_>, _>>()?;
    let mut missing = None;
    for name in &written.secret_variables {
        match secret_of_variable(name)? {
            Some(secret) => secrets.push(secret),
            None => missing = Some(format!("hooks: the environment has no {name}, or it is no text")),
        }
    }
    let target = match missing {
        Some(missing) => Err(missing),
        None => {
            let target = WebhookTarget::new(&written.url, written.events.clone(), secrets, allow_private);
            Ok(target.map_err(|why| why.to_string())?.of_tenant(written.tenant.clone()))
        }
    };
    Ok(Hook { target, written: written.into() })
}

fn secret_of_file(file: &str) -> Result<SigningSecret, String> {
    let mut secret = None;
    CheckedFile::read(file, limits::WEBHOOK_SECRET_FILE_LEN_MAX, |bytes| {
        secret = Some(str::from_utf8(bytes).map_err(|_| SecretError)?.parse()?);
        Ok::<_, SecretError>(())
    })?;
    secret.ok_or_else(|| format!("{file}: {SecretError}"))
}

/// None, where the environment has none.
fn secret_of_variable(name: &str) -> Result<Option<SigningSecret>, String> {
    // Whoever wrote the secret itself where its variable's name belongs finds it in no log.
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_') {
        return Err("secret_variables: names of environment variables, such as TESSERA_WEBHOOK_SECRET".into());
    }
    let value = std::env::var(name).ok();
    value.map(|value| value.parse()).transpose().map_err(|why: SecretError| format!("{name}: {why}"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::app::config::Config;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn parse(lines: &str) -> Result<Config, String> {
        Config::parse(Path::new("tessera.toml"), &format!("[webhooks]\n{lines}\n")).map_err(|error| error.to_string())
    }

    #[test]
    fn secrets_are_read_with_the_configuration_and_printed_by_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        fs::write(&file, format!("{SECRET}\n")).unwrap();
        let hook = format!(
            "hooks = [{{ url = \"https://hooks.example/p4th\", events = [\"room.began\"], secret_files = [\"{}\"] }}]",
            file.display()
        );
        let config = parse(&hook).unwrap();
        let target = config.webhooks.hooks[0].target().unwrap();
        assert!(target.wants(EventKind::RoomBegan) && !target.wants(EventKind::RoomEnded));
        let told = format!("{config:?}");
        assert!(!told.contains("p4th") && !told.contains("MfKQ"), "{told}");
        let written = toml::to_string(&config).unwrap();
        assert!(!written.contains("MfKQ"), "the secret stays where it lies");
        assert_eq!(Config::parse(Path::new("again.toml"), &written), Ok(config));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_without_what_is_secret() {
        let folder = tempfile::tempdir().unwrap();
        let (good, bad) = (folder.path().join("good"), folder.path().join("bad"));
        fs::write(&good, SECRET).unwrap();
        fs::write(&bad, &SECRET["whsec_".len()..]).unwrap();
        let file = |path: &Path| format!("secret_files = [\"{}\"]", path.display());
        let hook = |url: &str, rest: &str| format!("hooks = [{{ url = \"{url}\", {rest} }}]");
        let url = "https://hooks.example/p4th";
        for (lines, told) in [
            (hook("http://hooks.example/p4th", &file(&good)), "allow_private lets it begin with http://"),
            (hook("https://10.0.0.1/p4th", &file(&good)), "not public"),
            (hook(url, &file(&bad)), "openssl rand"),
            (hook(url, "secret_files = [\"/nowhere/secret\"]"), "/nowhere/secret: No such file"),
            (hook(url, "secret_files = []"), "1 to 4 secrets"),
            (hook(url, &format!("secret_variables = [\"{SECRET}\"]")), "names of environment variables"),
            (hook(url, &format!("events = [\"room.renamed\"], {}", file(&good))), "recording.erased"),
            ("node = \"two\\nlines\"".to_owned(), "node: 1 to 64"),
        ] {
            let error = parse(&lines).unwrap_err();
            let is_whole = error.starts_with("tessera.toml:") && error.contains("webhooks") && error.contains(told);
            assert!(is_whole && !error.contains("p4th") && !error.contains("MfKQ"), "{lines}: {error}");
        }
        // Who only reads where a node listens need not have its secrets.
        let unset = parse(&hook(url, "secret_variables = [\"TESSERA_TESTED_UNSET\"]")).unwrap();
        assert!(unset.webhooks.hooks[0].target().unwrap_err().contains("no TESSERA_TESTED_UNSET"));
    }
}
