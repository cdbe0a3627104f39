//! Accounts, as signing in sees them.

use chrono::{DateTime, Utc};
use entity::user;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::access::{Permit, SystemHandle};
use crate::db::{Conn, Statement, Value};
use crate::error::Result;

pub(super) struct Account {
    pub(super) tenant_id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) password_hash: Option<String>,
}

/// The account behind a slug and a folded e-mail, if it may sign in. One statement, whatever is
/// missing.
pub(super) async fn find_account(
    conn: &Conn,
    system: &SystemHandle,
    tenant_slug: &str,
    email: &str,
) -> Result<Option<Account>> {
    let (slug, address) = (conn.dialect().placeholder(1), conn.dialect().placeholder(2));
    let sql = format!(
        "SELECT u.tenant_id, u.id, u.password_hash \
         FROM tenants t JOIN users u ON u.tenant_id = t.id \
         WHERE t.slug = {slug} AND u.email = {address} AND t.suspended_at IS NULL \
         AND u.is_active AND u.deleted_at IS NULL"
    );
    let values = vec![Value::from(tenant_slug), Value::from(email)];
    let Some(row) = conn.row(system, &Statement::new(sql, values)).await? else {
        return Ok(None);
    };
    Ok(Some(Account {
        tenant_id: row.required_id(0)?,
        user_id: row.required_id(1)?,
        password_hash: row.text(2)?,
    }))
}

/// Notes the sign-in. A stronger hash replaces the one that was verified, not one set meanwhile.
pub(super) async fn record_login(
    conn: &Conn,
    system: &SystemHandle,
    account: &Account,
    stronger_hash: Option<String>,
    now: DateTime<Utc>,
) -> Result<()> {
    let this_user = Condition::all()
        .add(user::Column::TenantId.eq(system.tenant_id()))
        .add(user::Column::Id.eq(account.user_id));
    user::Entity::update_many()
        .col_expr(user::Column::LastLoginAt, Expr::value(now))
        .filter(this_user.clone())
        .exec(&conn.orm(system))
        .await?;
    if let (Some(stronger), Some(verified)) = (stronger_hash, &account.password_hash) {
        user::Entity::update_many()
            .col_expr(user::Column::PasswordHash, Expr::value(stronger))
            .filter(this_user.add(user::Column::PasswordHash.eq(verified)))
            .exec(&conn.orm(system))
            .await?;
    }
    Ok(())
}
