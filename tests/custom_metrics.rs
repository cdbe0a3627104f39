//! Metrics of a tenant's own: declared over the API, counted from the beginning of the log, asked for
//! like all others, and gone without a rest.

use serde_json::{Value as Json, json};

use crate::support::ingesting::event;
use crate::support::writing::code;
use crate::support::{TestApp, both_databases};

fn refund(id: &str, at: &str, amount: impl Into<Json>) -> Json {
    event(
        id,
        "order.refunded",
        at,
        json!({ "module": "growth", "payload": { "amount": amount.into(), "kind": "full" },
        "dimensions": { "store": "centro" } }),
    )
}

fn refunds() -> Json {
    json!({ "name": "refunds", "label": "Refunds", "unit": "BRL", "aggregation": "SUM", "scale": 2,
        "sources": [{ "eventType": "order.refunded", "only": { "field": "kind", "is": "full" } }],
        "valueField": "amount", "dimensions": ["store"] })
}

const DAYS: &str = r#"from: "2026-03-09T03:00:00Z", to: "2026-03-11T03:00:00Z""#;

async fn values(app: &TestApp, metric: &str) -> Vec<Json> {
    let rows = app.series(&app.alpha.admin.key, &format!("metrics: [\"{metric}\"], {DAYS}")).await;
    rows.as_array().unwrap().iter().map(|row| row["value"].clone()).collect()
}

/// The error's code and the field that it names.
async fn refused(app: &TestApp, change: impl FnOnce(&mut Json)) -> (String, String) {
    let mut input = refunds();
    change(&mut input);
    let mutation = "mutation($input: CustomMetricCreateInput!) \
        { customMetricCreate(input: $input) { id } }";
    let answer = app.graphql(&app.alpha.admin.key, mutation, json!({ "input": input })).await;
    let error = &answer["errors"][0]["extensions"];
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    (text(&error["code"]), text(&error["field"]))
}

both_databases! {
    async fn a_metric_counts_from_the_beginning_of_the_log(app: TestApp) {
        let key = &app.alpha.admin.key;
        app.ingest(key, &json!([refund("1", "2026-03-09T12:00:00Z", 10.25), refund("2", "2026-03-10T11:00:00Z", 1)])).await;
        app.fold().await;
        app.work().await;
        // What waits when the metric is made is counted once too.
        app.ingest(key, &json!([refund("3", "2026-03-10T11:00:00Z", 2)])).await;
        let id = app.create(key, "CustomMetric", refunds()).await;
        let answer = app.graphql(key, &format!("{{ metricSeries(metrics: [\"refunds\"], {DAYS}) {{ nodes {{ value }} }} }}"), json!({})).await;
        assert_eq!(code(&answer), "CONFLICT", "{answer:#}");
        app.fold().await;
        app.work().await;
        assert_eq!(values(&app, "refunds").await, [json!(10.25), json!(3.0)]);
        // And what comes after it, however late.
        app.ingest(key, &json!([refund("4", "2026-03-10T10:00:00Z", 4), refund("5", "2026-03-09T12:00:00Z", "0.75")])).await;
        app.fold().await;
        app.work().await;
        assert_eq!(values(&app, "refunds").await, [json!(11.0), json!(7.0)]);
        app.snapshots_agree().await;

        let catalogue = app.graphql(key, "{ metrics { nodes { name label unit aggregation eventTypes valueField dimensions } } }", json!({})).await;
        let metrics = catalogue["data"]["metrics"]["nodes"].as_array().unwrap();
        let own: Vec<&Json> = metrics.iter().filter(|metric| metric["name"] == "refunds").collect();
        assert_eq!(own, [&json!({ "name": "refunds", "label": "Refunds", "unit": "BRL", "aggregation": "sum",
            "eventTypes": ["order.refunded"], "valueField": "amount", "dimensions": ["store"] })]);
        let ready = app.graphql(key, &format!("{{ customMetric(id: \"{id}\") {{ state }} }}"), json!({})).await;
        assert_eq!(ready["data"]["customMetric"]["state"], "READY");
        let divided = app.series(key, &format!("metrics: [\"refunds\"], by: [\"store\"], granularity: WEEKLY, {DAYS}")).await;
        assert_eq!((&divided[0]["series"], &divided[0]["value"]), (&json!("centro"), &json!(18.0)));
        let stores = app.graphql(key, "{ dimensionValues(dimension: \"store\") { nodes { value } } }", json!({})).await;
        assert_eq!(stores["data"]["dimensionValues"]["nodes"], json!([{ "value": "centro" }]));
    }

    async fn a_value_that_is_no_number_is_passed_over(app: TestApp) {
        let key = &app.alpha.admin.key;
        let mut input = refunds();
        input["sources"] = json!([{ "eventType": "ticket.created" }]);
        app.create(key, "CustomMetric", input).await;
        let created = |id: &str, amount: Json| event(id, "ticket.created", "2026-03-10T11:00:00Z",
            json!({ "payload": { "amount": amount } }));
        app.ingest(key, &json!([created("1", json!("much")), created("2", json!(2))])).await;
        app.fold().await;
        app.work().await;
        assert_eq!(values(&app, "refunds").await[1], json!(2.0));
        // The metrics that everybody has count both.
        assert_eq!(values(&app, "tickets_created").await[1], json!(2.0));
        app.snapshots_agree().await;
    }

    async fn ratios_are_made_of_metrics(app: TestApp) {
        let key = &app.alpha.admin.key;
        app.create(key, "CustomMetric", refunds()).await;
        let ratio = json!({ "name": "refund_per_deal", "label": "Refund per deal", "aggregation": "RATIO",
            "numerator": "refunds", "denominator": "tickets_created", "times": 10 });
        app.create(key, "CustomMetric", ratio).await;
        app.ingest(key, &json!([refund("1", "2026-03-10T11:00:00Z", 30),
            event("2", "ticket.created", "2026-03-10T11:00:00Z", json!({})),
            event("3", "ticket.created", "2026-03-10T11:00:00Z", json!({}))])).await;
        app.fold().await;
        app.work().await;
        assert_eq!(values(&app, "refund_per_deal").await, [Json::Null, json!(150.0)]);
        // What it is made of cannot go before it.
        let id = app.graphql(key, "{ customMetrics(filter: { name: { eq: \"refunds\" } }) { nodes { id } } }", json!({})).await;
        let id = id["data"]["customMetrics"]["nodes"][0]["id"].as_str().unwrap().to_owned();
        let delete = format!("mutation {{ customMetricDelete(id: \"{id}\") {{ id }} }}");
        assert_eq!(code(&app.graphql(key, &delete, json!({})).await), "CONFLICT");
        // Nor can it come back without.
        let ratio = app.graphql(key, "{ customMetrics(filter: { name: { eq: \"refund_per_deal\" } }) { nodes { id } } }", json!({})).await;
        let ratio = ratio["data"]["customMetrics"]["nodes"][0]["id"].as_str().unwrap().to_owned();
        let gone = format!("mutation {{ one: customMetricDelete(id: \"{ratio}\") {{ id }} two: customMetricDelete(id: \"{id}\") {{ id }} }}");
        let gone = app.graphql(key, &gone, json!({})).await;
        assert!(gone.get("errors").is_none(), "{gone:#}");
        let restore = format!("mutation {{ customMetricRestore(id: \"{ratio}\") {{ id }} }}");
        assert_eq!(code(&app.graphql(key, &restore, json!({})).await), "INVALID");
    }

    async fn one_that_goes_leaves_nothing_and_can_come_back(app: TestApp) {
        let key = &app.alpha.admin.key;
        let id = app.create(key, "CustomMetric", refunds()).await;
        app.ingest(key, &json!([refund("1", "2026-03-10T11:00:00Z", 30)])).await;
        app.fold().await;
        app.work().await;
        let delete = format!("mutation {{ customMetricDelete(id: \"{id}\") {{ id }} }}");
        let gone = app.graphql(key, &delete, json!({})).await;
        assert!(gone.get("errors").is_none(), "{gone:#}");
        app.snapshots_agree().await;
        let sql = "SELECT CAST(count(*) AS text) FROM snapshots WHERE tenant_id = ?";
        let rows = app.read_sql(&app.alpha, sql, Vec::new()).await;
        assert_eq!(rows[0].text(0).unwrap().as_deref(), Some("0"));
        let answer = app.graphql(key, &format!("{{ metricSeries(metrics: [\"refunds\"], {DAYS}) {{ nodes {{ value }} }} }}"), json!({})).await;
        assert_eq!(code(&answer), "NOT_FOUND", "{answer:#}");
        app.ingest(key, &json!([refund("2", "2026-03-10T11:00:00Z", 5)])).await;
        app.fold().await;
        app.work().await;
        // What came while it was away counts when it is back.
        let restore = format!("mutation {{ customMetricRestore(id: \"{id}\") {{ id }} }}");
        let back = app.graphql(key, &restore, json!({})).await;
        assert!(back.get("errors").is_none(), "{back:#}");
        let state = app.graphql(key, &format!("{{ customMetric(id: \"{id}\") {{ state }} }}"), json!({})).await;
        assert_eq!(state["data"]["customMetric"]["state"], "COUNTING");
        app.fold().await;
        app.work().await;
        assert_eq!(values(&app, "refunds").await[1], json!(35.0));
        app.snapshots_agree().await;
    }

    async fn what_is_no_metric_is_refused(app: TestApp) {
        let invalid = |field: &str| ("INVALID".to_owned(), field.to_owned());
        assert_eq!(refused(&app, |input| input["name"] = json!("Refunds")).await, invalid("input.name"));
        assert_eq!(refused(&app, |input| input["sources"] = json!([])).await, invalid("input.sources"));
        assert_eq!(refused(&app, |input| input["valueField"] = Json::Null).await, invalid("input.valueField"));
        assert_eq!(refused(&app, |input| input["scale"] = json!(10)).await, invalid("input.scale"));
        let taken = refused(&app, |input| input["name"] = json!("handle_time")).await;
        assert_eq!(taken, ("CONFLICT".to_owned(), "input.name".to_owned()));
        app.create(&app.alpha.admin.key, "CustomMetric", refunds()).await;
        assert_eq!(refused(&app, |_| ()).await.0, "CONFLICT");
    }

    async fn a_metric_is_of_its_tenant(app: TestApp) {
        app.create(&app.alpha.admin.key, "CustomMetric", refunds()).await;
        app.ingest(&app.beta.admin.key, &json!([refund("1", "2026-03-10T11:00:00Z", 30)])).await;
        app.fold().await;
        app.work().await;
        assert_eq!(values(&app, "refunds").await, [json!(0.0), json!(0.0)]);
        let ask = format!("{{ metricSeries(metrics: [\"refunds\"], {DAYS}) {{ nodes {{ value }} }} }}");
        let answer = app.graphql(&app.beta.admin.key, &ask, json!({})).await;
        assert_eq!(code(&answer), "NOT_FOUND", "{answer:#}");
    }
}
