//! What the mails of accounts say, in Portuguese and English. A mail is written when it is sent: only
//! then does its link get a secret, of which the digest alone is kept. A mail that is sent once more,
//! because the first attempt failed, has a new link; the one before no longer works.

use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::account_token;
use uuid::Uuid;

use super::store::{self, Person};
use super::token::TokenText;
use crate::access::SystemHandle;
use crate::app::App;
use crate::db::Conn;
use crate::error::{Error, Language, Result};
use crate::limits;
use crate::mail::{Mail, Waiting};

pub(super) const INVITATION: &str = "invitation";
pub(super) const PASSWORD_RESET: &str = "password_reset";
pub(super) const PASSWORD_CHANGED: &str = "password_changed";

/// Subject and text.
type Words = (String, String);

/// Writes a waiting mail; `None` when nobody wants it any more.
pub fn write<'a>(
    app: &'a Arc<App>,
    conn: &'a Conn,
    mail: &'a Waiting,
) -> Pin<Box<dyn Future<Output = Result<Option<Mail>>> + Send + 'a>> {
    Box::pin(async move {
        let system = SystemHandle::for_tenant(mail.tenant_id);
        let Some(person) = store::person(conn, &system, mail.user_id).await? else {
            return Ok(None);
        };
        let words = match mail.kind.as_str() {
            INVITATION | PASSWORD_RESET => {
                let Some(link) = link(app, conn, &system, mail).await? else { return Ok(None) };
                if mail.kind == INVITATION {
                    invitation(&person, &link, mail.language)
                } else {
                    password_reset(&person, &link, mail.language)
                }
            }
            PASSWORD_CHANGED => password_changed(&person, mail.language),
            // A newer node queued it, and will send it.
            other => return Err(Error::internal(format!("no text for mails of kind {other}"))),
        };
        let (subject, text) = words;
        Ok(Some(Mail {
            to_name: person.full_name,
            to_address: person.email,
            subject,
            text,
            language: mail.language,
        }))
    })
}

/// The link of a mail, with a fresh secret; `None` when its token ended.
async fn link(
    app: &App,
    conn: &Conn,
    system: &SystemHandle,
    mail: &Waiting,
) -> Result<Option<String>> {
    let Some(token_id) = mail.subject_id else { return Ok(None) };
    let Some(token) = store::token(conn, system, token_id).await? else { return Ok(None) };
    if !is_open(&token, app.clock.now()) {
        return Ok(None);
    }
    let text = TokenText::generate(mail.tenant_id, token_id);
    if !store::set_secret(conn, system, token_id, text.secret_hash()).await? {
        return Ok(None);
    }
    let path = if mail.kind == INVITATION { "invitation" } else { "password-reset" };
    let base = app.config.mail.public_url.trim_end_matches('/');
    // Behind `#` it reaches neither logs of servers nor the sites that the page refers to.
    Ok(Some(format!("{base}/{path}#token={}", text.reveal())))
}

pub(super) fn is_open(token: &account_token::Model, now: DateTime<Utc>) -> bool {
    token.used_at.is_none() && token.revoked_at.is_none() && now < token.expires_at
}

/// The language that mails to somebody are written in when nothing else is known.
pub(super) fn language_of(tag: &str) -> Language {
    if tag.starts_with("pt") { Language::PtBr } else { Language::En }
}

/// A token about to be stored; its secret comes with the mail.
pub(super) fn new_token(
    (tenant_id, id): (Uuid, Uuid),
    (purpose, user_id): (&str, Uuid),
    created_by: Option<Uuid>,
    (now, expires_at): (DateTime<Utc>, DateTime<Utc>),
) -> account_token::Model {
    account_token::Model {
        tenant_id,
        id,
        purpose: purpose.to_owned(),
        user_id,
        secret_hash: None,
        expires_at,
        used_at: None,
        revoked_at: None,
        created_by,
        created_at: now,
    }
}

fn invitation(person: &Person, link: &str, language: Language) -> Words {
    let (name, tenant, days) = (&person.full_name, &person.tenant_name, limits::INVITATION_DAYS);
    match language {
        Language::En => (
            format!("{tenant}: your invitation to Pulso"),
            format!(
                "Hello {name},\r\n\r\n{tenant} has made an account for you in Pulso. Choose a \
                 password to use it:\r\n\r\n{link}\r\n\r\nThe link works once, within {days} days. \
                 If you do not know {tenant}, ignore this mail.\r\n"
            ),
        ),
        Language::PtBr => (
            format!("{tenant}: seu convite para o Pulso"),
            format!(
                "Olá {name},\r\n\r\n{tenant} criou uma conta para você no Pulso. Escolha uma \
                 senha para usá-la:\r\n\r\n{link}\r\n\r\nO link funciona uma vez, em até {days} \
                 dias. Se você não conhece {tenant}, ignore este e-mail.\r\n"
            ),
        ),
    }
}

fn password_reset(person: &Person, link: &str, language: Language) -> Words {
    let (name, tenant, minutes) =
        (&person.full_name, &person.tenant_name, limits::PASSWORD_RESET_MINUTES);
    match language {
        Language::En => (
            format!("{tenant}: choose a new password"),
            format!(
                "Hello {name},\r\n\r\nsomebody, probably you, asked for a new password for your \
                 account at {tenant}:\r\n\r\n{link}\r\n\r\nThe link works once, within {minutes} \
                 minutes. If it was not you, ignore this mail: your password stays as it \
                 is.\r\n"
            ),
        ),
        Language::PtBr => (
            format!("{tenant}: escolha uma nova senha"),
            format!(
                "Olá {name},\r\n\r\nalguém, provavelmente você, pediu uma nova senha para a sua \
                 conta em {tenant}:\r\n\r\n{link}\r\n\r\nO link funciona uma vez, em até {minutes} \
                 minutos. Se não foi você, ignore este e-mail: sua senha continua a \
                 mesma.\r\n"
            ),
        ),
    }
}

fn password_changed(person: &Person, language: Language) -> Words {
    let (name, tenant) = (&person.full_name, &person.tenant_name);
    match language {
        Language::En => (
            format!("{tenant}: your password was changed"),
            format!(
                "Hello {name},\r\n\r\nthe password of your account at {tenant} was changed. If \
                 it was not you, ask for a new password at once and tell whoever looks after \
                 Pulso at {tenant}.\r\n"
            ),
        ),
        Language::PtBr => (
            format!("{tenant}: sua senha foi alterada"),
            format!(
                "Olá {name},\r\n\r\na senha da sua conta em {tenant} foi alterada. Se não foi \
                 você, peça já uma nova senha e avise quem cuida do Pulso em {tenant}.\r\n"
            ),
        ),
    }
}
