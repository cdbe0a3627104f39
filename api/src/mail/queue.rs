//! Rows of `mails`.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::access::{Permit, SystemHandle};
use crate::clock::Clock;
use crate::db::{Conn, NullOf, Statement, Value};
use crate::error::{Error, Language, Result};

const COLUMNS: [&str; 11] = [
    "tenant_id",
    "id",
    "kind",
    "user_id",
    "subject_id",
    "language",
    "state",
    "attempts",
    "next_attempt_at",
    "created_at",
    "updated_at",
];
const ERROR_CHARS_MAX: usize = 500;
/// Mails that one look at the queue takes on.
const AT_ONCE: i64 = 50;

/// A mail about to be queued.
#[derive(Debug, Clone, Copy)]
pub struct Queued {
    /// Which text it is; the [`super::Writer`] knows.
    pub kind: &'static str,
    pub user_id: Uuid,
    /// What it is about.
    pub subject_id: Option<Uuid>,
    pub language: Language,
}

/// A mail that waits to be sent.
#[derive(Debug, Clone)]
pub struct Waiting {
    pub tenant_id: Uuid,
    pub id: Uuid,
    pub kind: String,
    pub user_id: Uuid,
    pub subject_id: Option<Uuid>,
    pub language: Language,
    /// Attempts made before this one.
    pub(super) attempts: i64,
}

/// How an attempt ended.
pub(super) enum Fate {
    Sent,
    /// No longer wanted.
    Dropped,
    /// To be tried again.
    Again(String),
    GivenUp(String),
}

/// Queues a mail in the transaction of `conn`; it leaves after the commit.
pub async fn append(conn: &Conn, permit: &impl Permit, clock: &Clock, mail: Queued) -> Result<()> {
    let now = clock.now();
    let language = match mail.language {
        Language::En => "en",
        Language::PtBr => "pt-BR",
    };
    let row = vec![
        Value::Id(permit.tenant_id()),
        Value::Id(clock.new_id()),
        mail.kind.into(),
        Value::Id(mail.user_id),
        mail.subject_id.map_or(Value::Null(NullOf::Id), Value::Id),
        language.into(),
        "pending".into(),
        Value::Int(0),
        Value::Instant(now),
        Value::Instant(now),
        Value::Instant(now),
    ];
    conn.insert(permit, "mails", &COLUMNS, vec![row]).await
}

/// Mails of all tenants whose time has come, longest waiting first.
pub(super) async fn due(conn: &Conn, now: DateTime<Utc>) -> Result<Vec<Waiting>> {
    // The queue is every tenant's; the index holds waiting mails alone, so that it stays short.
    let system = SystemHandle::for_tenant(Uuid::nil());
    let sql = format!(
        "SELECT tenant_id, id, kind, user_id, subject_id, language, attempts FROM mails \
         WHERE state = 'pending' AND next_attempt_at <= {} ORDER BY next_attempt_at, id LIMIT {}",
        conn.dialect().placeholder(1),
        conn.dialect().placeholder(2)
    );
    let statement = Statement::new(sql, vec![Value::Instant(now), Value::Int(AT_ONCE)]);
    let mut waiting = Vec::new();
    for row in conn.rows(&system, &statement).await? {
        let is_portuguese = row.text(5)?.is_some_and(|language| language.starts_with("pt"));
        waiting.push(Waiting {
            tenant_id: row.required_id(0)?,
            id: row.required_id(1)?,
            kind: row.text(2)?.unwrap_or_default(),
            user_id: row.required_id(3)?,
            subject_id: row.id(4)?,
            language: if is_portuguese { Language::PtBr } else { Language::En },
            attempts: row.int(6)?.unwrap_or_default(),
        });
    }
    Ok(waiting)
}

/// Takes a mail for one attempt; until `again_at` no other node takes it. False when one was faster.
pub(super) async fn claim(
    conn: &Conn,
    mail: &Waiting,
    (now, again_at): (DateTime<Utc>, DateTime<Utc>),
) -> Result<bool> {
    let system = SystemHandle::for_tenant(mail.tenant_id);
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "UPDATE mails SET attempts = attempts + 1, next_attempt_at = {}, updated_at = {} \
         WHERE tenant_id = {} AND id = {} AND attempts = {} AND state = 'pending'",
        place(1),
        place(2),
        place(3),
        place(4),
        place(5)
    );
    let values = vec![
        Value::Instant(again_at),
        Value::Instant(now),
        Value::Id(mail.tenant_id),
        Value::Id(mail.id),
        Value::Int(mail.attempts),
    ];
    Ok(conn.execute(&system, &Statement::new(sql, values)).await? == 1)
}

/// Notes how an attempt ended.
pub(super) async fn note(
    conn: &Conn,
    mail: &Waiting,
    fate: &Fate,
    now: DateTime<Utc>,
) -> Result<()> {
    let system = SystemHandle::for_tenant(mail.tenant_id);
    let (state, error) = match fate {
        Fate::Sent => ("sent", None),
        Fate::Dropped => ("dropped", None),
        Fate::Again(error) => ("pending", Some(error)),
        Fate::GivenUp(error) => ("failed", Some(error)),
    };
    let error = error.map_or(Value::Null(NullOf::Text), |error| {
        Value::Text(error.chars().take(ERROR_CHARS_MAX).collect())
    });
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "UPDATE mails SET state = {}, error = {}, updated_at = {} WHERE tenant_id = {} AND id = {}",
        place(1),
        place(2),
        place(3),
        place(4),
        place(5)
    );
    let values = vec![
        state.into(),
        error,
        Value::Instant(now),
        Value::Id(mail.tenant_id),
        Value::Id(mail.id),
    ];
    let changed = conn.execute(&system, &Statement::new(sql, values)).await?;
    if changed == 1 { Ok(()) } else { Err(Error::internal("a mail's row went away")) }
}

/// Removes mails that were done with before `before`.
pub async fn forget(conn: &Conn, before: DateTime<Utc>) -> Result<u64> {
    let system = SystemHandle::for_tenant(Uuid::nil());
    let sql = format!(
        "DELETE FROM mails WHERE state <> 'pending' AND updated_at < {}",
        conn.dialect().placeholder(1)
    );
    conn.execute(&system, &Statement::new(sql, vec![Value::Instant(before)])).await
}
