//! Rows of `tenants`, and what a tenant is born with.

use entity::{pipeline_stage, tenant};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use crate::access::{Permit, SystemHandle};
use crate::db::{Conn, Statement, Value};
use crate::error::Result;

pub(super) async fn insert(
    conn: &Conn,
    system: &SystemHandle,
    tenant: tenant::Model,
) -> Result<()> {
    tenant::Entity::insert(tenant.into_active_model())
        .exec_without_returning(&conn.orm(system))
        .await?;
    Ok(())
}

pub(super) async fn insert_stages(
    conn: &Conn,
    system: &SystemHandle,
    stages: Vec<pipeline_stage::Model>,
) -> Result<()> {
    let stages = stages.into_iter().map(IntoActiveModel::into_active_model);
    pipeline_stage::Entity::insert_many(stages).exec_without_returning(&conn.orm(system)).await?;
    Ok(())
}

pub(super) async fn by_slug(
    conn: &Conn,
    system: &SystemHandle,
    slug: &str,
) -> Result<Option<tenant::Model>> {
    Ok(tenant::Entity::find().filter(tenant::Column::Slug.eq(slug)).one(&conn.orm(system)).await?)
}

pub(super) async fn by_id(
    conn: &Conn,
    permit: &impl Permit,
    id: Uuid,
) -> Result<Option<tenant::Model>> {
    Ok(tenant::Entity::find_by_id(id).one(&conn.orm(permit)).await?)
}

/// Waits until nobody else holds the tenant's row, and holds it to the end of the transaction.
pub(super) async fn lock(conn: &Conn, permit: &impl Permit) -> Result<()> {
    let dialect = conn.dialect();
    let sql = format!(
        "SELECT id FROM tenants WHERE id = {}{}",
        dialect.placeholder(1),
        dialect.for_update()
    );
    let id = Value::Id(permit.tenant_id());
    conn.row(permit, &Statement::new(sql, vec![id])).await.map(drop)
}

/// False when the tenant is no longer as it was.
pub(super) async fn update(
    conn: &Conn,
    permit: &impl Permit,
    new: &tenant::Model,
    old: &tenant::Model,
) -> Result<bool> {
    let done = tenant::Entity::update_many()
        .col_expr(tenant::Column::Name, Expr::value(new.name.clone()))
        .col_expr(tenant::Column::TimeZone, Expr::value(new.time_zone.clone()))
        .col_expr(tenant::Column::Currency, Expr::value(new.currency.clone()))
        .col_expr(tenant::Column::Language, Expr::value(new.language.clone()))
        .col_expr(tenant::Column::Settings, Expr::value(new.settings.clone()))
        .col_expr(tenant::Column::SuspendedAt, Expr::value(new.suspended_at))
        .col_expr(tenant::Column::PurgeAt, Expr::value(new.purge_at))
        .col_expr(tenant::Column::UpdatedAt, Expr::value(new.updated_at))
        .filter(tenant::Column::Id.eq(old.id))
        .filter(tenant::Column::UpdatedAt.eq(old.updated_at))
        .exec(&conn.orm(permit))
        .await?;
    Ok(done.rows_affected == 1)
}

pub(super) async fn list(conn: &Conn, system: &SystemHandle) -> Result<Vec<tenant::Model>> {
    Ok(tenant::Entity::find().order_by_asc(tenant::Column::Slug).all(&conn.orm(system)).await?)
}

pub(super) async fn count(conn: &Conn, system: &SystemHandle) -> Result<u64> {
    Ok(tenant::Entity::find().count(&conn.orm(system)).await?)
}
