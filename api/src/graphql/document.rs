//! Documents: read once, remembered by their text.

use std::sync::Arc;

use async_graphql::parser::types::{
    BaseType, DocumentOperations, ExecutableDocument, OperationDefinition, OperationType,
};
use async_graphql::parser::{Error as ParseError, parse_query};
use async_graphql::{Pos, Value, Variables};
use moka::future::Cache;
use serde_json::{Map, Value as Json};

use super::validated::Passed;
use super::{Outcome, Refusal, introspection, limits, nul, order};
use crate::config::Introspection;
use crate::error::{Error, say};
use crate::record::selection::Scope;

/// Parsed documents by text.
pub(super) struct Documents(Cache<String, Arc<Document>>);

impl Documents {
    pub(super) fn new() -> Self {
        let weigh = |text: &String, _document: &Arc<Document>| {
            u32::try_from(text.len()).unwrap_or(u32::MAX)
        };
        let bytes = crate::limits::DOCUMENT_CACHE_ENTRIES * 1024;
        Self(Cache::builder().weigher(weigh).max_capacity(bytes).build())
    }

    /// The document of a text. One that does not parse is not remembered.
    pub(super) async fn parse(&self, query: &str) -> Result<Arc<Document>, Refusal> {
        if let Some(known) = self.0.get(query).await {
            return Ok(known);
        }
        bound_tokens(query)?;
        let parsed = parse_query(query).map_err(|error| parse_failed(&error))?;
        nul::refuse(query, &parsed)?;
        let document = Arc::new(Document { parsed, passed: Passed::default() });
        self.0.insert(query.to_owned(), Arc::clone(&document)).await;
        Ok(document)
    }
}

pub(super) struct Document {
    parsed: ExecutableDocument,
    pub(super) passed: Passed,
}

/// One operation of a document.
pub(super) struct Operation<'d> {
    document: &'d ExecutableDocument,
    definition: &'d OperationDefinition,
    pub(super) is_mutation: bool,
    pub(super) is_subscription: bool,
}

impl Document {
    pub(super) fn parsed(&self) -> ExecutableDocument {
        self.parsed.clone()
    }

    /// The operation of that name, or the only one.
    pub(super) fn operation(&self, name: Option<&str>) -> Result<Operation<'_>, Refusal> {
        let name = name.filter(|name| !name.is_empty());
        let definition = match (&self.parsed.operations, name) {
            (DocumentOperations::Single(only), None) => Some(&only.node),
            (DocumentOperations::Single(_), Some(_)) => None,
            (DocumentOperations::Multiple(several), Some(name)) => {
                several.get(name).map(|operation| &operation.node)
            }
            (DocumentOperations::Multiple(several), None) if several.len() == 1 => {
                several.values().next().map(|operation| &operation.node)
            }
            (DocumentOperations::Multiple(_), None) => None,
        };
        let Some(definition) = definition else {
            return Err(Refusal {
                outcome: Outcome::Refused,
                error: Box::new(Error::invalid_field(
                    "operationName",
                    say(
                        "the document has several operations, or none of that name: send operationName",
                        "o documento tem várias operações, ou nenhuma com esse nome: envie operationName",
                    ),
                )),
                protocol_code: Some("OPERATION_RESOLUTION_FAILURE"),
                position: None,
            });
        };
        Ok(Operation {
            document: &self.parsed,
            definition,
            is_mutation: definition.ty == OperationType::Mutation,
            is_subscription: definition.ty == OperationType::Subscription,
        })
    }
}

impl Operation<'_> {
    /// The answer in the order of the selection.
    pub(super) fn in_order(&self, data: Value) -> Value {
        order::by_selection(self.document, &self.definition.selection_set.node, data)
    }

    /// Whether a variable is declared as what every text is good for.
    pub(super) fn takes_any_text(&self, variable: &str) -> bool {
        let mut declared = self.definition.variable_definitions.iter();
        let found = declared.find(|declared| declared.node.name.node == variable);
        found.is_some_and(|declared| match &declared.node.var_type.node.base {
            BaseType::Named(name) => matches!(name.as_str(), "ID" | "String"),
            BaseType::List(_) => false,
        })
    }

    /// The variables given, and the defaults of those that were not: async-graphql takes a `@skip` or
    /// `@include` by a default for false, and asks for required variables only where a field uses them.
    pub(super) fn variables(&self, given: Map<String, Json>) -> Result<Variables, Refusal> {
        let mut variables = Variables::from_json(Json::Object(given));
        for definition in &self.definition.variable_definitions {
            let name = &definition.node.name.node;
            if let Some(default) = &definition.node.default_value
                && !variables.contains_key(name)
            {
                variables.insert(name.clone(), default.node.clone());
            }
            let absent = variables.get(name).is_none_or(|value| *value == Value::Null);
            if absent && !definition.node.var_type.node.nullable {
                return Err(Refusal {
                    outcome: Outcome::Refused,
                    error: Box::new(Error::invalid_field(
                        name.to_string(),
                        say(
                            format!("the variable ${name} is needed"),
                            format!("a variável ${name} é obrigatória"),
                        ),
                    )),
                    protocol_code: None,
                    position: Some(definition.pos),
                });
            }
        }
        Ok(variables)
    }

    /// What is selected, with these variables.
    pub(super) fn scope<'a>(&'a self, variables: &'a Variables) -> Scope<'a> {
        Scope { fragments: &self.document.fragments, variables, operation: self.definition }
    }

    /// Refuses what passes a limit, and introspection where it is closed. The limits come first:
    /// only a bounded document may be expanded.
    pub(super) fn check(&self, setting: Introspection, somebody: bool) -> Result<(), Refusal> {
        limits::check(self.document, self.definition)?;
        let open = match setting {
            Introspection::Public => true,
            Introspection::Authenticated => somebody,
            Introspection::Off => false,
        };
        let closed = !open && introspection::looks_into_schema(self.document, self.definition);
        if closed { Err(introspection::closed(setting)) } else { Ok(()) }
    }

    /// Names of the root fields, of an operation within its limits.
    pub(super) fn root_fields(&self) -> Vec<String> {
        let set = &self.definition.selection_set.node;
        introspection::fields_of(self.document, set, 0).into_iter().map(|(name, _)| name).collect()
    }
}

/// A mutation by GET.
pub(super) fn by_get() -> Refusal {
    Refusal {
        outcome: Outcome::Refused,
        error: Box::new(Error::Unsupported {
            message: say("mutations are sent by POST", "mutações são enviadas por POST"),
        }),
        protocol_code: None,
        position: None,
    }
}

/// A subscription where one answer is all that there can be.
pub(super) fn needs_a_stream() -> Refusal {
    Refusal::of(Error::Unsupported {
        message: say(
            "subscriptions go over WebSocket or, with Accept: text/event-stream, as events",
            "assinaturas vão por WebSocket ou, com Accept: text/event-stream, como eventos",
        ),
    })
}

fn parse_failed(error: &ParseError) -> Refusal {
    let position: Option<Pos> = error.positions().next();
    let text = error.to_string();
    Refusal {
        outcome: Outcome::ParseFailed,
        error: Box::new(Error::invalid(say(
            format!("the document cannot be read: {text}"),
            format!("o documento não pode ser lido: {text}"),
        ))),
        protocol_code: Some("GRAPHQL_PARSE_FAILED"),
        position,
    }
}

/// Bounds tokens and nesting without building anything: the parser is recursive, and a document
/// nested a hundred thousand deep must not reach it.
fn bound_tokens(query: &str) -> Result<(), Refusal> {
    let (mut tokens, mut nesting) = (0_usize, 0_usize);
    let mut bytes = query.bytes().peekable();
    let mut in_word = false;
    while let Some(byte) = bytes.next() {
        let word = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'+');
        if word {
            tokens += usize::from(!in_word);
            in_word = true;
            continue;
        }
        in_word = false;
        match byte {
            b'{' | b'[' | b'(' => {
                tokens += 1;
                nesting += 1;
            }
            b'}' | b']' | b')' => {
                tokens += 1;
                nesting = nesting.saturating_sub(1);
            }
            b'#' => while bytes.next_if(|next| *next != b'\n').is_some() {},
            b'"' => {
                tokens += 1;
                skip_string(&mut bytes);
            }
            b' ' | b'\t' | b'\n' | b'\r' | b',' => {}
            _ => tokens += 1,
        }
        if nesting > crate::limits::QUERY_NESTING_MAX {
            return Err(limits::passed("levels of nesting", crate::limits::QUERY_NESTING_MAX));
        }
        if tokens > crate::limits::QUERY_TOKENS_MAX {
            return Err(limits::passed("tokens", crate::limits::QUERY_TOKENS_MAX));
        }
    }
    Ok(())
}

/// Past a string or a block string whose first quote was read.
fn skip_string(bytes: &mut std::iter::Peekable<std::str::Bytes<'_>>) {
    if bytes.next_if_eq(&b'"').is_some() {
        if bytes.next_if_eq(&b'"').is_none() {
            return;
        }
        let mut quotes = 0;
        for byte in bytes.by_ref() {
            quotes = if byte == b'"' { quotes + 1 } else { 0 };
            if quotes == 3 {
                return;
            }
        }
        return;
    }
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'"' | b'\n' => return,
            _ => {}
        }
    }
}
