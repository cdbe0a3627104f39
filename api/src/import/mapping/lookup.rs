//! How a mapping writes look-ups, and the records it names.

use super::super::plan::Lookup;
use super::Reader;
use super::entries::Entries;
use super::expr::Want;
use crate::error::say;
use crate::graphql::catalogue::catalogue;
use crate::record::Record;
use crate::record::declare::camel_case;
use crate::record::kind::Kind;

/// Reads what a table says of a look-up, if it is one.
pub(super) fn lookup(reader: &mut Reader, entries: &mut Entries<'_>, want: Want) -> Option<Lookup> {
    let name = entries.text(reader, "lookup");
    let by = entries.text(reader, "by");
    let system = entries.text(reader, "system");
    let may_miss = entries.choice(reader, "missing", &[("refuse", false), ("null", true)]);
    let deferred = entries.flag(reader, "deferred").unwrap_or(false);
    let place = entries.place_of("lookup");
    let Some(name) = name else {
        for key in ["by", "system", "missing", "deferred"].iter().filter(|key| entries.has(key)) {
            reader.problem(
                &entries.place_of(key),
                say("is for look-ups only", "é só para buscas (lookup)"),
            );
        }
        return None;
    };
    if !matches!(want, Want::Field(field) if matches!(field.kind, Kind::Id)) {
        let (en, pt) = ("only an ID field takes a look-up", "só um campo ID recebe uma busca");
        reader.problem(&place, say(en, pt));
        return None;
    }
    let record = record_named(reader, &place, &name)?;
    let by = by.unwrap_or_else(|| natural_field(record));
    let field =
        record.find_field(&by).filter(|field| matches!(field.kind, Kind::Text | Kind::Code));
    let Some(field) = field else {
        reader.problem(
            &entries.place_of("by"),
            say(
                format!("{name} has no text field {by}"),
                format!("{name} não tem o campo de texto {by}"),
            ),
        );
        return None;
    };
    let system = match field.column {
        "external_id" => system.or_else(|| reader.system.clone()),
        _ => None,
    };
    if field.column == "external_id" && system.is_none() {
        reader.problem(
            &entries.place_of("system"),
            say("is missing, here or at the top", "falta, aqui ou no topo"),
        );
    }
    let own = reader.record.is_some_and(|own| own.name == record.name);
    if deferred && !own {
        reader.problem(
            &entries.place_of("deferred"),
            say("is for rows of the same record", "é para linhas do mesmo registro"),
        );
    }
    let may_miss = may_miss.unwrap_or(false);
    Some(Lookup { record, column: field.column, system, may_miss, deferred })
}

/// The field that names a row when the mapping does not say.
fn natural_field(record: &Record) -> String {
    let key = record.changes.natural_keys.first().and_then(|key| key.last());
    key.map_or_else(|| camel_case("external_id"), |name| (*name).to_owned())
}

/// A record that can be written, by its GraphQL name.
pub(super) fn record_named(
    reader: &mut Reader,
    place: &str,
    name: &str,
) -> Option<&'static Record> {
    let record = catalogue().record(name).filter(|record| record.changes.enabled);
    if record.is_none() {
        let known: Vec<&str> = catalogue()
            .records
            .iter()
            .filter(|record| record.changes.enabled)
            .map(|record| record.name)
            .collect();
        let known = known.join(", ");
        reader.problem(
            place,
            say(
                format!("there is no record {name}; there are {known}"),
                format!("não existe o registro {name}; existem {known}"),
            ),
        );
    }
    record
}
