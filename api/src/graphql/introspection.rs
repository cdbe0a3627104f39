//! Who may see the schema by asking it. `{ __schema { queryType { name } } }` and `__typename` always
//! answer: Grafana's connection test is the first of them.

use async_graphql::Response;
use async_graphql::parser::types::{
    ExecutableDocument, OperationDefinition, Selection, SelectionSet,
};

use super::{Caller, Refusal};
use crate::config::Introspection;
use crate::error::{Error, say};

/// Whether the operation asks for more of the schema than anybody may see.
pub(super) fn looks_into_schema(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
) -> bool {
    fields_of(document, &operation.selection_set.node, 0).iter().any(|(name, below)| {
        match name.as_str() {
            "__type" => true,
            "__schema" => {
                fields_of(document, below, 0).iter().any(|(name, below)| match name.as_str() {
                    "queryType" => fields_of(document, below, 0)
                        .iter()
                        .any(|(name, _)| name != "name" && name != "__typename"),
                    "__typename" => false,
                    _ => true,
                })
            }
            _ => false,
        }
    })
}

/// The fields of a set, fragments expanded; only a document within its limits may be asked.
pub(super) fn fields_of<'d>(
    document: &'d ExecutableDocument,
    set: &'d SelectionSet,
    depth: usize,
) -> Vec<(String, &'d SelectionSet)> {
    // A chain of fragments longer than this is refused by the limits anyway.
    if depth > crate::limits::QUERY_FRAGMENTS_MAX {
        return Vec::new();
    }
    let mut fields = Vec::new();
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => {
                let field = &field.node;
                fields.push((field.name.node.to_string(), &field.selection_set.node));
            }
            Selection::InlineFragment(inline) => {
                fields.extend(fields_of(document, &inline.node.selection_set.node, depth + 1));
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                    let set = &fragment.node.selection_set.node;
                    fields.extend(fields_of(document, set, depth + 1));
                }
            }
        }
    }
    fields
}

/// Whether a caller may ask for the whole schema.
pub(super) fn is_open(caller: &Caller) -> bool {
    match caller.app().config.graphql.introspection {
        Introspection::Public => true,
        Introspection::Authenticated => matches!(caller, Caller::Somebody(_)),
        Introspection::Off => false,
    }
}

/// Takes the guesses at what was meant out of validation's messages: they name what is in the schema.
pub(super) fn forget_suggestions(response: &mut Response) {
    for error in &mut response.errors {
        if let Some(at) = error.message.find(" Did you mean ") {
            error.message.truncate(at);
        }
    }
}

pub(super) fn closed(setting: Introspection) -> Refusal {
    let error = match setting {
        Introspection::Off => Error::forbidden(say(
            "introspection is closed on this server; the schema is at /schema.graphql",
            "a introspecção está fechada neste servidor; o esquema está em /schema.graphql",
        )),
        Introspection::Authenticated | Introspection::Public => Error::Unauthenticated {
            message: say(
                "introspection needs a credential; the schema is at /schema.graphql",
                "a introspecção exige credencial; o esquema está em /schema.graphql",
            ),
        },
    };
    Refusal { protocol_code: Some("INTROSPECTION_DISABLED"), ..Refusal::of(error) }
}
