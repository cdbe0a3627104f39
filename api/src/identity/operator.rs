//! What the operator does at the command line, where nobody is signed in: as the services do it, with
//! an entry in the audit trail that names no user.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::api_key::service::KeyInput;
use super::api_key::text::KeyText;
use super::tenant::service::TenantOptions;
use super::user::record::record as user_record;
use super::user::service::UserInput;
use super::{api_key, tenant, user};
use crate::access::{Resource, SystemHandle};
use crate::app::App;
use crate::audit::{self, Author, Entry};
use crate::ctx::Origin;
use crate::db::Conn;
use crate::error::{Error, Result};

/// As [`tenant::service::create`].
pub async fn create_tenant(
    app: &Arc<App>,
    slug: &str,
    name: &str,
    options: TenantOptions,
) -> Result<Uuid> {
    let conn = app.db.transaction().await?;
    let id = tenant::service::create_in(app, &conn, slug, name, options).await?;
    let new = json!({ "slug": slug, "name": name });
    note(app, &conn, (id, "tenant.create"), (Resource::Tenants, id, new)).await?;
    conn.commit().await?;
    Ok(id)
}

/// As [`user::service::create`].
pub async fn create_user(app: &Arc<App>, tenant_id: Uuid, input: UserInput) -> Result<Uuid> {
    let new = json!({
        "fullName": input.full_name,
        "email": input.email,
        "roles": input.roles,
        "hasPassword": input.password.is_some(),
    });
    let draft = user::service::prepare(app, input).await?;
    let conn = app.db.transaction().await?;
    let id = user::service::create_in(app, &conn, tenant_id, draft).await?;
    note(app, &conn, (tenant_id, "user.create"), (Resource::Users, id, new)).await?;
    conn.commit().await?;
    Ok(id)
}

/// As [`api_key::service::create`].
pub async fn create_key(app: &Arc<App>, tenant_id: Uuid, input: KeyInput) -> Result<String> {
    let new = json!({
        "name": input.name,
        "role": input.role,
        "scopes": input.scopes,
        "expiresAt": input.expires_at,
    });
    let conn = app.db.transaction().await?;
    let text = api_key::service::create_in(app, &conn, tenant_id, input).await?;
    let key = KeyText::parse(&text).ok_or_else(|| Error::internal("a key that is none"))?;
    let about = (Resource::ApiKeys, key.key_id, new);
    note(app, &conn, (tenant_id, "api_key.create"), about).await?;
    conn.commit().await?;
    Ok(text)
}

/// Writes an entry of the operator's in the transaction of `conn`.
pub(super) async fn note(
    app: &App,
    conn: &Conn,
    (tenant_id, action): (Uuid, &str),
    (resource, resource_id, new): (Resource, Uuid, Json),
) -> Result<()> {
    let origin = Origin::internal(format!("command {action}"));
    let author = Author { user_id: None, api_key_id: None, origin: &origin };
    let entry = Entry {
        action: action.to_owned(),
        resource: resource.as_str(),
        resource_id,
        old: None,
        new: Some(new),
    };
    let personal = user_record().fields.iter().filter(|field| field.pii);
    let personal: Vec<&str> = personal.map(|field| field.name.as_str()).collect();
    let system = SystemHandle::for_tenant(tenant_id);
    let entries = vec![entry.with_personal(&personal)];
    audit::append_by(&app.clock, conn, &system, author, entries).await
}
