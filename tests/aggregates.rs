//! Aggregates and groups, against the same sums made in memory.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, NaiveDate, TimeZone as _, Utc};
use chrono_tz::America::Sao_Paulo;
use pulso::db::Value;
use pulso::record::aggregate::first_instant_of;
use pulso::record::{Kind, Record};
use serde_json::{Value as Json, json};

use crate::support::data::{Data, Random, Row, fill};
use crate::support::{TestApp, both_databases};

fn record(name: &str) -> &'static Record {
    pulso::graphql::catalogue().records.iter().find(|record| record.name == name).unwrap()
}

fn ints(rows: &[&Row], column: &str) -> Vec<i64> {
    let int = |row: &&Row| match &row[column] {
        Value::Int(number) => Some(*number),
        _ => None,
    };
    rows.iter().filter_map(int).collect()
}

fn decimal(hundredths: i64) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", hundredths.abs() / 100, hundredths.abs() % 100)
}

/// To the nearest hundredth, halves to the even one.
fn average(values: &[i64]) -> Json {
    if values.is_empty() {
        return Json::Null;
    }
    let sum: i128 = values.iter().map(|value| i128::from(*value)).sum();
    let count = i128::try_from(values.len()).unwrap();
    let (quotient, rest) = (sum.div_euclid(count), sum.rem_euclid(count));
    let up = rest * 2 > count || (rest * 2 == count && quotient.rem_euclid(2) == 1);
    json!(decimal(i64::try_from(quotient + i128::from(up)).unwrap()))
}

fn text_of(row: &Row, column: &str) -> Json {
    match &row[column] {
        Value::Text(text) => json!(text),
        Value::Null(_) => Json::Null,
        Value::Int(number) => json!(number),
        Value::Bool(value) => json!(value),
        Value::Id(id) => json!(id),
        other => panic!("{other:?}"),
    }
}

fn shown(record: &Record, name: &str, row: &Row) -> Json {
    let field = record.find_field(name).unwrap();
    match (field.kind, &row[field.column]) {
        (Kind::Enum(of), Value::Text(stored)) => json!(of.shown(stored).unwrap()),
        _ => text_of(row, field.column),
    }
}

/// All groups, page by page.
async fn walk(app: &TestApp, plural: &str, arguments: &str, node: &str, size: usize) -> Vec<Json> {
    let query = format!(
        "query($after: String) {{ groups: {plural}(first: {size}, after: $after, {arguments}) {{ totalCount \
         nodes {{ {node} }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
    );
    let (mut found, mut after) = (Vec::new(), Json::Null);
    for _ in 0..200 {
        let data = app.data(&app.alpha.admin.key, &query, json!({ "after": after })).await;
        let page = &data["groups"];
        found.extend(page["nodes"].as_array().unwrap().iter().cloned());
        assert_eq!(page["pageInfo"]["hasPreviousPage"], json!(!after.is_null()));
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            assert_eq!(page["totalCount"], json!(found.len()), "{arguments}");
            return found;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    panic!("the walk does not end: {arguments}");
}

fn reference_groups(data: &Data, of: &'static Record, keys: &[&str]) -> BTreeMap<String, u64> {
    let mut groups = BTreeMap::new();
    for row in data.living(of) {
        let key: Json = keys
            .iter()
            .map(|name| ((*name).to_owned(), shown(of, name, row)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        *groups.entry(key.to_string()).or_insert(0) += 1;
    }
    groups
}

both_databases! {
    async fn sums_and_extremes_are_those_of_the_rows(app: TestApp) {
        let mut random = Random::new(6);
        let data = fill(&app, &app.alpha, &mut random, 30).await;
        fill(&app, &app.beta, &mut random, 6).await;
        let key = &app.alpha.admin.key;
        let leads = data.living(record("Lead"));
        let scores = ints(&leads, "score");
        let query = "{ leadAggregate { count sum { score } avg { score } min { score createdAt firstContactAt } \
                     max { score createdAt } } }";
        let answer = app.data(key, query, json!({})).await;
        let aggregate = &answer["leadAggregate"];
        assert_eq!(aggregate["count"], json!(leads.len()));
        let sum: i64 = scores.iter().sum();
        assert_eq!(aggregate["sum"]["score"], json!(sum));
        assert_eq!(aggregate["avg"]["score"].as_f64().unwrap(), sum as f64 / scores.len() as f64);
        assert_eq!(aggregate["min"]["score"], json!(scores.iter().min()));
        assert_eq!(aggregate["max"]["score"], json!(scores.iter().max()));
        let instants = |column: &str| -> Vec<DateTime<Utc>> {
            let instant = |row: &&Row| match row[column] {
                Value::Instant(at) => Some(at),
                _ => None,
            };
            leads.iter().filter_map(instant).collect()
        };
        let same = |text: &Json, at: Option<&DateTime<Utc>>| {
            let parsed: Option<DateTime<Utc>> = text.as_str().map(|text| text.parse().unwrap());
            assert_eq!(parsed.as_ref(), at);
        };
        same(&aggregate["min"]["createdAt"], instants("created_at").iter().min());
        same(&aggregate["max"]["createdAt"], instants("created_at").iter().max());
        same(&aggregate["min"]["firstContactAt"], instants("first_contact_at").iter().min());

        for currency in ["BRL", "USD"] {
            let deals: Vec<&Row> = data.living(record("Deal"));
            let deals: Vec<&Row> =
                deals.into_iter().filter(|row| row["currency"] == Value::from(currency)).collect();
            let values = ints(&deals, "value");
            let query = format!(
                "{{ dealAggregate(filter: {{ currency: {{ eq: \"{currency}\" }} }}) {{ count sum {{ value \
                 valueAsFloat }} avg {{ value }} min {{ value expectedCloseDate }} max {{ value expectedCloseDate }} }} }}"
            );
            let answer = app.data(key, &query, json!({})).await;
            let aggregate = &answer["dealAggregate"];
            let sum: i64 = values.iter().sum();
            assert_eq!(aggregate["count"], json!(deals.len()));
            assert_eq!(aggregate["sum"]["value"], json!(decimal(sum)));
            assert_eq!(aggregate["sum"]["valueAsFloat"].as_f64().unwrap(), sum as f64 / 100.0);
            assert_eq!(aggregate["avg"]["value"], average(&values));
            assert_eq!(aggregate["min"]["value"], json!(values.iter().min().map(|value| decimal(*value))));
            assert_eq!(aggregate["max"]["value"], json!(values.iter().max().map(|value| decimal(*value))));
            let date = |row: &&Row| match row["expected_close_date"] {
                Value::Date(date) => Some(date),
                _ => None,
            };
            let dates: Vec<NaiveDate> = deals.iter().filter_map(date).collect();
            assert_eq!(aggregate["min"]["expectedCloseDate"], json!(dates.iter().min()));
            assert_eq!(aggregate["max"]["expectedCloseDate"], json!(dates.iter().max()));
        }
    }

    async fn nothing_adds_up_to_nothing(app: TestApp) {
        let query = "{ dealAggregate(filter: { title: { eq: \"absent\" } }) { __typename count sum { __typename \
                     value valueAsFloat } avg { value valueAsFloat } min { value expectedCloseDate createdAt } max { value } } \
                     dealGroups(by: [{ field: STATUS }]) { totalCount nodes { count } pageInfo { hasNextPage endCursor } } }";
        let data = app.data(&app.alpha.admin.key, query, json!({})).await;
        assert_eq!(
            data["dealAggregate"],
            json!({
                "__typename": "DealAggregate", "count": 0,
                "sum": { "__typename": "DealSum", "value": "0.00", "valueAsFloat": 0.0 },
                "avg": { "value": null, "valueAsFloat": null },
                "min": { "value": null, "expectedCloseDate": null, "createdAt": null },
                "max": { "value": null },
            })
        );
        let groups = json!({ "totalCount": 0, "nodes": [], "pageInfo": { "hasNextPage": false, "endCursor": null } });
        assert_eq!(data["dealGroups"], groups);
    }

    async fn money_of_two_currencies_is_never_one_number(app: TestApp) {
        for (currency, value, state) in [("BRL", 100, "open"), ("BRL", 250, "won"), ("USD", 700, "won")] {
            let fields = [("currency", Value::from(currency)), ("value", Value::Int(value)), ("status", state.into())];
            app.deal(&app.alpha, "x", &fields).await;
        }
        let key = &app.alpha.admin.key;
        for query in [
            "{ dealAggregate { sum { value } } }",
            "{ dealAggregate { avg { value } } }",
            "{ dealAggregate { min { value } } }",
            "{ dealAggregate { max { valueAsFloat } } }",
            "{ dealGroups(by: [{ field: STATUS }]) { nodes { sum { value } } } }",
            // Groups cannot be compared by it either, even when it is not shown.
            "{ dealGroups(by: [{ field: STATUS }], orderBy: [{ by: SUM, field: VALUE }]) { nodes { count } } }",
            "{ dealGroups(by: [{ field: STATUS }], having: { sum: { value: { gt: \"1\" } } }) { nodes { count } } }",
        ] {
            assert_eq!(app.error_code(key, query, json!({})).await, "INVALID", "{query}");
        }
        let query = "{ one: dealAggregate(filter: { currency: { eq: \"USD\" } }) { sum { value } } \
                     count: dealAggregate { count } open: dealGroups(by: [{ field: STATUS }], filter: { status: { \
                     eq: OPEN } }, orderBy: [{ by: SUM, field: VALUE }]) { nodes { sum { value } } } \
                     each: dealGroups(by: [{ field: CURRENCY }], orderBy: [{ by: SUM, field: VALUE, direction: DESC }]) \
                     { nodes { key { currency } sum { value } avg { value } } } }";
        let data = app.data(key, query, json!({})).await;
        assert_eq!(
            data,
            json!({
                "one": { "sum": { "value": "7.00" } }, "count": { "count": 3 },
                "open": { "nodes": [{ "sum": { "value": "1.00" } }] },
                "each": { "nodes": [
                    { "key": { "currency": "USD" }, "sum": { "value": "7.00" }, "avg": { "value": "7.00" } },
                    { "key": { "currency": "BRL" }, "sum": { "value": "3.50" }, "avg": { "value": "1.75" } },
                ] },
            })
        );
        // A row without an amount has a currency that says nothing.
        app.company(&app.alpha, "A", &[("annual_revenue", Value::Int(500))]).await;
        app.company(&app.alpha, "B", &[("currency", Value::from("USD"))]).await;
        let query = "{ companyAggregate { sum { annualRevenue } } }";
        assert_eq!(app.data(key, query, json!({})).await["companyAggregate"]["sum"]["annualRevenue"], "5.00");
    }

    async fn a_sum_past_64_bits_is_refused_in_words(app: TestApp) {
        for _ in 0..2 {
            app.deal(&app.alpha, "x", &[("value", Value::Int(i64::MAX - 5))]).await;
        }
        let key = &app.alpha.admin.key;
        for query in [
            "{ dealAggregate { sum { value } } }",
            "{ dealAggregate { avg { value } } }",
            "{ dealGroups(by: [{ field: STATUS }]) { nodes { sum { value } } } }",
        ] {
            let answer = app.graphql(key, query, json!({})).await;
            let error = &answer["errors"][0];
            assert_eq!(error["extensions"]["code"], "INVALID", "{answer}");
            assert!(error["message"].as_str().unwrap().contains("out of range"), "{answer}");
        }
        let query = "{ dealAggregate { count max { value } } }";
        assert_eq!(app.data(key, query, json!({})).await["dealAggregate"]["max"]["value"], "92233720368547758.02");
    }

    async fn groups_are_those_of_the_rows_each_once(app: TestApp) {
        let mut random = Random::new(7);
        let data = fill(&app, &app.alpha, &mut random, 40).await;
        fill(&app, &app.beta, &mut random, 6).await;
        for (of, plural, fields, measure) in [
            ("Lead", "leadGroups", &["source"][..], "SCORE"),
            ("Lead", "leadGroups", &["channel", "status"], "SCORE"),
            ("Lead", "leadGroups", &["companyId", "temperature", "score"], "SCORE"),
            ("Company", "companyGroups", &["size", "addressState"], "EMPLOYEES"),
            ("Company", "companyGroups", &["addressCity"], "FOUNDED_YEAR"),
            ("Contact", "contactGroups", &["isDecisionMaker", "department"], "CREATED_AT"),
        ] {
            let by: Vec<String> = fields
                .iter()
                .map(|name| format!("{{ field: {} }}", pulso::record::declare::screaming_case(name)))
                .collect();
            let expected = reference_groups(&data, record(of), fields);
            let node = format!("key {{ {} }} count", fields.join(" "));
            let first = pulso::record::declare::screaming_case(fields[0]);
            let functions: &[&str] = if measure == "CREATED_AT" { &["MIN", "MAX"] } else { &["SUM", "AVG", "MIN", "MAX"] };
            let mut orders = vec![
                String::new(),
                "orderBy: [{ by: COUNT, direction: DESC }]".to_owned(),
                "orderBy: [{ by: COUNT }]".to_owned(),
                format!("orderBy: [{{ by: KEY, field: {first}, direction: DESC, nulls: FIRST }}]"),
                format!("orderBy: [{{ by: COUNT }}, {{ by: KEY, field: {first}, direction: DESC }}]"),
            ];
            for function in functions {
                for rest in ["", ", direction: DESC", ", nulls: FIRST", ", direction: DESC, nulls: FIRST"] {
                    orders.push(format!("orderBy: [{{ by: {function}, field: {measure}{rest} }}]"));
                }
            }
            for order in orders {
                let size = 1 + random.below(6);
                let arguments = format!("by: [{}], {order}", by.join(", "));
                let found = walk(&app, plural, &arguments, &node, size).await;
                let mut groups = BTreeMap::new();
                for group in &found {
                    let known = groups.insert(group["key"].to_string(), group["count"].as_u64().unwrap());
                    assert!(known.is_none(), "{arguments}: {group} twice");
                }
                let expected: BTreeMap<String, u64> = expected
                    .iter()
                    .map(|(key, count)| {
                        let key: Json = serde_json::from_str(key).unwrap();
                        let ordered: serde_json::Map<String, Json> =
                            fields.iter().map(|name| ((*name).to_owned(), key[*name].clone())).collect();
                        (Json::Object(ordered).to_string(), *count)
                    })
                    .collect();
                assert_eq!(groups, expected, "{arguments}");
                // All at once, in the same order.
                assert_eq!(walk(&app, plural, &arguments, &node, 1000).await, found, "{arguments}");
            }
        }
    }

    async fn groups_are_ordered_and_filtered_by_their_measures(app: TestApp) {
        for (source, score) in [("a", 1), ("a", 2), ("b", 10), ("c", 3), ("c", 3), ("c", 9), ("d", 0)] {
            app.lead(&app.alpha, "x", &[("source", Value::from(source)), ("score", Value::Int(score))]).await;
        }
        let key = &app.alpha.admin.key;
        let sources = async |arguments: &str| {
            let query = format!(
                "{{ leadGroups(by: [{{ field: SOURCE }}], {arguments}) {{ totalCount nodes {{ key {{ source }} }} }} }}"
            );
            let data = app.data(key, &query, json!({})).await;
            let nodes = data["leadGroups"]["nodes"].as_array().unwrap();
            assert_eq!(data["leadGroups"]["totalCount"], json!(nodes.len()));
            nodes.iter().map(|node| node["key"]["source"].as_str().unwrap()).collect::<String>()
        };
        assert_eq!(sources("first: 9").await, "abcd");
        assert_eq!(sources("orderBy: [{ by: COUNT, direction: DESC }]").await, "cabd");
        assert_eq!(sources("orderBy: [{ by: SUM, field: SCORE, direction: DESC }]").await, "cbad");
        assert_eq!(sources("orderBy: [{ by: AVG, field: SCORE }]").await, "dacb");
        assert_eq!(sources("orderBy: [{ by: MAX, field: SCORE, direction: DESC }]").await, "bcad");
        assert_eq!(sources("orderBy: [{ by: KEY, field: SOURCE, direction: DESC }]").await, "dcba");
        assert_eq!(sources("having: { count: { gte: 2 } }").await, "ac");
        assert_eq!(sources("having: { avg: { score: { gt: 1.5, lt: 5.5 } } }").await, "c");
        assert_eq!(sources("having: { sum: { score: { ne: 3 } }, count: { eq: 1 } }").await, "bd");
        assert_eq!(sources("having: { max: { score: { lte: 2 } } }").await, "ad");
        assert_eq!(sources("having: { min: { createdAt: { gt: \"2030-01-01T00:00:00Z\" } } }").await, "");
        for (arguments, code) in [
            ("orderBy: [{ by: SUM }]", "INVALID"),
            ("orderBy: [{ by: SUM, field: STATUS }]", "INVALID"),
            ("orderBy: [{ by: KEY, field: STATUS }]", "INVALID"),
            ("orderBy: [{ by: COUNT, field: SCORE }]", "INVALID"),
            ("after: \"x\"", "INVALID"),
            ("first: 1001", "INVALID"),
        ] {
            let query = format!("{{ leadGroups(by: [{{ field: SOURCE }}], {arguments}) {{ totalCount }} }}");
            assert_eq!(app.error_code(key, &query, json!({})).await, code, "{arguments}");
        }
        for by in [
            "[]", "[{ field: SOURCE }, { field: SOURCE }]", "[{ field: SOURCE, bucket: DAY }]",
            "[{ field: SOURCE, timeZone: \"UTC\" }]", "[{ field: CREATED_AT, timeZone: \"Mars/Olympus\" }]",
            "[{ field: CREATED_AT, timeZone: \"'; DROP\" }]",
        ] {
            let query = format!("{{ leadGroups(by: {by}) {{ totalCount }} }}");
            assert_eq!(app.error_code(key, &query, json!({})).await, "INVALID", "{by}");
        }
        let query = "{ leadGroups(by: [{ field: SOURCE }]) { nodes { key { status } } } }";
        assert_eq!(app.error_code(key, query, json!({})).await, "INVALID");
        // A cursor belongs to its own list of groups.
        let query = "{ leadGroups(by: [{ field: SOURCE }], first: 1) { pageInfo { endCursor } } }";
        let data = app.data(key, query, json!({})).await;
        let cursor = data["leadGroups"]["pageInfo"]["endCursor"].as_str().unwrap();
        for arguments in ["by: [{ field: CHANNEL }]", "by: [{ field: SOURCE }], orderBy: [{ by: KEY, field: SOURCE, direction: DESC }]"] {
            let query = format!("{{ leadGroups({arguments}, after: \"{cursor}\") {{ totalCount }} }}");
            assert_eq!(app.error_code(key, &query, json!({})).await, "INVALID", "{arguments}");
        }
        let other = format!("{{ leadGroups(by: [{{ field: SOURCE }}], first: 1, after: \"{cursor}\") {{ totalCount }} }}");
        assert_eq!(app.error_code(&app.beta.admin.key, &other, json!({})).await, "INVALID");
    }

    async fn periods_follow_the_calendar_of_a_zone(app: TestApp) {
        // In São Paulo 2018-11-04 began at one o'clock: there was no midnight.
        let instants = [
            "2018-11-03T02:59:59.999999Z", "2018-11-03T03:00:00Z", "2018-11-04T02:59:59Z", "2018-11-04T03:00:00Z",
            "2018-11-05T01:59:59Z", "2018-11-05T02:00:00Z", "2019-02-17T01:59:59Z", "2019-02-17T02:59:59Z",
            "2019-02-17T03:00:00Z", "2026-01-01T02:59:59Z", "2026-01-01T03:00:00Z", "2024-02-29T23:30:00.000001Z",
        ];
        for at in instants {
            let at: DateTime<Utc> = at.parse().unwrap();
            app.lead(&app.alpha, "x", &[("first_contact_at", at.into())]).await;
        }
        app.lead(&app.alpha, "never", &[]).await;
        for bucket in ["DAY", "WEEK", "MONTH", "QUARTER", "YEAR"] {
            let mut expected: BTreeMap<DateTime<Utc>, u64> = BTreeMap::new();
            for at in instants {
                let at: DateTime<Utc> = at.parse().unwrap();
                let day = Sao_Paulo.from_utc_datetime(&at.naive_utc()).date_naive();
                let start = match bucket {
                    "DAY" => day,
                    "WEEK" => day.week(chrono::Weekday::Mon).first_day(),
                    "MONTH" => day.with_day(1).unwrap(),
                    "QUARTER" => day.with_day(1).unwrap().with_month(day.month0() / 3 * 3 + 1).unwrap(),
                    _ => day.with_ordinal(1).unwrap(),
                };
                *expected.entry(first_instant_of(start, Sao_Paulo)).or_default() += 1;
            }
            for zone in ["", ", timeZone: \"America/Sao_Paulo\""] {
                let arguments = format!("by: [{{ field: FIRST_CONTACT_AT, bucket: {bucket}{zone} }}]");
                let mut found = walk(&app, "leadGroups", &arguments, "key { firstContactAt } count", 2).await;
                let never = found.pop().unwrap();
                assert_eq!(never, json!({ "key": { "firstContactAt": null }, "count": 1 }));
                let found: Vec<(DateTime<Utc>, u64)> = found
                    .iter()
                    .map(|node| {
                        let at = node["key"]["firstContactAt"].as_str().unwrap().parse().unwrap();
                        (at, node["count"].as_u64().unwrap())
                    })
                    .collect();
                assert_eq!(found, expected.clone().into_iter().collect::<Vec<_>>(), "{bucket}");
            }
        }
        let no_midnight: DateTime<Utc> = "2018-11-04T03:00:00Z".parse().unwrap();
        assert_eq!(first_instant_of(NaiveDate::from_ymd_opt(2018, 11, 4).unwrap(), Sao_Paulo), no_midnight);
        // Calendar dates have no zone.
        for date in ["2026-02-28", "2026-03-01", "2026-03-31"] {
            let date: NaiveDate = date.parse().unwrap();
            app.deal(&app.alpha, "x", &[("expected_close_date", date.into())]).await;
        }
        let arguments = "by: [{ field: EXPECTED_CLOSE_DATE, bucket: MONTH }, { field: STATUS }]";
        let found = walk(&app, "dealGroups", arguments, "key { expectedCloseDate status } count", 1).await;
        assert_eq!(
            found,
            [
                json!({ "key": { "expectedCloseDate": "2026-02-01", "status": "OPEN" }, "count": 1 }),
                json!({ "key": { "expectedCloseDate": "2026-03-01", "status": "OPEN" }, "count": 2 }),
            ]
        );
    }
}
