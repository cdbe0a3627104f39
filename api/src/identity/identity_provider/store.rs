//! Rows of `identity_providers`, and what hangs on them.

use entity::{identity_provider as table, sign_in_flow, user_identity};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, Select,
};
use uuid::Uuid;

use crate::access::{Permit, SystemHandle};
use crate::db::Conn;
use crate::error::Result;

pub(super) async fn list(conn: &Conn, permit: &impl Permit) -> Result<Vec<table::Model>> {
    Ok(of_tenant(permit).order_by_asc(table::Column::Slug).all(&conn.orm(permit)).await?)
}

pub(super) async fn count(conn: &Conn, permit: &impl Permit) -> Result<u64> {
    Ok(of_tenant(permit).count(&conn.orm(permit)).await?)
}

pub(super) async fn by_id(
    conn: &Conn,
    permit: &impl Permit,
    id: Uuid,
) -> Result<Option<table::Model>> {
    Ok(of_tenant(permit).filter(table::Column::Id.eq(id)).one(&conn.orm(permit)).await?)
}

pub(super) async fn insert(conn: &Conn, permit: &impl Permit, row: table::Model) -> Result<()> {
    table::Entity::insert(row.into_active_model())
        .exec_without_returning(&conn.orm(permit))
        .await?;
    Ok(())
}

/// False when the provider is no longer of this version.
pub(super) async fn update(
    conn: &Conn,
    permit: &impl Permit,
    row: table::Model,
    old_version: i32,
) -> Result<bool> {
    let done = table::Entity::update_many()
        .col_expr(table::Column::Name, Expr::value(row.name))
        .col_expr(table::Column::Issuer, Expr::value(row.issuer))
        .col_expr(table::Column::ClientId, Expr::value(row.client_id))
        .col_expr(table::Column::ClientSecret, Expr::value(row.client_secret))
        .col_expr(table::Column::Scopes, Expr::value(row.scopes))
        .col_expr(table::Column::EmailDomains, Expr::value(row.email_domains))
        .col_expr(table::Column::CreatesUsers, Expr::value(row.creates_users))
        .col_expr(table::Column::RoleId, Expr::value(row.role_id))
        .col_expr(table::Column::IsEnabled, Expr::value(row.is_enabled))
        .col_expr(table::Column::UpdatedAt, Expr::value(row.updated_at))
        .col_expr(table::Column::Version, Expr::value(row.version))
        .filter(table::Column::TenantId.eq(permit.tenant_id()))
        .filter(table::Column::Id.eq(row.id))
        .filter(table::Column::Version.eq(old_version))
        .exec(&conn.orm(permit))
        .await?;
    Ok(done.rows_affected == 1)
}

/// A provider, the identities that it gave, and the sign-ins that are under way through it.
pub(super) async fn remove(conn: &Conn, permit: &impl Permit, id: Uuid) -> Result<()> {
    let (orm, tenant_id) = (conn.orm(permit), permit.tenant_id());
    sign_in_flow::Entity::delete_many()
        .filter(sign_in_flow::Column::TenantId.eq(tenant_id))
        .filter(sign_in_flow::Column::ProviderId.eq(id))
        .exec(&orm)
        .await?;
    user_identity::Entity::delete_many()
        .filter(user_identity::Column::TenantId.eq(tenant_id))
        .filter(user_identity::Column::ProviderId.eq(id))
        .exec(&orm)
        .await?;
    table::Entity::delete_many()
        .filter(table::Column::TenantId.eq(tenant_id))
        .filter(table::Column::Id.eq(id))
        .exec(&orm)
        .await?;
    Ok(())
}

/// Of all tenants.
pub(super) async fn all_with_secrets(
    conn: &Conn,
    system: &SystemHandle,
) -> Result<Vec<table::Model>> {
    Ok(table::Entity::find()
        .filter(table::Column::ClientSecret.is_not_null())
        .order_by_asc(table::Column::TenantId)
        .order_by_asc(table::Column::Id)
        .all(&conn.orm(system))
        .await?)
}

/// How many rows still had the old secret.
pub(super) async fn replace_secret(
    conn: &Conn,
    permit: &impl Permit,
    id: Uuid,
    (old, new): (&str, &str),
) -> Result<u64> {
    let done = table::Entity::update_many()
        .col_expr(table::Column::ClientSecret, Expr::value(new))
        .filter(table::Column::TenantId.eq(permit.tenant_id()))
        .filter(table::Column::Id.eq(id))
        .filter(table::Column::ClientSecret.eq(old))
        .exec(&conn.orm(permit))
        .await?;
    Ok(done.rows_affected)
}

fn of_tenant(permit: &impl Permit) -> Select<table::Entity> {
    table::Entity::find().filter(table::Column::TenantId.eq(permit.tenant_id()))
}
