//! The way to providers: bounded in time and size, never led elsewhere, never into our own network.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use super::addresses::{self, Lookup};
use crate::error::{Error, Result};
use crate::limits;

pub(super) struct Wire {
    /// Made when the first provider is asked: it reads the certificates of the machine.
    client: OnceCell<Client>,
    private_allowed: bool,
}

/// What a provider answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    body: Bytes,
}

impl Wire {
    pub(super) fn new(private_allowed: bool) -> Self {
        Self { client: OnceCell::new(), private_allowed }
    }

    /// A question to be put to `url`.
    pub(super) async fn get(&self, url: &str) -> Result<RequestBuilder> {
        let url = self.checked(url)?;
        Ok(self.client().await?.get(url))
    }

    pub(super) async fn post(&self, url: &str) -> Result<RequestBuilder> {
        let url = self.checked(url)?;
        Ok(self.client().await?.post(url))
    }

    fn checked(&self, url: &str) -> Result<Url> {
        let url = Url::parse(url).map_err(Error::unavailable)?;
        addresses::check(&url, self.private_allowed)
            .map_err(|_refused| Error::unavailable(format!("{url} may not be reached")))?;
        Ok(url)
    }

    async fn client(&self) -> Result<&Client> {
        self.client.get_or_try_init(|| async { self.build().map_err(Error::internal) }).await
    }

    fn build(&self) -> reqwest::Result<Client> {
        let within = Duration::from_millis(limits::PROVIDER_TIMEOUT_MS);
        Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(Lookup { private_allowed: self.private_allowed })
            .connect_timeout(within / 2)
            .timeout(within)
            .user_agent(concat!("pulso/", env!("CARGO_PKG_VERSION")))
            .build()
    }
}

/// Asks, and reads the answer as far as an answer may go.
pub(super) async fn ask(question: RequestBuilder) -> Result<Answer> {
    let mut response = question.send().await.map_err(unreachable)?;
    let status = response.status();
    let mut body = BytesMut::new();
    while let Some(part) = response.chunk().await.map_err(unreachable)? {
        if body.len().saturating_add(part.len()) > limits::PROVIDER_ANSWER_BYTES_MAX {
            return Err(Error::unavailable("an identity provider's answer is too long"));
        }
        body.extend_from_slice(&part);
    }
    Ok(Answer { status, body: body.freeze() })
}

impl Answer {
    /// What a successful answer says.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        if self.status != StatusCode::OK {
            return Err(Error::unavailable(format!(
                "an identity provider answered {}",
                self.status
            )));
        }
        // Not what it says: it may hold tokens.
        serde_json::from_slice(&self.body).map_err(|error| {
            Error::unavailable(format!("an identity provider's answer cannot be read: {error}"))
        })
    }
}

/// Without the address, which may have secrets in it.
fn unreachable(error: reqwest::Error) -> Error {
    let error = error.without_url();
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(deeper) = cause {
        said.push_str(": ");
        said.push_str(&deeper.to_string());
        cause = deeper.source();
    }
    Error::unavailable(said)
}
