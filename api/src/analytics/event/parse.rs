//! From the bytes of a request to JSON values, one for each event. What is no JSON as a whole is the
//! request's fault; a line that is none is its event's alone.

use serde_json::Value as Json;

use crate::error::{Error, Result, say};
use crate::limits;

/// How events stand in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One event, or an array of events.
    Json,
    /// One event on each line.
    Lines,
}

/// An event as it came: JSON, or a line that is none.
#[derive(Debug, Clone, PartialEq)]
pub enum Raw {
    Json(Json),
    Line(String),
}

/// The events of a body.
///
/// # Errors
///
/// `INVALID` for a body that is no JSON, or neither object nor array, or empty; `LIMIT_EXCEEDED` for
/// too many events.
pub fn events(body: &[u8], form: Form) -> Result<Vec<Raw>> {
    let events = match form {
        Form::Json => whole(body)?,
        Form::Lines => lines(body)?,
    };
    check_count(events.len())?;
    Ok(events)
}

/// `INVALID` for no event, `LIMIT_EXCEEDED` for more than a request may bring.
pub fn check_count(events: usize) -> Result<()> {
    if events == 0 {
        return Err(Error::invalid(say("there is no event", "não há nenhum evento")));
    }
    let max = limits::EVENTS_PER_REQUEST_MAX;
    if events > max {
        return Err(Error::limit(say(
            format!("{events} events at once; at most {max}: send the rest with another request"),
            format!("{events} eventos de uma vez; no máximo {max}: envie o resto em outro pedido"),
        )));
    }
    Ok(())
}

fn whole(body: &[u8]) -> Result<Vec<Raw>> {
    let json: Json = serde_json::from_slice(body).map_err(|error| {
        Error::invalid(say(
            format!("the body is no JSON: {error}; events by line are application/x-ndjson"),
            format!("o corpo não é JSON: {error}; eventos por linha são application/x-ndjson"),
        ))
    })?;
    match json {
        Json::Array(events) => Ok(events.into_iter().map(Raw::Json).collect()),
        Json::Object(_) => Ok(vec![Raw::Json(json)]),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => Err(Error::invalid(say(
            "the body must be an event or an array of events",
            "o corpo deve ser um evento ou uma lista de eventos",
        ))),
    }
}

fn lines(body: &[u8]) -> Result<Vec<Raw>> {
    let text = std::str::from_utf8(body).map_err(|_not_utf8| {
        Error::invalid(say("the body is not UTF-8", "o corpo não está em UTF-8"))
    })?;
    let lines = text.trim_start_matches('\u{feff}').lines().filter(|line| !line.trim().is_empty());
    Ok(lines
        .map(|line| match serde_json::from_str(line) {
            Ok(json) => Raw::Json(json),
            Err(_) => Raw::Line(line.to_owned()),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_event_an_array_and_lines_are_read() {
        let one = Raw::Json(json!({ "id": "1" }));
        assert_eq!(events(br#"{"id":"1"}"#, Form::Json).unwrap(), std::slice::from_ref(&one));
        assert_eq!(events(br#"[{"id":"1"},{"id":"1"}]"#, Form::Json).unwrap().len(), 2);
        let lines = b"{\"id\":\"1\"}\r\n\n{broken\n";
        assert_eq!(events(lines, Form::Lines).unwrap(), [one, Raw::Line("{broken".to_owned())]);
    }

    #[test]
    fn what_holds_no_events_is_refused_whole() {
        for body in ["", "7", "\"x\"", "null", "[", "[]", "{} {}"] {
            assert!(events(body.as_bytes(), Form::Json).is_err(), "{body}");
        }
        assert!(events(b"\n\n", Form::Lines).is_err());
        assert!(events(&[0xff], Form::Lines).is_err());
        let many = vec![json!({}); limits::EVENTS_PER_REQUEST_MAX + 1];
        let error = events(json!(many).to_string().as_bytes(), Form::Json).unwrap_err();
        assert_eq!(error.code().as_str(), "LIMIT_EXCEEDED");
    }
}
