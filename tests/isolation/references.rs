//! What points somewhere: every foreign key and every id that a filter takes. Another tenant's row is as
//! good as none, and is not stored.

use pulso::record::Kind;
use pulso::record::change::mutation::WriteKind;
use pulso::record::declare::{RelationKind, Write as Writable};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::changes::{mutation, selection};
use super::{changeable, code, one_of_each, records, words};
use crate::support::{TestApp, both_databases};

both_databases! {
    async fn nothing_refers_across_tenants(app: TestApp) {
        let (alpha, key) = (&app.alpha, &app.alpha.admin.key);
        let theirs = one_of_each(&app, &app.beta, &app.beta.comercial).await;
        let ours = one_of_each(&app, alpha, &alpha.comercial).await;
        let mut tried = 0;
        for record in changeable() {
            let least = app.least(alpha, record.name).await;
            let seen = app.trail(alpha).await;
            for relation in &record.relations {
                let target = (relation.target)();
                let their = theirs[target.name];
                match relation.kind {
                    RelationKind::One { column, .. } => {
                        let field = record.fields.iter().find(|field| field.column == column).unwrap();
                        if field.write == Writable::Never {
                            continue;
                        }
                        let place = format!("input.{}", field.name);
                        let mut inputs = vec![(field.name.as_str(), Box::new(|id: Uuid| json!(id))
                            as Box<dyn Fn(Uuid) -> Json>)];
                        if target.changes.enabled {
                            inputs.push((relation.name, Box::new(|id| json!({ "connect": id }))));
                        }
                        for (name, value) in inputs {
                            for kind in [WriteKind::Create, WriteKind::Update, WriteKind::CreateMany] {
                                let update = kind == WriteKind::Update;
                                if update && field.write == Writable::OnCreate {
                                    continue;
                                }
                                let with = |id: Uuid| {
                                    let mut input = if update { json!({}) } else { least.clone() };
                                    if name != field.name.as_str() {
                                        input.as_object_mut().unwrap().remove(&field.name);
                                    }
                                    input[name] = value(id);
                                    match kind {
                                        WriteKind::Update => json!({ "id": ours[record.name], "input": input }),
                                        WriteKind::Create => json!({ "input": input }),
                                        _ => json!({ "inputs": [input] }),
                                    }
                                };
                                let mutation = mutation(record, kind);
                                let answer = app.mutate(key, &mutation, with(their), selection(kind)).await;
                                let never = with(app.app.clock.new_id());
                                let never = app.mutate(key, &mutation, never, selection(kind)).await;
                                assert_eq!(words(&answer), words(&never), "{mutation} {name}");
                                let place = match kind {
                                    WriteKind::CreateMany => place.replace("input.", "inputs.0."),
                                    _ => place.clone(),
                                };
                                let told = &answer["errors"][0]["extensions"];
                                assert_eq!((&told["code"], &told["field"]),
                                    (&json!("NOT_FOUND"), &json!(place)), "{mutation} {name}\n{answer:#}");
                                tried += 1;
                            }
                        }
                    }
                    RelationKind::Many { .. } => {
                        let with = |id: Uuid| {
                            let mut input = least.clone();
                            input[relation.name] = json!({ "connect": [id] });
                            json!({ "input": input })
                        };
                        let create = mutation(record, WriteKind::Create);
                        let answer = app.mutate(key, &create, with(their), "{ id }").await;
                        let never = with(app.app.clock.new_id());
                        let never = app.mutate(key, &create, never, "{ id }").await;
                        assert_eq!(words(&answer), words(&never), "{create} {}", relation.name);
                        let code = code(&answer).unwrap();
                        assert!(["NOT_FOUND", "INVALID"].contains(&code), "{create} {answer:#}");
                    }
                }
            }
            assert!(app.trail(alpha).await.since(&seen).is_empty(), "{}", record.name);
        }
        assert!(tried > 60, "{tried}");
    }

    /// Another tenant's id in a filter finds what an id finds that never was.
    async fn no_filter_finds_another_tenants_id(app: TestApp) {
        let key = &app.beta.admin.key;
        one_of_each(&app, &app.beta, &app.beta.comercial).await;
        let theirs = one_of_each(&app, &app.alpha, &app.alpha.comercial).await;
        let never = app.app.clock.new_id();
        let mut tried = 0;
        for record in records().filter(|record| !record.is_virtual()) {
            let ids = record.fields.iter().filter(|field| field.filter && matches!(field.kind, Kind::Id));
            for field in ids {
                for id in theirs.values() {
                    let query = |id: &Uuid| {
                        let (plural, singular, name) = (record.plural, record.singular, &field.name);
                        let filter = format!("filter: {{ {name}: {{ in: [\"{id}\"] }} }}");
                        let other = format!("filter: {{ {name}: {{ ne: \"{id}\" }} }}");
                        format!(
                            "{{ a: {plural}({filter}) {{ totalCount countUpTo(limit: 9) {{ count }} }} \
                             b: {singular}Aggregate({other}) {{ count }} }}"
                        )
                    };
                    let found = app.data(key, &query(id), json!({})).await;
                    assert_eq!(found, app.data(key, &query(&never), json!({})).await, "{}", query(id));
                    assert_eq!(found["a"]["totalCount"], 0, "{}", query(id));
                    tried += 1;
                }
            }
        }
        assert!(tried > 100, "{tried}");
    }
}
