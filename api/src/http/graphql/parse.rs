//! Bytes -> requests. Everything that is not a well-formed request is refused here with a sentence
//! that says what is wrong; nothing here can fail in another way.

use serde_json::{Map, Value};

use crate::error::{Error, Result, say};
use crate::graphql::Request;
use crate::limits;

/// What a body holds.
#[derive(Debug)]
pub(crate) enum Incoming {
    One(Request),
    Batch(Vec<Request>),
}

/// Reads the body of a POST.
pub(super) fn body(bytes: &[u8]) -> Result<Incoming> {
    if bytes.is_empty() {
        return Err(Error::invalid(say("the body is empty", "o corpo está vazio")));
    }
    if bytes.starts_with(&[0xEF, 0xBB, 0xBF]) {
        return Err(Error::invalid(say(
            "the body must not begin with a byte order mark",
            "o corpo não pode começar com uma marca de ordem de bytes (BOM)",
        )));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        Error::invalid(say(
            format!("the body is not UTF-8 (byte {at})"),
            format!("o corpo não é UTF-8 (byte {at})"),
        ))
    })?;
    let value: Value = serde_json::from_str(text).map_err(|error| not_json(&error))?;
    let may_have_nul = text.contains("\\u0000");
    match value {
        Value::Array(parts) => batch(parts, may_have_nul),
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            request(value, may_have_nul).map(Incoming::One)
        }
    }
}

fn batch(parts: Vec<Value>, may_have_nul: bool) -> Result<Incoming> {
    if parts.is_empty() {
        return Err(Error::invalid(say("the batch is empty", "o lote está vazio")));
    }
    let max = limits::HTTP_BATCH_MAX;
    if parts.len() > max {
        return Err(Error::limit(say(
            format!("a batch has at most {max} operations"),
            format!("um lote tem no máximo {max} operações"),
        )));
    }
    parts
        .into_iter()
        .map(|part| request(part, may_have_nul))
        .collect::<Result<_>>()
        .map(Incoming::Batch)
}

/// Reads one request object; WebSocket messages carry the same.
pub(crate) fn request(value: Value, may_have_nul: bool) -> Result<Request> {
    if may_have_nul {
        without_nul(&value)?;
    }
    let Value::Object(mut object) = value else {
        return Err(Error::invalid(say(
            "a request is a JSON object with a \"query\"",
            "uma requisição é um objeto JSON com \"query\"",
        )));
    };
    complete(Request {
        query: text(&mut object, "query")?,
        operation_name: text(&mut object, "operationName")?,
        variables: map(&mut object, "variables")?,
        extensions: map(&mut object, "extensions")?,
    })
}

/// Reads the parameters of a GET; an empty one counts as absent.
pub(super) fn parameters(query: &str) -> Result<Request> {
    let mut request = Request::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        if value.is_empty() {
            continue;
        }
        match name.as_str() {
            "query" => request.query = Some(value),
            "operationName" => request.operation_name = Some(value),
            "variables" => request.variables = json_map("variables", &value)?,
            "extensions" => request.extensions = json_map("extensions", &value)?,
            // The specification asks to ignore what it does not know.
            _ => {}
        }
    }
    complete(request)
}

fn complete(request: Request) -> Result<Request> {
    let names_one = request.extensions.get("persistedQuery").is_some_and(|named| !named.is_null());
    if request.query.is_none() && !names_one {
        return Err(Error::invalid_field("query", say("\"query\" is missing", "falta \"query\"")));
    }
    Ok(request)
}

fn text(object: &mut Map<String, Value>, name: &'static str) -> Result<Option<String>> {
    match object.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(Error::invalid_field(
                name,
                say(format!("\"{name}\" must be a text"), format!("\"{name}\" deve ser um texto")),
            ))
        }
    }
}

fn map(object: &mut Map<String, Value>, name: &'static str) -> Result<Map<String, Value>> {
    object.remove(name).map_or_else(|| Ok(Map::new()), |value| as_map(name, value))
}

fn as_map(name: &'static str, value: Value) -> Result<Map<String, Value>> {
    match value {
        Value::Null => Ok(Map::new()),
        Value::Object(map) => Ok(map),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Error::invalid_field(
                name,
                say(
                    format!("\"{name}\" must be a JSON object"),
                    format!("\"{name}\" deve ser um objeto JSON"),
                ),
            ))
        }
    }
}

fn json_map(name: &'static str, text: &str) -> Result<Map<String, Value>> {
    let value: Value = serde_json::from_str(text).map_err(|error| not_json(&error).at(name))?;
    without_nul(&value).map_err(|error| error.at(name))?;
    as_map(name, value)
}

fn not_json(error: &serde_json::Error) -> Error {
    // serde's sentence names the kind of mistake and its place, and never quotes the body.
    let (line, column) = (error.line(), error.column());
    Error::invalid(say(
        format!("not JSON: line {line}, column {column}"),
        format!("não é JSON: linha {line}, coluna {column}"),
    ))
}

fn nul_byte() -> Error {
    Error::invalid(say(
        "texts must not contain the character U+0000",
        "textos não podem conter o caractere U+0000",
    ))
}

/// Refuses what neither database can store in a text.
pub(crate) fn without_nul(value: &Value) -> Result<()> {
    if has_nul(value) { Err(nul_byte()) } else { Ok(()) }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(parts) => parts.iter().any(has_nul),
        Value::Object(map) => map.iter().any(|(key, part)| key.contains('\0') || has_nul(part)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// `application/x-www-form-urlencoded`, but loud about what is not UTF-8.
fn decode(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = rest.next().and_then(hex);
                let low = rest.next().and_then(hex);
                match (high, low) {
                    (Some(high), Some(low)) => high * 16 + low,
                    (None, _) | (_, None) => return Err(bad_encoding()),
                }
            }
            other => other,
        });
    }
    let text = String::from_utf8(bytes).map_err(|_not_utf8| bad_encoding())?;
    if text.contains('\0') { Err(nul_byte()) } else { Ok(text) }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn bad_encoding() -> Error {
    Error::invalid(say(
        "the parameters are not URL-encoded UTF-8",
        "os parâmetros não são UTF-8 codificado para URL",
    ))
}
