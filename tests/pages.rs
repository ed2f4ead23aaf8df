//! **The question:** do the pages for whoever runs a node do in a browser what they say? The real binary, real
//! recordings and rooms, and Debian's Chromium.

mod recordings;

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

/// On a small phone nothing is cut off, in neither colours.
async fn assert_fits_a_phone(browser: &Browser) {
    for scheme in ["light", "dark"] {
        browser.show_as((360, 640), scheme).await;
        let beyond = browser.script(CUT_OFF).await;
        assert_eq!(beyond, Value::Array(Vec::new()), "{}", browser.screenshot("cut-off").await.display());
    }
    browser.show_as((1280, 800), "light").await;
}
