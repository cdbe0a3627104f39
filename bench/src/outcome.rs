//! How things end here: well, or with one text for the reader of the terminal.

use std::fmt::Display;

pub(crate) type Outcome<T = ()> = Result<T, String>;

/// Says what was being done when an error came.
pub(crate) trait During<T> {
    fn during(self, what: impl Display) -> Outcome<T>;
}

impl<T, E: Display> During<T> for Result<T, E> {
    fn during(self, what: impl Display) -> Outcome<T> {
        self.map_err(|error| format!("{what}: {error}"))
    }
}
