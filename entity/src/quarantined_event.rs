//! `quarantined_events`: an event that was not let in, and why.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "quarantined_events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The id that its source gave it, where it gave one.
    pub source_id: Option<String>,
    pub module: Option<String>,
    pub event_type: Option<String>,
    pub reason: String,
    #[sea_orm(column_type = "Text")]
    pub detail: String,
    /// As it came, without personal data.
    #[sea_orm(column_type = "JsonBinary")]
    pub body: Json,
    pub state: String,
    /// The event that it became when it was replayed.
    pub event_id: Option<Uuid>,
    pub received_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
