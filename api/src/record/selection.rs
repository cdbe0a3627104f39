//! The selection of an operation, resolved: fragments inlined, `@skip`/`@include` and variables
//! applied, fields of the same response key merged (co-located fragments select the same field
//! many times).

use std::collections::HashMap;

use async_graphql::parser::types::{
    Directive, FragmentDefinition, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Pos, Positioned, Value, Variables};
use async_graphql_value::Value as Literal;

use crate::error::{Error, Result, say};
use crate::limits;

/// One field to answer.
#[derive(Debug, Clone)]
pub struct Selected {
    /// The key in the response: the alias, or the name.
    pub key: String,
    pub name: String,
    /// Arguments that were given; an absent variable counts as not given.
    pub arguments: Vec<(String, Value)>,
    pub position: Pos,
    pub children: Vec<Selected>,
}

impl Selected {
    pub fn argument(&self, name: &str) -> Option<&Value> {
        self.arguments
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
            .filter(|value| !matches!(value, Value::Null))
    }
}

/// What a selection needs beside itself.
pub struct Scope<'a> {
    pub fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    pub variables: &'a Variables,
    pub operation: &'a OperationDefinition,
}

/// Resolves a selection set into merged fields, in response order.
pub fn resolve(scope: &Scope<'_>, set: &SelectionSet) -> Result<Vec<Selected>> {
    let mut fields = Vec::new();
    let mut budget = limits::QUERY_FIELDS_MAX;
    collect(scope, set, &mut fields, &mut budget)?;
    Ok(fields)
}

fn collect(
    scope: &Scope<'_>,
    set: &SelectionSet,
    into: &mut Vec<Selected>,
    budget: &mut usize,
) -> Result<()> {
    for selection in &set.items {
        *budget = budget.checked_sub(1).ok_or_else(too_many_fields)?;
        match &selection.node {
            Selection::Field(field) => {
                let field = &field.node;
                if skipped(scope, &field.directives)? {
                    continue;
                }
                let key = field.response_key().node.as_str();
                let name = field.name.node.as_str();
                let index = match into.iter().position(|known| known.key == key) {
                    Some(index) => {
                        same_field(scope, into.get(index), field)?;
                        index
                    }
                    None => {
                        into.push(Selected {
                            key: key.to_owned(),
                            name: name.to_owned(),
                            arguments: arguments(scope, &field.arguments)?,
                            position: field.name.pos,
                            children: Vec::new(),
                        });
                        into.len() - 1
                    }
                };
                if let Some(selected) = into.get_mut(index) {
                    collect(scope, &field.selection_set.node, &mut selected.children, budget)?;
                }
            }
            Selection::FragmentSpread(spread) => {
                if skipped(scope, &spread.node.directives)? {
                    continue;
                }
                let name = &spread.node.fragment_name.node;
                let fragment = scope.fragments.get(name).ok_or_else(|| {
                    Error::internal(format!("fragment {name} passed validation and is absent"))
                })?;
                collect(scope, &fragment.node.selection_set.node, into, budget)?;
            }
            Selection::InlineFragment(inline) => {
                if !skipped(scope, &inline.node.directives)? {
                    collect(scope, &inline.node.selection_set.node, into, budget)?;
                }
            }
        }
    }
    Ok(())
}

/// Two fields of one response key must be one field: validation compares them within a fragment,
/// here they meet after all fragments are inlined.
fn same_field(
    scope: &Scope<'_>,
    known: Option<&Selected>,
    field: &async_graphql::parser::types::Field,
) -> Result<()> {
    let Some(known) = known else { return Ok(()) };
    let given = arguments(scope, &field.arguments)?;
    let same = known.name == field.name.node.as_str()
        && known.arguments.len() == given.len()
        && given.iter().all(|argument| known.arguments.contains(argument));
    if same {
        return Ok(());
    }
    let key = &known.key;
    Err(Error::invalid_field(
        key.clone(),
        say(
            format!("{key} is selected twice with different fields or arguments: use aliases"),
            format!(
                "{key} é selecionado duas vezes com campos ou argumentos diferentes: use aliases"
            ),
        ),
    ))
}

fn too_many_fields() -> Error {
    Error::limit(say(
        format!("the operation selects more than {} fields", limits::QUERY_FIELDS_MAX),
        format!("a operação seleciona mais de {} campos", limits::QUERY_FIELDS_MAX),
    ))
}

fn skipped(scope: &Scope<'_>, directives: &[Positioned<Directive>]) -> Result<bool> {
    for directive in directives {
        let wanted = match directive.node.name.node.as_str() {
            "skip" => true,
            "include" => false,
            _ => continue,
        };
        let condition = directive
            .node
            .arguments
            .iter()
            .find(|(name, _)| name.node == "if")
            .and_then(|(_, value)| constant(scope, &value.node));
        match condition {
            Some(Value::Boolean(given)) if given == wanted => return Ok(true),
            Some(Value::Boolean(_)) => {}
            _ => {
                return Err(Error::invalid_field(
                    "if",
                    say("the condition must be a Boolean", "a condição deve ser Boolean"),
                ));
            }
        }
    }
    Ok(false)
}

fn arguments(
    scope: &Scope<'_>,
    given: &[(Positioned<Name>, Positioned<Literal>)],
) -> Result<Vec<(String, Value)>> {
    Ok(given
        .iter()
        .filter_map(|(name, value)| {
            constant(scope, &value.node).map(|value| (name.node.to_string(), value))
        })
        .collect())
}

/// The value of a literal; `None` when it is a variable that was not given and has no default.
fn constant(scope: &Scope<'_>, literal: &Literal) -> Option<Value> {
    Some(match literal {
        Literal::Variable(name) => {
            return scope.variables.get(name).cloned().or_else(|| {
                scope
                    .operation
                    .variable_definitions
                    .iter()
                    .find(|definition| definition.node.name.node == *name)
                    .and_then(|definition| definition.node.default_value.as_ref())
                    .map(|default| default.node.clone())
            });
        }
        Literal::Null => Value::Null,
        Literal::Number(number) => Value::Number(number.clone()),
        Literal::String(text) => Value::String(text.clone()),
        Literal::Boolean(value) => Value::Boolean(*value),
        Literal::Binary(bytes) => Value::Binary(bytes.clone()),
        Literal::Enum(name) => Value::Enum(name.clone()),
        Literal::List(items) => Value::List(
            items.iter().map(|item| constant(scope, item).unwrap_or(Value::Null)).collect(),
        ),
        Literal::Object(entries) => Value::Object(
            entries
                .iter()
                .filter_map(|(name, value)| {
                    constant(scope, value).map(|value| (name.clone(), value))
                })
                .collect(),
        ),
    })
}
