//! **The question:** which access token, or which join link, does the operator want? `tessera token`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use clap::Args;
use rand::Rng as _;

use crate::app::cli::failure::Failure;
use crate::app::cli::terminal::say;
use crate::app::config::{Config, KeyFile, Tls};
use crate::app::node::machine_name;
use crate::base::limits;
use crate::base::media::{RoomId, Wallclock};
use crate::core::access::{Claims, Role, Scope, TokenFault};
use crate::core::fleet::Label;
use crate::io::tokens::{Algorithm, KeyId, SigningKey};

/// Flags of `tessera token`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TokenArgs {
    /// The room that it is for
    #[arg(long, value_name = "ROOM", required_unless_present = "any_room", conflicts_with = "any_room")]
    room: Option<RoomId>,
    /// It is for every room, and for what concerns all of them
    #[arg(long)]
    any_room: bool,
    /// What it makes of who shows it: viewer, speaker, host, recorder, captioner or admin
    #[arg(long, value_name = "ROLE", default_value_t = Role::Speaker)]
    role: Role,
    /// How long it holds, such as 30m, 2h or 7d; at most access.longest_hours
    #[arg(long, value_name = "SPAN", default_value = "2h")]
    ttl: Life,
    /// Who shows it, in words of your own: whom a host bans is known by it in every token that names it
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// Where its room has to run, by the label of a region; without, anywhere
    #[arg(long, value_name = "REGION")]
    region: Option<Label>,
    /// What others are to call whoever shows it; without, they say it themselves
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The key that signs it; the first one that reaches the room, if not given: a tenant's own for its rooms
    #[arg(long, value_name = "ID")]
    key: Option<KeyId>,
    /// The private key (PEM) of an EdDSA key; a node knows the public one alone
    #[arg(long, value_name = "FILE")]
    private_key: Option<PathBuf>,
    /// Configuration file (TOML) with access.keys
    #[arg(long, short, value_name = "FILE", default_value = "tessera.toml")]
    config: PathBuf,
    /// Print a link that leads into the room, instead of the token alone
    #[arg(long, requires = "room")]
    invite: bool,
    /// Where browsers reach the node, for the link [default: as the configuration says]
    #[arg(long, value_name = "URL", requires = "invite")]
    url: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  tessera token --config tessera.toml --room daily --role host --invite
  tessera token --config tessera.toml --room daily --role viewer --ttl 30m
  tessera token --config tessera.toml --room daily --key 2026 --private-key private.pem --name Ada
  tessera token --config tessera.toml --any-room --role admin --ttl 1h
  tessera token --config tessera.toml --room acme~daily --role host --invite   (of the tenant acme)

Whoever has a token may do what its role may in its room until it ends (docs/access.md): give it to one person, and keep
it short. To take all tokens of a key back, take the key out of [access] keys and start the node again.";

/// How long a token holds, as typed: `90s`, `30m`, `2h` or `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Life(Duration);

impl FromStr for Life {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("give 1s to {}h, such as 30m, 2h or 7d", limits::ACCESS_HOURS_MAX);
        let (count, unit_s) = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]
            .into_iter()
            .find_map(|(unit, seconds)| text.strip_suffix(unit).map(|count| (count, seconds)))
            .ok_or_else(bad)?;
        let seconds = count.parse::<u64>().ok().and_then(|count| count.checked_mul(unit_s)).unwrap_or(0);
        let fits = (1..=u64::from(limits::ACCESS_HOURS_MAX) * 3600).contains(&seconds);
        fits.then_some(Self(Duration::from_secs(seconds))).ok_or_else(bad)
    }
}

/// Makes a token and prints it, or the link that carries it.
#[must_use]
pub fn run(args: TokenArgs) -> ExitCode {
    match Config::load(Some(&args.config)).map_err(Failure::from).and_then(|config| made(&args, &config)) {
        Ok(text) => {
            say!("{text}");
            ExitCode::SUCCESS
        }
        Err(failure) => failure.report(),
    }
}

fn made(args: &TokenArgs, config: &Config) -> Result<String, Failure> {
    let key = chosen(args, config)?;
    let longest = config.access.longest();
    if args.ttl.0 > longest {
        let hours = config.access.longest_hours.get();
        let told = format!("--ttl: tokens live at most {hours} h here; give less, or raise [access] longest_hours");
        return Err(Failure::Usage(told));
    }
    let now = Wallclock::from_system_time(SystemTime::now()).unix_seconds();
    let claims = Claims {
        room: args.room.clone(),
        role: args.role,
        exp: now + args.ttl.0.as_secs(),
        nbf: None,
        iat: Some(now),
        region: args.region.clone(),
        sub: args.subject.clone(),
        name: args.name.clone(),
        jti: Some(format!("{:032x}", rand::rng().random::<u128>())),
    };
    let token = signing(args, key)?.sign(&claims).map_err(|error| unusable(args, key, &error.to_string()))?;
    // As the node will read it: another private key than the public one's is found out here, and not by a guest.
    config.keyring().read(&token, now).map_err(|fault| match fault {
        TokenFault::Unreadable => {
            let most = limits::DISPLAY_NAME_LEN_MAX;
            Failure::Usage(format!("--name: a name has 1 to {most} bytes of UTF-8 and no control characters"))
        }
        TokenFault::Outside => {
            let told = format!("--room: key {} is a tenant's, whose rooms are called {{tenant}}~{{room}}", key.id());
            Failure::Usage(told)
        }
        _ => unusable(args, key, "it is not the private key of the public one in [access] keys"),
    })?;
    match (&args.room, args.invite) {
        (Some(room), true) => link(args, config, room, &token),
        (None, true) => Err(Failure::Usage("--invite: name the room that it leads into with --room".to_owned())),
        _ => Ok(token),
    }
}

fn chosen<'a>(args: &TokenArgs, config: &'a Config) -> Result<&'a KeyFile, Failure> {
    let file = args.config.display();
    let keys: Vec<(&KeyFile, Scope)> = config.scoped_keys().collect();
    let owner = args.room.as_ref().filter(|room| config.tenants().of(room).is_some());
    let is_own = |scope: &Scope| *scope != Scope::Node && owner.is_some_and(|room| scope.covers(room));
    let own = keys.iter().find(|(_, scope)| is_own(scope));
    let Some((first, _)) = own.or(keys.first()) else {
        return Err(Failure::Usage(format!(
            "{file}: [access] keys is empty, so this node asks nobody for a token. For one that does: \
             `openssl rand -hex 32 > access.secret; chmod 600 access.secret`, and in {file}, under [access], \
             keys = [{{ id = \"1\", algorithm = \"HS256\", file = \"access.secret\" }}]"
        )));
    };
    let Some(wanted) = &args.key else { return Ok(first) };
    let ids = || keys.iter().map(|(key, _)| key.id().as_str()).collect::<Vec<_>>().join(", ");
    let found = keys.iter().find(|(key, _)| key.id() == wanted);
    found
        .map(|(key, _)| *key)
        .ok_or_else(|| Failure::Usage(format!("--key: {file} has no key {wanted}; it has {}", ids())))
}

fn signing(args: &TokenArgs, key: &KeyFile) -> Result<SigningKey, Failure> {
    let path = match (key.algorithm(), &args.private_key) {
        (Algorithm::Hs256, None) => key.path(),
        (Algorithm::Hs256, Some(_)) => {
            let told = format!("--private-key: key {} is of HS256, whose secret the configuration names", key.id());
            return Err(Failure::Usage(told));
        }
        (Algorithm::EdDsa, Some(path)) => path.as_path(),
        (Algorithm::EdDsa, None) => {
            let told = format!("key {} is of EdDSA: give its private key with --private-key FILE", key.id());
            return Err(Failure::Usage(told));
        }
    };
    let bytes = std::fs::read(path).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
    let read = SigningKey::read(key.id().clone(), key.algorithm(), &bytes);
    read.map_err(|error| unusable(args, key, &error.to_string()))
}

fn unusable(args: &TokenArgs, key: &KeyFile, why: &str) -> Failure {
    let path = args.private_key.as_deref().unwrap_or_else(|| key.path());
    Failure::Usage(format!("{}: {why}", path.display()))
}

/// What stands behind the `#` reaches no server and no log; the page takes it out of the address bar.
fn link(args: &TokenArgs, config: &Config, room: &RoomId, token: &str) -> Result<String, Failure> {
    let page = match args.role {
        Role::Speaker | Role::Host | Role::Admin => "r",
        Role::Viewer => "w",
        Role::Recorder | Role::Captioner => {
            let told = format!(
                "--invite: a {} is a program and enters no room; leave --invite out, and give it the token",
                args.role
            );
            return Err(Failure::Usage(told));
        }
    };
    let base = match &args.url {
        Some(url) if url.starts_with("https://") || url.starts_with("http://") => url.trim_end_matches('/').to_owned(),
        Some(_) => return Err(Failure::Usage("--url: give https://HOST or http://HOST:PORT".to_owned())),
        None => base(config),
    };
    Ok(format!("{base}/{page}/{}#token={token}", room.as_str()))
}

/// Where browsers most likely reach the node.
fn base(config: &Config) -> String {
    if let Some(setup) = config.fleet.setup(&machine_name()) {
        return setup.member.url;
    }
    let (port, is_plain) = (config.http.listen.port(), config.http.tls == Tls::Off);
    match config.http.hosts.first().cloned().map(String::from) {
        // Plain, with a name: a proxy stands before it.
        Some(host) if is_plain || port == 443 => format!("https://{host}"),
        Some(host) => format!("https://{host}:{port}"),
        None if is_plain => format!("http://localhost:{port}"),
        None => format!("https://localhost:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use clap::Parser as _;

    use super::*;
    use crate::app::cli::{Cli, Command};

    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
                           MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
                           -----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
                          -----END PUBLIC KEY-----\n";

    fn files() -> (tempfile::TempDir, Config) {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::write(at("secret"), "0123456789abcdef0123456789abcdef").unwrap();
        fs::write(at("public.pem"), PUBLIC).unwrap();
        fs::write(at("private.pem"), PRIVATE).unwrap();
        fs::write(at("other.pem"), PRIVATE.replace("EIJ1h", "EIJ2h")).unwrap();
        let text = format!(
            "[http]\nhosts = [\"call.example\"]\n[access]\nlongest_hours = 48\nkeys = [\n\
             {{ id = \"hs\", algorithm = \"HS256\", file = \"{}\" }},\n\
             {{ id = \"ed\", algorithm = \"EdDSA\", file = \"{}\" }}]\n",
            at("secret"),
            at("public.pem")
        );
        let config = Config::parse(Path::new("tessera.toml"), &text).unwrap();
        (folder, config)
    }

    fn ask(line: &str, config: &Config) -> Result<String, String> {
        let Command::Token(args) = Cli::try_parse_from(line.split(' ')).map_err(|error| error.to_string())?.command
        else {
            unreachable!("the line says token")
        };
        made(&args, config).map_err(|failure| failure.to_string())
    }

    fn now() -> u64 {
        Wallclock::from_system_time(SystemTime::now()).unix_seconds()
    }

    #[test]
    fn what_it_makes_the_node_takes_as_it_was_asked_for() {
        let (folder, config) = files();
        let private = folder.path().join("private.pem").display().to_string();
        for (line, role, room, name) in [
            ("tessera token --room daily".to_owned(), Role::Speaker, Some("daily"), None),
            ("tessera token --any-room --role admin --ttl 2d".to_owned(), Role::Admin, None, None),
            (
                format!("tessera token --room a --role host --key ed --private-key {private} --name Ada"),
                Role::Host,
                Some("a"),
                Some("Ada"),
            ),
        ] {
            let grant = config.keyring().read(&ask(&line, &config).unwrap(), now()).unwrap();
            let told = (grant.role, grant.room.as_ref().map(RoomId::as_str), grant.name.as_deref());
            assert_eq!(told, (role, room, name), "{line}");
        }
        let token = ask("tessera token --room daily --ttl 30m", &config).unwrap();
        assert_eq!(config.keyring().read(&token, now() + 1900), Err(TokenFault::Expired));
        assert_ne!(token, ask("tessera token --room daily --ttl 30m", &config).unwrap(), "each has an id of its own");
    }

    #[test]
    fn an_invitation_leads_to_the_page_of_its_role() {
        let (_folder, config) = files();
        let link = ask("tessera token --room daily --role host --invite", &config).unwrap();
        let (page, token) = link.split_once("#token=").unwrap();
        assert_eq!(page, "https://call.example/r/daily");
        assert!(config.keyring().read(token, now()).is_ok());
        let link =
            ask("tessera token --room daily --role viewer --invite --url http://localhost:8080/", &config).unwrap();
        assert!(link.starts_with("http://localhost:8080/w/daily#token="), "{link}");
        assert_eq!(base(&Config::default()), "http://localhost:8080");
        let text = "[fleet]\netcd = [\"http://10.0.0.11:2379\"]\nnode_id = \"node-1\"\n\
                    advertise = \"https://{node}.example\"\n";
        assert_eq!(base(&Config::parse(Path::new("tessera.toml"), text).unwrap()), "https://node-1.example");
    }

    #[test]
    fn what_cannot_be_made_is_told_with_what_to_do() {
        let (folder, config) = files();
        let other = folder.path().join("other.pem").display().to_string();
        for (line, told) in [
            ("tessera token".to_owned(), "--room <ROOM>"),
            ("tessera token --room daily --any-room".to_owned(), "cannot be used with"),
            (
                "tessera token --room daily --role root".to_owned(),
                "viewer, speaker, host, recorder, captioner or admin",
            ),
            ("tessera token --room daily --ttl 3d".to_owned(), "at most 48 h here"),
            ("tessera token --room daily --ttl 3".to_owned(), "such as 30m, 2h or 7d"),
            ("tessera token --room daily --key old".to_owned(), "it has hs, ed"),
            ("tessera token --room daily --key ed".to_owned(), "--private-key FILE"),
            (
                format!("tessera token --room daily --key hs --private-key {other}"),
                "whose secret the configuration names",
            ),
            (
                format!("tessera token --room daily --key ed --private-key {other}"),
                "not the private key of the public one",
            ),
            ("tessera token --room daily --role recorder --invite".to_owned(), "enters no room"),
            ("tessera token --any-room --invite".to_owned(), "--room"),
            ("tessera token --room daily --invite --url call.example".to_owned(), "https://HOST"),
            ("tessera token --room a/b".to_owned(), "invalid value"),
        ] {
            let error = ask(&line, &config).unwrap_err();
            assert!(error.contains(told), "{line}: {error}");
        }
        let open = ask("tessera token --room daily", &Config::default()).unwrap_err();
        assert!(open.contains("openssl rand -hex 32") && open.contains("HS256"), "{open}");
    }
}
