//! **The question:** do the pages do in a browser what they say? The real binary, real recordings and rooms, and
//! Debian's Chromium and Firefox.

mod access;
mod back;
mod console;
mod embedding;
mod join;
mod lobby;
mod meeting;
mod recordings;
mod sent_on;
mod upkeep;
mod watch;

use std::time::Duration;

use serde_json::Value;

use crate::browser::driver::Browser;

/// How long a step may take on a slow and busy machine before the test says that it will never happen.
const PATIENCE: Duration = Duration::from_secs(90);

/// What reaches beyond the sides of the page, and how wide the page is.
const CUT_OFF: &str = r#"
const beyond = [...document.querySelectorAll("body *")].filter((element) => {
  const box = element.getBoundingClientRect();
  return box.width > 1 && box.height > 1 && !element.closest(".sr") && (box.right > innerWidth + 1 || box.left < -1);
});
return beyond.map((element) => `${element.tagName} ${element.className} ${element.id}`)
  .concat(document.documentElement.scrollWidth > innerWidth ? ["the page itself"] : []);
"#;

/// What axe-core finds amiss, as `rule: elements`.
const VIOLATIONS: &str = "const done = arguments[0]; axe.run().then((found) => done(found.violations.map((one) => \
     `${one.id}: ${one.nodes.map((node) => node.target).join(\", \")}`)), (error) => done([String(error)]));";

/// axe-core finds nothing amiss, in both colours.
async fn assert_accessible(browser: &Browser) {
    let axe = concat!(env!("CARGO_MANIFEST_DIR"), "/web/node_modules/axe-core/axe.min.js");
    let Ok(axe) = std::fs::read_to_string(axe) else {
        return eprintln!("skipped: {axe} is not there (.ci/pages fetches it, and make test runs that)");
    };
    for scheme in ["light", "dark"] {
        browser.show_as((1280, 800), scheme).await;
        // A script by itself returns nothing, and axe makes itself known to the window.
        browser.script(&format!("{axe}; return true;")).await;
        let violations = browser.script_async(VIOLATIONS).await;
        assert_eq!(violations, Value::Array(Vec::new()), "in {scheme} colours");
    }
}

/// On a small phone nothing is cut off, in neither colours.
async fn assert_fits_a_phone(browser: &Browser) {
    for scheme in ["light", "dark"] {
        browser.show_as((360, 640), scheme).await;
        let beyond = browser.script(CUT_OFF).await;
        assert_eq!(beyond, Value::Array(Vec::new()), "{}", browser.screenshot("cut-off").await.display());
    }
    browser.show_as((1280, 800), "light").await;
}
