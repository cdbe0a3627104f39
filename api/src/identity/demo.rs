//! The tenant that an empty installation starts with, so that the first minute shows a product and
//! not a blank page.

use std::sync::Arc;

use rand::RngCore;

use super::api_key::service::{self as api_key, KeyInput};
use super::tenant::service::{self as tenant, TenantOptions};
use super::user::service::{self as user, UserInput};
use crate::app::App;
use crate::error::Result;

const TENANT: &str = "demo";
const TENANT_NAME: &str = "Demonstração";
const EMAIL: &str = "admin@demo.example";
const ADMIN_NAME: &str = "Administração";
const KEY_NAME: &str = "Demonstração";
const ROLE: &str = "admin";

/// What opens the demo tenant. Kept nowhere: whoever asked shows it once.
#[derive(Clone)]
pub struct DemoCredentials {
    pub tenant: String,
    pub email: String,
    pub password: String,
    pub api_key: String,
}

/// Makes the demo tenant, an administrator and a key, all or nothing, where no tenant exists yet.
pub async fn create_if_empty(app: &Arc<App>) -> Result<Option<DemoCredentials>> {
    let looking = app.db.single_read().await?;
    let is_empty = tenant::none_exists(&looking).await?;
    drop(looking);
    if !is_empty {
        return Ok(None);
    }
    let password = random_password();
    let admin = UserInput {
        email: Some(EMAIL.to_owned()),
        full_name: ADMIN_NAME.to_owned(),
        password: Some(password.clone()),
        roles: vec![ROLE.to_owned()],
        ..UserInput::default()
    };
    let admin = user::prepare(app, admin).await?;
    let conn = app.db.transaction().await?;
    // Asked again where it counts: another process may be starting on the same database.
    if !tenant::none_exists(&conn).await? {
        return Ok(None);
    }
    let options = TenantOptions::default();
    let tenant_id = tenant::create_in(app, &conn, TENANT, TENANT_NAME, options).await?;
    user::create_in(app, &conn, tenant_id, admin).await?;
    let key = KeyInput { role: ROLE.to_owned(), name: KEY_NAME.to_owned(), ..KeyInput::default() };
    let api_key = api_key::create_in(app, &conn, tenant_id, key).await?;
    conn.commit().await?;
    Ok(Some(DemoCredentials {
        tenant: TENANT.to_owned(),
        email: EMAIL.to_owned(),
        password,
        api_key,
    }))
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
