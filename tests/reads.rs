//! Reads through the API: how many statements they take, how selections merge, what a caller may not
//! see, and that one operation sees one state of the database.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pulso::access::Resource;
use pulso::db::{NullOf, Statement, Value};
use pulso::record::declare::{Computed, OwnerPath, Source, declare, field};
use pulso::record::{Kind, Record};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::seed::Tenant;
use crate::support::{Backend, TestApp, both_databases};

/// Leads of a tenant with everything around them.
async fn leads_with_deals(app: &TestApp, tenant: &Tenant, count: usize) -> Vec<Uuid> {
    let company = app.company(tenant, "Padaria", &[]).await;
    let contact = app.contact(tenant, "Ana", &[("company_id", company.into())]).await;
    let mut leads = Vec::new();
    for number in 0..count {
        let fields = [("company_id", company.into()), ("contact_id", contact.into())];
        let lead = app.lead(tenant, &format!("Lead {number}"), &fields).await;
        for deal in 0..number % 3 {
            app.deal(tenant, &format!("Deal {number}.{deal}"), &[("lead_id", lead.into())]).await;
        }
        leads.push(lead);
    }
    leads
}

async fn statements(app: &TestApp, query: &str) -> u64 {
    let answer = app.graphql(&app.alpha.admin.key, query, json!({})).await;
    assert!(answer.get("errors").is_none(), "{query}\n{answer:#}");
    answer["extensions"]["cost"]["statements"].as_u64().unwrap()
}

const COUNTED: [&str; 24] = [
    "{ leads { nodes { id name company { name } contact { fullName } deals { nodes { title stage { name } } } } } }",
    "{ leads { nodes { id } } }",
    "{ leads { totalCount } }",
    "{ leads { countUpTo(limit: 10) { count } } }",
    "{ leads { totalCount countUpTo(limit: 10) { count isExact } more: countUpTo(limit: 5) { count } nodes { id } } }",
    "{ leads { pageInfo { hasNextPage } } }",
    "{ leads { __typename } }",
    "{ leads { nodes { company { parent { owner { manager { fullName } } } } } } }",
    "{ leads { nodes { deals { totalCount } } } }",
    "{ leads { nodes { deals { totalCount nodes { id } } } } }",
    "{ leads { nodes { deals { countUpTo(limit: 1) { count } } } } }",
    "{ leads { nodes { a: deals(first: 1) { nodes { id } } b: deals(filter: { status: { eq: WON } }) { nodes { id } } } } }",
    "{ leads { nodes { deals { nodes { id } } } } l: leads { nodes { deals { nodes { id } } } } }",
    "{ leads(first: 9) { nodes { company { deals { nodes { activities { nodes { id } } } } } } } }",
    "{ companies(first: 5) { nodes { leads { nodes { deals { nodes { company { contacts(first: 1) { nodes { id } } } } } } } } } }",
    "{ leads(search: \"lead\") { nodes { id } totalCount } }",
    "{ leads(search: \"l\") { nodes { id } } }",
    "{ leadAggregate { count sum { score } avg { score } } }",
    "{ leadAggregate(search: \"lead\") { count } }",
    "{ leadGroups(by: [{ field: SOURCE }]) { totalCount nodes { count } pageInfo { endCursor } } }",
    "{ leadGroups(by: [{ field: SOURCE }]) { totalCount } }",
    "{ leads(orderBy: [{ company: { field: NAME } }]) { nodes { id company { name } viewerCan { update } } } }",
    "{ leads(first: 2, filter: { deals: { some: { stage: { name: { contains: \"pros\" } } } } }) { nodes { id } } }",
    "{ me { __typename } }",
];

both_databases! {
    async fn statements_follow_from_the_query_and_never_from_the_rows(app: TestApp) {
        leads_with_deals(&app, &app.alpha, 7).await;
        let mut counts = Vec::new();
        for query in COUNTED {
            counts.push((statements(&app, query).await, query));
        }
        assert_eq!(counts[0].0, 2);
        let table: String =
            counts.iter().map(|(count, query)| format!("{count}  {query}\n")).collect();
        insta::assert_snapshot!("statements", table);
        leads_with_deals(&app, &app.alpha, 20).await;
        for (count, query) in counts {
            assert_eq!(statements(&app, query).await, count, "{query}");
        }
    }

    async fn counts_are_exact_and_bounded(app: TestApp) {
        let leads = leads_with_deals(&app, &app.alpha, 6).await;
        leads_with_deals(&app, &app.beta, 3).await;
        let query = "{ leads(first: 2) { totalCount few: countUpTo(limit: 3) { __typename count isExact } enough: \
                     countUpTo(limit: 6) { count isExact } nodes { deals(first: 1) { totalCount countUpTo(limit: 1) \
                     { count isExact } nodes { id } } } } }";
        let data = app.data(&app.alpha.admin.key, query, json!({})).await;
        assert_eq!(data["leads"]["totalCount"], 6);
        assert_eq!(data["leads"]["few"], json!({ "__typename": "CountUpTo", "count": 3, "isExact": false }));
        assert_eq!(data["leads"]["enough"], json!({ "count": 6, "isExact": true }));
        let deals = &data["leads"]["nodes"][0]["deals"];
        assert_eq!(deals["totalCount"], 2);
        assert_eq!(deals["countUpTo"], json!({ "count": 1, "isExact": false }));
        assert_eq!(deals["nodes"].as_array().unwrap().len(), 1);
        // The lead without deals has a list all the same.
        let none = format!("{{ lead(id: \"{}\") {{ deals {{ totalCount nodes {{ id }} pageInfo {{ hasNextPage endCursor }} }} }} }}", leads[3]);
        let data = app.data(&app.alpha.admin.key, &none, json!({})).await;
        let empty = json!({ "totalCount": 0, "nodes": [], "pageInfo": { "hasNextPage": false, "endCursor": null } });
        assert_eq!(data["lead"]["deals"], empty);
        for limit in ["0", "-1", "100001"] {
            let query = format!("{{ leads {{ countUpTo(limit: {limit}) {{ count }} }} }}");
            assert_eq!(app.error_code(&app.alpha.admin.key, &query, json!({})).await, "INVALID");
        }
    }

    async fn fragments_that_select_the_same_field_merge(app: TestApp) {
        leads_with_deals(&app, &app.alpha, 3).await;
        let query = "query Page($with: Boolean = true, $without: Boolean!, $size: Int = 2) { ...Names \
                     ... on Query { leads(first: $size) { totalCount nodes { company { id } deals { nodes { title } } } } } \
                     ...Counts  aggregate: leadAggregate { count } ...More } \
                     fragment Names on Query { leads(first: $size) { nodes { name company { name } } } } \
                     fragment Counts on Query { leads(first: $size) { pageInfo { hasNextPage } nodes { ...Deals } } } \
                     fragment Deals on Lead { __typename deals { totalCount nodes { id stage { name } } } \
                       company @include(if: $with) { __typename state: addressState } \
                       contact @skip(if: $without) { fullName } source @include(if: $without) } \
                     fragment More on Query { aggregate: leadAggregate { sum { score } } }";
        let key = &app.alpha.admin.key;
        let data = app.data(key, query, json!({ "without": true })).await;
        let lead = &data["leads"]["nodes"][0];
        // Sorted, as the client's JSON has them.
        let names = |json: &Json| json.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(names(&data), "aggregate leads");
        assert_eq!(names(&data["leads"]), "nodes pageInfo totalCount");
        assert_eq!(names(lead), "__typename company deals name source");
        assert_eq!(names(&lead["company"]), "__typename id name state");
        assert_eq!(names(&lead["deals"]), "nodes totalCount");
        assert_eq!(names(&lead["deals"]["nodes"][0]), "id stage title");
        assert_eq!(names(&data["aggregate"]), "count sum");
        assert_eq!(data["leads"]["nodes"].as_array().unwrap().len(), 2);
        let data = app.data(key, query, json!({ "without": false, "with": false, "size": 3 })).await;
        let lead = &data["leads"]["nodes"][0];
        assert_eq!(names(lead), "__typename company contact deals name");
        assert_eq!(names(&lead["company"]), "id name");
        assert_eq!(data["leads"]["nodes"].as_array().unwrap().len(), 3);
        // A variable that must be there and is not; a document that skips everything.
        let missing = app.graphql(key, query, json!({})).await;
        assert!(missing["errors"].is_array() && missing["data"].is_null(), "{missing}");
        let nothing = "{ leads @skip(if: true) { totalCount } __typename }";
        assert_eq!(app.data(key, nothing, json!({})).await, json!({ "__typename": "Query" }));
        let optional = "query($filter: LeadFilter, $first: Int) { leads(filter: $filter, first: $first) { totalCount } }";
        assert_eq!(app.data(key, optional, json!({})).await["leads"]["totalCount"], 3);
    }

    async fn every_object_says_its_type(app: TestApp) {
        leads_with_deals(&app, &app.alpha, 2).await;
        let query = "{ __typename leads { __typename pageInfo { __typename } edges { __typename node { __typename company { \
                     __typename } deals { __typename nodes { __typename } } viewerCan { __typename } } } } \
                     leadAggregate { __typename sum { __typename } max { __typename } } leadGroups(by: [{ field: SOURCE }]) \
                     { __typename pageInfo { __typename } nodes { __typename key { __typename } avg { __typename } } } }";
        let data = app.data(&app.alpha.admin.key, query, json!({})).await;
        insta::assert_snapshot!("typenames", serde_json::to_string_pretty(&data).unwrap());
    }

    async fn one_response_key_means_one_field(app: TestApp) {
        leads_with_deals(&app, &app.alpha, 2).await;
        for query in [
            "{ leads(first: 1) { totalCount } leads(first: 2) { totalCount } }",
            "{ a: leads { totalCount } a: deals { totalCount } }",
            "{ leads { nodes { name: id } nodes { name } } }",
            "{ leads { nodes { deals(first: 1) { totalCount } ... on Lead { deals { totalCount } } } } }",
            "{ ...A ...B } fragment A on Query { leads { nodes { x: name } } } fragment B on Query { leads { nodes { x: id } } }",
            "{ ...A leads { nodes { company { n: id } } } } fragment A on Query { leads { nodes { company { n: name } } } }",
        ] {
            let answer = app.graphql(&app.alpha.admin.key, query, json!({})).await;
            assert!(answer["data"].is_null() && answer["errors"].is_array(), "{query} {answer}");
        }
        // The same arguments in another order are the same.
        let query = "{ leads(first: 1, deleted: EXCLUDE) { totalCount } leads(deleted: EXCLUDE, first: 1) { nodes { id } } }";
        app.data(&app.alpha.admin.key, query, json!({})).await;
    }

    async fn an_operation_answers_wholly_or_not_at_all(app: TestApp) {
        leads_with_deals(&app, &app.alpha, 2).await;
        let comercial = &app.alpha.comercial.key;
        let hidden = "{ me { __typename } fine: leads { totalCount } page: leads { nodes { deals { edges { node { boss: owner { email } } } } } } }";
        let answer = app.graphql(comercial, hidden, json!({})).await;
        assert!(answer["data"].is_null(), "{answer}");
        assert_eq!(answer["errors"].as_array().unwrap().len(), 1, "{answer}");
        assert_eq!(answer["errors"][0]["path"], json!(["page", "nodes", "deals", "edges", "node", "boss", "email"]));
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
        assert_eq!(answer["errors"][0]["extensions"]["field"], "email");
        let bad = "{ fine: leads { totalCount } leads { nodes { deals { nodes { activities(first: 5000) { totalCount } } } } } }";
        let answer = app.graphql(comercial, bad, json!({})).await;
        assert!(answer["data"].is_null(), "{answer}");
        assert_eq!(answer["errors"][0]["path"], json!(["leads", "nodes", "deals", "nodes", "activities"]));
        assert_eq!(answer["errors"][0]["extensions"]["code"], "INVALID");
        let missing = format!("{{ leads {{ totalCount }} gone: lead(id: \"{}\") {{ id }} }}", Uuid::from_u128(7));
        let answer = app.graphql(comercial, &missing, json!({})).await;
        assert!(answer["data"].is_null(), "{answer}");
        assert_eq!(answer["errors"][0]["path"], json!(["gone"]));
        assert_eq!(answer["errors"][0]["extensions"]["code"], "NOT_FOUND");
        let many = "{ leads(first: 1000) { nodes { deals(first: 1000) { nodes { id } } } } }";
        assert_eq!(app.error_code(comercial, many, json!({})).await, "LIMIT_EXCEEDED");
    }

    async fn fields_that_a_role_may_not_read_do_not_leak(app: TestApp) {
        app.set_role(&app.alpha, "comercial", json!({
            "leads": { "read": "all", "fields": { "score": "hidden", "name": "masked", "firstContactAt": "masked", "companyId": "hidden" } },
            "contacts": { "read": "all", "fields": { "email": "masked", "fullName": "hidden" } },
            "deals": { "read": "all", "fields": { "value": "hidden" } },
        })).await;
        let contact = app.contact(&app.alpha, "Ana", &[("email", "ana@exemplo.com".into())]).await;
        let fields = [("contact_id", contact.into())];
        app.lead(&app.alpha, "João", &fields).await;
        let key = &app.alpha.comercial.key;
        let data = app.data(key, "{ leads { nodes { name source contact { email } } } }", json!({})).await;
        assert_eq!(
            data["leads"]["nodes"],
            json!([{ "name": "J***", "source": "site", "contact": { "email": "a***@exemplo.com" } }])
        );
        for query in [
            "{ leads { nodes { score } } }",
            "{ leads { nodes { firstContactAt } } }",
            "{ leads { nodes { contact { fullName } } } }",
            "{ leads { nodes { company { id } } } }",
            "{ leads(filter: { score: { gt: 1 } }) { totalCount } }",
            "{ leads(filter: { not: { or: [{ name: { isNull: true } }] } }) { totalCount } }",
            "{ leads(filter: { contact: { fullName: { eq: \"Ana\" } } }) { totalCount } }",
            "{ leads(filter: { contact: { email: { eq: \"a\" } } }) { totalCount } }",
            "{ leads(filter: { company: { name: { eq: \"a\" } } }) { totalCount } }",
            "{ contacts(filter: { leads: { some: { score: { gt: 1 } } } }) { totalCount } }",
            "{ leads(orderBy: [{ field: SCORE }]) { totalCount } }",
            "{ leads(orderBy: [{ field: NAME }]) { totalCount } }",
            "{ leads(orderBy: [{ contact: { field: FULL_NAME } }]) { totalCount } }",
            "{ leads(orderBy: [{ company: { field: NAME } }]) { totalCount } }",
            "{ leadAggregate { sum { score } } }",
            "{ leadAggregate { min { firstContactAt } } }",
            "{ leadAggregate(filter: { score: { eq: 1 } }) { count } }",
            "{ leadGroups(by: [{ field: SCORE }]) { totalCount } }",
            "{ leadGroups(by: [{ field: SOURCE }], having: { avg: { score: { gt: 1 } } }) { totalCount } }",
            "{ leadGroups(by: [{ field: SOURCE }], orderBy: [{ by: MAX, field: SCORE }]) { totalCount } }",
            "{ dealAggregate { avg { valueAsFloat } } }",
            // No right to the record at all.
            "{ companies { totalCount } }",
            "{ leads { nodes { interactions { totalCount } } } }",
            "{ leads { nodes { assignee { id } } } }",
            "{ leads(filter: { assignee: { isActive: { eq: true } } }) { totalCount } }",
            "{ leads(orderBy: [{ assignee: { field: FULL_NAME } }]) { totalCount } }",
            "{ pipelineStageAggregate { count } }",
        ] {
            assert_eq!(app.error_code(key, query, json!({})).await, "FORBIDDEN", "{query}");
        }
        app.data(key, "{ leadAggregate { count } leadGroups(by: [{ field: SOURCE }]) { nodes { count } } }", json!({})).await;
    }

    async fn another_tenant_is_not_there(app: TestApp) {
        let mine = leads_with_deals(&app, &app.alpha, 3).await;
        let theirs = leads_with_deals(&app, &app.beta, 4).await;
        let key = &app.alpha.admin.key;
        let one = "query($id: ID!) { lead(id: $id) { id } }";
        app.data(key, one, json!({ "id": mine[0] })).await;
        for deleted in ["EXCLUDE", "INCLUDE", "ONLY"] {
            let query = format!("query($id: ID!) {{ lead(id: $id, deleted: {deleted}) {{ id }} }}");
            assert_eq!(app.error_code(key, &query, json!({ "id": theirs[0] })).await, "NOT_FOUND");
        }
        let query = "query($id: ID!) { leads(deleted: INCLUDE, search: \"lead\") { totalCount nodes { id } } \
                     leadAggregate(deleted: INCLUDE) { count } leadGroups(by: [{ field: SOURCE }]) { nodes { count } } \
                     by: leads(filter: { id: { eq: $id } }) { totalCount } users { nodes { email } } \
                     related: companies(filter: { leads: { some: { id: { eq: $id } } } }) { totalCount } }";
        let data = app.data(key, query, json!({ "id": theirs[0] })).await;
        assert_eq!(data["leads"]["totalCount"], 3);
        assert!(!data.to_string().contains(&theirs[0].to_string()));
        assert_eq!(data["leadAggregate"]["count"], 3);
        assert_eq!(data["leadGroups"]["nodes"], json!([{ "count": 3 }]));
        assert_eq!(data["by"]["totalCount"], 0);
        assert_eq!(data["related"]["totalCount"], 0);
        assert!(!data.to_string().contains("@beta"));
    }

    async fn row_scopes_hold_everywhere(app: TestApp) {
        let everything = json!({
            "leads": { "read": "own", "update": "own", "delete": "own" },
            "deals": { "read": "own", "update": "own" },
            "deal_activities": { "read": "own" },
            "companies": { "read": "own" },
            "pipeline_stages": { "read": "all", "update": "own" },
        });
        app.set_role(&app.alpha, "comercial", everything.clone()).await;
        let (seller, boss) = (&app.alpha.comercial, &app.alpha.manager);
        let other = app.alpha.admin.id;
        let own = app.company(&app.alpha, "Minha", &[("owner_id", seller.id.into())]).await;
        let foreign = app.company(&app.alpha, "Alheia", &[("owner_id", other.into())]).await;
        let lead = app.lead(&app.alpha, "Meu", &[("assigned_to", seller.id.into()), ("company_id", foreign.into()), ("score", 3_i64.into())]).await;
        let not_mine = app.lead(&app.alpha, "Deles", &[("assigned_to", other.into()), ("company_id", own.into()), ("score", 90_i64.into())]).await;
        app.lead(&app.alpha, "Meu, sem dono", &[("company_id", own.into())]).await;
        for (title, owner) in [("mine", seller.id), ("foreign", other)] {
            let deal = app.deal(&app.alpha, title, &[("lead_id", lead.into()), ("company_id", own.into()), ("owned_by", owner.into()), ("value", 100_i64.into())]).await;
            let fields = [("deal_id", Value::Id(deal)), ("owner_id", owner.into()), ("kind", "call".into()), ("subject", title.into()), ("subject_folded", title.into())];
            app.insert(&app.alpha, "deal_activities", &fields).await;
        }
        let query = "query($foreign: ID!) { leads(search: \"meu\") { totalCount countUpTo(limit: 9) { count } } \
            all: leads { totalCount nodes { name company { name } deals { totalCount nodes { title } countUpTo(limit: 5) { count } } viewerCan { update delete destroy } } } \
            alike: leads(search: \"deles\") { totalCount } \
            companies { nodes { name deals { totalCount nodes { title } } leads { totalCount } } } \
            leadAggregate { count max { score } } leadGroups(by: [{ field: STATUS }]) { totalCount nodes { count sum { score } } } \
            dealAggregate { count sum { value } } dealActivities { nodes { subject deal { title } } } \
            joined: deals(filter: { company: { id: { eq: $foreign } } }) { totalCount } \
            byName: leads(filter: { company: { name: { eq: \"Alheia\" } } }) { totalCount } \
            some: leads(filter: { deals: { some: { title: { eq: \"foreign\" } } } }) { totalCount } \
            none: leads(filter: { deals: { none: { title: { eq: \"foreign\" } } } }) { totalCount } \
            every: leads(filter: { deals: { every: { title: { eq: \"mine\" } } } }) { totalCount } \
            sorted: leads(orderBy: [{ company: { field: NAME }}], first: 5) { nodes { name } } \
            stages: pipelineStages(first: 1) { nodes { viewerCan { update delete } } } }";
        let data = app.data(&seller.key, query, json!({ "foreign": foreign })).await;
        insta::assert_snapshot!("own_rows", serde_json::to_string_pretty(&data).unwrap());
        let one = "query($id: ID!) { lead(id: $id) { name } }";
        assert_eq!(app.error_code(&seller.key, one, json!({ "id": not_mine })).await, "NOT_FOUND");
        assert_eq!(app.data(&seller.key, one, json!({ "id": lead })).await["lead"]["name"], "Meu");
        // The manager owns nothing, the team's rows are seen by scope.
        assert_eq!(app.data(&boss.key, "{ leads { totalCount } }", json!({})).await["leads"]["totalCount"], 0);
        let mut team = everything;
        team["leads"]["read"] = json!("team");
        app.set_role(&app.alpha, "comercial", team).await;
        let data = app.data(&boss.key, "{ leads { totalCount nodes { name viewerCan { update } } } leadAggregate { count } }", json!({})).await;
        assert_eq!(data["leads"], json!({ "totalCount": 1, "nodes": [{ "name": "Meu", "viewerCan": { "update": false } }] }));
        assert_eq!(data["leadAggregate"]["count"], 1);
        assert_eq!(app.data(&boss.key, one, json!({ "id": lead })).await["lead"]["name"], "Meu");
    }

    async fn deleted_rows_are_shown_when_asked_for(app: TestApp) {
        let lead = leads_with_deals(&app, &app.alpha, 3).await[2];
        app.run_sql(&app.alpha, "UPDATE leads SET deleted_at = created_at WHERE id = ?", vec![lead.into()]).await;
        app.run_sql(&app.alpha, "UPDATE deals SET deleted_at = created_at WHERE title = ?", vec!["Deal 2.0".into()]).await;
        app.run_sql(&app.alpha, "UPDATE companies SET deleted_at = created_at WHERE tenant_id = ?", vec![app.alpha.id.into()]).await;
        let key = &app.alpha.admin.key;
        let query = "{ living: leads { totalCount nodes { company { id } } } all: leads(deleted: INCLUDE) { totalCount } \
                     gone: leads(deleted: ONLY, orderBy: [{ field: NAME }]) { totalCount nodes { name deals { totalCount } \
                     only: deals(deleted: ONLY) { totalCount nodes { title } } any: deals(deleted: INCLUDE) { totalCount } } } \
                     leadAggregate(deleted: ONLY) { count } leadGroups(by: [{ field: STATUS }], deleted: INCLUDE) { nodes { count } } }";
        let data = app.data(key, query, json!({})).await;
        assert_eq!(data["living"], json!({ "totalCount": 2, "nodes": [{ "company": null }, { "company": null }] }));
        assert_eq!(data["all"]["totalCount"], 3);
        assert_eq!(
            data["gone"],
            json!({ "totalCount": 1, "nodes": [{ "name": "Lead 2", "deals": { "totalCount": 1 },
                    "only": { "totalCount": 1, "nodes": [{ "title": "Deal 2.0" }] }, "any": { "totalCount": 2 } }] })
        );
        assert_eq!(data["leadAggregate"]["count"], 1);
        assert_eq!(data["leadGroups"]["nodes"], json!([{ "count": 3 }]));
        let one = |deleted: &str| format!("{{ lead(id: \"{lead}\"{deleted}) {{ name }} }}");
        assert_eq!(app.error_code(key, &one(""), json!({})).await, "NOT_FOUND");
        assert_eq!(app.data(key, &one(", deleted: INCLUDE"), json!({})).await["lead"]["name"], "Lead 2");
        assert_eq!(app.data(key, &one(", deleted: ONLY"), json!({})).await["lead"]["name"], "Lead 2");
    }

    async fn one_operation_sees_one_state(app: TestApp) {
        leads_with_deals(&app, &app.alpha, 6).await;
        let ended = AtomicBool::new(false);
        let reads = async {
            let query = "{ leads(first: 1000) { totalCount nodes { id deals(first: 100) { totalCount nodes { id } } } } \
                         again: leads(first: 1000) { nodes { id } } leadAggregate { count } leadGroups(by: [{ field: SOURCE \
                         }]) { nodes { count } } dealAggregate { count } }";
            let mut seen = std::collections::BTreeSet::new();
            // Until the writer was seen at work.
            for round in 0..3000 {
                if round >= 40 && seen.len() > 3 {
                    break;
                }
                let data = app.data(&app.alpha.admin.key, query, json!({})).await;
                let count = |list: &Json| json!(list["nodes"].as_array().unwrap().len());
                let leads = &data["leads"];
                assert_eq!(leads["totalCount"], count(leads));
                assert_eq!(leads["nodes"].as_array().unwrap().len(), data["again"]["nodes"].as_array().unwrap().len());
                assert_eq!(data["leadAggregate"]["count"], leads["totalCount"]);
                assert_eq!(data["leadGroups"]["nodes"][0]["count"], leads["totalCount"]);
                let mut deals = 0;
                for lead in leads["nodes"].as_array().unwrap() {
                    assert_eq!(lead["deals"]["totalCount"], count(&lead["deals"]));
                    deals += lead["deals"]["totalCount"].as_u64().unwrap();
                }
                assert_eq!(data["dealAggregate"]["count"], json!(deals));
                seen.insert(deals);
            }
            ended.store(true, Ordering::Relaxed);
            seen.len()
        };
        let writes = async {
            while !ended.load(Ordering::Relaxed) {
                let lead = app.lead(&app.alpha, "Novo", &[]).await;
                app.deal(&app.alpha, "Novo", &[("lead_id", lead.into())]).await;
            }
        };
        let (states, ()) = tokio::join!(reads, writes);
        assert!(states > 3, "the writer wrote {states} times only");
    }

    async fn json_of_users_is_only_json(app: TestApp) {
        let token = json!({ "$serde_json::private::RawValue": "\"raw\"", "a": [1.5, "\"\\"] });
        app.lead(&app.alpha, "\"}],\"x\":[{\\", &[("metadata", Value::Json(token))]).await;
        // The client's own JSON reader would take the token for one; the bytes tell.
        let body = json!({ "query": "{ leads { nodes { name metadata } } }" }).to_string();
        let request = axum::http::Request::post("/graphql")
            .header("authorization", format!("Bearer {}", app.alpha.admin.key))
            .header("content-type", "application/json")
            .body(body.into());
        let text = app.request(request.unwrap()).await.text();
        assert!(text.contains(r#""name":"\"}],\"x\":[{\\","metadata":{"#), "{text}");
        let compact: String = text.split_whitespace().collect();
        assert!(compact.contains(r#""$serde_json::private::RawValue":"\"raw\"""#), "{text}");
        assert!(compact.contains(r#"[1.5,"\"\\"]"#), "{text}");
        // As input it is refused, or read as what it stands for before anybody sees it.
        let raw = json!({ "x": [{ "$serde_json::private::RawValue": "1" }] });
        let input = async_graphql::Value::from_json(raw).unwrap();
        if let Ok(read) = pulso::record::input::read_json(&input) {
            assert_eq!(read, json!({ "x": [1] }));
        }
    }

    async fn cyclic_relations_are_walked_as_far_as_asked(app: TestApp) {
        let top = app.company(&app.alpha, "Matriz", &[]).await;
        let middle = app.company(&app.alpha, "Filial", &[("parent_id", top.into())]).await;
        app.company(&app.alpha, "Posto", &[("parent_id", middle.into())]).await;
        app.run_sql(&app.alpha, "UPDATE companies SET parent_id = ? WHERE id = ?", vec![middle.into(), top.into()]).await;
        let query = "{ companies(filter: { name: { eq: \"Posto\" } }) { nodes { name parent { name parent { name parent { name \
                     subsidiaries(orderBy: [{ field: NAME }]) { nodes { name parent { name } } } } } } } } }";
        let data = app.data(&app.alpha.admin.key, query, json!({})).await;
        assert_eq!(
            data["companies"]["nodes"][0],
            json!({ "name": "Posto", "parent": { "name": "Filial", "parent": { "name": "Matriz", "parent": { "name": "Filial",
                "subsidiaries": { "nodes": [
                    { "name": "Matriz", "parent": { "name": "Filial" } }, { "name": "Posto", "parent": { "name": "Filial" } },
                ] } } } } })
        );
        // More joins than SQLite takes are refused in words.
        let ones = "a: creator { id } owner { id manager { id manager { id manager { id } } orgUnit { id } } } ";
        let mut wide = "id".to_owned();
        for _ in 0..7 {
            wide = format!("{ones} creator {{ id manager {{ id manager {{ id }} }} orgUnit {{ id }} }} parent {{ {wide} }}");
        }
        let query = format!("{{ companies {{ nodes {{ {wide} }} }} }}");
        assert_eq!(app.error_code(&app.alpha.admin.key, &query, json!({})).await, "LIMIT_EXCEEDED");
    }
}

// ---- Records that are no tables, fields that are no columns -----------------------------------------

static BATCHES: AtomicUsize = AtomicUsize::new(0);

/// Best leads: computed rows, each of which leads to a lead.
fn ranking() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(|| {
        let mut record =
            declare::<entity::lead::Entity>("LeadRank", "leadRank", "leadRanks", Resource::Leads);
        record.source = Source::Computed(|ctx, conn, arguments| {
            Box::pin(async move {
                let reader = ctx.reader(Resource::Leads)?;
                let mark = conn.dialect().placeholder(1);
                let sql = format!(
                    "SELECT id, score FROM leads WHERE tenant_id = {mark} ORDER BY score DESC, id"
                );
                let statement = Statement::new(sql, vec![Value::Id(ctx.tenant_id())]);
                let least = arguments.iter().find(|(name, _)| name == "least").map_or(0, |_| 5);
                let mut ranked = Vec::new();
                for row in conn.rows(&reader, &statement).await? {
                    let score = row.int(1)?.unwrap_or_default();
                    if score >= least {
                        ranked.push(vec![
                            Value::Id(row.required_id(0)?),
                            Value::Int(score),
                            Value::Null(NullOf::Text),
                        ]);
                    }
                }
                Ok(ranked.into())
            })
        });
        record
            .field(field(entity::lead::Column::Id, Kind::Id).named("leadId"))
            .field(field(entity::lead::Column::Score, Kind::Int).named("points"))
            .field(field(entity::lead::Column::Source, Kind::Code).named("note"))
            .one("lead", entity::lead::Column::Id, lead_with_heat, "")
            .computed(heat())
    });
    &RECORD
}

/// As the lead of the CRM, with a computed field more.
fn lead_with_heat() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(|| {
        declare::<entity::lead::Entity>("Lead", "lead", "leads", Resource::Leads)
            .stamped(
                entity::lead::Column::Id,
                [
                    entity::lead::Column::CreatedAt,
                    entity::lead::Column::UpdatedAt,
                    entity::lead::Column::DeletedAt,
                ],
                entity::lead::Column::Version,
            )
            .owned_by(OwnerPath::Column("assigned_to"))
            .field(field(entity::lead::Column::Name, Kind::Text).filter().sort().folded())
            .field(field(entity::lead::Column::Score, Kind::Int).filter().sort())
            .one("company", entity::lead::Column::CompanyId, company_with_heat, "")
            .computed(heat())
    });
    &RECORD
}

fn company_with_heat() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(|| {
        declare::<entity::company::Entity>("Company", "company", "companies", Resource::Companies)
            .stamped(
                entity::company::Column::Id,
                [
                    entity::company::Column::CreatedAt,
                    entity::company::Column::UpdatedAt,
                    entity::company::Column::DeletedAt,
                ],
                entity::company::Column::Version,
            )
            .field(field(entity::company::Column::Name, Kind::Text).filter().sort().folded())
            .computed(Computed { needs: &["name"], name: "shout", ..heat() })
            .many(
                "leads",
                entity::lead::Column::CompanyId,
                lead_with_heat,
                pulso::record::declare::OnDestroy::Restrict,
            )
    });
    &RECORD
}

fn heat() -> Computed {
    Computed {
        name: "heat",
        about: "",
        graphql_type: "String",
        needs: &["score"],
        resolve: |_ctx, _conn, rows| {
            BATCHES.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                Ok(rows.iter().map(|row| json!(format!("{:?}", row[0])).to_string()).collect())
            })
        },
    }
}

/// One test, on both databases in turn: it counts calls of a function that is not told who asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn computed_rows_and_fields_are_made_in_batches() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let app = TestApp::new(backend).await;
        let company = app.company(&app.alpha, "Sol", &[]).await;
        for score in [1_i64, 9, 5] {
            let of = if score == 1 { Value::Null(NullOf::Id) } else { company.into() };
            app.lead(
                &app.alpha,
                &format!("L{score}"),
                &[("score", score.into()), ("company_id", of)],
            )
            .await;
        }
        let admin = &app.alpha.admin;
        let calls = |from: usize| BATCHES.load(Ordering::SeqCst) - from;

        let before = BATCHES.load(Ordering::SeqCst);
        let query = "{ leadRanks(first: 2) { totalCount countUpTo(limit: 2) { count isExact } pageInfo { hasNextPage } nodes { \
                     __typename points note heat lead { name heat company { name shout } } } } }";
        let found = app.engine(admin, ranking(), query).await.unwrap();
        assert_eq!(
            found,
            json!({ "totalCount": 3, "countUpTo": { "count": 2, "isExact": false }, "pageInfo": { "hasNextPage": true }, "nodes": [
                { "__typename": "LeadRank", "points": 9, "note": null, "heat": "Int(9)",
                  "lead": { "name": "L9", "heat": "Int(9)", "company": { "name": "Sol", "shout": "Text(\"Sol\")" } } },
                { "__typename": "LeadRank", "points": 5, "note": null, "heat": "Int(5)",
                  "lead": { "name": "L5", "heat": "Int(5)", "company": { "name": "Sol", "shout": "Text(\"Sol\")" } } },
            ] })
        );
        assert_eq!(calls(before), 3, "once per level and field");

        let before = BATCHES.load(Ordering::SeqCst);
        let query = "{ leads(orderBy: [{ field: SCORE }]) { nodes { score heat warm: heat company { shout leads(orderBy: [{ \
                     field: SCORE }]) { nodes { heat } } } } } }";
        let found = app.engine(admin, lead_with_heat(), query).await.unwrap();
        let below = json!({ "shout": "Text(\"Sol\")", "leads": { "nodes": [{ "heat": "Int(5)" }, { "heat": "Int(9)" }] } });
        assert_eq!(
            found,
            json!({ "nodes": [
                { "score": 1, "heat": "Int(1)", "warm": "Int(1)", "company": null },
                { "score": 5, "heat": "Int(5)", "warm": "Int(5)", "company": below },
                { "score": 9, "heat": "Int(9)", "warm": "Int(9)", "company": below },
            ] })
        );
        assert_eq!(calls(before), 3);

        // Nobody may read it: nor rows that it is computed from.
        let none = json!({ "companies": { "read": "all" } });
        app.set_role(&app.alpha, "comercial", none).await;
        let ctx = app.ctx(&app.alpha.comercial).await;
        assert_eq!(ctx.reader(Resource::Leads).unwrap_err().code().as_str(), "FORBIDDEN");
        let hidden = json!({ "leads": { "read": "all", "fields": { "heat": "hidden" } } });
        app.set_role(&app.alpha, "comercial", hidden).await;
        let ctx = app.ctx(&app.alpha.comercial).await;
        assert!(app.try_plan(&ctx, lead_with_heat(), "{ leads { nodes { heat } } }").is_err());
        // It runs on its own tenant's rows only.
        let other =
            app.engine(&app.beta.admin, ranking(), "{ leadRanks { totalCount } }").await.unwrap();
        assert_eq!(other, json!({ "totalCount": 0 }));
    }
}
