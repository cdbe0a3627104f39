//! Two tenants with the same people in the same roles, made once per run by the product itself.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use pulso::access::SystemHandle;
use pulso::app::App;
use pulso::clock::Clock;
use pulso::db::{Statement, Value};
use pulso::identity::tenant::service::TenantOptions;
use pulso::identity::user::service::UserInput;
use pulso::identity::{api_key, tenant, user};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::database::{bytes_of, migrated_postgres, postgres_template_from};
use super::{Backend, TestDb, app};

/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery staple";

#[derive(Clone)]
pub struct Seed {
    pub alpha: Tenant,
    pub beta: Tenant,
}

#[derive(Clone)]
pub struct Tenant {
    pub id: Uuid,
    pub slug: &'static str,
    pub admin: Person,
    pub diretor: Person,
    /// A seller who manages `comercial`.
    pub manager: Person,
    /// A seller without a team.
    pub comercial: Person,
    pub agente_ia: Person,
}

/// A user with an API key that acts as them, with all of their role's rights.
#[derive(Clone)]
pub struct Person {
    pub id: Uuid,
    pub email: String,
    pub key: String,
}

static SQLITE: OnceCell<(Vec<u8>, Seed)> = OnceCell::const_new();
static POSTGRES: OnceCell<(String, Seed)> = OnceCell::const_new();

/// When the seed happened: before any test, so that ids of the seed and of a test differ.
fn seeded_at() -> DateTime<Utc> {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

/// A database of one's own with both tenants.
pub(super) async fn seeded(backend: Backend) -> (TestDb, Seed) {
    match backend {
        Backend::Sqlite => {
            let (bytes, seed) = SQLITE.get_or_init(seeded_file).await;
            (TestDb::sqlite_from(bytes).await, seed.clone())
        }
        Backend::Postgres => {
            let (name, seed) = POSTGRES.get_or_init(seeded_database).await;
            (TestDb::postgres_from(name).await, seed.clone())
        }
    }
}

async fn seeded_file() -> (Vec<u8>, Seed) {
    let database = TestDb::new(Backend::Sqlite).await;
    let seed = plant(&app::build(&database.db, database.url(), Clock::fixed(seeded_at()))).await;
    (bytes_of(database).await, seed)
}

async fn seeded_database() -> (String, Seed) {
    let (name, url) = postgres_template_from(migrated_postgres().await).await;
    let db = pulso::db::Db::connect(&url, 2).await.unwrap();
    let seed = plant(&app::build(&db, &url, Clock::fixed(seeded_at()))).await;
    db.close().await;
    (name, seed)
}

async fn plant(app: &Arc<App>) -> Seed {
    Seed { alpha: plant_tenant(app, "alpha").await, beta: plant_tenant(app, "beta").await }
}

async fn plant_tenant(app: &Arc<App>, slug: &'static str) -> Tenant {
    let id =
        tenant::service::create(app, slug, &format!("Tenant {slug}"), TenantOptions::default())
            .await
            .unwrap();
    let admin = plant_person(app, (id, slug), ("admin", "admin"), None).await;
    let diretor = plant_person(app, (id, slug), ("diretor", "diretor"), None).await;
    let manager = plant_person(app, (id, slug), ("manager", "comercial"), None).await;
    let comercial =
        plant_person(app, (id, slug), ("comercial", "comercial"), Some(manager.id)).await;
    let agente_ia = plant_person(app, (id, slug), ("agente", "agente_ia"), None).await;
    Tenant { id, slug, admin, diretor, manager, comercial, agente_ia }
}

async fn plant_person(
    app: &Arc<App>,
    (tenant_id, slug): (Uuid, &str),
    (name, role): (&str, &'static str),
    manager_id: Option<Uuid>,
) -> Person {
    let email = format!("{name}@{slug}.example");
    let input = UserInput {
        email: Some(email.clone()),
        full_name: format!("{name} of {slug}"),
        // Hashing is slow on purpose: once, and copied to the others below.
        password: (role == "admin").then(|| PASSWORD.to_owned()),
        roles: vec![role.to_owned()],
        manager_id,
        org_unit_id: None,
    };
    let id = user::service::create(app, tenant_id, input).await.unwrap();
    let key = api_key::service::create(app, slug, role, &email, &[], None).await.unwrap();
    let system = SystemHandle::for_tenant(tenant_id);
    let conn = app.db.transaction().await.unwrap();
    let mark = |number| conn.dialect().placeholder(number);
    // A key made so acts as a service account of its own; here it acts as the person.
    let acts_as = Statement::new(
        format!(
            "UPDATE api_keys SET user_id = {} WHERE tenant_id = {} AND name = {}",
            mark(1),
            mark(2),
            mark(3)
        ),
        vec![Value::Id(id), Value::Id(tenant_id), Value::from(email.as_str())],
    );
    assert_eq!(conn.execute(&system, &acts_as).await.unwrap(), 1);
    let password = Statement::new(
        format!(
            "UPDATE users SET password_hash = (SELECT a.password_hash FROM users AS a \
             WHERE a.tenant_id = {0} AND a.password_hash IS NOT NULL LIMIT 1) \
             WHERE tenant_id = {0} AND id = {1} AND password_hash IS NULL",
            mark(1),
            mark(2)
        ),
        vec![Value::Id(tenant_id), Value::Id(id)],
    );
    conn.execute(&system, &password).await.unwrap();
    conn.commit().await.unwrap();
    Person { id, email, key }
}
