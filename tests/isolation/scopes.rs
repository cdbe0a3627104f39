//! Row scopes and field rules where something is created, handed over or written; and what every change
//! leaves behind.

use std::collections::BTreeSet;

use pulso::db::Value;
use pulso::record::change::mutation::WriteKind;
use pulso::record::declare::{OwnerPath, RelationKind, Write as Writable};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::changes::{arguments, mutation};
use super::{changeable, everywhere, one_of_each, reading_all};
use crate::support::seed::Person;
use crate::support::writing::lower;
use crate::support::{TestApp, both_databases};

both_databases! {
    /// Creating for somebody else needs a scope that reaches them.
    async fn what_is_created_is_within_reach(app: TestApp) {
        let alpha = &app.alpha;
        let theirs = one_of_each(&app, alpha, &alpha.diretor).await;
        let mine = one_of_each(&app, alpha, &alpha.comercial).await;
        let own = app.key_with(alpha, alpha.comercial.id, reading_all("own")).await;
        let team = app.key_with(alpha, alpha.manager.id, reading_all("team")).await;
        for record in changeable() {
            let owner = match record.owner {
                OwnerPath::Everybody | OwnerPath::Nobody | OwnerPath::Column("id") => continue,
                OwnerPath::Through(_) => "leadId",
                OwnerPath::Column(column) => {
                    record.fields.iter().find(|field| field.column == column).unwrap().name.as_str()
                }
            };
            let of = |lead: Uuid, person: &Person| match owner {
                "leadId" => json!(lead),
                _ => json!(person.id),
            };
            let create = mutation(record, WriteKind::Create);
            let many = mutation(record, WriteKind::CreateMany);
            let fresh = async |owned_by: Json| {
                let mut input = app.least(alpha, record.name).await;
                input[owner] = owned_by;
                input
            };
            let input = fresh(of(theirs["Lead"], &alpha.diretor)).await;
            let seen = app.trail(alpha).await;
            for key in [&own, &team] {
                let refused = app.refusal(key, &create, json!({ "input": input })).await;
                assert_eq!(refused.0, "FORBIDDEN", "{create}");
                let refused = app.refusal(key, &many, json!({ "inputs": [input] })).await;
                assert_eq!(refused.0, "FORBIDDEN", "{many}");
            }
            assert!(app.trail(alpha).await.since(&seen).is_empty(), "{create}");
            // The seller's row: the seller may, and so may the one whose report the seller is.
            for key in [&own, &team] {
                let input = fresh(of(mine["Lead"], &alpha.comercial)).await;
                app.done(key, &create, json!({ "input": input }), "{ id }").await;
            }
        }
        // A change that takes a row out of one's sight is refused; to hand it over within sight is not.
        let lead = mine["Lead"];
        let away = json!({ "id": lead, "input": { "assigneeId": alpha.diretor.id } });
        let blind = app.key_with(alpha, alpha.comercial.id, {
            let mut rights = everywhere("own");
            rights["users"]["read"] = json!("all");
            rights
        }).await;
        let refused = app.refusal(&blind, "leadUpdate", away.clone()).await;
        assert_eq!(refused.0, "FORBIDDEN");
        let still = app.read_sql(alpha, "SELECT assigned_to FROM leads WHERE tenant_id = ? AND id = ?",
            vec![Value::Id(lead)]).await;
        assert_eq!(still[0].id(0).unwrap(), Some(alpha.comercial.id));
        app.done(&own, "leadUpdate", away, "{ id }").await;
    }

    /// The seed roles: a manager changes what the team owns, a seller deletes their own.
    async fn the_team_is_worked_on_together(app: TestApp) {
        let alpha = &app.alpha;
        let of_seller = one_of_each(&app, alpha, &alpha.comercial).await;
        let of_manager = one_of_each(&app, alpha, &alpha.manager).await;
        for record in changeable() {
            if !["companies", "contacts", "leads", "lead_interactions", "deals", "deal_activities"]
                .contains(&record.resource.as_str())
            {
                continue;
            }
            let update = |id: Uuid| arguments(record, WriteKind::Update, id, &json!({}));
            let field = mutation(record, WriteKind::Update);
            let (manager, seller) = (&alpha.manager.key, &alpha.comercial.key);
            app.done(manager, &field, update(of_seller[record.name]), "{ id }").await;
            app.done(seller, &field, update(of_seller[record.name]), "{ id }").await;
            let refused = app.refusal(seller, &field, update(of_manager[record.name])).await;
            assert_eq!(refused.0, "FORBIDDEN", "{field}");
            let delete = mutation(record, WriteKind::Delete);
            let refused = app.refusal(manager, &delete, json!({ "id": of_seller[record.name] })).await;
            assert_eq!(refused.0, "FORBIDDEN", "{delete}");
            app.done(seller, &delete, json!({ "id": of_seller[record.name] }), "{ id }").await;
            let restore = mutation(record, WriteKind::Restore);
            app.done(seller, &restore, json!({ "id": of_seller[record.name] }), "{ id }").await;
        }
    }

    /// What may not be read may not be written: one could find out by writing.
    async fn hidden_fields_cannot_be_written(app: TestApp) {
        let alpha = &app.alpha;
        let ids = one_of_each(&app, alpha, &alpha.admin).await;
        let mut tried = 0;
        for record in changeable() {
            let least = app.least(alpha, record.name).await;
            for rule in ["hidden", "masked"] {
                let writable = record.fields.iter().filter(|field| field.write != Writable::Never);
                let rules: Map<String, Json> =
                    writable.clone().map(|field| (field.name.clone(), json!(rule))).collect();
                let mut rights = everywhere("all");
                rights[record.resource.as_str()]["fields"] = json!(rules);
                let key = app.key_with(alpha, alpha.admin.id, rights).await;
                let seen = app.trail(alpha).await;
                for field in writable {
                    let (kind, arguments) = if field.write == Writable::Always {
                        let input = json!({ field.name.as_str(): null });
                        (WriteKind::Update, json!({ "id": ids[record.name], "input": input }))
                    } else {
                        (WriteKind::Create, json!({ "input": least }))
                    };
                    let mutation = mutation(record, kind);
                    let refused = app.refusal(&key, &mutation, arguments).await;
                    assert_eq!(refused.0, "FORBIDDEN", "{mutation} {}", field.name);
                    let place = format!("input.{}", field.name);
                    let fits = kind == WriteKind::Create || refused.1 == Some(place);
                    assert!(fits, "{mutation} {} {:?}", field.name, refused.1);
                    tried += 1;
                }
                for relation in &record.relations {
                    let RelationKind::One { column, .. } = relation.kind else { continue };
                    let field = record.fields.iter().find(|field| field.column == column).unwrap();
                    if field.write != Writable::Always {
                        continue;
                    }
                    let input = json!({ relation.name: { "connect": alpha.admin.id } });
                    let arguments = json!({ "id": ids[record.name], "input": input });
                    let update = mutation(record, WriteKind::Update);
                    let refused = app.refusal(&key, &update, arguments).await;
                    assert_eq!(refused.0, "FORBIDDEN", "{update} {}", relation.name);
                }
                assert!(app.trail(alpha).await.since(&seen).is_empty(), "{}", record.name);
            }
        }
        assert!(tried > 100, "{tried}");
    }

    /// What every change leaves is the tenant's own, and nobody else's.
    async fn the_trail_stays_in_the_tenant(app: TestApp) {
        let before = app.trail(&app.beta).await;
        let ids = one_of_each(&app, &app.alpha, &app.alpha.admin).await;
        for record in changeable() {
            for kind in [WriteKind::Update, WriteKind::Delete, WriteKind::Restore] {
                let arguments = arguments(record, kind, ids[record.name], &json!({}));
                // Not the ground under one's own feet.
                if record.name == "User" && kind != WriteKind::Update {
                    continue;
                }
                let field = mutation(record, kind);
                app.done(&app.alpha.admin.key, &field, arguments, "{ id }").await;
            }
        }
        assert!(app.trail(&app.beta).await.since(&before).is_empty());
        let ours = app.trail(&app.alpha).await;
        for table in ["audit_logs", "events", "event_batches", "outbox", "epochs"] {
            let sql = format!("SELECT count(*) FROM {table} WHERE tenant_id NOT IN (?, ?)");
            let values = vec![Value::Id(app.beta.id)];
            let strays = app.read_sql(&app.alpha, &sql, values).await;
            assert_eq!(strays[0].int(0).unwrap(), Some(0), "{table}");
        }
        assert!(ours.audits.len() >= 3 * (ids.len() - 1));
        let people: BTreeSet<Option<Uuid>> = ours.audits.iter().map(|audit| audit.user_id).collect();
        assert!(people.contains(&Some(app.alpha.admin.id)));
        assert!(ours.epochs.len() >= ids.len());
        // One name for a record everywhere.
        for record in changeable() {
            assert_eq!(lower(record.name), record.singular);
        }
    }
}
