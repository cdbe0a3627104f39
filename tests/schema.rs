//! The schema: its file, its names, its words.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{TypeDefinition, TypeKind, TypeSystemDefinition};
use pulso::graphql::Graphql;
use pulso::record::declare::RelationKind;

use crate::support::sources::root;

fn sdl() -> String {
    Graphql::build().unwrap().sdl().to_owned()
}

fn types() -> BTreeMap<String, TypeDefinition> {
    let document = parse_schema(sdl()).unwrap();
    document
        .definitions
        .into_iter()
        .filter_map(|definition| match definition {
            TypeSystemDefinition::Type(ty) => Some((ty.node.name.node.to_string(), ty.node)),
            _ => None,
        })
        .collect()
}

/// `Type.field`, its type, its description; arguments as `Type.field(argument)`.
fn members(types: &BTreeMap<String, TypeDefinition>) -> Vec<(String, String, String)> {
    let mut members = Vec::new();
    let text = |description: Option<&str>| description.unwrap_or_default().to_owned();
    for (name, ty) in types {
        match &ty.kind {
            TypeKind::Object(object) => {
                for field in &object.fields {
                    let field = &field.node;
                    let path = format!("{name}.{}", field.name.node);
                    for argument in &field.arguments {
                        let argument = &argument.node;
                        members.push((
                            format!("{path}({})", argument.name.node),
                            argument.ty.node.to_string(),
                            text(argument.description.as_ref().map(|text| text.node.as_str())),
                        ));
                    }
                    let about = text(field.description.as_ref().map(|text| text.node.as_str()));
                    members.push((path, field.ty.node.to_string(), about));
                }
            }
            TypeKind::InputObject(input) => {
                for field in &input.fields {
                    let field = &field.node;
                    let about = text(field.description.as_ref().map(|text| text.node.as_str()));
                    members.push((
                        format!("{name}.{}", field.name.node),
                        field.ty.node.to_string(),
                        about,
                    ));
                }
            }
            TypeKind::Scalar | TypeKind::Enum(_) | TypeKind::Interface(_) | TypeKind::Union(_) => {}
        }
    }
    members
}

fn is_camel(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|character| character.is_ascii_alphanumeric())
}

fn is_pascal(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.chars().all(|character| character.is_ascii_alphanumeric())
}

fn is_screaming(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[test]
fn the_file_is_what_the_server_says() {
    let file = std::fs::read_to_string(root().join("schema.graphql")).unwrap_or_default();
    assert!(file == sdl(), "schema.graphql is not what the server says: run `cargo xtask schema`");
}

#[test]
fn names_follow_one_rule() {
    let types = types();
    let mut wrong = Vec::new();
    for (name, ty) in &types {
        if !is_pascal(name) {
            wrong.push(name.clone());
        }
        if let TypeKind::Enum(values) = &ty.kind {
            let values = values.values.iter().map(|value| value.node.value.node.to_string());
            wrong.extend(
                values.filter(|value| !is_screaming(value)).map(|value| format!("{name}.{value}")),
            );
        }
    }
    for (path, of, _) in members(&types) {
        let last = path.rsplit(['.', '(']).next().unwrap().trim_end_matches(')');
        if !is_camel(last) {
            wrong.push(path.clone());
        }
        // Units and times say what they are.
        let inner = of.trim_matches(['[', ']', '!']);
        let is_filter =
            path.split('.').next().unwrap().contains("Filter") || inner.ends_with("Filter");
        // The state of an answer, which is no event; what charts call their axis; and spans.
        let is_axis = matches!(path.as_str(), "MetricPoint.time" | "LivePoint.time")
            || matches!(path.as_str(), "Query.metricLineage(time)" | "MetricPoint.comparedTime");
        let spans = ["validFrom", "validTo", "comparedFrom", "comparedTo"];
        let is_state = is_axis || last == "dataAsOf" || spans.contains(&last);
        let is_exempt = is_operator(last) || is_filter || is_state;
        if inner == "DateTime" && !last.ends_with("At") && !is_exempt {
            wrong.push(format!("{path}: an instant is named …At"));
        }
        // Lists never hold nulls.
        if of.contains('[') && !of.contains("!]") {
            wrong.push(format!("{path}: {of}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn is_operator(name: &str) -> bool {
    ["eq", "ne", "gt", "gte", "lt", "lte", "in", "notIn", "from", "to"].contains(&name)
}

#[test]
fn every_record_offers_the_same_things() {
    let types = types();
    let members: BTreeMap<String, String> =
        members(&types).into_iter().map(|(path, of, _)| (path, of)).collect();
    for record in &pulso::graphql::catalogue().records {
        let (name, plural, singular) = (record.name, record.plural, record.singular);
        let mut expected = vec![
            (format!("Query.{plural}"), format!("{name}Connection!")),
            (format!("Query.{plural}(first)"), "Int".to_owned()),
            (format!("{name}Connection.nodes"), format!("[{name}!]!")),
            (format!("{name}Connection.edges"), format!("[{name}Edge!]!")),
            (format!("{name}Connection.pageInfo"), "PageInfo!".to_owned()),
            (format!("{name}Connection.totalCount"), "Int!".to_owned()),
            (format!("{name}Edge.cursor"), "String!".to_owned()),
        ];
        if !record.is_virtual() {
            expected.extend([
                (format!("Query.{singular}"), format!("{name}!")),
                (format!("Query.{singular}(id)"), "ID!".to_owned()),
                (format!("Query.{plural}(after)"), "String".to_owned()),
                (format!("Query.{plural}(last)"), "Int".to_owned()),
                (format!("Query.{plural}(before)"), "String".to_owned()),
                (format!("Query.{plural}(filter)"), format!("{name}Filter")),
                (format!("Query.{plural}(orderBy)"), format!("[{name}Order!]")),
                (format!("Query.{singular}Aggregate"), format!("{name}Aggregate!")),
                (format!("{name}.viewerCan"), "ViewerCan!".to_owned()),
            ]);
        }
        for relation in &record.relations {
            let target = (relation.target)().name;
            let of = match relation.kind {
                RelationKind::One { .. } => target.to_owned(),
                RelationKind::Many { .. } => format!("{target}Connection!"),
            };
            expected.push((format!("{name}.{}", relation.name), of));
        }
        for (path, of) in expected {
            assert_eq!(members.get(&path), Some(&of), "{path}");
        }
    }
}

/// What was described once stays described.
#[test]
fn descriptions_are_kept() {
    let types = types();
    let described: BTreeSet<String> = types
        .iter()
        .filter(|(_, ty)| ty.description.is_some())
        .map(|(name, _)| name.clone())
        .chain(
            members(&types)
                .into_iter()
                .filter(|(_, _, about)| !about.is_empty())
                .map(|(path, _, _)| path),
        )
        .collect();
    for record in &pulso::graphql::catalogue().records {
        assert!(described.contains(record.name), "{}", record.name);
        for field in record.fields.iter().filter(|field| !field.about.is_empty()) {
            assert!(
                described.contains(&format!("{}.{}", record.name, field.name)),
                "{}",
                field.name
            );
        }
    }
    for name in [
        "Query.leads(first)",
        "LeadConnection.totalCount",
        "PageInfo.hasPreviousPage",
        "JSONFilter.path",
    ] {
        assert!(described.contains(name), "{name}");
    }
    let mut list: Vec<&str> = described.iter().map(String::as_str).collect();
    list.sort_unstable();
    insta::assert_snapshot!("described", list.join("\n"));
}

#[test]
fn scalars_say_what_specifies_them() {
    let sdl = sdl();
    for scalar in ["DateTime", "Date", "Decimal", "JSON", "BigInt"] {
        assert!(sdl.contains(&format!("scalar {scalar} @specifiedBy(url: \"https://")), "{scalar}");
    }
}
