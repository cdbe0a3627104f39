//! `tenant_tombstones`: what is left of a tenant that was removed for good, and how far the removal is.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tenant_tombstones")]
pub struct Model {
    /// The id that the tenant had.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub slug: String,
    /// When its waiting period was over.
    pub purge_at: DateTimeUtc,
    /// `schedule` or `command`
    pub started_by: String,
    pub started_at: DateTimeUtc,
    /// Empty until nothing is left.
    pub purged_at: Option<DateTimeUtc>,
    /// Rows removed so far, by table.
    #[sea_orm(column_type = "JsonBinary")]
    pub removed: Json,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
