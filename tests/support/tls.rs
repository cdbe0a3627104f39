//! Throw-away certificates, and a front that ends TLS before a server that has none, as a proxy or a
//! pooler does: so these tests need no server with certificates, wherever they run.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use tempfile::TempDir;
use tokio::io::{
    AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// What a client of PostgreSQL sends first when it wants TLS.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// An authority that nobody trusts unless told to.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let folder = tempfile::tempdir().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("authority.pem"), certificate.pem()).unwrap();
        Self { issuer: Issuer::new(params, key), folder }
    }

    /// Its certificate, as PEM.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// What shows a certificate for this name.
    fn acceptor(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let secret = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], secret)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// How a protocol comes to TLS.
#[derive(Clone, Copy)]
pub enum Opening {
    AtOnce,
    /// PostgreSQL: asked for by the first bytes. A client that does not ask is let go.
    SslRequest,
    /// SMTP: asked for after a greeting in the clear. A client that does not ask is let go.
    Starttls,
}

/// A server on `localhost` that ends TLS.
pub struct Front {
    pub port: u16,
    opened: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Front {
    /// Before `target`, with a certificate of this authority for `name`.
    pub async fn start(
        (authority, name): (&Authority, &str),
        opening: Opening,
        target: SocketAddr,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let opened = Arc::new(AtomicUsize::new(0));
        let (acceptor, counter) = (authority.acceptor(name), Arc::clone(&opened));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, counter) = (acceptor.clone(), Arc::clone(&counter));
                open.spawn(async move {
                    // A client that goes away is what some tests are about.
                    serve(client, (opening, acceptor), target, &counter).await.ok();
                });
            }
        });
        Self { port, opened, _serving: serving }
    }

    /// Connections over which TLS was agreed on.
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }
}

async fn serve(
    mut client: TcpStream,
    (opening, acceptor): (Opening, TlsAcceptor),
    target: SocketAddr,
    opened: &AtomicUsize,
) -> std::io::Result<()> {
    match opening {
        Opening::AtOnce => {}
        Opening::SslRequest => {
            let mut first = [0; SSL_REQUEST.len()];
            client.read_exact(&mut first).await?;
            if first != SSL_REQUEST {
                return Ok(());
            }
            client.write_all(b"S").await?;
        }
        Opening::Starttls => {
            if !asked_for_tls(&mut client).await? {
                return Ok(());
            }
        }
    }
    let mut client = acceptor.accept(client).await?;
    opened.fetch_add(1, Ordering::Relaxed);
    let mut server = TcpStream::connect(target).await?;
    if matches!(opening, Opening::Starttls) {
        // The client was greeted in the clear.
        while server.read_u8().await? != b'\n' {}
    }
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

async fn asked_for_tls(client: &mut TcpStream) -> std::io::Result<bool> {
    let (reader, mut writer) = client.split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 front ESMTP\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let reply: &[u8] = match line.as_str() {
            "STARTTLS" => {
                writer.write_all(b"220 go on\r\n").await?;
                return Ok(true);
            }
            line if line.starts_with("EHLO") => b"250-front\r\n250 STARTTLS\r\n",
            _ => b"530 STARTTLS first\r\n",
        };
        writer.write_all(reply).await?;
    }
    Ok(false)
}

/// A path as a part of an address.
pub fn in_query(path: &Path) -> String {
    path.to_str().unwrap().replace('/', "%2F")
}
