//! The way out: SMTP, or a folder of `.eml` files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use super::{Mail, message};
use crate::config::{Config, SmtpTls};
use crate::error::{Error, Result, say};
use crate::limits;

/// How this process sends mail. One per process.
pub struct Post {
    from: Mailbox,
    way: Way,
}

enum Way {
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
    Folder(PathBuf),
}

impl Post {
    /// As the settings say. Nothing is connected or made yet.
    pub fn new(config: &Config) -> Result<Self> {
        let from = message::sender(&config.mail.from).map_err(Error::internal)?;
        let way = match &config.mail.smtp_host {
            Some(host) => Way::Smtp(Box::new(smtp(config, host)?)),
            None => Way::Folder(config.mail.folder(&config.database)),
        };
        Ok(Self { from, way })
    }

    /// Hands one mail over, and returns when it was taken.
    pub(super) async fn send(&self, mail: &Mail, (id, at): (Uuid, DateTime<Utc>)) -> Result<()> {
        let message = message::message(&self.from, mail, (id, at))?;
        match &self.way {
            Way::Smtp(transport) => {
                let limit = Duration::from_millis(limits::MAIL_TIMEOUT_MS);
                match tokio::time::timeout(limit, transport.send(message)).await {
                    Ok(Ok(_taken)) => Ok(()),
                    Ok(Err(error)) => Err(Error::unavailable(chain(&error))),
                    Err(elapsed) => Err(Error::unavailable(format!("SMTP: {elapsed}"))),
                }
            }
            Way::Folder(folder) => {
                let name = format!("{}-{id}.eml", at.format("%Y%m%dT%H%M%S%3f"));
                keep(folder, &name, &message).await.map_err(|error| {
                    Error::unavailable(format!("mail folder {}: {error}", folder.display()))
                })
            }
        }
    }
}

fn smtp(config: &Config, host: &str) -> Result<AsyncSmtpTransport<Tokio1Executor>> {
    let settings = &config.mail;
    let authorities = settings.smtp_ca_file.as_deref();
    let tls = match settings.smtp_tls {
        SmtpTls::Starttls => Tls::Required(verified(host, authorities)?),
        SmtpTls::Tls => Tls::Wrapper(verified(host, authorities)?),
        SmtpTls::Plain => Tls::None,
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(settings.port())
        .timeout(Some(Duration::from_millis(limits::MAIL_TIMEOUT_MS)))
        .tls(tls);
    if let (Some(user), Some(password)) = (&settings.smtp_user, &settings.smtp_password) {
        let password = password.reveal().to_owned();
        builder = builder.credentials(Credentials::new(user.clone(), password));
    }
    Ok(builder.build())
}

/// Only a server of this name whom one of the public authorities vouches for, or one of this file.
fn verified(host: &str, authorities: Option<&str>) -> Result<TlsParameters> {
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Some(path) = authorities {
        let unreadable = |error: &dyn std::fmt::Display| {
            Error::invalid_field(
                "smtp_ca_file",
                say(
                    format!("{path} holds no certificates that can be read: {error}"),
                    format!("{path} não tem certificados que possam ser lidos: {error}"),
                ),
            )
        };
        let pem = std::fs::read(path).map_err(|error| unreadable(&error))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| unreadable(&error))?;
        parameters = parameters.add_root_certificate(certificate);
    }
    parameters.build().map_err(Error::internal)
}

/// The whole file or none of it, and for the owner of the process alone: links in it open accounts.
async fn keep(folder: &Path, name: &str, message: &Message) -> std::io::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    let unfinished = folder.join(format!(".{name}"));
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(&unfinished).await?;
    file.write_all(&message.formatted()).await?;
    file.sync_all().await?;
    tokio::fs::rename(unfinished, folder.join(name)).await
}

/// lettre keeps the reason in the sources of its error.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
