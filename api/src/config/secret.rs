//! A text that must never be shown, and the secret that an embedded installation makes for itself.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;

use super::setting::Shape;
use super::value::Value;

/// Bytes that a signing secret must have at least (RFC 7518: as many as the hash, 256 bits).
pub const SECRET_BYTES_MIN: usize = 32;

/// Redacted wherever it is printed; [`Secret::reveal`] is the only way to the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A fresh secret of 48 random bytes.
    pub fn random() -> Self {
        let mut bytes = [0_u8; 48];
        rand::rng().fill_bytes(&mut bytes);
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(redacted)")
    }
}

impl Value for Secret {
    const SHAPE: Shape = Shape::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        // Files and shells like to add a line end.
        Ok(Self(text.trim().to_owned()))
    }

    fn to_toml(&self) -> Option<String> {
        None
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

/// Reads the secret in `path`, or makes one there that only the owner of the process can read.
pub(super) fn load_or_create(path: &Path) -> std::io::Result<Secret> {
    if let Some(folder) = path.parent()
        && !folder.as_os_str().is_empty()
    {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    match options.open(path) {
        Ok(mut file) => {
            let secret = Secret::random();
            file.write_all(secret.reveal().as_bytes())?;
            file.sync_all()?;
            Ok(secret)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let mut text = String::new();
            std::fs::File::open(path)?.read_to_string(&mut text)?;
            let text = text.trim();
            if text.len() < SECRET_BYTES_MIN {
                // A crash between creating and writing leaves it empty: say so, do not guess.
                return Err(std::io::Error::new(
                    ErrorKind::InvalidData,
                    format!(
                        "holds fewer than {SECRET_BYTES_MIN} bytes; remove it to have it made again"
                    ),
                ));
            }
            Ok(Secret::new(text))
        }
        Err(error) => Err(error),
    }
}
