//! What every test stands on: a database of its own ([`TestDb`]), the whole application around it
//! ([`TestApp`]), and [`both_databases!`], which runs one test body on SQLite and on PostgreSQL.

pub mod app;
pub mod browser;
pub mod data;
pub mod database;
pub mod events;
pub mod goals;
pub mod importing;
pub mod ingesting;
pub mod issuer;
pub mod node;
pub mod provider;
pub mod reads;
pub mod rows;
pub mod script;
pub mod seed;
pub mod socket;
pub mod sources;
pub mod tenant_tables;
pub mod tls;
pub mod visitor;
pub mod waiting;
pub mod writing;

pub use app::{TestApp, now};
pub use database::TestDb;

/// The two databases that everything must behave alike on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// What a test body may ask for as its argument.
pub trait Fixture {
    async fn on(backend: Backend) -> Self;
}

/// Makes what the body asks for, and runs it.
pub async fn run_on<F: Fixture, Done: Future<Output = ()>>(
    backend: Backend,
    body: impl FnOnce(F) -> Done,
) {
    let fixture = F::on(backend).await;
    body(fixture).await;
}

/// One body, two tests: `both_databases! { async fn name(app: TestApp) { … } }` becomes
/// `name::sqlite` and `name::postgres`. The argument is anything that is a [`Fixture`].
macro_rules! both_databases {
    ($($(#[$meta:meta])* async fn $name:ident($argument:ident: $kind:ty) $body:block)+) => {$(
        $(#[$meta])*
        async fn $name($argument: $kind) $body

        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                crate::support::run_on(crate::support::Backend::Sqlite, super::$name).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                crate::support::run_on(crate::support::Backend::Postgres, super::$name).await;
            }
        }
    )+};
}
pub(crate) use both_databases;
