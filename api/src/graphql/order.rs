//! Fields of an answer in the order in which the operation selects them, as the specification wants.
//! async-graphql gives them in the order in which they were done.

use async_graphql::Value;
use async_graphql::parser::types::{ExecutableDocument, Field, Selection, SelectionSet};

/// Puts objects in order, all the way down. Values of records are text by now and have no inside.
pub(super) fn by_selection(
    document: &ExecutableDocument,
    set: &SelectionSet,
    data: Value,
) -> Value {
    in_order(document, &[set], data)
}

fn in_order(document: &ExecutableDocument, sets: &[&SelectionSet], value: Value) -> Value {
    match value {
        Value::Object(mut fields) => {
            let mut selected = Vec::new();
            for set in sets {
                collect(document, set, &mut selected, 0);
            }
            let mut ordered = Vec::with_capacity(fields.len());
            for (key, inner) in selected {
                if let Some((key, value)) = fields.swap_remove_entry(key) {
                    ordered.push((key, in_order(document, &inner, value)));
                }
            }
            // What nothing selects is a scalar's own inside.
            ordered.extend(fields);
            Value::Object(ordered.into_iter().collect())
        }
        Value::List(items) => {
            let items = items.into_iter().map(|item| in_order(document, sets, item));
            Value::List(items.collect())
        }
        scalar @ (Value::Null
        | Value::Number(_)
        | Value::String(_)
        | Value::Boolean(_)
        | Value::Binary(_)
        | Value::Enum(_)) => scalar,
    }
}

/// A response key and what is selected in it.
type Key<'d> = (&'d str, Vec<&'d SelectionSet>);

/// The response keys of a set in order of their first mention, each with what is selected in it.
/// Validation has refused fragments inside themselves; the bound is for whatever it has not seen.
fn collect<'d>(
    document: &'d ExecutableDocument,
    set: &'d SelectionSet,
    selected: &mut Vec<Key<'d>>,
    nesting: usize,
) {
    if nesting > crate::limits::QUERY_NESTING_MAX {
        return;
    }
    for item in &set.items {
        match &item.node {
            Selection::Field(field) => {
                let (key, inner) = (response_key(&field.node), &field.node.selection_set.node);
                match selected.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, inside)) => inside.push(inner),
                    None => selected.push((key, vec![inner])),
                }
            }
            Selection::InlineFragment(inline) => {
                collect(document, &inline.node.selection_set.node, selected, nesting + 1);
            }
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                if let Some(fragment) = document.fragments.get(name) {
                    collect(document, &fragment.node.selection_set.node, selected, nesting + 1);
                }
            }
        }
    }
}

fn response_key(field: &Field) -> &str {
    field.alias.as_ref().map_or(field.name.node.as_str(), |alias| alias.node.as_str())
}
