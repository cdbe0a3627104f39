//! Rows of `jobs`.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use super::{Job, LEASE, Next, Queued, first_run};
use crate::access::{Permit, SystemHandle};
use crate::clock::Clock;
use crate::db::{Conn, NullOf, Row, Statement, Value};
use crate::error::{Error, Result, say};
use crate::limits;

const ERROR_CHARS_MAX: usize = 500;
/// Rows that one sweep removes.
const SWEPT_AT_ONCE: i64 = 1_000;
/// Jobs that one look at the queue finds.
const AT_ONCE: i64 = 20;
/// What a row says of a job that is over.
const OVER: &str = "lease_owner = NULL, lease_until = NULL";

/// A job whose time has come, or whose runner fell silent.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    pub tenant_id: Uuid,
    pub id: Uuid,
    pub zone: Tz,
}

/// Queues a job in the transaction of `conn`; it begins after the commit. Its id.
pub async fn append(conn: &Conn, permit: &impl Permit, clock: &Clock, job: Queued) -> Result<Uuid> {
    let (id, now) = (clock.new_id(), clock.now());
    let zone = zone_of(conn, permit).await?;
    let columns = [
        "tenant_id",
        "id",
        "kind",
        "state",
        "arguments",
        "off_hours",
        "attempts_max",
        "due_at",
        "requested_by",
        "created_at",
        "updated_at",
    ];
    let row = vec![
        Value::Id(permit.tenant_id()),
        Value::Id(id),
        job.kind.into(),
        "queued".into(),
        Value::Json(job.arguments),
        Value::Bool(job.off_hours),
        Value::Int(job.attempts_max),
        Value::Instant(first_run(now, zone, job.off_hours)),
        job.requested_by.map_or(Value::Null(NullOf::Id), Value::Id),
        Value::Instant(now),
        Value::Instant(now),
    ];
    conn.insert(permit, "jobs", &columns, vec![row]).await?;
    Ok(id)
}

async fn zone_of(conn: &Conn, permit: &impl Permit) -> Result<Tz> {
    let sql = format!("SELECT time_zone FROM tenants WHERE id = {}", conn.dialect().placeholder(1));
    let row = conn.row(permit, &Statement::new(sql, vec![Value::Id(permit.tenant_id())])).await?;
    read_zone(&row.ok_or_else(|| Error::internal("a tenant went away"))?, 0)
}

fn read_zone(row: &Row, column: usize) -> Result<Tz> {
    row.text(column)?.unwrap_or_default().parse().map_err(Error::internal)
}

/// Refuses another job where a tenant has as many as it may that are not over.
pub async fn bound(conn: &Conn, permit: &impl Permit) -> Result<()> {
    let max = limits::JOBS_WAITING_MAX;
    if waiting(conn, permit).await? < max {
        return Ok(());
    }
    Err(Error::limit(say(
        format!("a tenant has {max} jobs that wait or run at most"),
        format!("uma conta tem no máximo {max} tarefas em espera ou em execução"),
    )))
}

async fn waiting(conn: &Conn, permit: &impl Permit) -> Result<i64> {
    let sql = format!(
        "SELECT count(*) FROM jobs WHERE tenant_id = {} AND state IN ('queued', 'running')",
        conn.dialect().placeholder(1)
    );
    let row = conn.row(permit, &Statement::new(sql, vec![Value::Id(permit.tenant_id())])).await?;
    Ok(row.map(|row| row.int(0)).transpose()?.flatten().unwrap_or_default())
}

/// Jobs of all tenants that anybody may run now, longest waiting first; of tenants who have one
/// running, the next waits.
pub async fn due(conn: &Conn, now: DateTime<Utc>) -> Result<Vec<Due>> {
    let system = SystemHandle::for_tenant(Uuid::nil());
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "SELECT j.tenant_id, j.id, t.time_zone FROM jobs j JOIN tenants t ON t.id = j.tenant_id \
         WHERE {} AND NOT EXISTS (SELECT 1 FROM jobs r WHERE r.tenant_id = j.tenant_id \
         AND r.state = 'running' AND r.lease_until >= {}) ORDER BY j.due_at, j.id LIMIT {}",
        is_due("j.", &place(1)),
        place(1),
        place(2)
    );
    let values = vec![Value::Instant(now), Value::Int(AT_ONCE)];
    let rows = conn.rows(&system, &Statement::new(sql, values)).await?;
    let due = |row: &Row| {
        Ok(Due {
            tenant_id: row.required_id(0)?,
            id: row.required_id(1)?,
            zone: read_zone(row, 2)?,
        })
    };
    rows.iter().map(due).collect()
}

/// Whether a row waits and its time has come, or its runner fell silent.
fn is_due(alias: &str, now: &str) -> String {
    format!(
        "({alias}state = 'queued' AND {alias}due_at <= {now} \
         OR {alias}state = 'running' AND {alias}lease_until < {now})"
    )
}

/// Takes a job; none when somebody else was faster. One whose runners died too often has failed.
pub async fn claim(
    conn: &Conn,
    due: Due,
    (owner, now): (Uuid, DateTime<Utc>),
) -> Result<Option<Job>> {
    let system = SystemHandle::for_tenant(due.tenant_id);
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "SELECT kind, arguments, off_hours, cursor, done, attempts, attempts_max FROM jobs \
         WHERE tenant_id = {} AND id = {} AND {}{}",
        place(1),
        place(2),
        is_due("", &place(3)),
        conn.dialect().for_update_or_skip()
    );
    let values = vec![Value::Id(due.tenant_id), Value::Id(due.id), Value::Instant(now)];
    let Some(row) = conn.row(&system, &Statement::new(sql, values)).await? else { return Ok(None) };
    let job = Job {
        tenant_id: due.tenant_id,
        id: due.id,
        kind: row.text(0)?.unwrap_or_default(),
        arguments: row.json(1)?.unwrap_or_default(),
        zone: due.zone,
        off_hours: row.bool(2)?.unwrap_or_default(),
        cursor: row.json(3)?,
        done: row.int(4)?.unwrap_or_default(),
        attempts: row.int(5)?.unwrap_or_default() + 1,
        attempts_max: row.int(6)?.unwrap_or_default(),
        owner,
    };
    if job.attempts > job.attempts_max {
        let died = "whoever ran it fell silent, again and again";
        let sql = format!(
            "UPDATE jobs SET state = 'failed', error = '{died}', finished_at = {0}, \
             updated_at = {0}, {OVER} WHERE tenant_id = {1} AND id = {2}",
            place(1),
            place(2),
            place(3)
        );
        let values = vec![Value::Instant(now), Value::Id(job.tenant_id), Value::Id(job.id)];
        conn.execute(&system, &Statement::new(sql, values)).await?;
        return Ok(None);
    }
    let sql = format!(
        "UPDATE jobs SET state = 'running', attempts = {}, lease_owner = {}, lease_until = {}, \
         started_at = COALESCE(started_at, {now}), updated_at = {now} \
         WHERE tenant_id = {} AND id = {}",
        place(1),
        place(2),
        place(3),
        place(5),
        place(6),
        now = place(4)
    );
    let values = vec![
        Value::Int(job.attempts),
        Value::Id(owner),
        Value::Instant(now + LEASE),
        Value::Instant(now),
        Value::Id(job.tenant_id),
        Value::Id(job.id),
    ];
    conn.execute(&system, &Statement::new(sql, values)).await?;
    Ok(Some(job))
}

/// Changes the row of a job that is this runner's still; false where it was cancelled, or somebody
/// else runs it: then nothing of this transaction may stay.
async fn change(conn: &Conn, job: &Job, set: &str, mut values: Vec<Value>) -> Result<bool> {
    let system = SystemHandle::for_tenant(job.tenant_id);
    let first = values.len();
    let place = |number| conn.dialect().placeholder(first + number);
    let sql = format!(
        "UPDATE jobs SET {set} WHERE tenant_id = {} AND id = {} AND lease_owner = {} \
         AND state = 'running'",
        place(1),
        place(2),
        place(3)
    );
    values.extend([Value::Id(job.tenant_id), Value::Id(job.id), Value::Id(job.owner)]);
    Ok(conn.execute(&system, &Statement::new(sql, values)).await? == 1)
}

/// Says that the runner lives.
pub async fn renew(conn: &Conn, job: &Job, now: DateTime<Utc>) -> Result<bool> {
    let set = format!("lease_until = {}", conn.dialect().placeholder(1));
    change(conn, job, &set, vec![Value::Instant(now + LEASE)]).await
}

/// Notes a step in the transaction of what it did.
pub async fn note(conn: &Conn, job: &Job, next: &Next, now: DateTime<Utc>) -> Result<bool> {
    let place = |number| conn.dialect().placeholder(number);
    match next {
        Next::More { cursor, done, total } => {
            let set = format!(
                "cursor = {}, done = {}, total = {}, attempts = 1, error = NULL, \
                 lease_until = {}, updated_at = {}",
                place(1),
                place(2),
                place(3),
                place(4),
                place(5)
            );
            let values = vec![
                Value::Json(cursor.clone()),
                Value::Int(*done),
                Value::Int(*total),
                Value::Instant(now + LEASE),
                Value::Instant(now),
            ];
            change(conn, job, &set, values).await
        }
        Next::Done(result) => {
            let set = format!(
                "state = 'done', result = {0}, done = COALESCE(total, done), error = NULL, \
                 finished_at = {1}, updated_at = {1}, {OVER}",
                place(1),
                place(2)
            );
            change(conn, job, &set, vec![Value::Json(result.clone()), Value::Instant(now)]).await
        }
    }
}

/// Gives a job back until `at`: after a failure, or because it is day. Without an error the try does
/// not count.
pub async fn put_off(
    conn: &Conn,
    job: &Job,
    (at, now, error): (DateTime<Utc>, DateTime<Utc>, Option<&str>),
) -> Result<bool> {
    let place = |number| conn.dialect().placeholder(number);
    let attempts = if error.is_some() { job.attempts } else { job.attempts - 1 };
    let set = format!(
        "state = 'queued', due_at = {}, error = {}, attempts = {}, updated_at = {}, {OVER}",
        place(1),
        place(2),
        place(3),
        place(4)
    );
    let values = vec![Value::Instant(at), text(error), Value::Int(attempts), Value::Instant(now)];
    change(conn, job, &set, values).await
}

/// Keeps a job that cannot be done, with its error.
pub async fn fail(conn: &Conn, job: &Job, (now, error): (DateTime<Utc>, &str)) -> Result<bool> {
    let place = |number| conn.dialect().placeholder(number);
    let set = format!(
        "state = 'failed', error = {0}, finished_at = {1}, updated_at = {1}, {OVER}",
        place(1),
        place(2)
    );
    change(conn, job, &set, vec![text(Some(error)), Value::Instant(now)]).await
}

fn text(error: Option<&str>) -> Value {
    error.map_or(Value::Null(NullOf::Text), |error| {
        Value::Text(error.chars().take(ERROR_CHARS_MAX).collect())
    })
}

/// The kind and the state of a job; none where the tenant has no such job.
pub async fn state_of(
    conn: &Conn,
    permit: &impl Permit,
    id: Uuid,
) -> Result<Option<(String, String)>> {
    let sql = format!(
        "SELECT kind, state FROM jobs WHERE tenant_id = {} AND id = {}",
        conn.dialect().placeholder(1),
        conn.dialect().placeholder(2)
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Id(id)];
    let row = conn.row(permit, &Statement::new(sql, values)).await?;
    row.map(|row| Ok((row.text(0)?.unwrap_or_default(), row.text(1)?.unwrap_or_default())))
        .transpose()
}

/// Cancels a job that is not over; false where it is. What its runner is doing at this moment comes to
/// nothing.
pub async fn revoke(
    conn: &Conn,
    permit: &impl Permit,
    (id, now): (Uuid, DateTime<Utc>),
) -> Result<bool> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "UPDATE jobs SET state = 'cancelled', finished_at = {0}, updated_at = {0}, {OVER} \
         WHERE tenant_id = {1} AND id = {2} AND state IN ('queued', 'running')",
        place(1),
        place(2),
        place(3)
    );
    let values = vec![Value::Instant(now), Value::Id(permit.tenant_id()), Value::Id(id)];
    Ok(conn.execute(permit, &Statement::new(sql, values)).await? == 1)
}

/// Removes jobs that are over and older than they are kept, a few at a time; how many.
pub async fn sweep(conn: &Conn, now: DateTime<Utc>) -> Result<u64> {
    let system = SystemHandle::for_tenant(Uuid::nil());
    let before = now - TimeDelta::days(limits::JOB_KEPT_DAYS);
    let place = |number| conn.dialect().placeholder(number);
    // Tenant by tenant, because the index is.
    let sql = format!(
        "DELETE FROM jobs WHERE (tenant_id, id) IN (SELECT j.tenant_id, j.id \
         FROM tenants t CROSS JOIN jobs j WHERE j.tenant_id = t.id AND j.created_at < {0} \
         AND j.finished_at < {0} LIMIT {1})",
        place(1),
        place(2)
    );
    let values = vec![Value::Instant(before), Value::Int(SWEPT_AT_ONCE)];
    conn.execute(&system, &Statement::new(sql, values)).await
}
