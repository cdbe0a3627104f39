//! Mails: queued with their cause, sent once, over SMTP or into a folder.

use super::{ACCEPT, ASK_RESET, INVITE, Letter, Office, accept};
use crate::support::TestApp;
use crate::support::both_databases;
use chrono::TimeDelta;
use pulso::config::Config;
use pulso::config::DatabaseUrl;
use pulso::config::Secret;
use pulso::config::SmtpTls;
use pulso::config::Sources;
use pulso::limits;
use pulso::mail::Delivered;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

/// As much of an SMTP server as a client needs to hand one mail over (RFC 5321, AUTH PLAIN).
pub(super) struct SmtpServer {
    pub(super) port: u16,
    taken: tokio::sync::Mutex<tokio::sync::mpsc::UnboundedReceiver<Taken>>,
}

#[derive(Debug, Default)]
pub(super) struct Taken {
    from: String,
    pub(super) to: String,
    signed_in_as: String,
    data: String,
}

impl SmtpServer {
    /// `refusals` answer the first recipients.
    pub(super) async fn start(refusals: &[&'static str]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, taken) = tokio::sync::mpsc::unbounded_channel();
        let mut refusals = refusals.to_vec();
        #[expect(clippy::disallowed_methods, reason = "the other side of the wire")]
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (reader, mut writer) = stream.into_split();
                let mut lines = BufReader::new(reader).lines();
                writer.write_all(b"220 test ESMTP\r\n").await.ok();
                let mut mail = Taken::default();
                while let Ok(Some(line)) = lines.next_line().await {
                    let word = line.split([' ', ':']).next().unwrap().to_ascii_uppercase();
                    let reply = match word.as_str() {
                        "EHLO" => "250-test\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n",
                        "AUTH" => {
                            use base64::Engine as _;
                            let text = line.rsplit(' ').next().unwrap();
                            let engine = base64::engine::general_purpose::STANDARD;
                            let bytes = engine.decode(text).unwrap();
                            mail.signed_in_as = String::from_utf8(bytes).unwrap();
                            "235 ok\r\n"
                        }
                        "MAIL" => {
                            mail.from = line.split_inclusive('>').next().unwrap().to_owned();
                            "250 ok\r\n"
                        }
                        "RCPT" if !refusals.is_empty() => refusals.remove(0),
                        "RCPT" => {
                            mail.to = line;
                            "250 ok\r\n"
                        }
                        "DATA" => {
                            writer.write_all(b"354 go on\r\n").await.ok();
                            while let Ok(Some(line)) = lines.next_line().await {
                                if line == "." {
                                    break;
                                }
                                mail.data.push_str(line.strip_prefix('.').unwrap_or(&line));
                                mail.data.push_str("\r\n");
                            }
                            sender.send(std::mem::take(&mut mail)).ok();
                            "250 taken\r\n"
                        }
                        "QUIT" => "221 bye\r\n",
                        _ => "250 ok\r\n",
                    };
                    if writer.write_all(reply.as_bytes()).await.is_err() || word == "QUIT" {
                        break;
                    }
                }
            }
        });
        Self { port, taken: tokio::sync::Mutex::new(taken) }
    }

    pub(super) async fn taken(&self) -> Taken {
        self.taken.lock().await.recv().await.unwrap()
    }
}

// ---- Settings ------------------------------------------------------------------------------------

fn settings(pairs: &[(&str, &str)]) -> Result<Config, String> {
    let environment =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let sources = Sources { environment, ..Sources::default() };
    Config::load(&sources).map_err(|problems| problems.to_string())
}

both_databases! {
    // ---- Mail ------------------------------------------------------------------------------------

    async fn a_mail_that_fails_is_tried_again_with_a_new_link(office: Office) {
        let alpha = &office.test.alpha;
        // Where the folder should be there is a file.
        let folder = office.folder.path().join("mail");
        std::fs::write(&folder, "in the way").unwrap();
        office.invite("bia@example.com", &["comercial"]).await;
        assert_eq!(office.deliver().await, Delivered { failed: 1, ..Delivered::default() });
        let hash = "SELECT secret_hash FROM account_tokens WHERE tenant_id = ?";
        let first = office.text(hash, vec![]).await;
        let error = office.text("SELECT error FROM mails WHERE tenant_id = ?", vec![]).await;
        assert!(error.unwrap().contains("mail folder"));
        assert_eq!(office.deliver().await, Delivered::default(), "not before its time");
        for (seconds, attempts) in [(60, 2), (240, 3), (960, 4), (3_600, 5), (3_600, 6)] {
            office.later(TimeDelta::seconds(seconds - 1));
            assert_eq!(office.deliver().await, Delivered::default());
            office.later(TimeDelta::seconds(1));
            assert_eq!(office.deliver().await.failed, 1, "attempt {attempts}");
        }
        std::fs::remove_file(&folder).unwrap();
        office.later(TimeDelta::hours(1));
        let letter = office.mail().await;
        assert_ne!(office.text(hash, vec![]).await, first, "a link of its own");
        let answer = office.ask(None, ACCEPT, accept(&letter.token())).await;
        assert!(answer.get("errors").is_none(), "{answer:#}");

        // At last it is given up.
        std::fs::remove_dir(&folder).unwrap();
        std::fs::write(&folder, "in the way").unwrap();
        office.ask(None, ASK_RESET, json!({ "tenant": "alpha", "email": "bia@example.com" })).await;
        office.ask(Some(&alpha.admin.key), INVITE, json!({ "input":
            { "email": "caio@example.com", "name": "Caio", "roles": [] } })).await;
        let mut failed = 0;
        for _ in 0..20 {
            failed += office.deliver().await.failed;
            office.later(TimeDelta::hours(1));
        }
        // The reset's link ends after an hour; the invitation's after a week.
        assert_eq!(i64::try_from(failed).unwrap(), limits::MAIL_ATTEMPTS_MAX + 1);
        let sql = "SELECT state FROM mails WHERE tenant_id = ? AND state <> 'sent' ORDER BY id";
        let states = office.test.read_sql(alpha, sql, vec![]).await;
        let states: Vec<_> = states.iter().map(|row| row.text(0).unwrap().unwrap()).collect();
        assert_eq!(states, ["dropped", "failed"]);
    }

    async fn mails_wait_for_no_transaction_and_are_sent_once(office: Office) {
        for number in 0..4 {
            office.invite(&format!("p{number}@example.com"), &[]).await;
        }
        // Several nodes look at the same queue.
        let looks = (0..4).map(|_| office.deliver());
        let looks = futures::future::join_all(looks).await;
        assert_eq!(looks.iter().map(|look| look.sent).sum::<usize>(), 4, "{looks:?}");
        assert_eq!(office.mails().len(), 4);
    }

    async fn mails_go_over_smtp(test: TestApp) {
        let server = SmtpServer::start(&["451 4.3.2 not now\r\n"]).await;
        let port = server.port;
        let office = Office::with(test, |config| {
            config.mail.smtp_host = Some("127.0.0.1".to_owned());
            config.mail.smtp_port = Some(port);
            config.mail.smtp_tls = SmtpTls::Plain;
            config.mail.smtp_user = Some("pulso".to_owned());
            config.mail.smtp_password = Some(Secret::new("segredo"));
            config.mail.from = "Padaria <pao@padaria.example>".to_owned();
        });
        office.invite("bia@example.com", &["comercial"]).await;
        assert_eq!(office.deliver().await, Delivered { failed: 1, ..Delivered::default() });
        let error = office.text("SELECT error FROM mails WHERE tenant_id = ?", vec![]).await;
        assert!(error.unwrap().contains("not now"));
        office.later(TimeDelta::minutes(1));
        assert_eq!(office.deliver().await, Delivered { sent: 1, ..Delivered::default() });
        assert!(office.mails().is_empty(), "not into the folder");
        let taken = server.taken().await;
        assert_eq!(taken.from, "MAIL FROM:<pao@padaria.example>");
        assert_eq!(taken.to, "RCPT TO:<bia@example.com>");
        assert!(taken.signed_in_as.contains("pulso\0segredo"), "{:?}", taken.signed_in_as);
        let letter = Letter::read(&taken.data);
        assert!(letter.headers.contains("From: Padaria <pao@padaria.example>"), "{}", letter.headers);
        let answer = office.ask(None, ACCEPT, accept(&letter.token())).await;
        assert!(answer.get("errors").is_none(), "{answer:#}");
    }

    async fn a_server_without_tls_is_refused_when_tls_is_asked_for(test: TestApp) {
        let server = SmtpServer::start(&[]).await;
        let port = server.port;
        let office = Office::with(test, |config| {
            config.mail.smtp_host = Some("127.0.0.1".to_owned());
            config.mail.smtp_port = Some(port);
        });
        office.invite("bia@example.com", &[]).await;
        assert_eq!(office.deliver().await, Delivered { failed: 1, ..Delivered::default() });
    }
}

#[test]
fn mail_settings_are_checked() {
    for (pairs, expected) in [
        (vec![("PULSO_PUBLIC_URL", "crm.example")], "must begin with http:// or https://"),
        (vec![("PULSO_MAIL_FROM", "nobody")], "is not a sender like"),
        (vec![("PULSO_SMTP_USER", "x")], "are given together"),
        (vec![("PULSO_SMTP_PASSWORD", "x")], "are given together"),
        (vec![("PULSO_SMTP_TLS", "maybe")], "none of: starttls, tls, none"),
    ] {
        let problems = settings(&pairs).unwrap_err();
        assert!(problems.contains(expected), "{problems}");
    }
    let config = settings(&[
        ("PULSO_MAIL_FROM", "Padaria do Zé <pao@padaria.example>"),
        ("PULSO_SMTP_HOST", "smtp.padaria.example"),
        ("PULSO_SMTP_TLS", "none"),
        ("PULSO_SMTP_USER", "zé"),
        ("PULSO_SMTP_PASSWORD", "swordfish"),
    ])
    .unwrap();
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    let shown: Vec<String> = config.shown().into_iter().map(|(_, value, _)| value).collect();
    assert!(!format!("{shown:?} {config:?}").contains("swordfish"));
    assert_eq!(config.mail.port(), 25);
}

#[test]
fn mails_lie_beside_the_database() {
    let folder = |url: &str, dir: Option<&str>| {
        let mut config = Config::default();
        config.database.url = DatabaseUrl::new(url);
        config.mail.dir = dir.map(str::to_owned);
        config.mail.folder(&config.database).display().to_string()
    };
    assert_eq!(folder("sqlite:///srv/pulso/pulso.db?mode=rwc", None), "/srv/pulso/mail");
    assert_eq!(folder("postgres://db/pulso", None), "data/mail");
    assert_eq!(folder("postgres://db/pulso", Some("/var/mail")), "/var/mail");
    let ports = [SmtpTls::Starttls, SmtpTls::Tls, SmtpTls::Plain].map(|smtp_tls| {
        let mut config = Config::default();
        config.mail.smtp_tls = smtp_tls;
        config.mail.port()
    });
    assert_eq!(ports, [587, 465, 25]);
}
