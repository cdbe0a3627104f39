//! U+0000 in the texts of a document: no database of ours stores it, so it is refused here for every
//! field at once. In variables the door refuses it (`http/graphql/parse.rs`).

use async_graphql::Value;
use async_graphql::parser::types::{Directive, ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Name, Positioned};
use async_graphql_value::Value as Literal;

use super::{Outcome, Refusal};
use crate::error::{Error, say};

/// Refuses a document one of whose texts holds the character.
pub(super) fn refuse(text: &str, document: &ExecutableDocument) -> Result<(), Refusal> {
    // Nearly every document is done here.
    let may_have = text.contains('\0') || text.contains("\\u0000") || text.contains("\\u{");
    if !may_have || !in_document(document) {
        return Ok(());
    }
    Err(Refusal {
        outcome: Outcome::Refused,
        error: Box::new(Error::invalid(say(
            "texts must not contain the character U+0000",
            "textos não podem conter o caractere U+0000",
        ))),
        protocol_code: None,
        position: None,
    })
}

fn in_document(document: &ExecutableDocument) -> bool {
    let fragments = document.fragments.values().any(|fragment| {
        in_directives(&fragment.node.directives) || in_set(&fragment.node.selection_set.node)
    });
    fragments
        || document.operations.iter().any(|(_, operation)| {
            let operation = &operation.node;
            let defaults = operation.variable_definitions.iter();
            in_directives(&operation.directives)
                || in_set(&operation.selection_set.node)
                || defaults
                    .filter_map(|it| it.node.default_value.as_ref())
                    .any(|it| in_value(&it.node))
        })
}

fn in_set(set: &SelectionSet) -> bool {
    set.items.iter().any(|item| match &item.node {
        Selection::Field(field) => {
            let field = &field.node;
            in_arguments(&field.arguments)
                || in_directives(&field.directives)
                || in_set(&field.selection_set.node)
        }
        Selection::FragmentSpread(spread) => in_directives(&spread.node.directives),
        Selection::InlineFragment(inline) => {
            in_directives(&inline.node.directives) || in_set(&inline.node.selection_set.node)
        }
    })
}

fn in_directives(directives: &[Positioned<Directive>]) -> bool {
    directives.iter().any(|directive| in_arguments(&directive.node.arguments))
}

fn in_arguments(arguments: &[(Positioned<Name>, Positioned<Literal>)]) -> bool {
    arguments.iter().any(|(_, value)| in_literal(&value.node))
}

fn in_literal(value: &Literal) -> bool {
    match value {
        Literal::String(text) => text.contains('\0'),
        Literal::List(items) => items.iter().any(in_literal),
        Literal::Object(entries) => entries.values().any(in_literal),
        Literal::Variable(_)
        | Literal::Null
        | Literal::Number(_)
        | Literal::Boolean(_)
        | Literal::Binary(_)
        | Literal::Enum(_) => false,
    }
}

fn in_value(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::List(items) => items.iter().any(in_value),
        Value::Object(entries) => entries.values().any(in_value),
        Value::Null | Value::Number(_) | Value::Boolean(_) | Value::Binary(_) | Value::Enum(_) => {
            false
        }
    }
}
