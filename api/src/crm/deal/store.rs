//! SQL of deals beyond the engine: stages and the way through them.

use chrono::{DateTime, Utc};
use entity::{deal_stage_change, pipeline_stage};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use crate::access::Permit;
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::Result;

/// Living stages of the tenant.
pub(super) async fn find_stages(
    conn: &Conn,
    permit: &impl Permit,
    ids: Vec<Uuid>,
) -> Result<Vec<pipeline_stage::Model>> {
    Ok(pipeline_stage::Entity::find()
        .filter(pipeline_stage::Column::TenantId.eq(permit.tenant_id()))
        .filter(pipeline_stage::Column::Id.is_in(ids))
        .filter(pipeline_stage::Column::DeletedAt.is_null())
        .all(&conn.orm(permit))
        .await?)
}

/// All living stages, in their order.
pub(super) async fn stages(
    conn: &Conn,
    permit: &impl Permit,
) -> Result<Vec<pipeline_stage::Model>> {
    Ok(pipeline_stage::Entity::find()
        .filter(pipeline_stage::Column::TenantId.eq(permit.tenant_id()))
        .filter(pipeline_stage::Column::DeletedAt.is_null())
        .order_by_asc(pipeline_stage::Column::SortOrder)
        .order_by_asc(pipeline_stage::Column::Id)
        .all(&conn.orm(permit))
        .await?)
}

/// The first living stage, by sort order, that neither wins nor loses a deal.
pub(super) async fn first_open_stage(
    conn: &Conn,
    permit: &impl Permit,
) -> Result<Option<pipeline_stage::Model>> {
    Ok(pipeline_stage::Entity::find()
        .filter(pipeline_stage::Column::TenantId.eq(permit.tenant_id()))
        .filter(pipeline_stage::Column::DeletedAt.is_null())
        .filter(pipeline_stage::Column::IsWon.eq(false))
        .filter(pipeline_stage::Column::IsLost.eq(false))
        .order_by_asc(pipeline_stage::Column::SortOrder)
        .one(&conn.orm(permit))
        .await?)
}

/// A move of a deal from one stage to the next.
pub(super) struct StageChange {
    pub(super) deal_id: Uuid,
    /// Absent when the deal was made in `to`.
    pub(super) from: Option<Uuid>,
    pub(super) to: Uuid,
    pub(super) changed_at: DateTime<Utc>,
}

pub(super) async fn insert_stage_changes(
    ctx: &Ctx,
    conn: &Conn,
    permit: &impl Permit,
    changes: Vec<StageChange>,
) -> Result<()> {
    let rows = changes.into_iter().map(|change| deal_stage_change::ActiveModel {
        tenant_id: Set(permit.tenant_id()),
        id: Set(ctx.app.clock.new_id()),
        deal_id: Set(change.deal_id),
        from_stage_id: Set(change.from),
        to_stage_id: Set(change.to),
        changed_by: Set(Some(ctx.actor.user_id)),
        changed_at: Set(change.changed_at),
        created_at: Set(ctx.now()),
    });
    let inserted = deal_stage_change::Entity::insert_many(rows);
    inserted.exec_without_returning(&conn.orm(permit)).await?;
    Ok(())
}
