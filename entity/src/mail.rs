//! `mails`: a mail to be sent, written in the transaction of its cause.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mails")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Who writes its text: `invitation`, `password_reset`, …
    pub kind: String,
    /// Whom it goes to; the address is looked up when it is sent.
    pub user_id: Uuid,
    /// What it is about.
    pub subject_id: Option<Uuid>,
    /// `pt-BR` or `en`.
    pub language: String,
    /// `pending`, `sent`, `dropped` (no longer wanted) or `failed` (given up).
    pub state: String,
    pub attempts: i32,
    pub next_attempt_at: DateTimeUtc,
    pub error: Option<String>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
