//! Passwords, as argon2id hashes with OWASP's least parameters (19 MiB, two passes, one lane).
//! Hashing runs on the blocking pool, a few at a time: each takes its memory.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Result, say};
use crate::limits;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Stands in for the hash of somebody who does not exist, so that they cost the same time. Its
/// output is random bytes: no password is known to give it.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$\
                      q0tVwR6pYc1nZ3sE8mLxJw$vT0yq5H2bXrKf7uWc9dSgA4nPzE1oLiM6jRkYtBhQ3U";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wrong,
    Right,
    /// Right, and hashed with weaker parameters than today's.
    RightButOld,
}

pub(crate) struct Passwords {
    at_once: Arc<Semaphore>,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self { at_once: Arc::new(Semaphore::new(limits::PASSWORD_HASHES_AT_ONCE)) }
    }

    /// The text to store for a new password.
    pub(crate) async fn hash(&self, password: &str) -> Result<String> {
        check(password)?;
        self.compute(password, |password| {
            let hash = hasher()?.hash_password(password.as_bytes()).map_err(Error::internal)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether `password` is the one behind `stored`. Without a stored hash the answer is wrong, as
    /// late as it would have been right.
    pub(crate) async fn verify(&self, password: &str, stored: Option<String>) -> Result<Verdict> {
        // Longer ones were never accepted; they are not worth hashing.
        let is_acceptable = password.len() <= limits::PASSWORD_BYTES_MAX;
        let password = if is_acceptable { password } else { "" };
        self.compute(password, move |password| {
            let known = stored.as_deref().map(PasswordHash::new).transpose();
            let known = known.map_err(Error::internal)?;
            let exists = known.is_some();
            let nobody = PasswordHash::new(NOBODY).map_err(Error::internal)?;
            let hash = known.unwrap_or(nobody);
            let matches = hasher()?.verify_password(password.as_bytes(), &hash).is_ok();
            Ok(match (matches && exists && is_acceptable, is_old(&hash)) {
                (false, _) => Verdict::Wrong,
                (true, false) => Verdict::Right,
                (true, true) => Verdict::RightButOld,
            })
        })
        .await
    }

    async fn compute<T: Send + 'static>(
        &self,
        password: &str,
        work: impl FnOnce(String) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let permit = self.permit().await?;
        let password = password.to_owned();
        let done = tokio::task::spawn_blocking(move || {
            // The place is kept until the work ends, even when nobody waits for it any more.
            let result = work(password);
            drop(permit);
            result
        });
        done.await.map_err(Error::internal)?
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit> {
        let wait = Duration::from_millis(limits::PASSWORD_WAIT_MS);
        let place = Arc::clone(&self.at_once).acquire_owned();
        match tokio::time::timeout(wait, place).await {
            Ok(permit) => permit.map_err(Error::internal),
            Err(elapsed) => Err(Error::unavailable(format!("sign-ins queue up: {elapsed}"))),
        }
    }
}

/// What a new password must be.
fn check(password: &str) -> Result<()> {
    let is_long_enough = password.chars().count() >= limits::PASSWORD_CHARS_MIN;
    if is_long_enough && password.len() <= limits::PASSWORD_BYTES_MAX {
        return Ok(());
    }
    let (least, most) = (limits::PASSWORD_CHARS_MIN, limits::PASSWORD_BYTES_MAX);
    Err(Error::invalid_field(
        "password",
        say(
            format!("a password has {least} characters or more and at most {most} bytes"),
            format!("uma senha tem {least} caracteres ou mais e no máximo {most} bytes"),
        ),
    ))
}

fn hasher() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(Error::internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn is_old(hash: &PasswordHash) -> bool {
    let Ok(params) = Params::try_from(hash) else { return true };
    hash.algorithm != Algorithm::Argon2id.ident()
        || params.m_cost() < MEMORY_KIB
        || params.t_cost() < PASSES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_costs_as_much_as_somebody() {
        let hash = PasswordHash::new(NOBODY).unwrap();
        let params = Params::try_from(&hash).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (19_456, 2, 1));
        assert_eq!(hash.hash.map(|output| output.as_bytes().len()), Some(32));
        assert!(!is_old(&hash));
    }

    #[tokio::test]
    async fn right_wrong_nobody_and_old() {
        let passwords = Passwords::new();
        let stored = passwords.hash("correct horse").await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let verdict = passwords.verify("correct horse", Some(stored.clone())).await.unwrap();
        assert_eq!(verdict, Verdict::Right);
        let verdict = passwords.verify("correct hors", Some(stored)).await.unwrap();
        assert_eq!(verdict, Verdict::Wrong);
        assert_eq!(passwords.verify("", None).await.unwrap(), Verdict::Wrong);

        let weak = Argon2::new(
            Algorithm::Argon2id,
            Version::V0x13,
            Params::new(8 * 1024, 1, 1, None).unwrap(),
        );
        let old = weak.hash_password(b"correct horse").unwrap().to_string();
        let verdict = passwords.verify("correct horse", Some(old)).await.unwrap();
        assert_eq!(verdict, Verdict::RightButOld);
    }

    #[tokio::test]
    async fn a_new_password_has_bounds() {
        let passwords = Passwords::new();
        assert!(passwords.hash("short").await.is_err());
        assert!(passwords.hash(&"long".repeat(1_000)).await.is_err());
    }
}
