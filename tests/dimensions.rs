//! What values of dimensions are called: one name at any time, as they are now or as they were.

use serde_json::{Value as Json, json};

use crate::support::ingesting::event;
use crate::support::{TestApp, both_databases};

/// Tickets by channel: two a day in January, February and March.
async fn tickets(app: &TestApp) {
    let mut sent = Vec::new();
    for (month, channels) in
        [("01", ["wa", "wa"]), ("02", ["wa", "waba"]), ("03", ["waba", "mail"])]
    {
        for (number, channel) in channels.iter().enumerate() {
            let at = format!("2026-{month}-05T15:00:00Z");
            let dimensions = json!({ "dimensions": { "channel": channel, "org_unit": "support" } });
            sent.push(event(&format!("{month} {number}"), "ticket.created", &at, dimensions));
        }
    }
    assert_eq!(app.ingest(&app.alpha.admin.key, &json!(sent)).await["accepted"], 6);
    app.fold().await;
}

async fn label(app: &TestApp, value: &str, label: &str, from: Option<&str>) -> uuid::Uuid {
    let mut input = json!({ "dimension": "channel", "value": value, "label": label });
    if let Some(from) = from {
        input["validFrom"] = json!(from);
    }
    app.create(&app.alpha.admin.key, "AnalyticsDimension", input).await
}

/// Labels by month with their values.
async fn by_month(app: &TestApp, more: &str) -> Vec<(String, String, f64)> {
    let rows = app
        .series(
            &app.alpha.admin.key,
            &format!(
                r#"metrics: ["tickets_created"], by: ["channel"],
        granularity: MONTHLY, from: "2026-01-10T00:00:00Z", fill: false{more}"#
            ),
        )
        .await;
    let rows = rows.as_array().unwrap().iter().map(|row| {
        (
            row["time"].as_str().unwrap()[5..7].to_owned(),
            row["series"].as_str().unwrap().to_owned(),
            row["value"].as_f64().unwrap(),
        )
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
    rows
}

fn expected(rows: &[(&str, &str, f64)]) -> Vec<(String, String, f64)> {
    rows.iter()
        .map(|(month, label, value)| ((*month).to_owned(), (*label).to_owned(), *value))
        .collect()
}

both_databases! {
    async fn numbers_go_by_the_names_of_now_or_of_then(app: TestApp) {
        tickets(&app).await;
        label(&app, "wa", "WhatsApp", Some("2025-01-01T00:00:00Z")).await;
        label(&app, "wa", "WhatsApp (antigo)", Some("2026-02-20T00:00:00Z")).await;
        label(&app, "waba", "WhatsApp", Some("2026-02-20T00:00:00Z")).await;
        // Nobody says how e-mail is called, and what begins later is not there yet.
        label(&app, "mail", "E-mail", Some("2027-01-01T00:00:00Z")).await;
        assert_eq!(by_month(&app, "").await, expected(&[("01", "wa", 2.0), ("02", "wa", 1.0), ("02", "waba", 1.0),
            ("03", "mail", 1.0), ("03", "waba", 1.0)]));
        assert_eq!(by_month(&app, ", dimensionsAs: AS_IT_IS").await, expected(&[("01", "WhatsApp (antigo)", 2.0),
            ("02", "WhatsApp", 1.0), ("02", "WhatsApp (antigo)", 1.0), ("03", "WhatsApp", 1.0), ("03", "mail", 1.0)]));
        assert_eq!(by_month(&app, ", dimensionsAs: AS_IT_WAS").await, expected(&[("01", "WhatsApp", 2.0),
            ("02", "WhatsApp", 1.0), ("02", "WhatsApp (antigo)", 1.0), ("03", "WhatsApp", 1.0), ("03", "mail", 1.0)]));
    }

    async fn values_of_one_name_are_one_series_and_trace_to_all_of_their_events(app: TestApp) {
        tickets(&app).await;
        label(&app, "wa", "WhatsApp", Some("2025-01-01T00:00:00Z")).await;
        // Renamed just now: from now on, and so for the bucket under way.
        label(&app, "waba", "WhatsApp", None).await;
        let merged = expected(&[("01", "WhatsApp", 2.0), ("02", "WhatsApp", 2.0), ("03", "WhatsApp", 1.0), ("03", "mail", 1.0)]);
        assert_eq!(by_month(&app, ", dimensionsAs: AS_IT_IS").await, merged);
        let was = by_month(&app, ", dimensionsAs: AS_IT_WAS").await;
        assert_eq!(was[1..4], expected(&[("02", "WhatsApp", 1.0), ("02", "waba", 1.0), ("03", "WhatsApp", 1.0)]));
        let key = &app.alpha.admin.key;
        let table = r#"{ metricTable(metrics: ["tickets_created", "backlog"], by: ["channel"], dimensionsAs: AS_IT_IS,
            from: "2026-01-10T00:00:00Z", granularity: MONTHLY) { nodes { labels values } } }"#;
        let table = app.data(key, table, json!({})).await;
        assert_eq!(table["metricTable"]["nodes"], json!([
            { "labels": { "channel": "WhatsApp" }, "values": { "tickets_created": 5.0, "backlog": 5.0 } },
            { "labels": { "channel": "mail" }, "values": { "tickets_created": 1.0, "backlog": 1.0 } },
        ]));
        let lineage = |naming: &str| format!(r#"{{ metricLineage(metric: "tickets_created", granularity: MONTHLY,
            time: "2026-02-10T00:00:00Z", labels: {{ channel: "WhatsApp" }}, dimensionsAs: {naming}) {{ totalCount }} }}"#);
        assert_eq!(app.data(key, &lineage("AS_IT_IS"), json!({})).await["metricLineage"]["totalCount"], 2);
        assert_eq!(app.data(key, &lineage("AS_IT_WAS"), json!({})).await["metricLineage"]["totalCount"], 1);
        // A balance goes over to its new name whole.
        let open = app.series(key, r#"metrics: ["backlog"], by: ["channel"], granularity: MONTHLY, dimensionsAs: AS_IT_WAS,
            from: "2026-02-10T00:00:00Z""#).await;
        let open: Vec<(&str, f64)> = open.as_array().unwrap().iter().filter(|row| row["series"] == "WhatsApp")
            .map(|row| (row["time"].as_str().unwrap(), row["value"].as_f64().unwrap())).collect();
        assert_eq!(open, [("2026-02-01T03:00:00Z", 3.0), ("2026-03-01T03:00:00Z", 5.0)]);
    }

    async fn of_a_value_one_name_counts_at_a_time(app: TestApp) {
        let key = &app.alpha.admin.key;
        let first = label(&app, "wa", "WhatsApp", Some("2026-01-01T00:00:00Z")).await;
        label(&app, "wa", "WhatsApp Business", Some("2026-03-01T00:00:00Z")).await;
        // Between the two: both end and beginning follow.
        label(&app, "wa", "WhatsApp Oficial", Some("2026-02-01T00:00:00Z")).await;
        let list = r#"{ analyticsDimensions(filter: { dimension: { eq: "channel" } },
            orderBy: [{ field: VALID_FROM, direction: ASC }]) { nodes { label validFrom validTo attributes } } }"#;
        let list = app.data(key, list, json!({})).await["analyticsDimensions"]["nodes"].take();
        let spans: Vec<[&Json; 2]> = list.as_array().unwrap().iter().map(|row| [&row["validFrom"], &row["validTo"]]).collect();
        let [january, february, march] = ["01", "02", "03"].map(|month| json!(format!("2026-{month}-01T00:00:00Z")));
        assert_eq!(spans, [[&january, &february], [&february, &march], [&march, &Json::Null]]);
        // Two at once cannot be told apart.
        let again = json!({ "input": { "dimension": "channel", "value": "wa", "label": "Zap", "validFrom": "2026-01-01T00:00:00Z" } });
        let mutation = "mutation($input: AnalyticsDimensionCreateInput!) { analyticsDimensionCreate(input: $input) { id } }";
        assert_eq!(app.error_code(key, mutation, again).await, "CONFLICT");
        // A correction changes the row and no other.
        app.done(key, "analyticsDimensionUpdate", json!({ "id": first, "input": { "label": "Zap" } }), "{ id }").await;
        let one = format!("{{ analyticsDimension(id: \"{first}\") {{ label validTo }} }}");
        assert_eq!(app.data(key, &one, json!({})).await["analyticsDimension"], json!({ "label": "Zap", "validTo": february }));
    }

    async fn units_and_people_of_the_crm_have_their_names(app: TestApp) {
        tickets(&app).await;
        let key = &app.alpha.admin.key;
        app.create(key, "OrgUnit", json!({ "name": "Suporte", "code": "support" })).await;
        let seller = &app.alpha.comercial;
        let sent = json!([event("x", "ticket.created", "2026-03-09T12:00:00Z",
            json!({ "dimensions": { "agent": seller.id, "org_unit": "support" } }))]);
        app.ingest(key, &sent).await;
        app.fold().await;
        let ask = r#"metrics: ["tickets_created"], by: ["org_unit", "agent"], dimensionsAs: AS_IT_IS, fill: false,
            from: "2026-03-09T03:00:00Z", to: "2026-03-10T03:00:00Z""#;
        let me = app.data(key, &format!("{{ user(id: \"{}\") {{ fullName }} }}", seller.id), json!({})).await["user"]["fullName"].take();
        let rows = app.series(key, ask).await;
        assert_eq!(rows[0]["labels"], json!({ "org_unit": "Suporte", "agent": me }));
        // Names that one may not read stay the values that they are put over.
        let narrow = json!({ "analytics": { "read": "all" }, "org_units": { "read": "all" } });
        let narrow = app.key_with(&app.alpha, seller.id, narrow).await;
        assert_eq!(app.series(&narrow, ask).await[0]["labels"], json!({ "org_unit": "Suporte", "agent": seller.id }));
        let values = async |key: &str, dimension: &str| {
            let query = format!("{{ dimensionValues(dimension: \"{dimension}\") {{ nodes {{ value label }} }} }}");
            app.data(key, &query, json!({})).await["dimensionValues"]["nodes"].take()
        };
        assert_eq!(values(key, "org_unit").await, json!([{ "value": "support", "label": "Suporte" }]));
        assert_eq!(values(&narrow, "agent").await, json!([{ "value": seller.id, "label": seller.id }]));
        // What is said in so many words counts before the record's name.
        let input = json!({ "dimension": "org_unit", "value": "support", "label": "Atendimento", "validFrom": "2026-01-01T00:00:00Z" });
        app.create(key, "AnalyticsDimension", input).await;
        assert_eq!(values(key, "org_unit").await, json!([{ "value": "support", "label": "Atendimento" }]));
    }

    /// Another tenant's names are nobody's, and a role without the right changes none.
    async fn names_are_the_tenants_own(app: TestApp) {
        tickets(&app).await;
        let id = label(&app, "wa", "WhatsApp", Some("2025-01-01T00:00:00Z")).await;
        let beta = &app.beta.admin.key;
        let sent = json!([event("b", "ticket.created", "2026-03-09T12:00:00Z", json!({ "dimensions": { "channel": "wa" } }))]);
        app.ingest(beta, &sent).await;
        app.fold().await;
        let ask = r#"metrics: ["tickets_created"], by: ["channel"], dimensionsAs: AS_IT_IS, fill: false, from: "2026-03-09T03:00:00Z""#;
        assert_eq!(app.series(beta, ask).await[0]["series"], "wa");
        let update = "mutation($id: ID!) { analyticsDimensionUpdate(id: $id, input: { label: \"x\" }) { id } }";
        assert_eq!(app.error_code(beta, update, json!({ "id": id })).await, "NOT_FOUND");
        assert_eq!(app.error_code(&app.alpha.diretor.key, update, json!({ "id": id })).await, "FORBIDDEN");
    }
}
