//! When a lead was first and last talked with follows from its interactions.

use chrono::TimeDelta;
use pulso::db::Value;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::{TestApp, both_databases};

const ENDS: &str =
    "query($id: ID!) { lead(id: $id, deleted: INCLUDE) { firstContactAt lastContactAt version } }";

impl TestApp {
    /// First and last contact, in whole hours after the test began.
    async fn contacted(&self, lead: Uuid) -> (Option<i64>, Option<i64>) {
        let answer = self.data(&self.alpha.admin.key, ENDS, json!({ "id": lead })).await;
        let hour = |name: &str| {
            let at = answer["lead"][name].as_str()?;
            let at: chrono::DateTime<chrono::Utc> = at.parse().unwrap();
            Some((at - crate::support::now()).num_hours())
        };
        (hour("firstContactAt"), hour("lastContactAt"))
    }

    async fn talk(&self, lead: Uuid, kind: &str) -> Uuid {
        let input = json!({ "type": kind, "channel": "telefone", "leadId": lead });
        self.create(&self.alpha.admin.key, "LeadInteraction", input).await
    }

    fn hour(&self) {
        self.app.clock.advance(TimeDelta::hours(1));
    }
}

both_databases! {
    async fn a_leads_contacts_are_those_of_its_interactions(app: TestApp) {
        let key = &app.alpha.admin.key;
        let lead = app.create(key, "Lead", json!({ "source": "site" })).await;
        assert_eq!(app.contacted(lead).await, (None, None));
        app.hour();
        let note = app.talk(lead, "NOTE").await;
        assert_eq!(app.contacted(lead).await, (None, None), "a note is nobody's talk");
        app.hour();
        let first = app.talk(lead, "CALL").await;
        assert_eq!(app.contacted(lead).await, (Some(2), Some(2)));
        app.hour();
        let second = app.talk(lead, "EMAIL_SENT").await;
        app.hour();
        let third = app.talk(lead, "MEETING").await;
        assert_eq!(app.contacted(lead).await, (Some(2), Some(4)));
        let change = async |field: &str, id: Uuid| {
            app.done(key, field, json!({ "id": id }), "{ id }").await;
            app.contacted(lead).await
        };
        assert_eq!(change("leadInteractionDelete", third).await, (Some(2), Some(3)));
        assert_eq!(change("leadInteractionDelete", first).await, (Some(3), Some(3)));
        assert_eq!(change("leadInteractionRestore", third).await, (Some(3), Some(4)));
        assert_eq!(change("leadInteractionDelete", second).await, (Some(4), Some(4)));
        assert_eq!(change("leadInteractionDelete", third).await, (None, None));
        assert_eq!(change("leadInteractionRestore", first).await, (Some(2), Some(2)));
        // What kind of interaction it was may be put right.
        let kind = async |id: Uuid, kind: &str| {
            let arguments = json!({ "id": id, "input": { "type": kind } });
            app.done(key, "leadInteractionUpdate", arguments, "{ id }").await;
            app.contacted(lead).await
        };
        assert_eq!(kind(note, "CALL").await, (Some(1), Some(2)));
        assert_eq!(kind(note, "MEETING").await, (Some(1), Some(2)));
        assert_eq!(kind(note, "NOTE").await, (Some(2), Some(2)));
        app.done(key, "leadInteractionDestroy", json!({ "id": first }), "").await;
        assert_eq!(app.contacted(lead).await, (None, None));
        // A lead that goes takes its interactions along, and needs no dates any more.
        app.talk(lead, "CALL").await;
        app.done(key, "leadDestroy", json!({ "id": lead }), "").await;
    }

    async fn a_batch_dates_each_of_its_leads(app: TestApp) {
        let key = &app.alpha.admin.key;
        let mut leads = Vec::new();
        for _ in 0..3 {
            leads.push(app.create(key, "Lead", json!({ "source": "site" })).await);
        }
        app.hour();
        let inputs: Vec<Json> = (0..30)
            .map(|n| json!({ "type": "CALL", "channel": "telefone", "leadId": leads[n % 2] }))
            .collect();
        let answer = app.mutate(key, "leadInteractionCreateMany", json!({ "inputs": inputs }),
            "{ record { id } }").await;
        assert!(answer.get("errors").is_none(), "{answer:#}");
        let statements = answer["extensions"]["cost"]["statements"].as_u64().unwrap();
        assert!(statements <= 12, "{statements} statements");
        for (lead, expected) in leads.iter().zip([Some(1), Some(1), None]) {
            assert_eq!(app.contacted(*lead).await, (expected, expected));
        }
        let ids: Vec<&Json> = answer["data"]["leadInteractionCreateMany"].as_array().unwrap().iter()
            .map(|each| &each["record"]["id"]).collect();
        app.done(key, "leadInteractionDeleteMany", json!({ "ids": ids }), "{ error { code } }").await;
        for lead in leads {
            assert_eq!(app.contacted(lead).await, (None, None));
        }
    }

    async fn what_somebody_wrote_on_the_lead_stays(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        let begin = crate::support::now();
        let input = json!({ "source": "site", "firstContactAt": begin - TimeDelta::hours(100),
            "lastContactAt": begin - TimeDelta::hours(50) });
        let lead = app.create(key, "Lead", input).await;
        let talk = app.talk(lead, "CALL").await;
        assert_eq!(app.contacted(lead).await, (Some(-100), Some(0)));
        app.done(key, "leadInteractionDelete", json!({ "id": talk }), "{ id }").await;
        // What stood there before is not known any more.
        assert_eq!(app.contacted(lead).await, (Some(-100), None));
        // Nobody who edits the lead meanwhile is told that it changed, but the world is.
        let seen = app.trail(tenant).await;
        app.talk(lead, "CALL").await;
        let answer = app.data(key, ENDS, json!({ "id": lead })).await;
        assert_eq!(answer["lead"]["version"], 1);
        let trail = app.trail(tenant).await.since(&seen);
        assert_eq!(trail.kinds(), ["lead_interaction.created", "lead.updated"]);
        assert_eq!(trail.actions(), ["lead_interaction.create", "lead.update"]);
        assert_eq!(trail.batches.len(), 1, "one transaction");
        let after = &trail.events[1].payload["after"];
        assert!(after["lastContactAt"].is_string() && after.get("version").is_none(), "{after}");
        // A change of anything else costs the lead nothing.
        let talk = app.talk(lead, "CALL").await;
        let arguments = json!({ "id": talk, "input": { "subject": "x" } });
        let answer = app.mutate(key, "leadInteractionUpdate", arguments, "{ id }").await;
        let statements = answer["extensions"]["cost"]["statements"].as_u64().unwrap();
        assert!(statements <= 8, "{statements} statements");
    }

    /// Who may log a talk need not be allowed to change the lead.
    async fn logging_a_talk_needs_no_right_to_change_leads(app: TestApp) {
        let tenant = &app.alpha;
        let lead = app.create(&tenant.admin.key, "Lead", json!({ "source": "site" })).await;
        let permissions = json!({
            "leads": { "read": "all" },
            "lead_interactions": { "read": "all", "create": "all", "delete": "all" },
        });
        let agent = app.key_with(tenant, tenant.admin.id, permissions).await;
        let input = json!({ "type": "CALL", "channel": "telefone", "leadId": lead });
        let talk = app.create(&agent, "LeadInteraction", input).await;
        assert_eq!(app.contacted(lead).await, (Some(0), Some(0)));
        app.done(&agent, "leadInteractionDelete", json!({ "id": talk }), "{ id }").await;
        assert_eq!(app.contacted(lead).await, (None, None));
        let sql = "SELECT count(*) FROM leads WHERE tenant_id = ? AND last_contact_at IS NOT NULL";
        let others = app.read_sql(&app.beta, sql, Vec::<Value>::new()).await;
        assert_eq!(others[0].int(0).unwrap(), Some(0));
    }
}
