//! Records, read: by list, by id, counted and grouped, by each of the four; and every field of every
//! record, as far as relations lead.

use std::collections::BTreeMap;

use pulso::graphql::catalogue;

use pulso::record::Record;
use pulso::record::declare::OwnerPath;
use pulso::record::operation::ReadKind;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::shape::Shape;
use super::{ask, betrays, code, everywhere, marks, one_of_each, records, words};
use crate::support::data::time_of;
use crate::support::{TestApp, both_databases};

pub const READS: [ReadKind; 4] =
    [ReadKind::List, ReadKind::One, ReadKind::Aggregate, ReadKind::Groups];

/// A query over a record that shows the ids it reached, or their number.
pub fn read(record: &Record, kind: ReadKind, id: Uuid) -> String {
    match kind {
        ReadKind::List => format!("{{ r: {} {{ nodes {{ id }} }} }}", record.plural),
        ReadKind::One => format!("{{ r: {}(id: \"{id}\") {{ id }} }}", record.singular),
        ReadKind::Aggregate => format!("{{ r: {}Aggregate {{ count }} }}", record.singular),
        ReadKind::Groups => format!(
            "{{ r: {}Groups(by: [{{ field: {}, bucket: YEAR }}]) {{ nodes {{ count }} }} }}",
            record.singular,
            time_of(record).enum_name()
        ),
    }
}

/// How many rows an answer of [`read`] tells of.
pub fn told(kind: ReadKind, answer: &Json) -> i64 {
    assert!(answer.get("errors").is_none(), "{answer:#}");
    let data = &answer["data"]["r"];
    match kind {
        ReadKind::List => i64::try_from(data["nodes"].as_array().unwrap().len()).unwrap(),
        ReadKind::One => i64::from(data["id"].is_string()),
        ReadKind::Aggregate => data["count"].as_i64().unwrap(),
        ReadKind::Groups => data["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["count"].as_i64().unwrap())
            .sum(),
    }
}

/// A field of a computed record to ask for.
pub fn virtual_read(record: &Record) -> String {
    let field = record.fields.iter().find(|field| field.name != "currency").unwrap();
    let needed = needed(record);
    format!("{{ r: {}({needed}first: 100) {{ nodes {{ {} }} }} }}", record.plural, field.name)
}

/// Arguments without which a computed record cannot be asked for.
fn needed(record: &Record) -> &'static str {
    match record.plural {
        "metricSeries" | "metricTable" => {
            "metrics: [\"leads_created\", \"deals_won\"], from: \"2026-01-01T00:00:00Z\", "
        }
        "analyticsSnapshots" => "scope: \"crm\", from: \"2026-01-01T00:00:00Z\", ",
        "metricLineage" => "metric: \"leads_created\", time: \"2026-03-10T12:00:00Z\", ",
        "dimensionValues" => "dimension: \"channel\", ",
        _ => "",
    }
}

/// Every read of every record, each with all of its fields; a list or a group tells of all rows.
pub fn whole_reads(shape: &Shape, ids: &BTreeMap<&'static str, Uuid>) -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for field in shape.root("query") {
        let Some(entry) = catalogue().read(&field.name) else { continue };
        let arguments = match entry.kind {
            ReadKind::One => format!("(id: \"{}\")", ids[entry.record.name]),
            ReadKind::Groups => {
                let time = time_of(entry.record).enum_name();
                format!("(by: [{{ field: {time}, bucket: YEAR }}])")
            }
            ReadKind::List if entry.record.is_virtual() => {
                format!("({}first: 1000)", needed(entry.record))
            }
            ReadKind::List => "(first: 20)".to_owned(),
            ReadKind::Aggregate => String::new(),
        };
        let mut selection = shape.selection(&field.of, 2);
        // A group tells the fields that it is grouped by, and no others.
        if let Some((before, (_, after))) = selection
            .split_once("key {")
            .map(|(before, rest)| (before, rest.split_once('}').unwrap()))
        {
            let time = &time_of(entry.record).name;
            selection = format!("{before}key {{ {time} }}{after}");
        }
        queries
            .push((field.name.clone(), format!("{{ r: {}{arguments} {selection} }}", field.name)));
    }
    queries
}

both_databases! {
    async fn nobody_reads_anything(app: TestApp) {
        let ids = one_of_each(&app, &app.alpha, &app.alpha.admin).await;
        let mut queries = Vec::new();
        for record in records() {
            if record.is_virtual() {
                queries.push(virtual_read(record));
                continue;
            }
            queries.extend(READS.map(|kind| read(record, kind, ids[record.name])));
        }
        for query in &queries {
            for credential in [None, Some("pulso_nobody")] {
                let answer = ask(&app, credential, query).await;
                assert_eq!(code(&answer), Some("UNAUTHENTICATED"), "{query}\n{answer:#}");
                assert!(answer["data"].is_null(), "{answer:#}");
            }
        }
    }

    async fn another_tenant_sees_nothing(app: TestApp) {
        let stranger = &app.beta.admin.key;
        let reads: Vec<(&'static Record, ReadKind)> = records()
            .filter(|record| !record.is_virtual())
            .flat_map(|record| READS.map(|kind| (record, kind)))
            .collect();
        let mut before = BTreeMap::new();
        for (number, (record, kind)) in reads.iter().enumerate() {
            if *kind != ReadKind::One {
                let query = read(record, *kind, Uuid::nil());
                before.insert(number, app.graphql(stranger, &query, json!({})).await["data"].clone());
            }
        }
        let mut computed = BTreeMap::new();
        for record in records().filter(|record| record.is_virtual()) {
            let answer = app.data(stranger, &virtual_read(record), json!({})).await;
            computed.insert(record.name, answer);
        }
        let ids = one_of_each(&app, &app.alpha, &app.alpha.comercial).await;
        for (number, (record, kind)) in reads.into_iter().enumerate() {
            let query = read(record, kind, ids[record.name]);
            let answer = app.graphql(stranger, &query, json!({})).await;
            if kind == ReadKind::One {
                assert_eq!(code(&answer), Some("NOT_FOUND"), "{query}");
                let never = read(record, kind, app.app.clock.new_id());
                let never = app.graphql(stranger, &never, json!({})).await;
                assert_eq!(words(&answer), words(&never), "{query}");
            } else {
                assert_eq!(answer["data"], before[&number], "{query}");
            }
            // And the owner does see it: the question was the right one.
            let own = app.graphql(&app.alpha.admin.key, &query, json!({})).await;
            assert!(told(kind, &own) >= 1, "{query}\n{own:#}");
        }
        for record in records().filter(|record| record.is_virtual()) {
            let answer = app.data(stranger, &virtual_read(record), json!({})).await;
            assert_eq!(answer, computed[record.name], "{}", record.name);
        }
    }

    /// Every field of every record, and what its relations lead to: nothing of another tenant's, and
    /// the same numbers whether the other tenant has rows or not.
    async fn no_field_tells_another_tenants_rows(app: TestApp) {
        let (alpha, stranger) = (&app.alpha, Some(app.beta.admin.key.as_str()));
        let shape = Shape::of(&app).await;
        one_of_each(&app, &app.beta, &app.beta.admin).await;
        let never: BTreeMap<&'static str, Uuid> =
            records().map(|record| (record.name, Uuid::nil())).collect();
        let mut before = BTreeMap::new();
        for (name, query) in whole_reads(&shape, &never) {
            before.insert(name, ask(&app, stranger, &query).await["data"].take());
        }
        let ids = one_of_each(&app, alpha, &alpha.comercial).await;
        let marks = marks(alpha, &ids);
        for (name, query) in whole_reads(&shape, &ids) {
            let mut answer = ask(&app, stranger, &query).await;
            assert_eq!(betrays(&answer.to_string(), &query, &marks), None, "{query}\n{answer:#}");
            let is_one = catalogue().read(&name).unwrap().kind == ReadKind::One;
            assert_eq!(code(&answer), is_one.then_some("NOT_FOUND"), "{query}\n{answer:#}");
            assert_eq!(answer["data"].take(), before[&name], "{name}");
            // Whose they are gets an answer to the same question.
            let own = ask(&app, Some(&alpha.admin.key), &query).await;
            assert!(own.get("errors").is_none(), "{query}\n{own:#}");
        }
    }

    /// The same within a tenant: who reaches own rows only is told nothing of others'.
    async fn no_field_tells_rows_out_of_reach(app: TestApp) {
        let alpha = &app.alpha;
        let shape = Shape::of(&app).await;
        one_of_each(&app, alpha, &alpha.comercial).await;
        let own = app.key_with(alpha, alpha.comercial.id, everywhere("own")).await;
        let mut others = one_of_each(&app, alpha, &alpha.diretor).await;
        let ids = others.clone();
        let belongs = |name: &str| {
            !matches!(catalogue().record(name).unwrap().owner, OwnerPath::Everybody)
        };
        others.retain(|name, _| belongs(name));
        let mut marks: Vec<String> = others.values().map(Uuid::to_string).collect();
        marks.push(alpha.diretor.email.clone());
        for (name, query) in whole_reads(&shape, &ids) {
            let entry = catalogue().read(&name).unwrap();
            let answer = ask(&app, Some(&own), &query).await;
            assert_eq!(betrays(&answer.to_string(), &query, &marks), None, "{query}\n{answer:#}");
            if entry.kind == ReadKind::One && belongs(entry.record.name) {
                assert_eq!(code(&answer), Some("NOT_FOUND"), "{query}\n{answer:#}");
            }
        }
    }

    async fn a_role_without_the_grant_reads_nothing(app: TestApp) {
        let alpha = &app.alpha;
        let ids = one_of_each(&app, alpha, &alpha.comercial).await;
        let nothing = app.key_with(alpha, alpha.comercial.id, json!({})).await;
        let mut reading = everywhere("all");
        for grants in reading.as_object_mut().unwrap().values_mut() {
            *grants = json!({ "read": "all" });
        }
        let reader = app.key_with(alpha, alpha.comercial.id, reading).await;
        for record in records() {
            if record.is_virtual() {
                let answer = app.graphql(&nothing, &virtual_read(record), json!({})).await;
                assert_eq!(code(&answer), Some("FORBIDDEN"), "{}\n{answer:#}", record.name);
                continue;
            }
            for kind in READS {
                let query = read(record, kind, ids[record.name]);
                let answer = app.graphql(&nothing, &query, json!({})).await;
                assert_eq!(code(&answer), Some("FORBIDDEN"), "{query}");
                assert!(told(kind, &app.graphql(&reader, &query, json!({})).await) > 0, "{query}");
            }
        }
    }

    /// The scope `own`: rows of others are not there to be read.
    async fn own_rows_only_are_read(app: TestApp) {
        let alpha = &app.alpha;
        let mine = one_of_each(&app, alpha, &alpha.comercial).await;
        let others = one_of_each(&app, alpha, &alpha.diretor).await;
        let own = app.key_with(alpha, alpha.comercial.id, everywhere("own")).await;
        for record in records().filter(|record| !record.is_virtual()) {
            let everybody = matches!(record.owner, OwnerPath::Everybody);
            let nobody = matches!(record.owner, OwnerPath::Nobody);
            for kind in READS {
                let query = read(record, kind, others[record.name]);
                let answer = app.graphql(&own, &query, json!({})).await;
                if everybody {
                    assert!(told(kind, &answer) >= 1, "{query}");
                } else if kind == ReadKind::One {
                    assert_eq!(code(&answer), Some("NOT_FOUND"), "{query}");
                    let query = read(record, kind, mine[record.name]);
                    let answer = app.graphql(&own, &query, json!({})).await;
                    let seen = if nobody { 0 } else { told(kind, &answer) };
                    assert_eq!(seen, i64::from(!nobody), "{query}");
                    assert_eq!(code(&answer), nobody.then_some("NOT_FOUND"), "{query}");
                } else {
                    // The row itself, and the lead that its interaction needed.
                    let expected = match record.name {
                        "Lead" => 2,
                        _ => i64::from(!nobody),
                    };
                    assert_eq!(told(kind, &answer), expected, "{query}\n{answer:#}");
                }
            }
        }
    }
}
