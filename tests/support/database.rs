//! A migrated database for one test. SQLite: a copy of one migrated file. PostgreSQL: `CREATE
//! DATABASE … TEMPLATE` of one migrated database. Templates are made once per run.

use std::path::Path;
use std::sync::mpsc;

use chrono::{DateTime, Utc};
use pulso::db::Db;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use tempfile::TempDir;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use super::{Backend, Fixture};

/// Where tests find a PostgreSQL; `cargo xtask test` sets it.
const URL_VARIABLE: &str = "PULSO_TEST_POSTGRES_URL";
/// Connections of each of one test's pools: one writes, one reads for the engine.
const CONNECTIONS_MAX: u32 = 5;
/// Tests that hold a PostgreSQL database at the same time: with twice [`CONNECTIONS_MAX`] and four
/// more each this stays below the server's 400.
const TESTS_AT_ONCE: usize = 24;

static POSTGRES_SLOTS: Semaphore = Semaphore::const_new(TESTS_AT_ONCE);
static SQLITE_TEMPLATE: OnceCell<Vec<u8>> = OnceCell::const_new();
static POSTGRES_TEMPLATE: OnceCell<String> = OnceCell::const_new();
static POSTGRES_KEEPER: OnceCell<Keeper> = OnceCell::const_new();

/// A database that belongs to one test and goes with it.
pub struct TestDb {
    pub db: Db,
    pub backend: Backend,
    url: String,
    // Dropped in this order: the database or its folder first, then the slot for the next test.
    _files: Files,
    _slot: Option<SemaphorePermit<'static>>,
}

enum Files {
    Folder(#[expect(dead_code, reason = "its drop removes the folder")] TempDir),
    Database(String),
}

impl TestDb {
    /// All migrations applied, no rows.
    pub async fn new(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => {
                let template = SQLITE_TEMPLATE.get_or_init(migrated_file).await;
                Self::sqlite_from(template).await
            }
            Backend::Postgres => {
                let template = POSTGRES_TEMPLATE.get_or_init(migrated_database).await;
                Self::postgres_from(template).await
            }
        }
    }

    /// Not even a migration applied.
    pub async fn empty(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => Self::sqlite_from(&[]).await,
            Backend::Postgres => Self::postgres_from("template0").await,
        }
    }

    /// What `DATABASE_URL` would be for this database.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A SQLite database with the bytes of `template` (none: a new file).
    pub async fn sqlite_from(template: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pulso.db");
        if !template.is_empty() {
            std::fs::write(&file, template).unwrap();
        }
        let url = sqlite_url(&file);
        let db = Db::connect(&url, CONNECTIONS_MAX).await.unwrap();
        Self { db, backend: Backend::Sqlite, url, _files: Files::Folder(folder), _slot: None }
    }

    /// A PostgreSQL database copied from the one named `template`.
    pub async fn postgres_from(template: &str) -> Self {
        let slot = POSTGRES_SLOTS.acquire().await.unwrap();
        let keeper = keeper().await;
        let name = keeper.create(template).await;
        let url = keeper.url_of(&name);
        let db = Db::connect(&url, CONNECTIONS_MAX).await.unwrap();
        Self {
            db,
            backend: Backend::Postgres,
            url,
            _files: Files::Database(name),
            _slot: Some(slot),
        }
    }
}

impl Fixture for TestDb {
    async fn on(backend: Backend) -> Self {
        Self::new(backend).await
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if let (Self::Database(name), Some(keeper)) = (self, POSTGRES_KEEPER.get()) {
            keeper.drop_database(name);
        }
    }
}

/// The moment at which test databases were migrated, before [`super::TestDb`]'s users look at them.
pub fn migrated_at() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn sqlite_url(file: &Path) -> String {
    format!("sqlite://{}?mode=rwc", file.display())
}

async fn migrated_file() -> Vec<u8> {
    let empty = TestDb::empty(Backend::Sqlite).await;
    empty.db.migrate(migrated_at()).await.unwrap();
    bytes_of(empty).await
}

/// The whole content of a SQLite test database, which ends here.
pub async fn bytes_of(database: TestDb) -> Vec<u8> {
    // Closing the last connection folds the write-ahead log into the file.
    database.db.close().await;
    let file = database.url.trim_start_matches("sqlite://").trim_end_matches("?mode=rwc");
    std::fs::read(file).unwrap()
}

async fn migrated_database() -> String {
    let keeper = keeper().await;
    let name = keeper.create("template0").await;
    let db = Db::connect(&keeper.url_of(&name), CONNECTIONS_MAX).await.unwrap();
    db.migrate(migrated_at()).await.unwrap();
    db.close().await;
    name
}

/// A new, empty database that stays until the run ends, for templates; nobody may be connected to
/// it when it is copied.
pub async fn postgres_template_from(template: &str) -> (String, String) {
    let keeper = keeper().await;
    let name = keeper.create(template).await;
    let url = keeper.url_of(&name);
    (name, url)
}

/// The name of the migrated template.
pub async fn migrated_postgres() -> &'static str {
    POSTGRES_TEMPLATE.get_or_init(migrated_database).await
}

async fn keeper() -> &'static Keeper {
    POSTGRES_KEEPER.get_or_init(Keeper::start).await
}

/// Makes and drops databases on a thread and runtime of its own, because each test's runtime ends
/// with the test. Its databases are named after an advisory lock that it holds: the next run drops
/// those whose lock is free.
struct Keeper {
    url: String,
    orders: tokio::sync::mpsc::UnboundedSender<Order>,
}

enum Order {
    Create { template: String, reply: tokio::sync::oneshot::Sender<String> },
    Drop { name: String, done: mpsc::Sender<()> },
}

impl Keeper {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are told where PostgreSQL is by the environment"
    )]
    async fn start() -> Self {
        let url = std::env::var(URL_VARIABLE).unwrap_or_default();
        assert!(
            !url.is_empty(),
            "tests on PostgreSQL need a server: run them with `cargo xtask test`, which starts \
             one, or set {URL_VARIABLE}"
        );
        let (orders, inbox) = tokio::sync::mpsc::unbounded_channel();
        let (ready, started) = tokio::sync::oneshot::channel();
        let server = url.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(keep(server, inbox, ready));
        });
        started.await.unwrap();
        Self { url, orders }
    }

    async fn create(&self, template: &str) -> String {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let template = template.to_owned();
        self.orders.send(Order::Create { template, reply }).unwrap();
        answer.await.unwrap()
    }

    fn drop_database(&self, name: &str) {
        let (done, dropped) = mpsc::channel();
        let order = Order::Drop { name: name.to_owned(), done };
        if self.orders.send(order).is_ok() {
            // An error means that the keeper panicked, which has failed the run already.
            dropped.recv().ok();
        }
    }

    /// The server's URL with another database: `postgres://user@host:port/NAME?options`.
    fn url_of(&self, name: &str) -> String {
        let (server, options) = match self.url.split_once('?') {
            Some((server, options)) => (server, format!("?{options}")),
            None => (self.url.as_str(), String::new()),
        };
        let after_scheme = server.find("://").map_or(0, |at| at + 3);
        let end = server[after_scheme..].find('/').map_or(server.len(), |at| after_scheme + at);
        format!("{}/{name}{options}", &server[..end])
    }
}

async fn keep(
    url: String,
    mut inbox: tokio::sync::mpsc::UnboundedReceiver<Order>,
    ready: tokio::sync::oneshot::Sender<()>,
) {
    let mut server = PgConnection::connect(&url).await.expect(URL_VARIABLE);
    let run = std::process::id();
    let lock = format!("SELECT pg_advisory_lock({})", lock_key(run));
    server.execute(AssertSqlSafe(lock)).await.unwrap();
    drop_leftovers(&mut server, run).await;
    ready.send(()).unwrap();
    let mut count = 0_u32;
    while let Some(order) = inbox.recv().await {
        match order {
            Order::Create { template, reply } => {
                count += 1;
                let name = format!("pulso_test_{run}_{count}");
                let sql = format!("CREATE DATABASE {name} TEMPLATE {template}");
                server.execute(AssertSqlSafe(sql)).await.unwrap();
                reply.send(name).ok();
            }
            Order::Drop { name, done } => {
                let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                server.execute(AssertSqlSafe(sql)).await.unwrap();
                done.send(()).ok();
            }
        }
    }
}

/// Databases of runs that are over: their advisory lock is free.
async fn drop_leftovers(server: &mut PgConnection, own_run: u32) {
    let query = "SELECT datname::text FROM pg_database WHERE datname LIKE 'pulso\\_test\\_%'";
    let names: Vec<String> =
        server.fetch_all(query).await.unwrap().iter().map(|row| row.get(0)).collect();
    for name in names {
        let run = name.split('_').nth(2).and_then(|run| run.parse::<u32>().ok());
        let Some(run) = run else { continue };
        let try_lock = format!("SELECT pg_try_advisory_lock({})", lock_key(run));
        // A run with our own number is over too: numbers of processes come again.
        let free = run == own_run
            || server.fetch_one(AssertSqlSafe(try_lock)).await.unwrap().get::<bool, _>(0);
        if free {
            let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            server.execute(AssertSqlSafe(sql)).await.unwrap();
            if run != own_run {
                let unlock = format!("SELECT pg_advisory_unlock({})", lock_key(run));
                server.execute(AssertSqlSafe(unlock)).await.unwrap();
            }
        }
    }
}

fn lock_key(run: u32) -> i64 {
    // Apart from the keys of the product's own locks.
    0x5055_4c53_0000_0000 | i64::from(run)
}
