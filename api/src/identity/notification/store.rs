//! Rows of `notifications`, always one user's, and of the people who may be told.

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use super::service::Notification;
use crate::access::{Permit as _, SystemHandle};
use crate::db::{Conn, Row, Statement, Value};
use crate::error::{Error, Result};
use crate::notice::Kind;

/// A user with one of their roles.
pub(super) struct PersonRow {
    pub(super) id: Uuid,
    pub(super) manager_id: Option<Uuid>,
    pub(super) org_unit_id: Option<Uuid>,
    pub(super) company_id: Option<Uuid>,
    pub(super) role: Option<(String, Json)>,
}

/// Which of a user's notifications are read, by their numbers.
#[derive(Clone, Copy)]
pub(super) enum Span {
    /// Older than this, newest first.
    Before(i64),
    /// Newer than this, oldest first.
    After(i64),
}

pub(super) async fn people(
    conn: &Conn,
    system: &SystemHandle,
    ids: Vec<Uuid>,
) -> Result<Vec<PersonRow>> {
    let tenant = conn.dialect().placeholder(1);
    let among = conn.dialect().in_ids("u.id", &conn.dialect().placeholder(2));
    let sql = format!(
        "SELECT u.id, u.manager_id, u.org_unit_id, u.company_id, r.name, r.permissions \
         FROM users u \
         LEFT JOIN user_roles g ON g.tenant_id = u.tenant_id AND g.user_id = u.id \
         LEFT JOIN roles r ON r.tenant_id = g.tenant_id AND r.id = g.role_id \
         WHERE u.tenant_id = {tenant} AND {among} \
         AND u.is_active AND u.deleted_at IS NULL AND NOT u.is_service"
    );
    let values = vec![Value::Id(system.tenant_id()), Value::Ids(ids)];
    let rows = conn.rows(system, &Statement::new(sql, values)).await?;
    rows.iter()
        .map(|row| {
            let role = row.text(4)?.map(|name| Ok::<_, Error>((name, row.json(5)?)));
            let role = role.transpose()?.map(|(name, stored)| (name, stored.unwrap_or_default()));
            Ok(PersonRow {
                id: row.required_id(0)?,
                manager_id: row.id(1)?,
                org_unit_id: row.id(2)?,
                company_id: row.id(3)?,
                role,
            })
        })
        .collect()
}

/// The users who have one of these roles.
pub(super) async fn holders(
    conn: &Conn,
    system: &SystemHandle,
    roles: Vec<Uuid>,
) -> Result<Vec<Uuid>> {
    let tenant = conn.dialect().placeholder(1);
    let among = conn.dialect().in_ids("role_id", &conn.dialect().placeholder(2));
    let sql =
        format!("SELECT DISTINCT user_id FROM user_roles WHERE tenant_id = {tenant} AND {among}");
    let values = vec![Value::Id(system.tenant_id()), Value::Ids(roles)];
    let rows = conn.rows(system, &Statement::new(sql, values)).await?;
    rows.iter().map(|row| row.required_id(0)).collect()
}

/// A user's notifications of a span.
pub(super) async fn read(
    conn: &Conn,
    system: &SystemHandle,
    user_id: Uuid,
    (span, unread_only, most): (Span, bool, usize),
) -> Result<Vec<Notification>> {
    let place = |number| conn.dialect().placeholder(number);
    let (bound, order, from) = match span {
        Span::Before(number) => ("<", "DESC", number),
        Span::After(number) => (">", "ASC", number),
    };
    let unread = if unread_only { " AND read_at IS NULL" } else { "" };
    let sql = format!(
        "SELECT id, number, kind, actor_id, resource, record_id, item_count, read_at, created_at \
         FROM notifications WHERE tenant_id = {} AND user_id = {} AND number {bound} {}{unread} \
         ORDER BY number {order} LIMIT {most}",
        place(1),
        place(2),
        place(3)
    );
    let values = vec![Value::Id(system.tenant_id()), Value::Id(user_id), Value::Int(from)];
    let rows = conn.rows(system, &Statement::new(sql, values)).await?;
    rows.iter().map(notification).collect()
}

fn notification(row: &Row) -> Result<Notification> {
    let kind = row.text(2)?.unwrap_or_default();
    Ok(Notification {
        id: row.required_id(0)?,
        number: row.int(1)?.unwrap_or_default(),
        // A newer neighbour may have written a kind that this binary does not know.
        kind: Kind::parse(&kind).ok_or_else(|| Error::unavailable("an unknown kind of notice"))?,
        actor_id: row.id(3)?,
        resource: row.text(4)?,
        record_id: row.id(5)?,
        count: row.int(6)?.unwrap_or(1),
        read_at: row.instant(7)?,
        created_at: row
            .instant(8)?
            .ok_or_else(|| Error::internal("a notification without its time"))?,
    })
}

/// How many notifications a user has, or has not read.
pub(super) async fn count(
    conn: &Conn,
    system: &SystemHandle,
    user_id: Uuid,
    unread_only: bool,
) -> Result<i64> {
    let (tenant, user) = (conn.dialect().placeholder(1), conn.dialect().placeholder(2));
    let unread = if unread_only { " AND read_at IS NULL" } else { "" };
    let sql = format!(
        "SELECT COUNT(*) FROM notifications WHERE tenant_id = {tenant} AND user_id = {user}{unread}"
    );
    let values = vec![Value::Id(system.tenant_id()), Value::Id(user_id)];
    let row = conn.row(system, &Statement::new(sql, values)).await?;
    Ok(row.map(|row| row.int(0)).transpose()?.flatten().unwrap_or_default())
}

/// How many of these ids are a user's.
pub(super) async fn known(
    conn: &Conn,
    system: &SystemHandle,
    user_id: Uuid,
    ids: &[Uuid],
) -> Result<i64> {
    let (tenant, user) = (conn.dialect().placeholder(1), conn.dialect().placeholder(2));
    let among = conn.dialect().in_ids("id", &conn.dialect().placeholder(3));
    let sql = format!(
        "SELECT COUNT(*) FROM notifications WHERE tenant_id = {tenant} AND user_id = {user} \
         AND {among}"
    );
    let values = vec![Value::Id(system.tenant_id()), Value::Id(user_id), Value::Ids(ids.to_vec())];
    let row = conn.row(system, &Statement::new(sql, values)).await?;
    Ok(row.map(|row| row.int(0)).transpose()?.flatten().unwrap_or_default())
}

/// Marks these of a user's read; how many were not.
pub(super) async fn mark(
    conn: &Conn,
    system: &SystemHandle,
    user_id: Uuid,
    (ids, now): (Vec<Uuid>, DateTime<Utc>),
) -> Result<u64> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "UPDATE notifications SET read_at = {} WHERE tenant_id = {} AND user_id = {} AND {} \
         AND read_at IS NULL",
        place(1),
        place(2),
        place(3),
        conn.dialect().in_ids("id", &place(4))
    );
    let values = vec![
        Value::Instant(now),
        Value::Id(system.tenant_id()),
        Value::Id(user_id),
        Value::Ids(ids),
    ];
    conn.execute(system, &Statement::new(sql, values)).await
}

/// Marks a user's notifications read, up to a number; how many were not.
pub(super) async fn mark_all(
    conn: &Conn,
    system: &SystemHandle,
    user_id: Uuid,
    (up_to, now): (i64, DateTime<Utc>),
) -> Result<u64> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "UPDATE notifications SET read_at = {} WHERE tenant_id = {} AND user_id = {} \
         AND number <= {} AND read_at IS NULL",
        place(1),
        place(2),
        place(3),
        place(4)
    );
    let values = vec![
        Value::Instant(now),
        Value::Id(system.tenant_id()),
        Value::Id(user_id),
        Value::Int(up_to),
    ];
    conn.execute(system, &Statement::new(sql, values)).await
}

/// Removes these of a user's; how many there were.
pub(super) async fn remove(
    conn: &Conn,
    system: &SystemHandle,
    user_id: Uuid,
    ids: Vec<Uuid>,
) -> Result<u64> {
    let (tenant, user) = (conn.dialect().placeholder(1), conn.dialect().placeholder(2));
    let among = conn.dialect().in_ids("id", &conn.dialect().placeholder(3));
    let sql = format!(
        "DELETE FROM notifications WHERE tenant_id = {tenant} AND user_id = {user} AND {among}"
    );
    let values = vec![Value::Id(system.tenant_id()), Value::Id(user_id), Value::Ids(ids)];
    conn.execute(system, &Statement::new(sql, values)).await
}

/// The number of a user's latest notification; 0 where there was none.
pub(super) async fn last_number(conn: &Conn, system: &SystemHandle, user_id: Uuid) -> Result<i64> {
    let (tenant, user) = (conn.dialect().placeholder(1), conn.dialect().placeholder(2));
    let sql = format!(
        "SELECT last_number FROM notification_feeds WHERE tenant_id = {tenant} AND id = {user}"
    );
    let values = vec![Value::Id(system.tenant_id()), Value::Id(user_id)];
    let row = conn.row(system, &Statement::new(sql, values)).await?;
    Ok(row.map(|row| row.int(0)).transpose()?.flatten().unwrap_or_default())
}
