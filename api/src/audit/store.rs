//! The statements of the sealer, of verification and of erasure.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::chain::{Head, Logged, MonthSeal};
use crate::access::Permit;
use crate::db::{Conn, NullOf, Row, Statement, Value};
use crate::error::{Error, Result};

/// The one chain of a tenant, in tables that are keyed by `(tenant_id, id)`.
const CHAIN: &str = "audit";
/// Entries that one statement marks as sealed.
const MARKED_AT_ONCE: usize = 512;
const ENTRY: &str = "id, chain_seq, chain_hash, user_id, api_key_id, action, resource_type, \
     resource_id, old_values, new_values, digests, personal, ip_address, user_agent, request_id, \
     created_at";

/// What an entry that is written for good says of itself. Only with it may personal values be gone.
pub(super) const ERASE: &str = "audit.erase";

fn text(value: Option<String>) -> Value {
    value.map_or(Value::Null(NullOf::Text), Value::Text)
}

fn marks<const N: usize>(conn: &Conn) -> [String; N] {
    std::array::from_fn(|index| conn.dialect().placeholder(index + 1))
}

/// Tenants that have entries to seal, or a month to close.
pub(super) async fn tenants_with_work(
    conn: &Conn,
    permit: &impl Permit,
    month: &str,
) -> Result<Vec<Uuid>> {
    let [month_mark] = marks(conn);
    let sql = format!(
        "SELECT tenant_id FROM audit_logs WHERE chain_seq IS NULL \
         UNION SELECT tenant_id FROM audit_chains WHERE month < {month_mark}"
    );
    let rows = conn.rows(permit, &Statement::new(sql, vec![month.into()])).await?;
    rows.iter().map(|row| row.required_id(0)).collect()
}

/// The end of a tenant's chain; `locked` until the transaction ends, so that one seals at a time.
pub(super) async fn head(conn: &Conn, permit: &impl Permit, locked: bool) -> Result<Option<Head>> {
    let [tenant, chain] = marks(conn);
    let lock = if locked { conn.dialect().for_update() } else { "" };
    let sql = format!(
        "SELECT last_seq, hash, month, month_first_seq, month_hash FROM audit_chains \
         WHERE tenant_id = {tenant} AND id = {chain}{lock}"
    );
    let values = vec![Value::Id(permit.tenant_id()), CHAIN.into()];
    let Some(row) = conn.row(permit, &Statement::new(sql, values)).await? else {
        return Ok(None);
    };
    Ok(Some(Head {
        seq: row.int(0)?.unwrap_or_default(),
        hash: row.text(1)?,
        month: row.text(2)?,
        month_first_seq: row.int(3)?.unwrap_or_default(),
        month_hash: row.text(4)?,
    }))
}

/// Begins a tenant's chain, unless somebody else just did.
pub(super) async fn begin(conn: &Conn, permit: &impl Permit, now: DateTime<Utc>) -> Result<()> {
    let [tenant, chain, at] = marks(conn);
    let sql = format!(
        "INSERT INTO audit_chains (tenant_id, id, last_seq, month_first_seq, updated_at) \
         VALUES ({tenant}, {chain}, 0, 0, {at}) ON CONFLICT (tenant_id, id) DO NOTHING"
    );
    let values = vec![Value::Id(permit.tenant_id()), CHAIN.into(), Value::Instant(now)];
    conn.execute(permit, &Statement::new(sql, values)).await.map(drop)
}

pub(super) async fn put_head(
    conn: &Conn,
    permit: &impl Permit,
    head: &Head,
    now: DateTime<Utc>,
) -> Result<()> {
    let [tenant, chain, seq, hash, month, first, month_hash, at] = marks(conn);
    let sql = format!(
        "UPDATE audit_chains SET last_seq = {seq}, hash = {hash}, month = {month}, \
         month_first_seq = {first}, month_hash = {month_hash}, updated_at = {at} \
         WHERE tenant_id = {tenant} AND id = {chain}"
    );
    let values = vec![
        Value::Id(permit.tenant_id()),
        CHAIN.into(),
        Value::Int(head.seq),
        text(head.hash.clone()),
        text(head.month.clone()),
        Value::Int(head.month_first_seq),
        text(head.month_hash.clone()),
        Value::Instant(now),
    ];
    match conn.execute(permit, &Statement::new(sql, values)).await? {
        1 => Ok(()),
        _ => Err(Error::internal("the head of an audit chain is gone")),
    }
}

/// The highest place that any entry claims, and the place of the head, as of one moment.
pub(super) async fn places(
    conn: &Conn,
    permit: &impl Permit,
) -> Result<(Option<i64>, Option<i64>)> {
    let [tenant, chain] = marks(conn);
    let sql = format!(
        "SELECT (SELECT max(chain_seq) FROM audit_logs WHERE tenant_id = {tenant} \
         AND chain_seq IS NOT NULL), (SELECT last_seq FROM audit_chains WHERE tenant_id = {tenant} \
         AND id = {chain})"
    );
    let values = vec![Value::Id(permit.tenant_id()), CHAIN.into()];
    match conn.row(permit, &Statement::new(sql, values)).await? {
        Some(row) => Ok((row.int(0)?, row.int(1)?)),
        None => Ok((None, None)),
    }
}

/// Entries that are committed and not sealed, by their mark and never by "later than the last one
/// seen": a transaction that commits late is found all the same.
pub(super) async fn unsealed(
    conn: &Conn,
    permit: &impl Permit,
    limit: usize,
) -> Result<Vec<Logged>> {
    let [tenant] = marks(conn);
    let sql = format!(
        "SELECT {ENTRY} FROM audit_logs WHERE tenant_id = {tenant} AND chain_seq IS NULL \
         ORDER BY id LIMIT {limit}"
    );
    let values = vec![Value::Id(permit.tenant_id())];
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    rows.iter().map(read_entry).collect()
}

pub(super) async fn count_unsealed(conn: &Conn, permit: &impl Permit) -> Result<i64> {
    let [tenant] = marks(conn);
    let sql =
        format!("SELECT count(*) FROM audit_logs WHERE tenant_id = {tenant} AND chain_seq IS NULL");
    let values = vec![Value::Id(permit.tenant_id())];
    let row = conn.row(permit, &Statement::new(sql, values)).await?;
    Ok(row.map(|row| row.int(0)).transpose()?.flatten().unwrap_or_default())
}

/// Marks entries as sealed at their places. The number of rows in one statement is a power of two,
/// filled up with the last one again, so that few texts serve every number.
pub(super) async fn mark_sealed(
    conn: &Conn,
    permit: &impl Permit,
    sealed: &[(Uuid, i64, String)],
) -> Result<()> {
    for part in sealed.chunks(MARKED_AT_ONCE) {
        let (Some(last), ids) = (part.last(), part.iter().map(|(id, ..)| *id)) else { continue };
        let (Some(lowest), Some(highest)) = (ids.clone().min(), ids.max()) else { continue };
        let filled = part.len().next_power_of_two();
        let mut values = Vec::with_capacity(3 * filled + 3);
        let mut tuples = Vec::with_capacity(filled);
        for (id, seq, hash) in part.iter().chain(std::iter::repeat(last)).take(filled) {
            values.extend([Value::Id(*id), Value::Int(*seq), Value::from(hash.as_str())]);
            let mark = |place: usize| conn.dialect().next_placeholder(place);
            let first = values.len();
            tuples.push(format!("({}, {}, {})", mark(first - 2), mark(first - 1), mark(first)));
        }
        values.extend([Value::Id(permit.tenant_id()), Value::Id(lowest), Value::Id(highest)]);
        let mark = |back: usize| conn.dialect().next_placeholder(values.len() - back);
        let sql = format!(
            "UPDATE audit_logs SET chain_seq = v.column2, chain_hash = v.column3 \
             FROM (VALUES {}) AS v WHERE audit_logs.tenant_id = {} AND audit_logs.id >= {} \
             AND audit_logs.id <= {} AND audit_logs.id = v.column1 \
             AND audit_logs.chain_seq IS NULL",
            tuples.join(", "),
            mark(2),
            mark(1),
            mark(0)
        );
        let marked = conn.execute(permit, &Statement::new(sql, values)).await?;
        if usize::try_from(marked).map_err(Error::internal)? != part.len() {
            return Err(Error::internal("an audit entry was sealed or removed meanwhile"));
        }
    }
    Ok(())
}

pub(super) async fn insert_month(
    conn: &Conn,
    permit: &impl Permit,
    seal: &MonthSeal,
    (hash, now): (&str, DateTime<Utc>),
) -> Result<()> {
    let columns = [
        "tenant_id",
        "id",
        "first_seq",
        "last_seq",
        "last_hash",
        "previous_hash",
        "hash",
        "sealed_at",
    ];
    let row = vec![
        Value::Id(permit.tenant_id()),
        seal.month.as_str().into(),
        Value::Int(seal.first_seq),
        Value::Int(seal.last_seq),
        seal.last_hash.as_str().into(),
        text(seal.previous_hash.clone()),
        hash.into(),
        Value::Instant(now),
    ];
    conn.insert(permit, "audit_seals", &columns, vec![row]).await
}

/// The months that were closed, oldest first, with the hash that stands beside each.
pub(super) async fn months(conn: &Conn, permit: &impl Permit) -> Result<Vec<(MonthSeal, String)>> {
    let [tenant] = marks(conn);
    let sql = format!(
        "SELECT id, first_seq, last_seq, last_hash, previous_hash, hash FROM audit_seals \
         WHERE tenant_id = {tenant} ORDER BY id"
    );
    let values = vec![Value::Id(permit.tenant_id())];
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    let read = |row: &Row| {
        let seal = MonthSeal {
            month: row.text(0)?.unwrap_or_default(),
            first_seq: row.int(1)?.unwrap_or_default(),
            last_seq: row.int(2)?.unwrap_or_default(),
            last_hash: row.text(3)?.unwrap_or_default(),
            previous_hash: row.text(4)?,
        };
        Ok((seal, row.text(5)?.unwrap_or_default()))
    };
    rows.iter().map(read).collect()
}

/// A sealed entry as it is found; one that cannot even be read was tampered with.
pub(super) struct Found {
    pub(super) id: Uuid,
    pub(super) seq: i64,
    pub(super) hash: Option<String>,
    pub(super) entry: Result<Logged>,
}

/// Sealed entries after a place, up to and with another, in the order of the chain.
pub(super) async fn sealed_after(
    conn: &Conn,
    permit: &impl Permit,
    (seq, id): (i64, Uuid),
    (last_seq, limit): (i64, usize),
) -> Result<Vec<Found>> {
    let [tenant, after, after_id, last] = marks(conn);
    let sql = format!(
        "SELECT {ENTRY} FROM audit_logs WHERE tenant_id = {tenant} AND chain_seq >= {after} \
         AND chain_seq <= {last} AND (chain_seq > {after} OR id > {after_id}) \
         ORDER BY chain_seq, id LIMIT {limit}"
    );
    let values =
        vec![Value::Id(permit.tenant_id()), Value::Int(seq), Value::Id(id), Value::Int(last_seq)];
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    let read = |row: &Row| {
        Ok(Found {
            id: row.required_id(0)?,
            seq: row.int(1)?.unwrap_or_default(),
            hash: row.text(2)?,
            entry: read_entry(row),
        })
    };
    rows.iter().map(read).collect()
}

fn read_entry(row: &Row) -> Result<Logged> {
    let missing = || Error::internal("an audit entry lacks what every entry has");
    Ok(Logged {
        id: row.required_id(0)?,
        user_id: row.id(3)?,
        api_key_id: row.id(4)?,
        action: row.text(5)?.ok_or_else(missing)?,
        resource_type: row.text(6)?.ok_or_else(missing)?,
        resource_id: row.id(7)?,
        old_values: row.json(8)?,
        new_values: row.json(9)?,
        digests: row.json(10)?,
        personal: row.json(11)?,
        ip_address: row.text(12)?,
        user_agent: row.text(13)?,
        request_id: row.text(14)?,
        created_at: row.instant(15)?.ok_or_else(missing)?,
    })
}

/// Removes salts and personal values of entries about records; the number of entries changed.
pub(super) async fn forget(
    conn: &Conn,
    permit: &impl Permit,
    resource: &str,
    ids: Vec<Uuid>,
) -> Result<u64> {
    let [tenant, resource_mark, list] = marks(conn);
    let sql = format!(
        "UPDATE audit_logs SET personal = NULL WHERE tenant_id = {tenant} \
         AND resource_type = {resource_mark} AND {} AND personal IS NOT NULL",
        conn.dialect().in_ids("resource_id", &list)
    );
    let values = vec![Value::Id(permit.tenant_id()), resource.into(), Value::Ids(ids)];
    conn.execute(permit, &Statement::new(sql, values)).await
}

/// Those of the records whose erasure or removal for good is in the trail: resource, id, and the
/// latest place of such an entry (none while it is not sealed).
pub(super) async fn erasures(
    conn: &Conn,
    permit: &impl Permit,
    (resources, ids): (Vec<String>, Vec<Uuid>),
) -> Result<Vec<(String, Uuid, Option<i64>)>> {
    let [tenant, resource_list, id_list, erase] = marks(conn);
    let dialect = conn.dialect();
    let sql = format!(
        "SELECT resource_type, resource_id, chain_seq FROM audit_logs WHERE tenant_id = {tenant} \
         AND {} AND {} AND (action = {erase} OR action LIKE '%.destroy')",
        dialect.in_list("resource_type", &resource_list),
        dialect.in_ids("resource_id", &id_list)
    );
    let values =
        vec![Value::Id(permit.tenant_id()), Value::Texts(resources), Value::Ids(ids), ERASE.into()];
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    let read = |row: &Row| Ok((row.text(0)?.unwrap_or_default(), row.required_id(1)?, row.int(2)?));
    rows.iter().map(read).collect()
}

/// The images of entries, as they are shown: resource, the side's values, the personal ones.
pub(super) async fn images(
    conn: &Conn,
    permit: &impl Permit,
    column: &str,
    ids: Vec<Uuid>,
) -> Result<Vec<(Uuid, String, Option<serde_json::Value>, Option<serde_json::Value>)>> {
    let [tenant, list] = marks(conn);
    let sql = format!(
        "SELECT id, resource_type, {column}, personal FROM audit_logs \
         WHERE tenant_id = {tenant} AND {}",
        conn.dialect().in_ids("id", &list)
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Ids(ids)];
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    let read = |row: &Row| {
        let resource = row.text(1)?.unwrap_or_default();
        Ok((row.required_id(0)?, resource, row.json(2)?, row.json(3)?))
    };
    rows.iter().map(read).collect()
}
