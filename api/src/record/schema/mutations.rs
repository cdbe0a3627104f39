//! Mutations of a record: inputs, results, and the fields of the mutation type.

use async_graphql::registry::{MetaField, MetaInputValue, Registry};

use super::build::{field, input_object, input_value, object};
use super::outputs::with_arguments;
use crate::record::change::input::{Purpose, writable};
use crate::record::change::mutation::WriteKind;
use crate::record::change::verb::Verb;
use crate::record::declare::{Default, Field, Record, RelationKind};

/// Registers the inputs and results of a record's mutations.
pub fn register_mutations(registry: &mut Registry, record: &Record) {
    if !record.changes.enabled {
        return;
    }
    let name = record.name;
    for verb in record.changes.verbs {
        super::register(registry, (verb.answer)());
    }
    let mut add = |ty: async_graphql::registry::MetaType| {
        registry.types.entry(ty.name().to_owned()).or_insert(ty);
    };
    for input in record.changes.verbs.iter().flat_map(|verb| verb.inputs) {
        let fields = input.fields.iter().map(|(name, of, about)| input_value(name, *of, about));
        add(input_object(input.name, "", fields.collect()));
    }
    add(input_object(&format!("{name}CreateInput"), "", inputs(record, Purpose::Create)));
    add(input_object(
        &format!("{name}UpdateInput"),
        "What is absent stays as it is; null clears.",
        inputs(record, Purpose::Update),
    ));
    if WriteKind::Upsert.fits(record) {
        let keys: Vec<String> =
            record.changes.natural_keys.iter().map(|key| key.join(" + ")).collect();
        let about = format!(
            "Needs one of its natural keys: {}. What an update cannot set is set on creation only.",
            keys.join("; or ")
        );
        let optional = inputs(record, Purpose::Upsert)
            .into_iter()
            .map(|mut value| {
                value.ty = value.ty.trim_end_matches('!').to_owned();
                value
            })
            .collect();
        add(input_object(&format!("{name}UpsertInput"), &about, optional));
    }
    add(input_object(
        &format!("{name}UpdateManyInput"),
        "",
        vec![
            input_value("id", "ID!", ""),
            input_value("expectedVersion", "Int", "CONFLICT when the row has another version."),
            input_value("input", format!("{name}UpdateInput!"), ""),
        ],
    ));
    add(object(
        &format!("{name}Result"),
        "What became of one row of a batch.",
        vec![field("record", name, ""), field("error", "MutationError", "")],
    ));
    add(input_object(
        &format!("{name}OneInput"),
        "Exactly one of the two.",
        vec![
            input_value("connect", "ID", "A record that exists."),
            input_value("create", format!("{name}CreateInput"), ""),
        ],
    ));
    add(input_object(
        &format!("{name}ManyInput"),
        "",
        vec![
            input_value("connect", "[ID!]", "Records that exist."),
            input_value("create", format!("[{name}CreateInput!]"), ""),
        ],
    ));
}

fn inputs(record: &Record, purpose: Purpose) -> Vec<MetaInputValue> {
    let mut values: Vec<MetaInputValue> = record
        .fields
        .iter()
        .filter(|field| writable(field, purpose))
        .map(|field| {
            let needed = purpose == Purpose::Create && is_required(record, field);
            let mark = if needed { "!" } else { "" };
            let of = format!("{}{mark}", field.kind.graphql_type());
            input_value(&field.name, of, field.about)
        })
        .collect();
    for relation in &record.relations {
        let target = (relation.target)();
        if !target.changes.enabled || !purpose.nests(relation) {
            continue;
        }
        match relation.kind {
            RelationKind::One { column, .. } => {
                let settable = record
                    .fields
                    .iter()
                    .any(|field| field.column == column && writable(field, purpose));
                if settable {
                    let of = format!("{}OneInput", target.name);
                    values.push(input_value(relation.name, of, relation.about));
                }
            }
            RelationKind::Many { .. } => {
                let of = format!("{}ManyInput", target.name);
                values.push(input_value(relation.name, of, relation.about));
            }
        }
    }
    values
}

/// A reference may also be given by its relation, so the schema cannot demand it.
fn is_required(record: &Record, field: &Field) -> bool {
    let reference = record.relations.iter().any(|relation| {
        matches!(relation.kind, RelationKind::One { column, .. } if column == field.column)
    });
    !field.nullable && !reference && matches!(field.default, Default::None)
}

/// `leadCreate`, `leadUpdate`, …
pub fn mutation_fields(record: &Record) -> Vec<MetaField> {
    let verbs = record.changes.verbs.iter().map(verb_field);
    WriteKind::ALL
        .into_iter()
        .filter(|kind| kind.fits(record))
        .map(|kind| {
            let name = format!("{}{}", record.singular, kind.suffix());
            let (of, about) = answer(record, kind);
            with_arguments(field(&name, of, about), arguments(record, kind))
        })
        .chain(verbs)
        .collect()
}

fn verb_field(verb: &Verb) -> MetaField {
    let arguments =
        verb.arguments.iter().map(|(name, of, about)| input_value(name, *of, about)).collect();
    with_arguments(field(verb.name, format!("{}!", (verb.answer)().name), verb.about), arguments)
}

fn answer(record: &Record, kind: WriteKind) -> (String, &'static str) {
    let one = format!("{}!", record.name);
    match kind {
        WriteKind::Create => (one, ""),
        WriteKind::Update => (one, ""),
        WriteKind::Upsert => (one, "Creates, or updates the one of that natural key."),
        WriteKind::Delete => (one, "Hides the row; leave it or restore it."),
        WriteKind::Restore => (one, "Takes a deletion back."),
        WriteKind::Destroy => ("ID!".to_owned(), "Removes for good; needs the permission destroy."),
        WriteKind::CreateMany | WriteKind::UpdateMany | WriteKind::DeleteMany => {
            (format!("[{}Result!]!", record.name), "At most 1,000 at once.")
        }
    }
}

fn arguments(record: &Record, kind: WriteKind) -> Vec<MetaInputValue> {
    let name = record.name;
    let id = || input_value("id", "ID!", "");
    let version =
        || input_value("expectedVersion", "Int", "CONFLICT when the row has another version.");
    let mode = || input_value("mode", "BatchMode", "ATOMIC by default.");
    match kind {
        WriteKind::Create => vec![input_value("input", format!("{name}CreateInput!"), "")],
        WriteKind::Update => {
            vec![id(), input_value("input", format!("{name}UpdateInput!"), ""), version()]
        }
        WriteKind::Upsert => vec![input_value("input", format!("{name}UpsertInput!"), "")],
        WriteKind::Delete => vec![id(), version()],
        WriteKind::Restore | WriteKind::Destroy => vec![id()],
        WriteKind::CreateMany => {
            vec![input_value("inputs", format!("[{name}CreateInput!]!"), ""), mode()]
        }
        WriteKind::UpdateMany => {
            vec![input_value("inputs", format!("[{name}UpdateManyInput!]!"), ""), mode()]
        }
        WriteKind::DeleteMany => vec![input_value("ids", "[ID!]!", ""), mode()],
    }
}
