//! Rows of `persisted_operations`, and the mark on a key.

use chrono::{DateTime, Utc};
use entity::{api_key, persisted_operation as table};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, Select, Set};
use uuid::Uuid;

use super::service::PersistedOperation;
use crate::access::Permit;
use crate::db::Conn;
use crate::error::Result;

pub(super) async fn by_hash(
    conn: &Conn,
    permit: &impl Permit,
    sha256_hash: &str,
) -> Result<Option<PersistedOperation>> {
    let found = of_tenant(permit).filter(table::Column::Sha256Hash.eq(sha256_hash));
    Ok(found.one(&conn.orm(permit)).await?.map(operation))
}

pub(super) async fn count(conn: &Conn, permit: &impl Permit) -> Result<u64> {
    Ok(of_tenant(permit).count(&conn.orm(permit)).await?)
}

pub(super) async fn list(conn: &Conn, permit: &impl Permit) -> Result<Vec<PersistedOperation>> {
    let rows = of_tenant(permit).order_by_asc(table::Column::Id).all(&conn.orm(permit)).await?;
    Ok(rows.into_iter().map(operation).collect())
}

pub(super) async fn insert(
    conn: &Conn,
    permit: &impl Permit,
    new: &PersistedOperation,
    created_by: Uuid,
) -> Result<()> {
    let row = table::ActiveModel {
        tenant_id: Set(permit.tenant_id()),
        id: Set(new.id),
        name: Set(new.name.clone()),
        sha256_hash: Set(new.sha256_hash.clone()),
        document: Set(new.document.clone()),
        created_at: Set(new.created_at),
        created_by: Set(Some(created_by)),
    };
    table::Entity::insert(row).exec_without_returning(&conn.orm(permit)).await?;
    Ok(())
}

/// What was removed.
pub(super) async fn remove(
    conn: &Conn,
    permit: &impl Permit,
    id: Uuid,
) -> Result<Option<PersistedOperation>> {
    let orm = conn.orm(permit);
    let Some(row) = of_tenant(permit).filter(table::Column::Id.eq(id)).one(&orm).await? else {
        return Ok(None);
    };
    table::Entity::delete_many()
        .filter(table::Column::TenantId.eq(permit.tenant_id()))
        .filter(table::Column::Id.eq(id))
        .exec(&orm)
        .await?;
    Ok(Some(operation(row)))
}

/// Marks a key that was not revoked; false when there is none.
pub(super) async fn hold_key(
    conn: &Conn,
    permit: &impl Permit,
    (key_id, persisted_only): (Uuid, bool),
    now: DateTime<Utc>,
) -> Result<bool> {
    let done = api_key::Entity::update_many()
        .col_expr(api_key::Column::PersistedOnly, Expr::value(persisted_only))
        .col_expr(api_key::Column::UpdatedAt, Expr::value(now))
        .filter(api_key::Column::TenantId.eq(permit.tenant_id()))
        .filter(api_key::Column::Id.eq(key_id))
        .filter(api_key::Column::RevokedAt.is_null())
        .exec(&conn.orm(permit))
        .await?;
    Ok(done.rows_affected == 1)
}

fn of_tenant(permit: &impl Permit) -> Select<table::Entity> {
    table::Entity::find().filter(table::Column::TenantId.eq(permit.tenant_id()))
}

fn operation(row: table::Model) -> PersistedOperation {
    PersistedOperation {
        id: row.id,
        name: row.name,
        sha256_hash: row.sha256_hash,
        document: row.document,
        created_at: row.created_at,
    }
}
