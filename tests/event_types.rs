//! The event types that every tenant has: what metrics take of them is checked at the door, and
//! `docs/events.md` lists them all.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use pulso::analytics::event::schema::starter::{Kind, TYPES};
use pulso::analytics::metric::{Measure, catalogue::METRICS};
use serde_json::{Value as Json, json};

use crate::support::ingesting::event;
use crate::support::{TestApp, both_databases};

const DOCUMENT: &str = include_str!("../docs/events.md");
const AT: &str = "2026-03-10T11:00:00Z";

/// The metrics that are made of a type's events.
fn fed(name: &str) -> Vec<String> {
    let feeds = METRICS.iter().filter(|metric| match &metric.measure {
        Measure::Folded(folded) => folded.sources.iter().any(|source| source.event_type == name),
        Measure::Ratio { .. } => false,
    });
    feeds.map(|metric| metric.name.to_owned()).collect()
}

fn listed() -> String {
    let mut text =
        "| Module | `eventType` | Fields of `payload` | Metrics |\n|---|---|---|---|\n".to_owned();
    for each in TYPES {
        let field = |field: &pulso::analytics::event::schema::starter::Field| {
            let kind = match field.kind {
                Kind::Number => "number",
                Kind::Seconds => "seconds",
                Kind::Text => "text",
                Kind::Name => "text or number",
            };
            format!("`{}` ({kind}): {}", field.name, field.about)
        };
        let fields: Vec<String> = each.fields.iter().map(field).collect();
        let metrics: Vec<String> = fed(each.name).iter().map(|name| format!("`{name}`")).collect();
        let row = [each.module, each.name].map(|name| format!("`{name}`"));
        writeln!(text, "| {} | {} | {} |", row.join(" | "), fields.join("; "), metrics.join(", "))
            .unwrap();
    }
    text
}

#[test]
fn the_document_lists_every_type() {
    assert!(DOCUMENT.contains(&listed()), "docs/events.md lacks this table:\n\n{}", listed());
}

#[test]
fn every_field_that_a_metric_takes_is_declared() {
    let mut seen = BTreeSet::new();
    for metric in METRICS.iter() {
        let Measure::Folded(folded) = &metric.measure else { continue };
        for source in folded.sources.iter() {
            // Our own records write theirs.
            if ["lead.", "deal."].iter().any(|own| source.event_type.starts_with(own)) {
                continue;
            }
            let of = TYPES.iter().find(|each| source.event_type == each.name);
            let Some(of) = of else { panic!("{}", source.event_type) };
            let names: Vec<String> = of.fields.iter().map(|field| field.name.to_owned()).collect();
            for taken in folded.value.iter().chain(source.only.iter().map(|(field, _)| field)) {
                assert!(names.contains(&taken.to_string()), "{}: {taken}", metric.name);
            }
            seen.insert(of.name);
        }
    }
    assert!(seen.len() >= 15, "{seen:?}");
    let names: BTreeSet<&str> = TYPES.iter().map(|each| each.name).collect();
    assert_eq!(names.len(), TYPES.len());
}

both_databases! {
    async fn what_no_metric_can_take_is_kept_apart_at_the_door(app: TestApp) {
        let key = &app.alpha.admin.key;
        let resolved = |id: &str, payload: Json| event(id, "ticket.resolved", AT, json!({ "payload": payload }));
        let canary = "maria@canary.example";
        let events = json!([resolved("1", json!({ "handleSec": 60, "more": [canary] })),
            resolved("2", json!({ "handleSec": "soon" })),
            resolved("3", json!({ "handleSec": canary })),
            event("4", "ticket.petted", AT, json!({ "payload": { "handleSec": "soon" } }))]);
        let answer = app.ingest(key, &events).await;
        assert_eq!((&answer["accepted"], &answer["quarantined"]), (&json!(2), &json!(2)));
        let apart = &answer["results"][1];
        assert_eq!(apart["reason"], "schema");
        assert_eq!(apart["detail"], "payload/handleSec does not fit the schema of ticket.resolved (pattern)");
        let list = "{ quarantinedEvents(filter: { reason: { eq: \"schema\" } }) { nodes { id sourceId body } } }";
        let list = app.data(key, list, json!({})).await;
        let list = list["quarantinedEvents"]["nodes"].as_array().unwrap();
        assert_eq!(list.len(), 2);
        assert!(!format!("{answer} {list:?}").contains(canary));

        // Corrected, it counts.
        let id = list.iter().find(|row| row["sourceId"] == "2").unwrap()["id"].clone();
        let replay = "mutation($ids: [ID!], $body: JSON) { quarantineReplay(ids: $ids, body: $body) { replayed } }";
        let body = resolved("2", json!({ "handleSec": "30.5" }));
        let replayed = app.data(key, replay, json!({ "ids": [id], "body": body })).await;
        assert_eq!(replayed["quarantineReplay"]["replayed"], 1);
        app.fold().await;
        let rows = app.series(key, r#"metrics: ["handle_time.sum"], from: "2026-03-10T03:00:00Z""#).await;
        assert_eq!(rows[0]["value"], 90.5);
    }
}
