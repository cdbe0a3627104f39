//! The shape of a document, measured before anything runs: depth, aliases, root fields, fields after
//! fragments are expanded, directives. Fragments that multiply are counted by what they expand to,
//! each fragment measured once.

use std::collections::HashMap;

use async_graphql::parser::types::{
    ExecutableDocument, OperationDefinition, Selection, SelectionSet,
};

use super::{Outcome, Refusal};
use crate::error::{Error, say};
use crate::limits;

/// What an expanded selection adds up to.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    depth: usize,
    fields: usize,
    aliases: usize,
    directives_at_once: usize,
    introspection_fields: usize,
    /// Fields of the set itself, fragments expanded.
    width: usize,
}

/// Refuses an operation that passes a limit.
pub(super) fn check(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
) -> Result<(), Refusal> {
    if document.fragments.len() > limits::QUERY_FRAGMENTS_MAX {
        return Err(passed("fragments", limits::QUERY_FRAGMENTS_MAX));
    }
    let mut known = HashMap::new();
    let size = measure(document, &operation.selection_set.node, &mut known, 0)?;
    for (name, found, most) in [
        ("levels of depth", size.depth, limits::QUERY_DEPTH_MAX),
        ("aliases", size.aliases, limits::QUERY_ALIASES_MAX),
        ("fields", size.fields, limits::QUERY_FIELDS_MAX),
        ("directives on one field", size.directives_at_once, limits::QUERY_DIRECTIVES_MAX),
        ("root fields", size.width, limits::QUERY_ROOT_FIELDS_MAX),
        ("introspection fields", size.introspection_fields, limits::INTROSPECTION_FIELDS_MAX),
    ] {
        if found > most {
            return Err(passed(name, most));
        }
    }
    Ok(())
}

fn measure<'d>(
    document: &'d ExecutableDocument,
    set: &'d SelectionSet,
    known: &mut HashMap<&'d str, Option<Size>>,
    nesting: usize,
) -> Result<Size, Refusal> {
    if nesting > limits::QUERY_NESTING_MAX {
        return Err(passed("levels of nesting", limits::QUERY_NESTING_MAX));
    }
    let mut sum = Size::default();
    for selection in &set.items {
        let (below, directives) = match &selection.node {
            Selection::Field(field) => {
                let field = &field.node;
                let mut size = measure(document, &field.selection_set.node, known, nesting + 1)?;
                // The schema's own fields nest deeper than data ever should.
                if field.name.node.starts_with("__") {
                    size.introspection_fields =
                        size.introspection_fields.saturating_add(size.fields);
                    size = Size { depth: 0, ..size };
                }
                size.depth = size.depth.saturating_add(1);
                size.fields = size.fields.saturating_add(1);
                size.aliases = size.aliases.saturating_add(usize::from(field.alias.is_some()));
                (Size { width: 1, ..size }, field.directives.len())
            }
            Selection::InlineFragment(inline) => (
                measure(document, &inline.node.selection_set.node, known, nesting + 1)?,
                inline.node.directives.len(),
            ),
            Selection::FragmentSpread(spread) => {
                let name = spread.node.fragment_name.node.as_str();
                let size = match known.get(name) {
                    Some(Some(size)) => *size,
                    // A fragment inside itself: validation says so.
                    Some(None) => Size::default(),
                    None => {
                        known.insert(name, None);
                        let size = match document.fragments.get(name) {
                            Some(fragment) => measure(
                                document,
                                &fragment.node.selection_set.node,
                                known,
                                nesting + 1,
                            )?,
                            None => Size::default(),
                        };
                        known.insert(name, Some(size));
                        size
                    }
                };
                (size, spread.node.directives.len())
            }
        };
        sum.width = sum.width.saturating_add(below.width);
        sum.depth = sum.depth.max(below.depth);
        sum.fields = sum.fields.saturating_add(below.fields);
        sum.aliases = sum.aliases.saturating_add(below.aliases);
        sum.introspection_fields =
            sum.introspection_fields.saturating_add(below.introspection_fields);
        sum.directives_at_once =
            sum.directives_at_once.max(below.directives_at_once).max(directives);
    }
    Ok(sum)
}

pub(super) fn passed(what: &str, most: usize) -> Refusal {
    Refusal {
        outcome: Outcome::Refused,
        error: Box::new(Error::limit(say(
            format!("the document has more than {most} {what}"),
            format!("o documento passa do limite de {most} ({what})"),
        ))),
        protocol_code: None,
        position: None,
    }
}
