//! Events as they were folded: of batches that are done, without those that failed.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::log::{EVENT, logged};
use crate::access::Permit;
use crate::analytics::rollup::fold::Logged;
use crate::db::{Conn, Row, Statement, Value};
use crate::error::Result;
use crate::limits;

/// A folded event.
pub struct Behind {
    pub event: Logged,
    /// The kind of record that it happened to; none for what came from outside.
    pub resource: Option<String>,
}

/// A part of the log, in the order in which events happened.
#[derive(Debug, Clone)]
pub struct Stretch {
    pub types: Vec<String>,
    /// From the beginning where it is not said.
    pub from: Option<DateTime<Utc>>,
    /// Not included. To the end where it is not said.
    pub to: Option<DateTime<Utc>>,
    /// The last event that was read, by its time and id.
    after: Option<(DateTime<Utc>, Uuid)>,
    /// How many are read at once.
    most: usize,
}

impl Stretch {
    pub fn of(types: Vec<String>) -> Self {
        Self { types, from: None, to: None, after: None, most: limits::EVENTS_PER_INSERT_MAX }
    }

    pub fn between(self, from: Option<DateTime<Utc>>, to: DateTime<Utc>) -> Self {
        Self { from, to: Some(to), ..self }
    }

    pub fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// The next events; none when all were read.
    pub async fn next(&mut self, conn: &Conn, permit: &impl Permit) -> Result<Vec<Behind>> {
        let rows = conn.rows(permit, &self.statement(conn, permit)).await?;
        let read = |row: &Row| Ok(Behind { event: logged(row)?, resource: row.text(5)? });
        let events = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        if let Some(Behind { event, .. }) = events.last() {
            self.after = Some((event.occurred_at, event.id));
        }
        Ok(events)
    }

    fn statement(&self, conn: &Conn, permit: &impl Permit) -> Statement {
        let place = |number| conn.dialect().placeholder(number);
        let mut values = vec![
            Value::Id(permit.tenant_id()),
            Value::Texts(self.types.clone()),
            Value::Int(i64::try_from(self.most).unwrap_or(i64::MAX)),
        ];
        let mut span = String::new();
        // Said beside the place, so that an index by time is entered where to go on.
        if let Some(from) = self.after.map(|(at, _)| at).or(self.from) {
            values.push(Value::Instant(from));
            span.push_str(&format!(" AND e.occurred_at >= {}", place(values.len())));
        }
        if let Some((at, id)) = self.after {
            values.extend([Value::Instant(at), Value::Id(id)]);
            let (at, id) = (place(values.len() - 1), place(values.len()));
            span.push_str(&format!(" AND (e.occurred_at, e.id) > ({at}, {id})"));
        }
        if let Some(to) = self.to {
            values.push(Value::Instant(to));
            span.push_str(&format!(" AND e.occurred_at < {}", place(values.len())));
        }
        // Scalar sub-queries are looked up event by event. Joins would be cheaper while the database
        // knows how large the tables are; right after a flood it does not, and joins batch by batch.
        let sql = format!(
            "SELECT {EVENT}, resource FROM events e WHERE e.tenant_id = {0} AND {1}{span} \
             AND (SELECT b.state FROM event_batches b WHERE b.tenant_id = e.tenant_id \
             AND b.id = e.batch_id) = 'processed' \
             AND (SELECT f.id FROM event_failures f WHERE f.tenant_id = e.tenant_id \
             AND f.id = e.id) IS NULL ORDER BY e.occurred_at, e.id LIMIT {2}",
            place(1),
            conn.dialect().in_list("e.event_type", &place(2)),
            place(3)
        );
        Statement::new(sql, values)
    }
}
