//! Idempotency keys: a mutation sent twice under one key is done once, and answered alike. The key
//! and the answer are stored in the transaction of the change.

use std::collections::BTreeMap;

use async_graphql::Value as Input;
use chrono::TimeDelta;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::access::SystemHandle;
use crate::clock::Clock;
use crate::ctx::Ctx;
use crate::db::{Conn, Db, Statement, Value};
use crate::error::{Error, Result, say};
use crate::limits;
use crate::record::selection::Selected;

const KEY_CHARS_MAX: usize = 255;
/// Expired keys removed by one statement, so that no lock is held for long.
const SWEPT_AT_ONCE: u64 = 500;

/// A key in use by one mutation.
pub struct Key {
    id: String,
    argument_hash: String,
}

/// What a key says of a mutation.
pub enum Claim {
    /// It was done before; this was the answer.
    Done(String),
    /// It is to be done now.
    Fresh,
}

impl Key {
    /// The key of one mutation of an operation: it belongs to the caller and the response key, and
    /// to these very arguments and this selection.
    pub fn new(ctx: &Ctx, text: &str, selected: &Selected) -> Result<Self> {
        if text.is_empty() || text.chars().count() > KEY_CHARS_MAX {
            return Err(Error::invalid_field(
                "key",
                say(
                    "an idempotency key has 1 to 255 characters",
                    "uma chave de idempotência tem de 1 a 255 caracteres",
                ),
            ));
        }
        let actor = ctx.actor.user_id.to_string();
        let id = digest(&[&actor, text, &selected.key]);
        let argument_hash = digest(&[&shape(selected).to_string()]);
        Ok(Self { id, argument_hash })
    }

    /// Takes the key for this transaction. Another transaction under the same key is waited for.
    pub async fn claim(&self, ctx: &Ctx, conn: &Conn) -> Result<Claim> {
        let permit = SystemHandle::for_tenant(ctx.tenant_id());
        let dialect = conn.dialect();
        let now = ctx.now();
        let place = |number| dialect.placeholder(number);
        let values = vec![
            Value::Id(ctx.tenant_id()),
            Value::Text(self.id.clone()),
            Value::Text(self.argument_hash.clone()),
            Value::Instant(now),
            Value::Instant(now + TimeDelta::hours(limits::IDEMPOTENCY_HOURS)),
        ];
        // An expired key is as good as new.
        let taken = format!(
            "INSERT INTO idempotency_keys \
             (tenant_id, id, argument_hash, response, created_at, expires_at) \
             VALUES ({}, {}, {}, '', {}, {}) ON CONFLICT (tenant_id, id) DO UPDATE SET \
             argument_hash = excluded.argument_hash, response = '', \
             created_at = excluded.created_at, expires_at = excluded.expires_at \
             WHERE idempotency_keys.expires_at < excluded.created_at",
            place(1),
            place(2),
            place(3),
            place(4),
            place(5)
        );
        if conn.execute(&permit, &Statement::new(taken, values)).await? == 1 {
            return Ok(Claim::Fresh);
        }
        let known = format!(
            "SELECT argument_hash, response FROM idempotency_keys \
             WHERE tenant_id = {} AND id = {}",
            place(1),
            place(2)
        );
        let values = vec![Value::Id(ctx.tenant_id()), Value::Text(self.id.clone())];
        let row = conn.row(&permit, &Statement::new(known, values)).await?;
        let row = row.ok_or_else(|| Error::unavailable("an idempotency key went away"))?;
        if row.text(0)?.as_deref() != Some(self.argument_hash.as_str()) {
            return Err(Error::conflict(say(
                "this idempotency key was used with other arguments",
                "esta chave de idempotência foi usada com outros argumentos",
            )));
        }
        Ok(Claim::Done(row.text(1)?.unwrap_or_default()))
    }

    /// Stores the answer.
    pub async fn keep(&self, ctx: &Ctx, conn: &Conn, answer: &[u8]) -> Result<()> {
        let permit = SystemHandle::for_tenant(ctx.tenant_id());
        let dialect = conn.dialect();
        let sql = format!(
            "UPDATE idempotency_keys SET response = {} WHERE tenant_id = {} AND id = {}",
            dialect.placeholder(3),
            dialect.placeholder(1),
            dialect.placeholder(2)
        );
        let values = vec![
            Value::Id(ctx.tenant_id()),
            Value::Text(self.id.clone()),
            Value::Text(String::from_utf8_lossy(answer).into_owned()),
        ];
        conn.execute(&permit, &Statement::new(sql, values)).await.map(drop)
    }
}

/// Removes expired keys of all tenants, few at a time; tells how many there were.
pub async fn sweep(db: &Db, clock: &Clock) -> Result<u64> {
    let system = SystemHandle::for_tenant(Uuid::nil());
    let now = clock.now();
    let mut swept = 0;
    loop {
        let conn = db.transaction().await?;
        let (before, most) = (conn.dialect().placeholder(1), conn.dialect().placeholder(2));
        let sql = format!(
            "DELETE FROM idempotency_keys WHERE (tenant_id, id) IN (SELECT e.tenant_id, e.id \
             FROM tenants t CROSS JOIN idempotency_keys e \
             WHERE e.tenant_id = t.id AND e.expires_at < {before} LIMIT {most})"
        );
        let most = i64::try_from(SWEPT_AT_ONCE).unwrap_or(i64::MAX);
        let values = vec![Value::Instant(now), Value::Int(most)];
        let removed = conn.execute(&system, &Statement::new(sql, values)).await?;
        conn.commit().await?;
        swept += removed;
        if removed < SWEPT_AT_ONCE {
            return Ok(swept);
        }
    }
}

/// Arguments and selection as one text, without positions. The order of arguments and of the fields
/// of an object means nothing; that of the selection is the order of the answer.
fn shape(selected: &Selected) -> Json {
    let arguments: Map<String, Json> =
        selected.arguments.iter().map(|(name, value)| (name.clone(), plain(value))).collect();
    let below: Vec<Json> =
        selected.children.iter().map(|child| json!([child.key, shape(child)])).collect();
    json!([selected.name, sorted(arguments), below])
}

fn plain(value: &Input) -> Json {
    match value {
        Input::Object(entries) => {
            sorted(entries.iter().map(|(name, value)| (name.to_string(), plain(value))).collect())
        }
        Input::List(items) => items.iter().map(plain).collect(),
        // A variable gives an enum as text.
        Input::Enum(name) => Json::String(name.to_string()),
        Input::String(text) => Json::String(text.clone()),
        Input::Null | Input::Number(_) | Input::Boolean(_) | Input::Binary(_) => {
            Json::String(value.to_string())
        }
    }
}

fn sorted(entries: Map<String, Json>) -> Json {
    let sorted: BTreeMap<String, Json> = entries.into_iter().collect();
    sorted.into_iter().map(|(name, value)| json!([name, value])).collect()
}

fn digest(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
