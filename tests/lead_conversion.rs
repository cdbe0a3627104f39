//! A lead becomes a company, a contact and a deal, all or nothing.

use pulso::db::Value;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::seed::Tenant;
use crate::support::writing::{code, field};
use crate::support::{TestApp, both_databases};

impl TestApp {
    /// A lead of the manager's that may be converted.
    async fn qualified(&self, tenant: &Tenant, name: &str, fields: &[(&str, Value)]) -> Uuid {
        let mut all =
            vec![("status", Value::from("qualified")), ("assigned_to", tenant.manager.id.into())];
        all.retain(|(name, _)| fields.iter().all(|(given, _)| given != name));
        all.extend(fields.iter().cloned());
        self.lead(tenant, name, &all).await
    }

    async fn counts(&self, tenant: &Tenant) -> [i64; 5] {
        [
            self.count(tenant, "companies").await,
            self.count(tenant, "contacts").await,
            self.count(tenant, "deals").await,
            self.count(tenant, "events").await,
            self.count(tenant, "audit_logs").await,
        ]
    }
}

fn convert(id: Uuid, rest: &str) -> String {
    format!(
        "mutation {{ leadConvert(id: \"{id}\"{rest}) {{ leadId \
         lead {{ status convertedAt companyId contactId }} \
         company {{ id name owner {{ id }} }} contact {{ id fullName company {{ id }} }} \
         deal {{ id title value currency status owner {{ id }} stage {{ slug }} \
         lead {{ id }} company {{ id }} contact {{ id }} }} }} }}"
    )
}

both_databases! {
    async fn a_lead_that_is_only_a_name_becomes_a_company_and_a_deal(app: TestApp) {
        let alpha = app.alpha.clone();
        let lead = app.qualified(&alpha, "Padaria Ipê", &[]).await;
        let before = app.trail(&alpha).await;
        let done = app.data(&alpha.admin.key, &convert(lead, ""), Json::Null).await;
        let done = &done["leadConvert"];
        assert_eq!(done["leadId"], lead.to_string());
        assert_eq!(done["lead"]["status"], "CONVERTED");
        assert_eq!(done["lead"]["convertedAt"], "2026-03-10T12:00:00Z");
        assert_eq!(done["company"]["name"], "Padaria Ipê");
        assert_eq!(done["company"]["owner"]["id"], alpha.manager.id.to_string());
        assert_eq!(done["contact"], Json::Null);
        assert_eq!(done["deal"]["title"], "Padaria Ipê");
        assert_eq!(done["deal"]["value"], "0.00");
        assert_eq!(done["deal"]["currency"], "BRL");
        assert_eq!(done["deal"]["stage"]["slug"], "prospeccao");
        assert_eq!(done["deal"]["owner"]["id"], alpha.manager.id.to_string());
        assert_eq!(done["deal"]["lead"]["id"], lead.to_string());
        assert_eq!(done["deal"]["company"]["id"], done["company"]["id"]);
        assert_eq!(done["lead"]["companyId"], done["company"]["id"]);
        let trail = app.trail(&alpha).await.since(&before);
        let kinds = trail.kinds();
        assert_eq!(kinds, ["company.created", "deal.created", "lead.updated", "lead.converted"]);
        let told = trail.events.iter().find(|event| event.kind == "lead.converted").unwrap();
        assert_eq!(told.resource_id, Some(lead));
        assert_eq!(told.payload["dealId"], done["deal"]["id"]);
        assert_eq!(trail.batches.len(), 1);
        assert_eq!(trail.outbox.len(), 4);

        // Converted is final.
        let again = app.graphql(&alpha.admin.key, &convert(lead, ""), Json::Null).await;
        assert_eq!((code(&again), field(&again)), ("CONFLICT", "status"));
    }

    async fn a_conversion_connects_creates_and_takes_what_the_lead_has(app: TestApp) {
        let alpha = app.alpha.clone();
        let key = &alpha.admin.key;
        let company = app.company(&alpha, "Aroeira Ltda", &[]).await;
        let contact = app.contact(&alpha, "João Sá", &[("company_id", company.into())]).await;

        // The lead's own.
        let own = [("company_id", company.into()), ("contact_id", contact.into())];
        let lead = app.qualified(&alpha, "João Sá", &own).await;
        let done = app.data(key, &convert(lead, ""), Json::Null).await;
        assert_eq!(done["leadConvert"]["company"]["id"], company.to_string());
        assert_eq!(done["leadConvert"]["contact"]["id"], contact.to_string());
        assert_eq!(done["leadConvert"]["deal"]["contact"]["id"], contact.to_string());

        // Both connected, though the lead has others.
        let other = app.company(&alpha, "Jatobá S.A.", &[]).await;
        let lead = app.qualified(&alpha, "Zélia", &own).await;
        let rest = format!(
            ", company: {{ connect: \"{other}\" }}, contact: {{ connect: \"{contact}\" }}, \
             deal: {{ title: \"Implantação\", value: \"1234.56\", currency: \"USD\", \
             expectedCloseDate: \"2026-05-01\", ownerId: \"{}\" }}", alpha.comercial.id
        );
        let done = app.data(key, &convert(lead, &rest), Json::Null).await;
        let done = &done["leadConvert"];
        assert_eq!(done["company"]["id"], other.to_string());
        assert_eq!(done["lead"]["companyId"], other.to_string());
        assert_eq!(done["deal"]["value"], "1234.56");
        assert_eq!(done["deal"]["currency"], "USD");
        assert_eq!(done["deal"]["owner"]["id"], alpha.comercial.id.to_string());

        // Both created; the person belongs to the company.
        let lead = app.qualified(&alpha, "Nova", &[]).await;
        let stage = app.stage(&alpha, "negociacao").await;
        let rest = format!(
            ", company: {{ create: {{ name: \"Nova Ltda\", cnpj: \"11.222.333/0001-81\" }} }}, \
             contact: {{ create: {{ fullName: \"Inês\", email: \"ines@nova.example\" }} }}, \
             deal: {{ stageId: \"{stage}\" }}"
        );
        let done = app.data(key, &convert(lead, &rest), Json::Null).await;
        let done = &done["leadConvert"];
        assert_eq!(done["company"]["name"], "Nova Ltda");
        assert_eq!(done["contact"]["fullName"], "Inês");
        assert_eq!(done["contact"]["company"]["id"], done["company"]["id"]);
        assert_eq!(done["deal"]["title"], "Nova");
        assert_eq!(done["deal"]["stage"]["slug"], "negociacao");
    }

    async fn a_conversion_that_is_wrong_leaves_nothing(app: TestApp) {
        let (alpha, beta) = (app.alpha.clone(), app.beta.clone());
        let key = &alpha.admin.key;
        let lead = app.qualified(&alpha, "Sabiá", &[]).await;
        let company = app.company(&alpha, "Sabiá Ltda", &[]).await;
        let (lost, foreign) =
            (app.stage(&alpha, "perdido").await, app.stage(&beta, "proposta").await);
        let theirs = app.company(&beta, "Deles", &[]).await;
        let before = app.counts(&alpha).await;
        let create = ", company: { create: { name: \"Nova\" } }";
        for (rest, expected) in [
            (format!("{create}, deal: {{ value: \"1.234\" }}"), ("INVALID", "deal.value")),
            (format!("{create}, deal: {{ currency: \"XXQ\" }}"), ("INVALID", "deal.currency")),
            (format!("{create}, deal: {{ stageId: \"{lost}\" }}"), ("INVALID", "deal.lostReason")),
            (format!("{create}, deal: {{ stageId: \"{foreign}\" }}"), ("NOT_FOUND", "")),
            (", company: { create: { name: \"X\", cnpj: \"1\" } }".into(), ("INVALID", "company.cnpj")),
            (format!(", company: {{ connect: \"{theirs}\" }}"), ("NOT_FOUND", "")),
            (
                format!(", company: {{ connect: \"{company}\", create: {{ name: \"X\" }} }}"),
                ("INVALID", "company"),
            ),
            (", company: {}".into(), ("INVALID", "company")),
            (", contact: { create: { fullName: \"I\", email: \"no\" } }".into(), ("INVALID", "contact.email")),
            (", expectedVersion: 7".into(), ("CONFLICT", "expectedVersion")),
        ] {
            let answer = app.graphql(key, &convert(lead, &rest), Json::Null).await;
            assert_eq!(code(&answer), expected.0, "{rest}: {answer:#}");
            if !expected.1.is_empty() {
                assert_eq!(field(&answer), expected.1, "{rest}");
            }
            assert!(answer["data"].is_null(), "{answer:#}");
        }
        assert_eq!(app.counts(&alpha).await, before);
        let status = "query($id: ID!) { lead(id: $id) { status version convertedAt } }";
        let found = app.data(key, status, json!({ "id": lead })).await;
        assert_eq!(found["lead"], json!({ "status": "QUALIFIED", "version": 1, "convertedAt": null }));
        app.data(key, &convert(lead, ", expectedVersion: 1"), Json::Null).await;
    }

    async fn only_qualified_leads_convert(app: TestApp) {
        let alpha = app.alpha.clone();
        for status in ["new", "contacted", "unqualified", "lost", "converted"] {
            let lead = app.lead(&alpha, "Lead", &[("status", status.into())]).await;
            let answer = app.graphql(&alpha.admin.key, &convert(lead, ""), Json::Null).await;
            assert_eq!((code(&answer), field(&answer)), ("CONFLICT", "status"), "{status}");
        }
        let theirs = app.qualified(&app.beta.clone(), "Deles", &[]).await;
        let answer = app.graphql(&alpha.admin.key, &convert(theirs, ""), Json::Null).await;
        assert_eq!(code(&answer), "NOT_FOUND");
    }

    async fn who_may_not_create_companies_cannot_convert_into_one(app: TestApp) {
        let alpha = app.alpha.clone();
        let key = app
            .key_with(&alpha, alpha.manager.id, json!({
                "leads": { "read": "all", "update": "own" },
                "companies": { "read": "all" },
                "contacts": { "read": "all" },
                "pipeline_stages": { "read": "all" },
                "users": { "read": "all" },
                "deals": { "read": "all", "create": "own" },
            }))
            .await;
        let lead = app.qualified(&alpha, "Graúna", &[]).await;
        let before = app.counts(&alpha).await;
        let answer = app.graphql(&key, &convert(lead, ""), Json::Null).await;
        assert_eq!(code(&answer), "FORBIDDEN");
        assert_eq!(app.counts(&alpha).await, before);
        // With a company that is there already it is theirs to convert ...
        let company = app.company(&alpha, "Graúna Ltda", &[]).await;
        let connect = format!(", company: {{ connect: \"{company}\" }}");
        // ... but not into somebody else's deal,
        let given = format!("{connect}, deal: {{ ownerId: \"{}\" }}", alpha.admin.id);
        let answer = app.graphql(&key, &convert(lead, &given), Json::Null).await;
        assert_eq!(code(&answer), "FORBIDDEN");
        app.data(&key, &convert(lead, &connect), Json::Null).await;
        // and not somebody else's lead.
        let others = app.qualified(&alpha, "Outro", &[("assigned_to", alpha.admin.id.into())]).await;
        let answer = app.graphql(&key, &convert(others, &connect), Json::Null).await;
        assert_eq!(code(&answer), "FORBIDDEN");
    }
}
