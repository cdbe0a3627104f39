//! Times of single requests on one connection, one after another: what a user waits, not what a
//! server can carry.

use serde_json::Value;

use crate::http::{Connection, Target, data_of};
use crate::load::percentile;
use crate::machine;
use crate::outcome::Outcome;

/// One connection that asks and times.
pub(crate) struct Asker {
    connection: Connection,
    target: Target,
}

/// Times in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) p50: f64,
    pub(crate) p95: f64,
}

impl Times {
    pub(crate) fn of(mut microseconds: Vec<u64>) -> Self {
        microseconds.sort_unstable();
        Self {
            p50: percentile(&microseconds, 500) / 1000.0,
            p95: percentile(&microseconds, 950) / 1000.0,
        }
    }
}

impl Asker {
    pub(crate) async fn new(target: &Target) -> Outcome<Self> {
        let connection = Connection::open(target.address).await?;
        Ok(Self { connection, target: target.clone() })
    }

    /// The answer's `data` and the microseconds until all of it was there.
    pub(crate) async fn ask(&mut self, query: &str, variables: &Value) -> Outcome<(Value, u64)> {
        let body = serde_json::json!({ "query": query, "variables": variables }).to_string();
        let request = format!("{}{body}", self.target.head(body.len()));
        let started = machine::now();
        let answer = self.connection.exchange(request.as_bytes()).await?;
        let taken = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        Ok((data_of(&answer)?, taken))
    }

    /// Asks the same `count` times, after a few that do not count.
    pub(crate) async fn repeat(
        &mut self,
        query: &str,
        variables: &Value,
        count: usize,
    ) -> Outcome<(Value, Times)> {
        // PostgreSQL plans a statement anew five times before it keeps a plan.
        let unmeasured = 10.min(count);
        let mut times = Vec::with_capacity(count);
        let mut last = Value::Null;
        for number in 0..count.saturating_add(unmeasured) {
            let (answer, taken) = self.ask(query, variables).await?;
            if number >= unmeasured {
                times.push(taken);
            }
            last = answer;
        }
        Ok((last, Times::of(times)))
    }
}
