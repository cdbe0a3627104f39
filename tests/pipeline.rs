//! The pipeline in numbers: open deals by stage, movements between stages, leads by source and month.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use pulso::db::Value;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::seed::Tenant;
use crate::support::{TestApp, both_databases};

const STAGES: [(&str, i64); 5] = [
    ("prospeccao", 10),
    ("qualificacao", 20),
    ("proposta", 50),
    ("negociacao", 70),
    ("fechamento", 90),
];

/// Deals of alpha: stage, status, currency, value, owner.
async fn pipeline(app: &TestApp) -> Vec<(&'static str, &'static str, &'static str, i64, Uuid)> {
    let alpha = &app.alpha;
    let (one, two) = (alpha.comercial.id, alpha.admin.id);
    let deals = vec![
        ("prospeccao", "open", "BRL", 10_001, one),
        ("prospeccao", "open", "BRL", 5, two),
        ("prospeccao", "open", "USD", 99_999, two),
        ("proposta", "open", "BRL", 333_333, one),
        ("proposta", "open", "BRL", 333_334, one),
        ("fechamento", "open", "EUR", 1, two),
        ("ganho", "won", "BRL", 700_000, one),
        ("perdido", "lost", "BRL", 900_000, one),
    ];
    for (stage, status, currency, value, owner) in &deals {
        let fields = [
            ("stage_id", Value::Id(app.stage(alpha, stage).await)),
            ("status", (*status).into()),
            ("currency", (*currency).into()),
            ("value", Value::Int(*value)),
            ("owned_by", Value::Id(*owner)),
        ];
        app.deal(alpha, "Negócio", &fields).await;
    }
    let deleted = [("deleted_at", Value::Instant(app.app.clock.now())), ("value", Value::Int(1))];
    app.deal(alpha, "Excluído", &deleted).await;
    app.deal(&app.beta, "De outros", &[("value", Value::Int(123))]).await;
    deals
}

fn decimal(hundredths: i64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

const SUMMARY: &str = "query($filter: DealFilter) { pipelineSummary(filter: $filter) { nodes { \
    stage { slug } currency count value valueAsFloat weightedValue } } }";

/// stage, currency -> count, value, weighted value.
type Summary = BTreeMap<(String, String), (i64, String, String)>;

fn summed(answer: &Json) -> Summary {
    answer["pipelineSummary"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |value: &Json| value.as_str().unwrap().to_owned();
            let value = text(&row["value"]);
            assert_eq!(row["valueAsFloat"].as_f64().unwrap(), value.parse::<f64>().unwrap());
            (
                (text(&row["stage"]["slug"]), text(&row["currency"])),
                (row["count"].as_i64().unwrap(), value, text(&row["weightedValue"])),
            )
        })
        .collect()
}

both_databases! {
    async fn the_summary_is_a_recount_of_the_open_deals(app: TestApp) {
        let deals = pipeline(&app).await;
        let recount = |wanted: &dyn Fn(&str, Uuid) -> bool| {
            let mut sums: BTreeMap<(&str, &str), (i64, i64)> = BTreeMap::new();
            for (stage, _) in STAGES {
                let own = deals.iter().filter(|deal| deal.0 == stage && deal.1 == "open");
                let own: Vec<_> = own.filter(|deal| wanted(deal.2, deal.4)).collect();
                if own.is_empty() {
                    sums.insert((stage, "BRL"), (0, 0));
                }
                for deal in own {
                    let sum = sums.entry((stage, deal.2)).or_default();
                    *sum = (sum.0 + 1, sum.1 + deal.3);
                }
            }
            sums.into_iter()
                .map(|((stage, currency), (count, value))| {
                    let chance = STAGES.iter().find(|(slug, _)| *slug == stage).unwrap().1;
                    // Per cent of hundredths, half a hundredth up.
                    let weighted = decimal((value * chance + 50).div_euclid(100));
                    ((stage.to_owned(), currency.to_owned()), (count, decimal(value), weighted))
                })
                .collect::<Summary>()
        };
        let key = &app.alpha.admin.key;
        let all = app.data(key, SUMMARY, Json::Null).await;
        assert_eq!(summed(&all), recount(&|_, _| true));
        let order: Vec<&str> = all["pipelineSummary"]["nodes"].as_array().unwrap().iter()
            .map(|row| row["stage"]["slug"].as_str().unwrap()).collect();
        assert_eq!(order, ["prospeccao", "prospeccao", "qualificacao", "proposta", "negociacao", "fechamento"]);

        let dollars = json!({ "filter": { "currency": { "eq": "USD" } } });
        let some = app.data(key, SUMMARY, dollars).await;
        assert_eq!(summed(&some), recount(&|currency, _| currency == "USD"));
        let big = json!({ "filter": { "owner": { "fullName": { "contains": "comercial" } } } });
        let some = app.data(key, SUMMARY, big).await;
        let seller = app.alpha.comercial.id;
        assert_eq!(summed(&some), recount(&|_, owner| owner == seller));

        // Who sees only their own deals sees only their own sums.
        let own = app
            .key_with(&app.alpha, seller, json!({
                "deals": { "read": "own" }, "pipeline_stages": { "read": "all" },
            }))
            .await;
        let mine = app.data(&own, SUMMARY, Json::Null).await;
        assert_eq!(summed(&mine), recount(&|_, owner| owner == seller));
        // What may not be read may not be asked by, either.
        let by_owner = json!({ "filter": { "owner": { "fullName": { "contains": "a" } } } });
        assert_eq!(app.error_code(&own, SUMMARY, by_owner).await, "FORBIDDEN");
        assert_eq!(app.error_code(&app.alpha.agente_ia.key, SUMMARY, Json::Null).await, "FORBIDDEN");
        let theirs = app.data(&app.beta.admin.key, SUMMARY, Json::Null).await;
        assert_eq!(summed(&theirs)[&("prospeccao".into(), "BRL".into())].0, 1);
    }

    async fn open_deals_in_a_stage_that_is_gone_are_not_lost(app: TestApp) {
        let alpha = app.alpha.clone();
        app.deal(&alpha, "Órfão", &[("value", Value::Int(100))]).await;
        app.write_sql(
            "UPDATE pipeline_stages SET deleted_at = ? WHERE id = ?",
            vec![
                Value::Instant(app.app.clock.now()),
                Value::Id(app.stage(&alpha, "prospeccao").await),
            ],
        )
        .await;
        let query = "{ pipelineSummary { nodes { stageId stage { slug } count value } } }";
        let rows = app.data(&alpha.admin.key, query, Json::Null).await;
        let rows = rows["pipelineSummary"]["nodes"].as_array().unwrap().clone();
        assert_eq!(rows.len(), 5);
        assert_eq!(rows[4]["stage"], Json::Null);
        assert_eq!((&rows[4]["count"], &rows[4]["value"]), (&json!(1), &json!("1.00")));
    }

    async fn stage_numbers_are_a_recount_of_the_moves(app: TestApp) {
        let alpha = app.alpha.clone();
        let start = app.app.clock.now();
        let create = "mutation($input: DealCreateInput!) { dealCreate(input: $input) { id } }";
        let first = app.stage(&alpha, "prospeccao").await;
        let mut deals: Vec<Uuid> = Vec::new();
        for number in 0..5 {
            let owner = if number == 4 { alpha.admin.id } else { alpha.comercial.id };
            let input = json!({ "title": "N", "stageId": first, "ownerId": owner });
            let made = app.data(&alpha.admin.key, create, json!({ "input": input })).await;
            deals.push(made["dealCreate"]["id"].as_str().unwrap().parse().unwrap());
        }
        let at = |half_days: i64| start + TimeDelta::hours(12 * half_days);
        for (half_days, deal, stage) in [
            (2, 0, "qualificacao"),
            (4, 1, "qualificacao"),
            (7, 2, "perdido"),
            (8, 0, "proposta"),
            (9, 1, "prospeccao"),
            (12, 4, "qualificacao"),
            (14, 0, "ganho"),
        ] {
            app.app.clock.advance(at(half_days) - app.app.clock.now());
            let moved = app.move_deal_as_admin(&alpha, deals[deal], stage).await;
            assert!(moved.get("errors").is_none(), "{moved:#}");
        }
        let stats = async |key: &str, arguments: &str| {
            let query = format!(
                "{{ pipelineStageStats{arguments} {{ nodes {{ stage {{ slug }} entered left \
                 averageDays advanced conversion lost }} }} }}"
            );
            let answer = app.data(key, &query, Json::Null).await;
            let rows = answer["pipelineStageStats"]["nodes"].as_array().unwrap().clone();
            rows.into_iter()
                .map(|mut row| (row["stage"]["slug"].as_str().unwrap().to_owned(), row.take()))
                .collect::<BTreeMap<String, Json>>()
        };
        let row = |stage: &str, numbers: (i64, i64, Option<f64>, i64, Option<f64>, i64)| {
            let (entered, left, days, advanced, conversion, lost) = numbers;
            (stage.to_owned(), json!({
                "stage": { "slug": stage }, "entered": entered, "left": left, "averageDays": days,
                "advanced": advanced, "conversion": conversion, "lost": lost,
            }))
        };
        let nobody = (0, 0, None, 0, None, 0);
        let unmoved = |stages: &[&str]| {
            stages.iter().map(|stage| row(stage, nobody)).collect::<Vec<_>>()
        };
        let all = stats(&alpha.admin.key, "").await;
        assert_eq!(all.len(), 7, "every stage of the pipeline: {all:?}");
        let mut expected = BTreeMap::from([
            // Five came and one came back; days 1, 2, 3.5 and 6 of those that left.
            row("prospeccao", (6, 4, Some(3.125), 3, Some(0.5), 1)),
            // Three days, two and a half; the third is still there.
            row("qualificacao", (3, 2, Some(2.75), 1, Some(1.0 / 3.0), 0)),
            row("proposta", (1, 1, Some(3.0), 1, Some(1.0), 0)),
            row("ganho", (1, 0, None, 0, None, 0)),
            row("perdido", (1, 0, None, 0, None, 0)),
        ]);
        expected.extend(unmoved(&["negociacao", "fechamento"]));
        assert_eq!(all, expected);
        // Those that came from the second day on, before the sixth.
        let from = at(4).to_rfc3339();
        let window = format!("(from: \"{from}\", to: {})", at(12).timestamp_millis());
        let some = stats(&alpha.admin.key, &window).await;
        let mut expected = BTreeMap::from([
            row("prospeccao", (1, 0, None, 0, Some(0.0), 0)),
            row("qualificacao", (1, 1, Some(2.5), 0, Some(0.0), 0)),
            row("proposta", (1, 1, Some(3.0), 1, Some(1.0), 0)),
            row("perdido", (1, 0, None, 0, None, 0)),
        ]);
        expected.extend(unmoved(&["negociacao", "fechamento", "ganho"]));
        assert_eq!(some, expected);
        let own = app
            .key_with(&alpha, alpha.admin.id, json!({
                "deals": { "read": "own" }, "pipeline_stages": { "read": "all" },
            }))
            .await;
        let mut expected = BTreeMap::from([
            row("prospeccao", (1, 1, Some(6.0), 1, Some(1.0), 0)),
            row("qualificacao", (1, 0, None, 0, Some(0.0), 0)),
        ]);
        let others = ["proposta", "negociacao", "fechamento", "ganho", "perdido"];
        expected.extend(unmoved(&others));
        assert_eq!(stats(&own, "").await, expected);
        let elsewhere = stats(&app.beta.admin.key, "").await;
        assert_eq!(elsewhere.len(), 7);
        assert!(elsewhere.values().all(|row| row["entered"] == 0), "{elsewhere:?}");
        // A stage that is gone is shown for as long as its moves count.
        let gone = app.stage(&alpha, "proposta").await;
        let unused = app.stage(&alpha, "fechamento").await;
        for stage in [gone, unused] {
            app.done(&alpha.admin.key, "pipelineStageDelete", json!({ "id": stage }), "{ id }").await;
        }
        let query = "{ pipelineStageStats { nodes { stageId entered } } }";
        let left = app.data(&alpha.admin.key, query, Json::Null).await;
        let left = left["pipelineStageStats"]["nodes"].as_array().unwrap().clone();
        assert_eq!(left.len(), 6);
        assert!(left.iter().any(|row| row["stageId"] == json!(gone) && row["entered"] == 1));
    }

    /// São Paulo is three hours behind UTC; New York moves its clock on 8 March 2026 at 07:00 UTC.
    async fn the_funnel_counts_by_month_of_a_zone(app: TestApp) {
        let alpha = app.alpha.clone();
        for (created_at, source, status) in [
            ("2026-02-01T02:59:59Z", "site", "converted"),
            ("2026-02-01T03:00:00Z", "site", "qualified"),
            ("2026-02-28T12:00:00Z", "site", "contacted"),
            ("2026-03-01T04:30:00Z", "evento", "new"),
            ("2026-04-01T03:30:00Z", "evento", "lost"),
            ("2026-04-01T04:30:00Z", "evento", "unqualified"),
        ] {
            let at = created_at.parse::<DateTime<Utc>>().unwrap();
            let fields = [
                ("created_at", Value::Instant(at)),
                ("source", source.into()),
                ("status", status.into()),
                ("assigned_to", Value::Id(if source == "site" { alpha.admin.id } else { alpha.comercial.id })),
            ];
            app.lead(&alpha, "Lead", &fields).await;
        }
        app.lead(&alpha, "Excluído", &[("deleted_at", Value::Instant(app.app.clock.now()))]).await;
        let funnel = async |key: &str, arguments: &str| {
            let query = format!(
                "{{ leadFunnel{arguments} {{ nodes {{ month source leads contacted qualified \
                 converted unqualified lost conversion }} }} }}"
            );
            app.data(key, &query, Json::Null).await["leadFunnel"]["nodes"].take()
        };
        let row = |month: &str, source: &str, counts: [i64; 6], rate: f64| {
            let [leads, contacted, qualified, converted, unqualified, lost] = counts;
            json!({
                "month": month, "source": source, "leads": leads, "contacted": contacted,
                "qualified": qualified, "converted": converted, "unqualified": unqualified,
                "lost": lost, "conversion": rate,
            })
        };
        let key = &alpha.admin.key;
        assert_eq!(funnel(key, "").await, json!([
            row("2026-01-01", "site", [1, 1, 1, 1, 0, 0], 1.0),
            row("2026-02-01", "site", [2, 2, 1, 0, 0, 0], 0.0),
            row("2026-03-01", "evento", [1, 0, 0, 0, 0, 0], 0.0),
            row("2026-04-01", "evento", [2, 0, 0, 0, 1, 1], 0.0),
        ]));
        assert_eq!(funnel(key, "(timeZone: \"UTC\")").await[0]["month"], "2026-02-01");
        // In winter New York is five hours behind, in summer four.
        let new_york = funnel(key, "(timeZone: \"America/New_York\")").await;
        assert_eq!(new_york[1], row("2026-02-01", "evento", [1, 0, 0, 0, 0, 0], 0.0));
        assert_eq!(new_york[3], row("2026-03-01", "evento", [1, 0, 0, 0, 0, 1], 0.0));
        assert_eq!(new_york[4], row("2026-04-01", "evento", [1, 0, 0, 0, 1, 0], 0.0));
        let window = "(from: \"2026-02-01T00:00:00-03:00\", to: \"2026-03-01T00:00:00-03:00\")";
        assert_eq!(funnel(key, window).await, json!([row("2026-02-01", "site", [2, 2, 1, 0, 0, 0], 0.0)]));
        let wrong = "{ leadFunnel(timeZone: \"Mars/Olympus\") { nodes { leads } } }";
        assert_eq!(app.error_code(key, wrong, Json::Null).await, "INVALID");
        let own = app.key_with(&alpha, alpha.comercial.id, json!({ "leads": { "read": "own" } })).await;
        let sources: Vec<Json> = funnel(&own, "").await.as_array().unwrap().iter()
            .map(|row| row["source"].clone()).collect();
        assert_eq!(sources, ["evento", "evento"]);
        assert_eq!(funnel(&app.beta.admin.key, "").await, json!([]));
    }
}

impl TestApp {
    async fn move_deal_as_admin(&self, tenant: &Tenant, deal: Uuid, stage: &str) -> Json {
        let stage = self.stage(tenant, stage).await;
        let query = format!(
            "mutation {{ dealMoveStage(id: \"{deal}\", stageId: \"{stage}\", lostReason: \"Preço\") \
             {{ id }} }}"
        );
        self.graphql(&tenant.admin.key, &query, Json::Null).await
    }
}
