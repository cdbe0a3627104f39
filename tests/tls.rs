//! TLS to others: whose certificate is taken, and whose is not.

use std::net::{SocketAddr, ToSocketAddrs as _};

use pulso::access::SystemHandle;
use pulso::db::{Conn, Db, EngineRead, Statement};
use pulso::error::Result;
use reqwest::redirect::Policy;
use reqwest::{StatusCode, Url};
use serde_json::json;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use uuid::Uuid;

use crate::support::database::TestDb;
use crate::support::issuer::Issuer;
use crate::support::node::Node;
use crate::support::tls::{Authority, Front, Opening, in_query};
use crate::support::{Backend, TestApp, both_databases};

/// A test's database behind a front.
struct Guarded {
    front: Front,
    url: Url,
    _database: TestDb,
}

impl Guarded {
    async fn by(authority: &Authority, name: &str) -> Self {
        // As the binary does when it begins; another test may have been faster.
        aws_lc_rs::default_provider().install_default().ok();
        let database = TestDb::new(Backend::Postgres).await;
        let mut url = Url::parse(database.url()).unwrap();
        let at = (url.host_str().unwrap(), url.port().unwrap_or(5432));
        let target = at.to_socket_addrs().unwrap().next().unwrap();
        let front = Front::start((authority, name), Opening::SslRequest, target).await;
        url.set_host(Some("localhost")).unwrap();
        url.set_port(Some(front.port)).unwrap();
        Self { front, url, _database: database }
    }

    async fn connect(&self, query: &str) -> Result<Db> {
        let mut url = self.url.clone();
        url.set_query(Some(query));
        Db::connect(url.as_str(), 3).await
    }

    /// Why there is no connection.
    async fn refusal(&self, query: &str) -> String {
        let refused = self.connect(query).await.err().unwrap();
        refused.internal_cause().unwrap_or_default().to_owned()
    }
}

async fn answers(conn: Conn) {
    let system = SystemHandle::for_tenant(Uuid::nil());
    let count = Statement::new("SELECT count(*) FROM tenants", Vec::new());
    let rows = conn.rows(&system, &count).await.unwrap();
    assert_eq!(rows[0].int(0).unwrap(), Some(0));
    conn.commit().await.unwrap();
}

/// Everything that a process asks PostgreSQL for, over the driver of stores and that of the engine.
async fn answers_everything(db: &Db) {
    answers(db.transaction().await.unwrap()).await;
    answers(db.snapshot().await.unwrap()).await;
    for read in [EngineRead::LookUp, EngineRead::Statement, EngineRead::Snapshot] {
        answers(db.engine_read(read).await.unwrap()).await;
    }
    assert!(db.migrate(crate::support::database::migrated_at()).await.unwrap().is_empty());
}

#[tokio::test]
async fn both_drivers_reach_postgresql_over_tls() {
    let guarded = Guarded::by(&Authority::new(), "localhost").await;
    let db = guarded.connect("sslmode=require").await.unwrap();
    answers(db.transaction().await.unwrap()).await;
    let before = guarded.front.opened();
    assert!(before > 0);
    answers(db.engine_read(EngineRead::Snapshot).await.unwrap()).await;
    assert!(guarded.front.opened() > before, "the engine's driver has connections of its own");
    answers_everything(&db).await;
    db.close().await;
    // The front lets nobody in who does not ask for TLS.
    guarded.refusal("sslmode=disable").await;
}

#[tokio::test]
async fn a_certificate_is_verified_where_the_url_asks_for_it() {
    let authority = Authority::new();
    let guarded = Guarded::by(&authority, "localhost").await;
    let trusted =
        |mode: &str, by: &Authority| format!("sslmode={mode}&sslrootcert={}", in_query(&by.file()));
    let db = guarded.connect(&trusted("verify-full", &authority)).await.unwrap();
    answers_everything(&db).await;
    db.close().await;
    // Of a stranger, and of nobody who is known to this machine.
    let opened = guarded.front.opened();
    for query in [trusted("verify-full", &Authority::new()), "sslmode=verify-full".to_owned()] {
        let refusal = guarded.refusal(&query).await;
        assert!(refusal.contains("invalid peer certificate"), "{query}: {refusal}");
    }
    assert_eq!(guarded.front.opened(), opened);
    // Of another name: good for its authority, but not in full.
    let elsewhere = Guarded::by(&authority, "elsewhere.example").await;
    let refusal = elsewhere.refusal(&trusted("verify-full", &authority)).await;
    assert!(refusal.contains("not valid for name"), "{refusal}");
    let db = elsewhere.connect(&trusted("verify-ca", &authority)).await.unwrap();
    answers_everything(&db).await;
    db.close().await;
}

both_databases! {
    /// A provider in a private network, with a certificate of its own authority.
    async fn a_provider_is_believed_with_a_certificate_that_the_machine_trusts(app: TestApp) {
        let (authority, issuer) = (Authority::new(), Issuer::start(&[]).await);
        let target: SocketAddr = issuer.url.trim_start_matches("http://").parse().unwrap();
        let front = Front::start((&authority, "localhost"), Opening::AtOnce, target).await;
        let own = format!("https://localhost:{}", front.port);
        issuer.set(|script| {
            let text = script.metadata.to_string().replace(&issuer.url, &own);
            script.metadata = serde_json::from_str(&text).unwrap();
        });
        let trust = "mutation($input: IdentityProviderCreateInput!) { \
                     identityProviderCreate(input: $input) { id } }";
        let input = json!({ "slug": "work", "name": "W", "issuer": own, "clientId": "pulso" });
        let private = ("PULSO_SIGN_IN_PRIVATE_PROVIDERS", "true");
        let authorities = authority.file();
        let trusted = ("SSL_CERT_FILE", authorities.to_str().unwrap());
        let client = reqwest::Client::builder().redirect(Policy::none()).no_proxy();
        let client = client.build().unwrap();
        let node = Node::start(app.database.url(), &[private, trusted]);
        node.data(&app.alpha.admin.key, trust, json!({ "input": input })).await;
        let begin = |node: &Node| client.get(format!("{}/auth/oidc/alpha/work", node.url)).send();
        let answer = begin(&node).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{}", answer.text().await.unwrap());
        let location = answer.headers()["location"].to_str().unwrap();
        assert!(location.starts_with(&format!("{own}/authorize?")), "{location}");
        drop(node);

        let opened = front.opened();
        let stranger = Node::start(app.database.url(), &[private]);
        assert_eq!(begin(&stranger).await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(front.opened(), opened);
    }
}
