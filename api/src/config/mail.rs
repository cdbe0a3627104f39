//! How mails leave, and where their links lead.
//!
//! Reads `PULSO_PUBLIC_URL`, `PULSO_MAIL_FROM`, `PULSO_MAIL_DIR`, `PULSO_SMTP_HOST`,
//! `PULSO_SMTP_PORT`, `PULSO_SMTP_TLS`, `PULSO_SMTP_CA_FILE`, `PULSO_SMTP_USER`,
//! `PULSO_SMTP_PASSWORD` (also as `PULSO_SMTP_PASSWORD_FILE`).

use std::path::PathBuf;

use super::database::Database;
use super::secret::Secret;
use super::setting::settings;
use super::sources::Values;
use super::value::choice;

/// Where mails are kept without an SMTP server and without a database file to lie beside.
const DIR_DEFAULT: &str = "data/mail";

settings! {
    /// How mails leave, and where their links lead.
    Mail, "Mail";

    /// Where people reach the web application: links in mails begin with it.
    "public_url" public_url: String = "http://localhost:8000".to_owned();

    /// Sender of mails, as in: Pulso <no-reply@example.com>.
    "mail_from" from: String = "Pulso <no-reply@localhost>".to_owned();

    /// Folder that mails are written to, one .eml file each, while smtp_host is not set.
    "mail_dir" dir: Option<String> = None, {
        default_note: "mail, beside the SQLite file; ./data/mail on PostgreSQL",
        example: "\"./data/mail\""
    };

    /// SMTP server that mails are handed to.
    "smtp_host" smtp_host: Option<String> = None, { example: "\"smtp.example.com\"" };

    /// Its port.
    "smtp_port" smtp_port: Option<u16> = None, {
        default_note: "587 with starttls, 465 with tls, 25 with none", example: "587"
    };

    /// How the way to it is protected: starttls (refused when the server has none), tls, or none.
    "smtp_tls" smtp_tls: SmtpTls = SmtpTls::Starttls;

    /// PEM file of authorities that may vouch for it beside the public ones, for a server of one's own.
    "smtp_ca_file" smtp_ca_file: Option<String> = None, {
        example: "\"/etc/pulso/mail-ca.pem\""
    };

    /// Who signs in there; nobody when absent.
    "smtp_user" smtp_user: Option<String> = None, { example: "\"pulso\"" };

    /// Password of smtp_user.
    "smtp_password" smtp_password: Option<Secret> = None, {
        secret: true, example: "\"the password of smtp_user\""
    };
}

choice! {
    /// How the way to the SMTP server is protected.
    SmtpTls { Starttls = "starttls", Tls = "tls", Plain = "none", }
}

impl Mail {
    /// Where mails are kept while there is no SMTP server.
    pub fn folder(&self, database: &Database) -> PathBuf {
        match (&self.dir, database.url.file()) {
            (Some(dir), _) => PathBuf::from(dir),
            (None, Some(file)) => file.with_file_name("mail"),
            (None, None) => PathBuf::from(DIR_DEFAULT),
        }
    }

    /// The port of the SMTP server.
    pub fn port(&self) -> u16 {
        self.smtp_port.unwrap_or(match self.smtp_tls {
            SmtpTls::Starttls => 587,
            SmtpTls::Tls => 465,
            SmtpTls::Plain => 25,
        })
    }

    /// What one value alone cannot tell.
    pub(super) fn check(&self, values: &mut Values<'_>) {
        let is_url = ["http://", "https://"].iter().any(|scheme| {
            self.public_url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty())
        });
        if !is_url {
            values.problem(values.source_of("public_url"), "must begin with http:// or https://");
        }
        if let Err(message) = crate::mail::check_sender(&self.from) {
            values.problem(values.source_of("mail_from"), message);
        }
        if self.smtp_user.is_some() != self.smtp_password.is_some() {
            values.problem(
                values.source_of(if self.smtp_user.is_some() {
                    "smtp_user"
                } else {
                    "smtp_password"
                }),
                "smtp_user and smtp_password are given together or not at all",
            );
        }
        if self.smtp_user.is_some() && self.smtp_tls == SmtpTls::Plain {
            values.warnings.push(
                "smtp_tls = \"none\" sends the password of smtp_user in the clear".to_owned(),
            );
        }
    }
}
