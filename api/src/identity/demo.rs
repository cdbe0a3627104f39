//! The tenant that an empty installation starts with: itself, its administrator and a key. What is
//! in it comes from [`crate::demo`].

use std::sync::Arc;

use rand::RngCore;

use super::actor;
use super::api_key::service::{self as api_key, KeyInput};
use super::tenant::service::{self as tenant, TenantOptions};
use super::user::service::{self as user, Draft};
use crate::access::Actor;
use crate::app::App;
use crate::db::Conn;
use crate::error::Result;

/// Slug of the demo tenant.
pub const TENANT: &str = "demo";
const TENANT_NAME: &str = "Demonstração";
const EMAIL: &str = "admin@demo.example";
const ADMIN_NAME: &str = "Administração";
const KEY_NAME: &str = "Demonstração";
const ROLE: &str = "admin";
/// Who wrote the demo's rows in a tenant that has people of its own.
const WRITER_NAME: &str = "Dados de demonstração";

/// What opens the demo tenant. Kept nowhere: whoever asked shows it once.
#[derive(Clone)]
pub struct DemoCredentials {
    pub tenant: String,
    /// The administrator's; the other colleagues have the same password.
    pub email: String,
    pub password: String,
    pub api_key: String,
}

/// An administrator about to be made; hashing takes its time and no transaction waits for it.
pub(crate) struct Administrator {
    password: String,
    password_hash: String,
}

impl Administrator {
    pub(crate) fn password_hash(&self) -> &str {
        &self.password_hash
    }
}

/// Whether the installation has no tenant at all.
pub(crate) async fn is_empty(app: &App) -> Result<bool> {
    let conn = app.db.single_read().await?;
    tenant::none_exists(&conn).await
}

pub(crate) async fn prepare(app: &App) -> Result<Administrator> {
    let password = random_password();
    let password_hash = app.identity.passwords.hash(&password).await?;
    Ok(Administrator { password, password_hash })
}

/// As [`create_in`], unless some tenant exists.
pub(crate) async fn create_if_empty_in(
    app: &App,
    conn: &Conn,
    admin: &Administrator,
) -> Result<Option<(Actor, DemoCredentials)>> {
    if !tenant::none_exists(conn).await? {
        return Ok(None);
    }
    create_in(app, conn, admin).await.map(Some)
}

/// Makes the demo tenant, its administrator and a key, inside a transaction of the caller's.
pub(crate) async fn create_in(
    app: &App,
    conn: &Conn,
    admin: &Administrator,
) -> Result<(Actor, DemoCredentials)> {
    let options = TenantOptions::default();
    let tenant_id = tenant::create_in(app, conn, TENANT, TENANT_NAME, options).await?;
    let draft = Draft {
        email: Some(EMAIL.to_owned()),
        full_name: ADMIN_NAME.to_owned(),
        password_hash: Some(admin.password_hash.clone()),
        is_service: false,
        roles: vec![ROLE.to_owned()],
        manager_id: None,
        org_unit_id: None,
    };
    let user_id = user::create_in(app, conn, tenant_id, draft).await?;
    let key = KeyInput { role: ROLE.to_owned(), name: KEY_NAME.to_owned(), ..KeyInput::default() };
    let api_key = api_key::create_in(app, conn, tenant_id, key).await?;
    let row = tenant::of_id(conn, tenant_id).await?;
    let credentials = DemoCredentials {
        tenant: TENANT.to_owned(),
        email: EMAIL.to_owned(),
        password: admin.password.clone(),
        api_key,
    };
    Ok((actor::service::operator(&row, user_id)?, credentials))
}

/// Somebody who may write the demo into a tenant: a service account of its own, since whoever can
/// open the database at the command line needs nobody's permission. NOT_FOUND without the tenant.
pub(crate) async fn actor_in(app: &Arc<App>, slug: &str) -> Result<Actor> {
    let row = tenant::named(app, slug).await?;
    let conn = app.db.transaction().await?;
    let account = user::service_account(app, &conn, row.id, WRITER_NAME).await?;
    conn.commit().await?;
    actor::service::operator(&row, account)
}

/// A hundred random bits, in characters that nobody mistakes for one another.
pub(crate) fn random_password() -> String {
    const ALPHABET: [char; 32] = [
        'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'j', 'k', 'm', 'n', 'p', 'q', 'r', 's', 't', 'u',
        'v', 'w', 'x', 'y', 'z', '2', '3', '4', '5', '6', '7', '8', '9', '0',
    ];
    let mut random = [0_u8; 20];
    rand::rng().fill_bytes(&mut random);
    random.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32))).collect()
}
