//! The browser of the tests that need a real one: found on this machine, or installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::apt;

pub(crate) const TEST_BROWSER_VARIABLE: &str = "PULSO_TEST_BROWSER";

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const ELSEWHERE: &str = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";

/// A Chromium that runs; nothing where there is none, and then the tests that need one fail.
pub(crate) fn find_or_install() -> Option<PathBuf> {
    if let Some(given) = std::env::var_os(TEST_BROWSER_VARIABLE).filter(|given| !given.is_empty()) {
        return Some(PathBuf::from(given));
    }
    let found = find().or_else(|| apt::install("Chromium", &["chromium"]).then(find).flatten());
    if found.is_none() {
        println!(
            "NO BROWSER: Chromium is not there and could not be installed; tests that need one will \
             fail. Install it, or set {TEST_BROWSER_VARIABLE} to it"
        );
    }
    found
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let named = folders.iter().flat_map(|folder| NAMES.map(|name| folder.join(name)));
    named.chain([PathBuf::from(ELSEWHERE)]).find(|program| runs(program))
}

fn runs(program: &Path) -> bool {
    // Ubuntu has a file of this name that only tells where to get a browser.
    program.is_file() && apt::succeeds(Command::new(program).arg("--version"))
}
