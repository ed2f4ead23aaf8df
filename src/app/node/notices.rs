//! **The question:** what of the configuration can be used, and will be missed by whoever comes? Certificates that
//! nobody will believe, and a bucket without credentials: said at the start and by `tessera serve --check`, for else
//! the first who connects is the first to see it.

use std::path::Path;
use std::time::SystemTime;

use crate::app::config::{Config, Tls};
use crate::app::node::fleet::machine_name;
use crate::base::media::Wallclock;
use crate::io::acme::{Purpose, unfit};
use crate::io::keeper::Role;
use crate::io::store::Vault;

/// What may be as it should: what the environment lacks for the store of recordings.
pub(super) fn store(config: &Config) -> Option<String> {
    let place = config.recording.place().vault;
    let lacking = config.recording.enabled.then(|| Vault::lacking(&place)).flatten()?;
    Some(format!("recording.path: {place}: {lacking}"))
}

/// What is wrong with certificates, in a line each that names key and file.
pub(super) fn certificates(config: &Config) -> Vec<String> {
    let now = Wallclock::from_system_time(SystemTime::now());
    let mut told = Vec::new();
    let mut look = |key: &str, file: &Path, purpose: Purpose, host: Option<&str>| {
        told.extend(unfit(file, purpose, host, now).iter().map(|why| format!("{key}: {}: {why}", file.display())));
    };
    if let Tls::Files { cert, .. } = &config.http.tls {
        look("http.tls_cert", cert, Purpose::Server, config.fleet.secure_host(&machine_name()).as_deref());
    }
    if let Some(cert) = config.fleet.cert() {
        look("fleet.cert", cert, Purpose::Client, None);
    }
    if let Some(keepers) = &config.retention.keepers {
        look("retention.cert", &keepers.files.cert, Purpose::Client, None);
    }
    told.extend(strangers(config));
    if config.http.tls == Tls::SelfSigned && config.fleet.trust().is_some() {
        told.push(
            "http.tls_self_signed: no other node of the fleet believes such a certificate, so rooms do not move here; \
             set tls_cert and tls_key, or acme"
                .to_owned(),
        );
    }
    told
}

/// Certificates of `tessera keeper init` that lie in another's place.
fn strangers(config: &Config) -> impl Iterator<Item = String> {
    let door = match &config.http.tls {
        Tls::Files { cert, .. } => Some(cert),
        Tls::Off | Tls::SelfSigned | Tls::Acme(_) => None,
    };
    let door = door.and_then(|file| Some((file, Role::in_file(file)??))).map(|(file, role)| {
        let whose = match role {
            Role::Node => "which nodes show to keepers (it belongs to retention.cert)",
            Role::Keeper => "a keeper's own",
        };
        format!(
            "http.tls_cert: {}: it is of `tessera keeper init`, {whose}, which no browser and no other node believes; \
             put the certificate of the node's name there",
            file.display()
        )
    });
    let keepers = config.retention.keepers.as_ref().map(|keepers| &keepers.files.cert);
    let asks = keepers.and_then(|file| Some((file, Role::in_file(file)?))).and_then(|(file, role)| {
        let what = match role {
            Some(Role::Node) => return None,
            Some(Role::Keeper) => "it is a keeper's, whom keepers tell nothing but the time",
            None => "it names neither a node nor a keeper, so keepers answer nothing",
        };
        let file = file.display();
        Some(format!("retention.cert: {file}: {what}; put cert.pem of the folder node/ of `tessera keeper init` there"))
    });
    door.into_iter().chain(asks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::keeper::{IdentityFiles, make_certificates};

    /// What is told of a node of a fleet at `host` whose files are these.
    fn told(host: &str, door: &IdentityFiles, keepers: &IdentityFiles) -> Vec<String> {
        let text = format!(
            "[http]\ntls_cert = {:?}\ntls_key = {:?}\n[fleet]\netcd = [\"http://127.0.0.1:2379\"]\nnode_id = \"n\"\n\
             advertise = \"https://{host}:8443\"\n[retention]\nkeepers = [\"a:1\", \"b:1\", \"c:1\"]\nca = {:?}\n\
             cert = {:?}\nkey = {:?}\n",
            door.cert, door.key, keepers.ca, keepers.cert, keepers.key
        );
        certificates(&Config::parse(Path::new("tessera.toml"), &text).unwrap())
    }

    #[test]
    fn a_certificate_in_anothers_place_is_told_with_its_key_and_file() {
        let home = tempfile::tempdir().unwrap();
        let hosts = ["127.0.1.21", "127.0.1.22", "127.0.1.23"].map(String::from);
        let folders = make_certificates(&home.path().join("pki"), &hosts).unwrap();
        let [node, keeper, ..] = folders.as_slice() else { unreachable!("four are made") };
        let [node, keeper] = [node, keeper].map(|folder| IdentityFiles::in_folder(folder));
        let has = |lines: &[String], file: &IdentityFiles, words: [&str; 2]| {
            let is_it = |line: &String| {
                line.starts_with(words[0]) && line.contains(words[1]) && line.contains(file.cert.to_str().unwrap())
            };
            lines.iter().any(is_it)
        };
        let mixed = told("127.0.1.11", &node, &keeper);
        for words in [
            ["http.tls_cert: ", "not that of a server (serverAuth)"],
            ["http.tls_cert: ", "does not name 127.0.1.11"],
            ["http.tls_cert: ", "it belongs to retention.cert"],
        ] {
            assert!(has(&mixed, &node, words), "{words:?}: {mixed:?}");
        }
        assert!(has(&mixed, &keeper, ["retention.cert: ", "it is a keeper's"]) && mixed.len() == 4, "{mixed:?}");
        // A keeper's is a server's too, and here of that very host.
        let kept = told("127.0.1.21", &keeper, &node);
        assert!(has(&kept, &keeper, ["http.tls_cert: ", "a keeper's own"]) && kept.len() == 1, "{kept:?}");
        assert_eq!(certificates(&Config::default()), [""; 0]);
    }

    #[test]
    fn a_certificate_that_a_node_makes_itself_is_for_nodes_without_others() {
        let home = tempfile::tempdir().unwrap();
        let secret = home.path().join("fleet.secret");
        std::fs::write(&secret, [b'5'; 64]).unwrap();
        let fleet = format!(
            "[fleet]\netcd = [\"http://127.0.0.1:2379\"]\nadvertise = \"https://a.example\"\nsecret_file = {secret:?}\n"
        );
        let told = |text: &str| certificates(&Config::parse(Path::new("tessera.toml"), text).unwrap());
        let own = "[http]\ntls_self_signed = true\n";
        assert!(told(&format!("{own}{fleet}"))[0].starts_with("http.tls_self_signed: "));
        assert_eq!((told(own), told(&fleet)), (vec![], vec![]));
    }

    #[test]
    fn a_store_that_is_a_folder_or_is_not_used_lacks_nothing() {
        let parse = |text: &str| Config::parse(Path::new("tessera.toml"), text).unwrap();
        for text in ["[recording]\nenabled = true", "[recording]\nenabled = false\npath = \"s3://calls/x\""] {
            assert_eq!(store(&parse(text)), None, "{text}");
        }
    }
}
