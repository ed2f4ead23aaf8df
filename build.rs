//! **The question:** what do the pages of this build carry? Their files in gzip (RFC 1952), packed once and as densely as
//! Zopfli can, for a page that is there soon on a slow link; and those of others' modules that `.ci/pages` laid into
//! `web/node_modules`. Cargo alone needs no Node: without them, everything builds, and the pages do without.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Its name below `/assets/`, its media type, and where it lies in `web/node_modules`.
const CARRIED: [(&str, &str, &str); 3] = [
    ("hls.js", "text/javascript; charset=utf-8", "hls.js/dist/hls.light.min.mjs"),
    ("uplot.js", "text/javascript; charset=utf-8", "uplot/dist/uPlot.esm.js"),
    ("uplot.css", "text/css; charset=utf-8", "uplot/dist/uPlot.min.css"),
];
/// What a browser may ask for.
const SERVED: [&str; 4] = ["html", "js", "css", "svg"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    // A page that is new is named there first.
    println!("cargo::rerun-if-changed=src/io/http/page.rs");
    println!("cargo::rerun-if-changed=src/io/http/desk.rs");
    let web = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("web");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    // Floors 1 and 2 alone have no pages.
    if std::env::var_os("CARGO_FEATURE_NODE").is_none() {
        return Ok(());
    }
    for folder in ["", "console"] {
        for entry in std::fs::read_dir(web.join(folder))? {
            let file = entry?.path();
            if file.extension().and_then(|kind| kind.to_str()).is_some_and(|kind| SERVED.contains(&kind)) {
                pack(&file, &out.join("packed").join(file.strip_prefix(&web)?))?;
            }
        }
    }
    let mut list = String::from("&[\n");
    for (name, content_type, place) in CARRIED {
        let file = web.join("node_modules").join(place);
        if file.is_file() {
            let packed = out.join("packed/carried").join(name);
            pack(&file, &packed)?;
            writeln!(
                list,
                "Asset {{ name: {name:?}, content_type: {content_type:?}, bytes: include_bytes!({file:?}), \
                 packed: include_bytes!({:?}) }},",
                named_gz(&packed)
            )?;
        } else {
            // Cargo takes a file that is not there for one that changed, each time; its folder is older until it comes.
            println!("cargo::rerun-if-changed={}", web.display());
        }
    }
    list.push(']');
    std::fs::write(out.join("carried.rs"), list)?;
    Ok(())
}

/// Packs `file` into `to` with `.gz` behind it.
fn pack(file: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", file.display());
    let bytes = std::fs::read(file)?;
    // What lies at `to` itself was packed last: of forty files one has changed.
    if named_gz(to).is_file() && std::fs::read(to).is_ok_and(|before| before == bytes) {
        return Ok(());
    }
    std::fs::create_dir_all(to.parent().ok_or("a file lies in a folder")?)?;
    let mut packed = Vec::new();
    zopfli::compress(zopfli::Options::default(), zopfli::Format::Gzip, &bytes[..], &mut packed)?;
    std::fs::write(named_gz(to), packed)?;
    std::fs::write(to, bytes)?;
    Ok(())
}

fn named_gz(place: &Path) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(".gz");
    name.into()
}
