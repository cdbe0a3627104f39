//! Rows of `roles`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::{api_key, role};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};
use uuid::Uuid;

use crate::access::Permit;
use crate::db::{Conn, Statement, Value};
use crate::error::Result;

/// Users and living keys that have a role.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Holders {
    pub(super) users: i64,
    pub(super) keys: i64,
}

pub(super) async fn insert_all(
    conn: &Conn,
    permit: &impl Permit,
    roles: impl Iterator<Item = role::Model> + Send,
) -> Result<()> {
    role::Entity::insert_many(roles.map(IntoActiveModel::into_active_model))
        .exec_without_returning(&conn.orm(permit))
        .await?;
    Ok(())
}

pub(super) async fn list(conn: &Conn, permit: &impl Permit) -> Result<Vec<role::Model>> {
    Ok(role::Entity::find()
        .filter(role::Column::TenantId.eq(permit.tenant_id()))
        .order_by_asc(role::Column::Name)
        .all(&conn.orm(permit))
        .await?)
}

pub(super) async fn by_id(
    conn: &Conn,
    permit: &impl Permit,
    id: Uuid,
) -> Result<Option<role::Model>> {
    Ok(role::Entity::find_by_id((permit.tenant_id(), id)).one(&conn.orm(permit)).await?)
}

/// False when the role is no longer of this version.
pub(super) async fn update(
    conn: &Conn,
    permit: &impl Permit,
    role: &role::Model,
    old_version: i32,
) -> Result<bool> {
    let done = role::Entity::update_many()
        .col_expr(role::Column::Name, Expr::value(role.name.clone()))
        .col_expr(role::Column::LabelPt, Expr::value(role.label_pt.clone()))
        .col_expr(role::Column::Description, Expr::value(role.description.clone()))
        .col_expr(role::Column::Permissions, Expr::value(role.permissions.clone()))
        .col_expr(role::Column::UpdatedAt, Expr::value(role.updated_at))
        .col_expr(role::Column::Version, Expr::value(role.version))
        .filter(role::Column::TenantId.eq(permit.tenant_id()))
        .filter(role::Column::Id.eq(role.id))
        .filter(role::Column::Version.eq(old_version))
        .exec(&conn.orm(permit))
        .await?;
    Ok(done.rows_affected == 1)
}

/// Removes a role and the keys that had it: whoever asks knows that they have ended.
pub(super) async fn delete(conn: &Conn, permit: &impl Permit, id: Uuid) -> Result<()> {
    let orm = conn.orm(permit);
    api_key::Entity::delete_many()
        .filter(api_key::Column::TenantId.eq(permit.tenant_id()))
        .filter(api_key::Column::RoleId.eq(id))
        .exec(&orm)
        .await?;
    role::Entity::delete_many()
        .filter(role::Column::TenantId.eq(permit.tenant_id()))
        .filter(role::Column::Id.eq(id))
        .exec(&orm)
        .await?;
    Ok(())
}

/// Who has each role. Deleted users hold theirs too: they may be restored.
pub(super) async fn holders(
    conn: &Conn,
    permit: &impl Permit,
    now: DateTime<Utc>,
) -> Result<HashMap<Uuid, Holders>> {
    let (tenant, at) = (conn.dialect().placeholder(1), conn.dialect().placeholder(2));
    let sql = format!(
        "SELECT 0, g.role_id, count(*) FROM user_roles g WHERE g.tenant_id = {tenant} \
         GROUP BY g.role_id \
         UNION ALL \
         SELECT 1, k.role_id, count(*) FROM api_keys k WHERE k.tenant_id = {tenant} \
         AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > {at}) \
         GROUP BY k.role_id"
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Instant(now)];
    let mut holders: HashMap<Uuid, Holders> = HashMap::new();
    for row in conn.rows(permit, &Statement::new(sql, values)).await? {
        let held = holders.entry(row.required_id(1)?).or_default();
        let count = row.int(2)?.unwrap_or_default();
        if row.int(0)? == Some(0) {
            held.users = count;
        } else {
            held.keys = count;
        }
    }
    Ok(holders)
}
