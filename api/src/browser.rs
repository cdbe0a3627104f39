//! A browser that keeps its session in cookies: what it sent, whether the page behind the request
//! may use it, and what it is to keep from now on. The HTTP door reads and writes the cookies; who
//! signs in and out says here what they shall hold.

use std::sync::{Mutex, PoisonError};

use crate::config::Secret;
use crate::error::{Error, Result, say};

/// One request of a page that asked for cookie mode.
#[derive(Debug)]
pub struct Browser {
    pub access_token: Option<Secret>,
    pub refresh_token: Option<Secret>,
    pub standing: Standing,
    /// Cookies travel over TLS only; not so between a page and a server on one machine.
    pub is_secure: bool,
    jar: Mutex<Jar>,
}

/// Whether the page behind a request may use the session's cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Trusted,
    /// Its origin is not one that the operator named.
    Foreign,
    /// It asked for a mode that does not exist.
    UnknownMode,
}

/// What the browser is told to do with its cookies.
#[derive(Debug)]
pub enum Change {
    Keep { access: Cookie, refresh: Cookie },
    Drop,
}

#[derive(Debug)]
pub struct Cookie {
    pub token: Secret,
    pub max_age_s: i64,
}

#[derive(Debug)]
enum Jar {
    Open(Option<Change>),
    /// The response's headers are gone.
    Sealed,
}

impl Browser {
    pub fn new(
        standing: Standing,
        is_secure: bool,
        access_token: Option<Secret>,
        refresh_token: Option<Secret>,
    ) -> Self {
        Self { access_token, refresh_token, standing, is_secure, jar: Mutex::new(Jar::Open(None)) }
    }

    /// UNSUPPORTED where cookies can no longer be set: in a stream, whose headers went first.
    pub fn ready(&self) -> Result<()> {
        match &*self.jar.lock().unwrap_or_else(PoisonError::into_inner) {
            Jar::Open(_) => Ok(()),
            Jar::Sealed => Err(Error::Unsupported {
                message: say(
                    "cookies cannot be set in a stream: send this as a plain request",
                    "cookies não podem ser gravados em um stream: envie como requisição comum",
                ),
            }),
        }
    }

    /// What the browser shall do; the last word counts.
    pub fn tell(&self, change: Change) -> Result<()> {
        self.ready()?;
        *self.jar.lock().unwrap_or_else(PoisonError::into_inner) = Jar::Open(Some(change));
        Ok(())
    }

    /// What it was told, at the moment when the response's headers are written.
    pub fn seal(&self) -> Option<Change> {
        let mut jar = self.jar.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *jar, Jar::Sealed) {
            Jar::Open(change) => change,
            Jar::Sealed => None,
        }
    }
}
