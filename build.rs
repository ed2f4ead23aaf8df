//! **The question:** which of others' modules do the pages of this build have? Those that `.ci/pages` laid into
//! `web/node_modules`. Cargo alone needs no Node: without them, everything builds, and the pages do without.

use std::fmt::Write;
use std::path::Path;

/// Its name below `/assets/`, its media type, and where it lies in `web/node_modules`.
const CARRIED: [(&str, &str, &str); 3] = [
    ("hls.js", "text/javascript; charset=utf-8", "hls.js/dist/hls.light.min.mjs"),
    ("uplot.js", "text/javascript; charset=utf-8", "uplot/dist/uPlot.esm.js"),
    ("uplot.css", "text/css; charset=utf-8", "uplot/dist/uPlot.min.css"),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let web = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("web");
    let mut list = String::from("&[\n");
    for (name, content_type, place) in CARRIED {
        let file = web.join("node_modules").join(place);
        if file.is_file() {
            println!("cargo::rerun-if-changed={}", file.display());
            writeln!(
                list,
                "Asset {{ name: {name:?}, content_type: {content_type:?}, bytes: include_bytes!({file:?}) }},"
            )?;
        } else {
            // Cargo takes a file that is not there for one that changed, each time; its folder is older until it comes.
            println!("cargo::rerun-if-changed={}", web.display());
        }
    }
    list.push(']');
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("carried.rs"), list)?;
    Ok(())
}
