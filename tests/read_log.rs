//! Who read personal data and analytics, and who may ask: the log of reads and the audit trail as
//! queries.

use std::sync::Arc;
use std::time::Duration;

use pulso::app::App;
use pulso::audit::reads::{ReadLog, write_waiting};
use pulso::audit::sealer::seal_all;
use pulso::clock::Clock;
use pulso::db::{Db, Value};
use pulso::identity::api_key;
use pulso::record::disclosed::{Disclosed, DisclosedKind};
use serde_json::{Value as Json, json};

use crate::support::app::config;
use crate::support::seed::Tenant;
use crate::support::waiting::until;
use crate::support::{TestApp, both_databases, now};

const READS: &str = "{ readLogs(orderBy: [{ field: CREATED_AT, direction: ASC }]) { nodes { kind \
    resource fields rowCount userId apiKeyId ipAddress requestId createdAt user { fullName } } } }";

impl TestApp {
    /// What was logged, oldest first, without the reading of it.
    async fn logged(&self, tenant: &Tenant) -> Vec<Json> {
        write_waiting(&self.app).await;
        let mut data = self.data(&tenant.admin.key, READS, json!({})).await;
        let Json::Array(nodes) = data["readLogs"]["nodes"].take() else { panic!("{data}") };
        nodes
    }
}

fn short(node: &Json) -> (String, String, Json, i64) {
    let text = |name: &str| node[name].as_str().unwrap().to_owned();
    (text("kind"), text("resource"), node["fields"].clone(), node["rowCount"].as_i64().unwrap())
}

both_databases! {
    async fn reads_of_personal_data_are_logged(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        let company = app.create(key, "Company", json!({ "name": "Padaria" })).await;
        for name in ["Ana", "Bia", "Caio"] {
            let input = json!({ "fullName": name, "companyId": company, "email": "a@b.example" });
            app.create(key, "Contact", input).await;
        }
        write_waiting(&app.app).await;
        assert!(app.logged(tenant).await.is_empty());

        // Nothing personal is selected, so nothing is logged; nor where no row is found.
        app.data(key, "{ contacts { nodes { id jobTitle company { name } } } }", json!({})).await;
        app.data(key, "{ contacts(filter: { jobTitle: { eq: \"x\" } }) { nodes { email } } }", json!({}))
            .await;
        assert_eq!(app.app.reads.len(), 0);
        let query = "{ companies { nodes { name contacts { nodes { fullName email } } } } }";
        let answer = app.graphql(key, query, json!({})).await;
        assert!(answer.get("errors").is_none(), "{answer:#}");
        // The nested list takes its two statements and no more.
        assert_eq!(answer["extensions"]["cost"]["statements"], 2, "{answer:#}");
        assert_eq!(app.app.reads.len(), 1);
        let logged = app.logged(tenant).await;
        assert_eq!(logged.len(), 1);
        let read = &logged[0];
        let told = ("PERSONAL".to_owned(), "contacts".to_owned(), json!(["fullName", "email"]), 3);
        assert_eq!(short(read), told);
        assert_eq!(read["userId"], json!(tenant.admin.id));
        assert!(read["apiKeyId"].is_string() && read["requestId"].is_string(), "{read}");
        assert_eq!(read["createdAt"], "2026-03-10T12:00:00Z");
        assert_eq!(read["user"]["fullName"], "admin of alpha");
        // Nobody else's.
        assert!(app.logged(&app.beta).await.is_empty());
    }

    async fn reads_of_one_record_of_relations_and_of_analytics_are_logged(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        let contact = app.create(key, "Contact", json!({ "fullName": "Ana" })).await;
        let lead = json!({ "source": "s", "contactId": contact, "assigneeId": tenant.admin.id });
        app.create(key, "Lead", lead).await;
        app.create(key, "Lead", json!({ "source": "s" })).await;
        write_waiting(&app.app).await;
        for query in [
            format!("{{ contact(id: \"{contact}\") {{ phone }} }}"),
            "{ leads { nodes { contact { whatsapp } assignee { email } } } }".to_owned(),
            "{ leadAggregate { count } }".to_owned(),
            "{ leadGroups(by: [{ field: STATUS }]) { nodes { count } } }".to_owned(),
        ] {
            app.app.clock.advance(chrono::TimeDelta::milliseconds(1));
            app.data(key, &query, json!({})).await;
        }
        let mut told: Vec<_> = app.logged(tenant).await.iter().map(short).collect();
        told[1..3].sort_by_key(|(_, of, ..)| of.clone());
        let told: Vec<_> =
            told.iter().map(|(kind, of, fields, rows)| (kind.as_str(), of.as_str(), fields, *rows)).collect();
        assert_eq!(
            told,
            [
                ("PERSONAL", "contacts", &json!(["phone"]), 1),
                ("PERSONAL", "contacts", &json!(["whatsapp"]), 2),
                ("PERSONAL", "users", &json!(["email"]), 2),
                ("ANALYTICS", "leads", &json!([]), 1),
                ("ANALYTICS", "leads", &json!([]), 1),
            ]
        );
    }

    async fn a_refused_read_is_not_logged(app: TestApp) {
        let key = &app.alpha.comercial.key;
        write_waiting(&app.app).await;
        let code = app.error_code(key, "{ users { nodes { email } } }", json!({})).await;
        assert_eq!(code, "FORBIDDEN");
        assert_eq!(app.app.reads.len(), 0);
    }

    async fn a_full_log_is_loud(app: TestApp) {
        let ctx = app.ctx(&app.alpha.admin).await;
        let log = ReadLog::new(3);
        let read = || Disclosed {
            kind: DisclosedKind::Personal,
            resource: "contacts",
            fields: vec!["email"],
            rows: 1,
        };
        log.note(&ctx, vec![read(), read()]);
        assert!(!app.app.metrics.render().contains("pulso_read_log_dropped_total"));
        log.note(&ctx, vec![read(), read(), read()]);
        assert_eq!(log.len(), 3);
        let page = app.app.metrics.render();
        assert!(page.contains("pulso_read_log_dropped_total 2"), "{page}");
    }

    /// A process of its own, on the same database: what it held is written when it stops.
    async fn what_waits_is_written_on_shutdown(app: TestApp) {
        let url = app.database.url();
        let db = Db::connect(url, 2).await.unwrap();
        let node = App::build(config(url), db, Clock::fixed(now())).unwrap();
        node.start();
        let ctx = pulso::ctx::Ctx { app: Arc::clone(&node), ..app.ctx(&app.alpha.admin).await };
        let read = Disclosed {
            kind: DisclosedKind::Personal,
            resource: "contacts",
            fields: vec!["email"],
            rows: 7,
        };
        node.reads.note(&ctx, vec![read]);
        node.stop(Duration::from_secs(5)).await;
        assert!(node.reads.is_empty());
        let logged = app.logged(&app.alpha).await;
        assert_eq!(logged.iter().map(|node| node["rowCount"].as_i64()).collect::<Vec<_>>(), [Some(7)]);
    }

    /// The background does by itself what the tests above ask for.
    async fn a_running_server_seals_and_logs_within_a_second(app: TestApp) {
        let url = app.database.url();
        let db = Db::connect(url, 4).await.unwrap();
        let node = App::build(config(url), db, Clock::fixed(now())).unwrap();
        app.create(&app.alpha.admin.key, "Lead", json!({ "source": "s" })).await;
        node.start();
        let sql = "SELECT count(*) FROM audit_logs WHERE tenant_id = ? AND chain_seq IS NULL";
        let sealed = || async {
            app.read_sql(&app.alpha, sql, Vec::new()).await[0].int(0).unwrap() == Some(0)
        };
        until("all entries are sealed", Duration::from_secs(10), sealed).await;
        node.stop(Duration::from_secs(5)).await;
    }

    async fn the_trail_is_asked_with_filters_orders_and_pages(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        seal_all(&app.app).await.unwrap();
        let contact = json!({ "fullName": "Ana", "jobTitle": "dona" });
        let contact = app.create(key, "Contact", contact).await;
        app.app.clock.advance(chrono::TimeDelta::minutes(1));
        let input = json!({ "fullName": "Ana Maria", "jobTitle": "diretora" });
        app.done(key, "contactUpdate", json!({ "id": contact, "input": input }), "{ id }").await;
        let query = "query($id: ID!) { auditLogs(filter: { resourceId: { eq: $id } }, first: 10) { \
            totalCount nodes { action resource resourceId userId user { fullName } oldValues newValues \
            ipAddress userAgent requestId createdAt sealed chainSeq } } }";
        let of_contact = json!({ "id": contact });
        let data = app.data(key, query, of_contact.clone()).await;
        let nodes = data["auditLogs"]["nodes"].as_array().unwrap();
        assert_eq!(data["auditLogs"]["totalCount"], 2);
        // The latest first.
        let update = &nodes[0];
        assert_eq!((&update["action"], &update["resource"]), (&json!("contact.update"), &json!("contacts")));
        assert_eq!(update["oldValues"], json!({ "fullName": "Ana", "jobTitle": "dona" }));
        assert_eq!(update["newValues"], json!({ "fullName": "Ana Maria", "jobTitle": "diretora" }));
        assert_eq!(update["user"]["fullName"], "admin of alpha");
        assert_eq!(update["createdAt"], "2026-03-10T12:01:00Z");
        assert_eq!((&update["sealed"], &update["chainSeq"]), (&json!(false), &Json::Null));
        assert_eq!((&nodes[1]["action"], &nodes[1]["oldValues"]), (&json!("contact.create"), &Json::Null));
        seal_all(&app.app).await.unwrap();
        let data = app.data(key, query, of_contact).await;
        assert_eq!(data["auditLogs"]["nodes"][0]["sealed"], true);
        assert!(data["auditLogs"]["nodes"][0]["chainSeq"].is_i64());
        // Pages go on by key.
        let page = "query($after: String) { auditLogs(first: 1, after: $after, \
            filter: { action: { in: [\"contact.create\", \"contact.update\"] } }, \
            orderBy: [{ field: CREATED_AT, direction: ASC }]) { nodes { action } \
            pageInfo { endCursor hasNextPage } } }";
        let first = app.data(key, page, json!({})).await;
        assert_eq!(first["auditLogs"]["nodes"][0]["action"], "contact.create");
        let after = &first["auditLogs"]["pageInfo"]["endCursor"];
        let second = app.data(key, page, json!({ "after": after })).await;
        assert_eq!(second["auditLogs"]["nodes"][0]["action"], "contact.update");
        assert_eq!(second["auditLogs"]["pageInfo"]["hasNextPage"], false);
        // Reading personal values in the trail is a read of personal data like any other.
        let logged = app.logged(tenant).await;
        assert!(
            logged.iter().map(short).any(|(_, resource, fields, rows)| resource == "audit_logs"
                && fields == json!(["oldValues", "newValues"]) && rows == 2),
            "{logged:#?}"
        );
    }

    async fn the_trail_is_for_whoever_may_read_it(app: TestApp) {
        let (tenant, admin) = (&app.alpha, &app.alpha.admin.key);
        let contact = json!({ "fullName": "Ana", "email": "ana@exemplo.com.br" });
        let contact = app.create(admin, "Contact", contact).await;
        app.data(admin, "{ contacts { nodes { email } } }", json!({})).await;
        write_waiting(&app.app).await;
        let queries = [
            "{ r: auditLogs { totalCount nodes { id } } }",
            "{ r: readLogs { totalCount nodes { id } } }",
        ];
        for query in queries {
            for person in [&tenant.comercial, &tenant.agente_ia] {
                assert_eq!(app.error_code(&person.key, query, json!({})).await, "FORBIDDEN", "{query}");
            }
            let nobody = app.graphql("", query, json!({})).await;
            let code = nobody["errors"][0]["extensions"]["code"].as_str().or(nobody["code"].as_str());
            assert_eq!(code, Some("UNAUTHENTICATED"), "{nobody}");
            let data = app.data(&tenant.diretor.key, query, json!({})).await;
            assert!(data["r"]["totalCount"].as_i64().unwrap() > 0, "{data}");
        }
        // Another tenant's entries are not there, by whatever way.
        let ours = "query($id: ID!) { r: auditLogs(filter: { resourceId: { eq: $id } }) { totalCount \
            nodes { id newValues } } }";
        let data = app.data(admin, ours, json!({ "id": contact })).await;
        let id = data["r"]["nodes"][0]["id"].as_str().unwrap();
        let theirs = app.data(&app.beta.admin.key, ours, json!({ "id": contact })).await;
        assert_eq!(theirs["r"]["totalCount"], 0);
        let one = format!("{{ auditLog(id: \"{id}\") {{ id }} }}");
        assert_eq!(app.error_code(&app.beta.admin.key, &one, json!({})).await, "NOT_FOUND");
        assert_eq!(app.data(admin, &one, json!({})).await["auditLog"]["id"], id);
        let reads = app.data(&app.beta.admin.key, queries[1], json!({})).await;
        assert_eq!(reads["r"]["totalCount"], 0);
        // Own scope: what one did oneself.
        let own = json!({ "audit_logs": { "read": "own" }, "contacts": { "read": "all" } });
        let own = app.key_with(tenant, tenant.diretor.id, own).await;
        assert_eq!(app.data(&own, ours, json!({ "id": contact })).await["r"]["totalCount"], 0);
        assert_eq!(app.error_code(&own, &one, json!({})).await, "NOT_FOUND");
    }

    async fn values_are_shown_to_whoever_may_read_the_record(app: TestApp) {
        let (tenant, admin) = (&app.alpha, &app.alpha.admin.key);
        let contact = json!({ "fullName": "Ana", "email": "ana@exemplo.com.br", "jobTitle": "dona" });
        let contact = app.create(admin, "Contact", contact).await;
        let query = "query($id: ID!) { auditLogs(filter: { resourceId: { eq: $id } }) { nodes { \
            action newValues } } }";
        let shown = async |key: &str| {
            let data = app.data(key, query, json!({ "id": contact })).await;
            assert_eq!(data["auditLogs"]["nodes"][0]["action"], "contact.create");
            data["auditLogs"]["nodes"][0]["newValues"].clone()
        };
        assert_eq!(shown(admin).await["email"], "ana@exemplo.com.br");
        let fields = json!({ "email": "hidden", "fullName": "masked" });
        for (permissions, expected) in [
            (json!({ "audit_logs": { "read": "all" } }), None),
            (json!({ "audit_logs": { "read": "all" }, "contacts": { "read": "own" } }), None),
            (
                json!({ "audit_logs": { "read": "all" }, "contacts": { "read": "all", "fields": fields } }),
                Some("dona"),
            ),
        ] {
            let key = app.key_with(tenant, tenant.diretor.id, permissions).await;
            let values = shown(&key).await;
            assert_eq!(values["jobTitle"].as_str(), expected, "{values}");
            assert!(values.get("email").is_none() && values.get("fullName").is_none(), "{values}");
        }
        let scopes = ["audit_logs:read".to_owned()];
        let narrow = api_key::service::create(&app.app, tenant.slug, "admin", "k", &scopes, None).await;
        assert_eq!(shown(&narrow.unwrap()).await, Json::Null);
    }

    async fn nobody_changes_the_trail_through_the_api(app: TestApp) {
        let answer = app
            .data(&app.alpha.admin.key, "{ __schema { mutationType { fields { name } } } }", json!({}))
            .await;
        let names: Vec<&str> = answer["__schema"]["mutationType"]["fields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|field| field["name"].as_str().unwrap())
            .collect();
        assert!(names.contains(&"leadCreate"));
        assert!(!names.iter().any(|name| name.starts_with("auditLog") || name.starts_with("readLog")));
    }

    async fn reads_stay_in_the_month_in_which_they_happened(app: TestApp) {
        let key = &app.alpha.admin.key;
        app.create(key, "Contact", json!({ "fullName": "Ana" })).await;
        app.data(key, "{ contacts { nodes { fullName } } }", json!({})).await;
        app.app.clock.advance(chrono::TimeDelta::days(40));
        app.data(key, "{ contacts { nodes { fullName } } }", json!({})).await;
        write_waiting(&app.app).await;
        let sql = "SELECT id FROM read_logs WHERE tenant_id = ? ORDER BY id";
        let rows = app.read_sql(&app.alpha, sql, Vec::<Value>::new()).await;
        let months: Vec<_> = rows
            .iter()
            .map(|row| row.required_id(0).unwrap().get_timestamp().unwrap().to_unix().0)
            .collect();
        assert!(months.len() >= 2 && months[0] < months[months.len() - 1], "{months:?}");
    }
}
