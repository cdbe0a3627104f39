//! A mail in its form on the wire (RFC 5322), as lettre writes it.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use lettre::Message;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, SinglePart};
use uuid::Uuid;

use super::Mail;
use crate::error::{Error, Language, Result};

/// Whether a text is a sender that mails can bear; says what would have been right.
pub fn check_sender(text: &str) -> Result<(), String> {
    sender(text).map(drop)
}

pub(super) fn sender(text: &str) -> Result<Mailbox, String> {
    text.parse().map_err(|_malformed| {
        format!("\"{text}\" is not a sender like: Pulso <no-reply@example.com>")
    })
}

/// The message that `mail` leaves as. The id of the mail names it, so that a second copy is known
/// for one.
pub(super) fn message(
    from: &Mailbox,
    mail: &Mail,
    (id, at): (Uuid, DateTime<Utc>),
) -> Result<Message> {
    let address = mail.to_address.parse().map_err(Error::internal)?;
    let to = Mailbox::new(Some(mail.to_name.clone()).filter(|name| !name.is_empty()), address);
    let language = match mail.language {
        Language::En => "en",
        Language::PtBr => "pt-BR",
    };
    // Quoted-printable throughout: a link stays whole whatever relays do to long lines.
    let body = Body::new_with_encoding(mail.text.clone(), ContentTransferEncoding::QuotedPrintable)
        .map_err(|_body| Error::internal("a mail's text cannot be encoded"))?;
    let part = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(body);
    Message::builder()
        .from(from.clone())
        .to(to)
        .subject(mail.subject.clone())
        .date(SystemTime::from(at))
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        .raw_header(header("Content-Language", language))
        // Machines must not answer (RFC 3834).
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .singlepart(part)
        .map_err(Error::internal)
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}
