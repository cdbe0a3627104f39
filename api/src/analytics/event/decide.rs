//! Whether an event can be let in, and what it says.

use std::ops::RangeInclusive;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde_json::{Map, Value as Json};

use super::parse::Raw;
use super::schema::Types;
use super::{Incoming, Reason, Refused, redact};
use crate::analytics::metric::catalogue;
use crate::events::Lane;
use crate::limits;

const FIELDS: [&str; 7] =
    ["id", "module", "eventType", "occurredAt", "schemaVersion", "payload", "dimensions"];

/// What is wrong with an event.
type Wrong = (Reason, String);

/// Looks at an event at `now`. It comes out without what its type marks as personal, and its free text
/// without personal data, either way.
pub(super) fn decide(
    raw: Raw,
    now: DateTime<Utc>,
    types: &Types,
) -> Result<Incoming, Box<Refused>> {
    let mut json = match raw {
        Raw::Json(json) => json,
        Raw::Line(line) => {
            let wrong = (Reason::Malformed, "the line is no JSON".to_owned());
            return Err(Box::new(refused(Json::String(line), wrong, types)));
        }
    };
    match read(&mut json, now, types) {
        Ok(incoming) => Ok(incoming),
        Err(wrong) => Err(Box::new(refused(json, wrong, types))),
    }
}

fn refused(mut body: Json, (reason, detail): Wrong, types: &Types) -> Refused {
    let text = |name: &str, chars: usize| {
        let text = body.get(name).and_then(Json::as_str)?;
        let text: String = redact::in_text(text).chars().take(chars).collect();
        Some(text.replace('\0', ""))
    };
    let (id, module) = (text("id", ID_CHARS_MAX), text("module", MODULE_CHARS_MAX));
    let event_type = text("eventType", TYPE_CHARS_MAX);
    types.treat_refused(&mut body);
    redact::in_json(&mut body);
    if body.to_string().len() > limits::EVENT_BYTES_MAX {
        // Kept as far as it goes: what is shown of it says that it is not all.
        let kept: String = body.to_string().chars().take(limits::EVENT_BYTES_MAX / 4).collect();
        body = serde_json::json!({ "truncated": kept });
    }
    Refused { id, module, event_type, reason, detail, body }
}

/// Versions that a type can have.
pub(super) const VERSIONS: RangeInclusive<i64> = 1..=9_999;
const ID_CHARS_MAX: usize = 200;
const MODULE_CHARS_MAX: usize = 50;
const TYPE_CHARS_MAX: usize = 100;
const DIMENSION_CHARS_MAX: usize = 200;

/// Takes the payload out of an event that can be let in, and leaves every other as it is.
fn read(json: &mut Json, now: DateTime<Utc>, types: &Types) -> Result<Incoming, Wrong> {
    let is_long = is_long(json);
    let holds_nul = holds_nul(json);
    let event = json.as_object_mut().ok_or_else(|| malformed("an event is a JSON object"))?;
    if let Some(unknown) = event.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        let unknown = redact::in_text(unknown);
        return Err(malformed(format!(
            "unknown field {unknown:?}; fields are {}",
            FIELDS.join(", ")
        )));
    }
    if holds_nul {
        return Err(malformed("a text holds U+0000, which no database stores"));
    }
    if is_long {
        let max = limits::EVENT_BYTES_MAX;
        return Err((Reason::TooLarge, format!("an event has at most {max} bytes")));
    }
    let id = name(event, "id", ID_CHARS_MAX, |_| true)?;
    let module = name(event, "module", MODULE_CHARS_MAX, is_word)?;
    let event_type = name(event, "eventType", TYPE_CHARS_MAX, is_type)?;
    let occurred_at = occurred_at(event, now)?;
    let version = schema_version(event)?;
    let dimensions = dimensions(event)?;
    let mut payload = payload(event, (&module, &event_type, version), types)?;
    redact::in_object(&mut payload);
    Ok(Incoming {
        // An id of digits alone is a number of its source, whatever it looks like.
        id: if id.bytes().all(|byte| byte.is_ascii_digit()) { id } else { redact::in_text(&id) },
        lane: lane(&event_type, now - occurred_at),
        schema_version: version,
        dimensions,
        module,
        event_type,
        occurred_at,
        payload,
    })
}

/// The payload, if its type lets it be, without what that marks as personal.
fn payload(
    event: &mut Map<String, Json>,
    of: (&str, &str, i64),
    types: &Types,
) -> Result<Map<String, Json>, Wrong> {
    let mut nothing = Json::Object(Map::new());
    let given = event.get_mut("payload").filter(|given| !given.is_null()).unwrap_or(&mut nothing);
    if !given.is_object() {
        return Err(malformed("payload must be an object"));
    }
    types.check(of, given)?;
    let Json::Object(mut payload) = given.take() else { return Ok(Map::new()) };
    types.treat(of, &mut payload);
    Ok(payload)
}

fn malformed(detail: impl Into<String>) -> Wrong {
    (Reason::Malformed, detail.into())
}

fn name(
    event: &Map<String, Json>,
    field: &str,
    chars_max: usize,
    fits: impl Fn(&str) -> bool,
) -> Result<String, Wrong> {
    match event.get(field) {
        None | Some(Json::Null) => Err(malformed(format!("{field} is missing"))),
        Some(Json::String(text))
            if !text.is_empty() && text.chars().count() <= chars_max && fits(text) =>
        {
            Ok(text.clone())
        }
        Some(_) => Err(malformed(format!("{field} must be a text of 1 to {chars_max} characters"))),
    }
}

/// Whether modules can be called so.
pub(super) fn is_module(text: &str) -> bool {
    !text.is_empty() && text.len() <= MODULE_CHARS_MAX && is_word(text)
}

/// Whether types can be called so.
pub(super) fn is_event_type(text: &str) -> bool {
    !text.is_empty() && text.len() <= TYPE_CHARS_MAX && is_type(text)
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn is_type(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte))
}

/// The version that it says it has, or the first: a sender who says nothing is not moved by an upload.
pub(super) fn schema_version(event: &Map<String, Json>) -> Result<i64, Wrong> {
    match event.get("schemaVersion") {
        None | Some(Json::Null) => Ok(1),
        Some(version) => match version.as_i64().filter(|version| VERSIONS.contains(version)) {
            Some(version) => Ok(version),
            None => Err(malformed("schemaVersion must be an integer from 1 to 9999")),
        },
    }
}

/// RFC 3339 with its offset, or milliseconds since 1970; to the millisecond.
fn occurred_at(event: &Map<String, Json>, now: DateTime<Utc>) -> Result<DateTime<Utc>, Wrong> {
    let at = match event.get("occurredAt") {
        None | Some(Json::Null) => return Err(malformed("occurredAt is missing")),
        Some(Json::String(text)) => {
            DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc))
        }
        Some(Json::Number(number)) => number.as_i64().and_then(DateTime::from_timestamp_millis),
        Some(Json::Bool(_) | Json::Array(_) | Json::Object(_)) => None,
    };
    let at = at.and_then(|at| at.duration_trunc(TimeDelta::milliseconds(1)).ok());
    let at = at.ok_or_else(|| {
        malformed(
            "occurredAt must be an instant with its offset (RFC 3339), or milliseconds since 1970",
        )
    })?;
    if at < DateTime::UNIX_EPOCH {
        return Err((Reason::TooOld, "occurredAt is before 1970".to_owned()));
    }
    let minutes = limits::EVENT_CLOCK_SKEW_MINUTES;
    if at - now > TimeDelta::minutes(minutes) {
        let detail = format!("occurredAt is more than {minutes} minutes ahead of this server");
        return Err((Reason::InFuture, detail));
    }
    Ok(at)
}

fn object(event: &Map<String, Json>, field: &str) -> Result<Map<String, Json>, Wrong> {
    match event.get(field) {
        None | Some(Json::Null) => Ok(Map::new()),
        Some(Json::Object(object)) => Ok(object.clone()),
        Some(_) => Err(malformed(format!("{field} must be an object"))),
    }
}

/// Values by which numbers are divided, as texts; those that are null are left out.
fn dimensions(event: &Map<String, Json>) -> Result<Map<String, Json>, Wrong> {
    let max = limits::EVENT_DIMENSIONS_MAX;
    let given = object(event, "dimensions")?;
    if given.len() > max {
        return Err(malformed(format!("at most {max} dimensions")));
    }
    let mut dimensions = Map::new();
    for (key, value) in given {
        let text = match value {
            Json::Null => continue,
            Json::String(text) => redact::in_text(&text),
            Json::Number(number) => number.to_string(),
            Json::Bool(truth) => truth.to_string(),
            Json::Array(_) | Json::Object(_) => {
                return Err(malformed("a dimension is a text, a number or a truth value"));
            }
        };
        if !is_word(&key) || key.is_empty() || key.len() > MODULE_CHARS_MAX {
            return Err(malformed("a dimension's name has lower-case letters, digits and _ alone"));
        }
        if text.chars().count() > DIMENSION_CHARS_MAX {
            let detail = format!("a dimension has at most {DIMENSION_CHARS_MAX} characters");
            return Err(malformed(detail));
        }
        dimensions.insert(key, Json::String(text));
    }
    Ok(dimensions)
}

/// What must be seen first; what is told late has time.
fn lane(event_type: &str, age: TimeDelta) -> Lane {
    if age > TimeDelta::hours(limits::EVENT_BACKFILL_HOURS) {
        Lane::Backfill
    } else if catalogue::is_critical(event_type) {
        Lane::Critical
    } else {
        Lane::Normal
    }
}

/// Whether its text is longer than an event may be.
fn is_long(json: &Json) -> bool {
    bytes_at_most(json) > limits::EVENT_BYTES_MAX
        && json.to_string().len() > limits::EVENT_BYTES_MAX
}

/// Bytes that its text has at the very most: to write it costs more than to look at it.
fn bytes_at_most(json: &Json) -> usize {
    /// A number, or a word.
    const PLAIN: usize = 32;
    // A character may be written as `\u0001`, and there are quotes, a colon and a comma around.
    let text = |text: &str| text.len() * 6 + 4;
    match json {
        Json::String(value) => text(value),
        Json::Array(list) => 2 + list.iter().map(|value| bytes_at_most(value) + 1).sum::<usize>(),
        Json::Object(map) => {
            2 + map.iter().map(|(key, value)| text(key) + bytes_at_most(value)).sum::<usize>()
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => PLAIN,
    }
}

fn holds_nul(json: &Json) -> bool {
    match json {
        Json::String(text) => text.contains('\0'),
        Json::Array(list) => list.iter().any(holds_nul),
        Json::Object(map) => map.iter().any(|(key, value)| key.contains('\0') || holds_nul(value)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-03-10T12:00:00Z".parse().unwrap()
    }

    fn event() -> Json {
        json!({ "id": "e-1", "module": "tickets", "eventType": "ticket.created",
            "occurredAt": "2026-03-10T08:59:59.1239-03:00", "payload": { "priority": 2 },
            "dimensions": { "channel": "whatsapp", "vip": true, "tag": null, "floor": 3 } })
    }

    fn with(field: &str, value: Json) -> Json {
        let mut event = event();
        event[field] = value;
        event
    }

    #[test]
    fn a_good_event_is_read() {
        let read = decide(Raw::Json(event()), now(), &Types::default()).unwrap();
        assert_eq!(read.occurred_at.to_rfc3339(), "2026-03-10T11:59:59.123+00:00");
        assert_eq!(read.schema_version, 1);
        assert_eq!(read.lane, Lane::Normal);
        let dimensions = json!({ "channel": "whatsapp", "vip": "true", "floor": "3" });
        assert_eq!(Json::Object(read.dimensions), dimensions);
        let by_number = with("occurredAt", json!(1_773_143_999_123_i64));
        assert_eq!(
            decide(Raw::Json(by_number), now(), &Types::default()).unwrap().occurred_at,
            read.occurred_at
        );
    }

    #[test]
    fn late_and_critical_events_have_their_lanes() {
        let lane = |event| decide(Raw::Json(event), now(), &Types::default()).unwrap().lane;
        assert_eq!(lane(with("eventType", json!("sla.breached"))), Lane::Critical);
        assert_eq!(lane(with("occurredAt", json!("2010-01-04T08:57:16Z"))), Lane::Backfill);
    }

    #[test]
    fn what_is_wrong_is_kept_apart_with_its_reason() {
        let cases = [
            (json!([]), Reason::Malformed),
            (with("id", json!(7)), Reason::Malformed),
            (with("id", json!("")), Reason::Malformed),
            (with("id", json!("x".repeat(201))), Reason::Malformed),
            (with("module", json!("Tickets!")), Reason::Malformed),
            (with("eventType", Json::Null), Reason::Malformed),
            (with("tenantId", json!("other")), Reason::Malformed),
            (with("payload", json!([1])), Reason::Malformed),
            (with("payload", json!({ "a": "\0" })), Reason::Malformed),
            (with("dimensions", json!({ "channel": {} })), Reason::Malformed),
            (with("dimensions", json!({ "Channel": "x" })), Reason::Malformed),
            (with("schemaVersion", json!(0)), Reason::Malformed),
            (with("occurredAt", json!("2026-03-10 12:00:00")), Reason::Malformed),
            (with("occurredAt", json!("1969-12-31T23:59:59Z")), Reason::TooOld),
            (with("occurredAt", json!("2026-03-10T12:05:01Z")), Reason::InFuture),
            (
                with("payload", json!({ "a": "x".repeat(limits::EVENT_BYTES_MAX) })),
                Reason::TooLarge,
            ),
        ];
        for (event, reason) in cases {
            let refused = decide(Raw::Json(event.clone()), now(), &Types::default()).unwrap_err();
            assert_eq!(refused.reason, reason, "{event}");
        }
        assert!(
            decide(
                Raw::Json(with("occurredAt", json!("2026-03-10T12:05:00Z"))),
                now(),
                &Types::default()
            )
            .is_ok()
        );
        let line = decide(Raw::Line("{broken".to_owned()), now(), &Types::default()).unwrap_err();
        assert_eq!((line.reason, line.body), (Reason::Malformed, json!("{broken")));
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<u64>().prop_map(Json::from),
            any::<f64>().prop_map(Json::from),
            any::<String>().prop_map(Json::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                prop::collection::hash_map(any::<String>(), inner, 0..4)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_text_is_longer_than_it_looks(json in any_json()) {
            prop_assert!(json.to_string().len() <= bytes_at_most(&json));
        }
    }
}
