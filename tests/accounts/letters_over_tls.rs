//! Mails to a server with a certificate: from the first byte, or after STARTTLS.

use std::net::SocketAddr;
use std::path::Path;

use pulso::config::SmtpTls;
use pulso::mail::{Delivered, Post};

use super::Office;
use super::letters::SmtpServer;
use crate::support::app::config;
use crate::support::tls::{Authority, Front, Opening};
use crate::support::{Backend, Fixture as _, TestApp, both_databases};

/// What comes of a mail that goes through a front.
async fn sent(
    backend: Backend,
    front: &Front,
    tls: SmtpTls,
    authority: Option<&Path>,
) -> Delivered {
    let office = Office::with(TestApp::on(backend).await, |config| {
        config.mail.smtp_host = Some("localhost".to_owned());
        config.mail.smtp_port = Some(front.port);
        config.mail.smtp_tls = tls;
        config.mail.smtp_ca_file = authority.map(|path| path.to_str().unwrap().to_owned());
    });
    office.invite("bia@example.com", &["comercial"]).await;
    office.deliver().await
}

both_databases! {
    async fn mails_go_over_tls_to_servers_that_are_known(app: TestApp) {
        let backend = app.database.backend;
        let server = SmtpServer::start(&[]).await;
        let target = SocketAddr::from(([127, 0, 0, 1], server.port));
        let (authority, stranger) = (Authority::new(), Authority::new());
        let (good, bad) = (
            Delivered { sent: 1, ..Delivered::default() },
            Delivered { failed: 1, ..Delivered::default() },
        );
        for (tls, opening) in
            [(SmtpTls::Tls, Opening::AtOnce), (SmtpTls::Starttls, Opening::Starttls)]
        {
            let front = Front::start((&authority, "localhost"), opening, target).await;
            assert_eq!(sent(backend, &front, tls, Some(&authority.file())).await, good);
            assert_eq!(server.taken().await.to, "RCPT TO:<bia@example.com>");
            assert_eq!(front.opened(), 1);
            // Of an authority that is not known, with none named and with another.
            for known in [None, Some(stranger.file())] {
                assert_eq!(sent(backend, &front, tls, known.as_deref()).await, bad);
            }
            let other = Front::start((&authority, "elsewhere.example"), opening, target).await;
            assert_eq!(sent(backend, &other, tls, Some(&authority.file())).await, bad);
            assert_eq!((front.opened(), other.opened()), (1, 0));
        }
    }
}

/// Told when the server starts, and not with the first mail.
#[test]
fn a_file_without_certificates_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("missing.pem");
    let mut config = config("sqlite://unused.db");
    config.mail.smtp_host = Some("localhost".to_owned());
    config.mail.smtp_ca_file = Some(empty.to_str().unwrap().to_owned());
    let refused = Post::new(&config).err().unwrap();
    assert_eq!(refused.field(), Some("smtp_ca_file"));
}
