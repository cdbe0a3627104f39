//! The pipeline in numbers: what is open by stage, how long deals stay and how many go on, and what
//! becomes of leads by source and month. Flat rows, ready for charts.

mod funnel;
mod stages;
mod store;
mod summary;

use async_graphql_value::ConstValue;
use chrono::{DateTime, Utc};

use crate::error::Result;
use crate::record::{Record, input};

/// The computed records of this folder.
pub fn records() -> Vec<&'static Record> {
    vec![summary::record(), stages::record(), funnel::record()]
}

/// An argument of a computed record; null is as good as absent.
fn argument<'a>(arguments: &'a [(String, ConstValue)], name: &str) -> Option<&'a ConstValue> {
    arguments
        .iter()
        .find(|(known, value)| known == name && !matches!(value, ConstValue::Null))
        .map(|(_, value)| value)
}

/// From (inclusive) and to (exclusive), either of them open.
type Window = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

fn window(arguments: &[(String, ConstValue)]) -> Result<Window> {
    let read = |name: &'static str| {
        argument(arguments, name)
            .map(input::read_instant)
            .transpose()
            .map_err(|error| error.at(name))
    };
    Ok((read("from")?, read("to")?))
}

/// A share as a fraction of one; null of nothing.
#[expect(clippy::cast_precision_loss, reason = "chart values are floats by contract")]
fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
