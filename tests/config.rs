//! The configuration: the example is the documentation, and what is wrong is told in one line with exit code 2.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use tessera::app::config::{Config, ConfigError, Tls};
use tessera::base::media::Size;
use tessera::core::scene::Rgb;

const EXAMPLE: &str = include_str!("../tessera.example.toml");

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("tessera.toml"), text)
}

/// `section.key` of every key in `text`.
fn keys(text: &str) -> BTreeSet<String> {
    let table: toml::Table = text.parse().expect("the text is TOML");
    let keys_of = |(section, keys): (&String, &toml::Value)| {
        let keys = keys.as_table().expect("every key stands in a section").keys();
        keys.map(|key| format!("{section}.{key}")).collect::<Vec<_>>()
    };
    table.iter().flat_map(keys_of).collect()
}

/// The example with the keys that have no default brought to life.
fn example_with_optional_keys() -> String {
    let optional = ["tls_cert", "tls_key", "token"];
    optional.iter().fold(EXAMPLE.to_owned(), |text, key| text.replace(&format!("# {key} = "), &format!("{key} = ")))
}

#[test]
fn the_example_is_the_default() {
    assert_eq!(parse(EXAMPLE), Ok(Config::default()));
    assert_eq!(parse(""), Ok(Config::default()));
}

#[test]
fn the_example_names_every_key_and_no_other() {
    let mut full = Config::default();
    full.http.tls = Tls::Files { cert: "a".into(), key: "b".into() };
    full.http.token = Some("0123456789abcdef".parse().unwrap());
    let written = toml::to_string(&full).expect("a configuration can be written");
    assert_eq!(keys(&example_with_optional_keys()), keys(&written));
    assert_eq!(parse(&written), Ok(full));
    let files = Tls::Files { cert: "/etc/tessera/cert.pem".into(), key: "/etc/tessera/key.pem".into() };
    assert_eq!(parse(&example_with_optional_keys()).unwrap().http.tls, files);
}

#[test]
fn what_is_wrong_is_told_in_one_line_with_its_place() {
    let cases = [
        ("[video]\nwidht = 1\n", "tessera.toml:2: video.widht: unknown field `widht`, expected one of `width`"),
        ("[video]\nwidth = 1281\n", "tessera.toml:2: video.width: 1281 is odd; choose an even number"),
        ("[video]\n\nfps = 75", "tessera.toml:3: video.fps: 75 is out of range; choose a number from 1 to 60"),
        ("[video]\nfps = -1", "tessera.toml:2: video.fps: -1 is out of range"),
        (
            "[video]\nencoder = \"x264\"",
            "tessera.toml:2: video.encoder: unknown variant `x264`, expected one of `auto`",
        ),
        (
            "[audio]\nvoices = \"all\"",
            "tessera.toml:2: audio.voices: invalid type: string \"all\", expected a whole number",
        ),
        ("[http]\nlisten = \"8080\"", "tessera.toml:2: http.listen: invalid socket address"),
        (
            "[http]\nport = 8080",
            "tessera.toml:2: http.port: unknown field `port`, expected one of `listen`, `tls_cert`",
        ),
        ("[http]\ntls_cert = \"a\"", "tessera.toml:1: http: tls_cert needs tls_key beside it"),
        ("[videos]\n", "tessera.toml:1: videos: unknown field `videos`, expected one of `http`, `access`"),
        ("[media]\nadvertise = [\"me\"]", "tessera.toml:2: media.advertise: invalid IP address"),
        (
            "[video]\nlayout = \"mosaic\"",
            "tessera.toml:2: video.layout: unknown variant `mosaic`, expected one of `grid`",
        ),
        ("[video]\nlayout = \"/nowhere/a.json\"", "tessera.toml:2: video.layout: /nowhere/a.json: No such file"),
        ("[video]\nlogo = \"/nowhere/a.png\"", "tessera.toml:2: video.logo: /nowhere/a.png: No such file"),
        (
            "[video]\nbackground = \"/etc/passwd\"",
            "tessera.toml:2: video.background: /etc/passwd: the file is neither PNG",
        ),
        ("[video]\nbackground = \"#12345\"", "tessera.toml:2: video.background: #12345: not a colour"),
        ("[video]\nclock = 1", "tessera.toml:2: video.clock: invalid type: integer `1`, expected a boolean"),
        ("[video\n", "tessera.toml:1: video: "),
    ];
    for (text, expected) in cases {
        let told = parse(text).expect_err(text).to_string();
        assert!(told.starts_with(expected), "{text:?} told {told:?}");
        assert!(!told.contains('\n'), "{told:?} is one line");
    }
}

#[test]
fn rooms_are_dressed_as_configured() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logo.png");
    std::fs::write(&path, crate::layout::plain_png(Size::new(2000, 1000), [9, 8, 7, 255])).unwrap();
    let path = path.display();
    let text = format!("[video]\nlogo = \"{path}\"\nbackground = \"{path}\"\nclock = true\n");
    let dressed = parse(&text).unwrap();
    assert_eq!(parse(&toml::to_string(&dressed).unwrap()), Ok(dressed.clone()));
    let branding = dressed.video.branding();
    assert!(branding.clock);
    assert_eq!(branding.logo.unwrap().size(), Size::new(320, 160), "no larger than a canvas of 1280 x 720 needs");
    assert_eq!(branding.background.unwrap().image.unwrap().size(), Size::new(1280, 720));
    let plain = parse("[video]\nbackground = \"#1e90ff\"\n").unwrap().video.branding();
    let background = plain.background.unwrap();
    assert_eq!((background.colour, background.image, plain.logo), (Rgb::new(0x1e, 0x90, 0xff), None, None));
}

#[test]
fn a_wrong_key_ends_the_program_with_code_2_and_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tessera.toml");
    std::fs::write(&path, "[recording]\nenable = true\n").unwrap();
    let damaged = folder.path().join("damaged.toml");
    std::fs::write(folder.path().join("logo.png"), &include_bytes!("goldens/single-1.png")[..900]).unwrap();
    std::fs::write(&damaged, format!("[video]\nlogo = \"{}/logo.png\"\n", folder.path().display())).unwrap();
    for (path, expected) in [
        (path, "tessera.toml:2: recording.enable: unknown field"),
        ("/nowhere".into(), "/nowhere: "),
        (damaged, "logo.png: the file begins as a picture and then breaks off"),
    ] {
        let run = Command::new(env!("CARGO_BIN_EXE_tessera")).args(["serve", "--config"]).arg(path).output().unwrap();
        let told = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{told}");
        assert!(told.starts_with("tessera: ") && told.contains(expected) && told.lines().count() == 1, "{told:?}");
    }
}

#[test]
fn wrong_usage_ends_the_program_with_code_2() {
    for line in [&["serve", "--http", "here"][..], &["demo", "--participants", "0"], &["load", "--what"], &["play"]] {
        let run = Command::new(env!("CARGO_BIN_EXE_tessera")).args(line).output().unwrap();
        assert_eq!(run.status.code(), Some(2), "{line:?}");
        assert!(!run.stderr.is_empty());
    }
}

#[test]
fn a_check_reads_the_certificates_files_where_they_are() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [config, cert, key] = ["tessera.toml", "cert.pem", "key.pem"].map(|name| folder.path().join(name));
    std::fs::write(&config, format!("[http]\ntls_cert = {cert:?}\ntls_key = {key:?}\n")).unwrap();
    let check = || {
        let checked = Command::new(env!("CARGO_BIN_EXE_tessera"))
            .args(["serve", "--check", "--config"])
            .arg(&config)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (checked.status.code(), text(checked.stdout), text(checked.stderr))
    };
    let (code, told, _) = check();
    assert!(code == Some(0) && told.contains("cert.pem") && told.contains("not here"), "{told}");
    std::fs::write(&cert, "no certificate").unwrap();
    std::fs::write(&key, "no key").unwrap();
    let (code, _, told) = check();
    assert!(code == Some(2) && told.contains("no PEM certificate"), "{told}");
}
