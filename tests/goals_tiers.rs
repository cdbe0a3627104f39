//! The tiers that the schema declares are those that fields really have. Values are changed behind the
//! server's back, so that no epoch is raised: only age makes an answer read them anew.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use pulso::db::{NullOf, Value};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::app::OtherApp;
use crate::support::goals::{customer, found, goal_of, sell};
use crate::support::sources::root;
use crate::support::{TestApp, both_databases};

/// The fields of a type of the schema that declare a tier.
fn declared(type_name: &str) -> BTreeMap<String, String> {
    let schema = std::fs::read_to_string(root().join("schema.graphql")).unwrap();
    let body = schema.split_once(&format!("type {type_name} {{")).unwrap().1;
    let body = body.split_once("\n}").unwrap().0;
    let fields = body.lines().filter_map(|line| {
        let (field, tier) = line.trim().split_once(" @tier(of: ")?;
        let (name, _) = field.split_once(':')?;
        Some((name.to_owned(), tier.split_once(',')?.0.to_owned()))
    });
    fields.collect()
}

/// What a node answers about a seller: the only row, the summary, and what it says beside.
async fn seen(app: &TestApp, node: &OtherApp, seller: Uuid) -> (Json, Json, Json) {
    let select =
        |fields: BTreeMap<String, String>| fields.into_keys().collect::<Vec<_>>().join(" ");
    let query = format!(
        "query($seller: ID) {{ customerGoals(sellerId: $seller, year: 2026, month: 3) {{ \
         summary {{ {} }} nodes {{ {} }} }} }}",
        select(declared("CustomerGoalsSummary")),
        select(declared("CustomerGoal")),
    );
    let mut answer = node.graphql(&app.alpha.admin.key, &query, json!({ "seller": seller })).await;
    let mut page = answer["data"]["customerGoals"].take();
    assert_eq!(page["nodes"].as_array().map(Vec::len), Some(1), "{answer:#}");
    (page["nodes"][0].take(), page["summary"].take(), answer["extensions"].take())
}

/// The names of fields whose values are others than before.
fn changed(before: &Json, after: &Json) -> Vec<String> {
    let fields = before.as_object().unwrap().iter();
    fields.filter(|(name, value)| after[*name] != **value).map(|(name, _)| name.clone()).collect()
}

/// Another value for everything that a row of the page shows.
async fn change_behind_its_back(app: &TestApp, (customer, goal, sale): (Uuid, Uuid, Uuid)) {
    let set = async |sql: &str, values: Vec<Value>| {
        assert_eq!(app.write_sql(sql, values).await, 1, "{sql}");
    };
    set(
        "UPDATE companies SET name = ?, address_city = ?, address_state = ? WHERE id = ?",
        vec!["Outro".into(), "Recife".into(), "PE".into(), customer.into()],
    )
    .await;
    set("UPDATE customer_goals SET amount = 77700, classification = ?, last_year_sales = ? WHERE id = ?",
        vec!["C".into(), Value::Null(NullOf::Int), goal.into()]).await;
    set(
        "UPDATE sales SET amount = 4200, sold_at = ? WHERE id = ?",
        vec![Value::Instant("2026-01-06T15:00:00Z".parse().unwrap()), sale.into()],
    )
    .await;
}

both_databases! {
    async fn every_field_is_as_fresh_as_its_tier_says(app: TestApp) {
        let node = app.other_app();
        // What is kept is told by one seller's page, what is live by another's.
        let (kept, live) = (app.alpha.comercial.id, app.alpha.manager.id);
        let old = customer(&app, kept, "Antigo", "100.00").await;
        let goals = app.ask(&app.alpha, "{ goals { nodes { id } } }").await;
        let goal = goals["goals"]["nodes"][0]["id"].as_str().unwrap().parse().unwrap();
        let january = sell(&app, (kept, old), "1", "10.00", "2026-01-05T12:00:00Z").await;
        let new = customer(&app, live, "Novo", "100.00").await;
        let march = sell(&app, (live, new), "2", "20.00", "2026-03-05T12:00:00Z").await;
        let (row, summary, _) = seen(&app, &node, kept).await;
        let (live_row, live_summary, _) = seen(&app, &node, live).await;

        change_behind_its_back(&app, (old, goal, january)).await;
        let cancel = "UPDATE sales SET cancelled_at = sold_at WHERE id = ?";
        assert_eq!(app.write_sql(cancel, vec![march.into()]).await, 1);

        let (now_row, now_summary, _) = seen(&app, &node, live).await;
        let at_once = [changed(&live_row, &now_row), changed(&live_summary, &now_summary)];
        assert_eq!((&now_row["soldMonth"], &now_summary["soldMonth"]), (&json!("0.00"), &json!("0.00")));
        // A year is never below, nor above, its months: it goes along with the live one.
        assert_eq!((&now_row["soldYear"], &now_row["gap"]), (&json!("0.00"), &json!("100.00")));

        let mut tiers: [BTreeMap<String, &str>; 2] = [BTreeMap::new(), BTreeMap::new()];
        let mut age = 0;
        for (at, expected, tier) in [
            (0, ("HIT", "HIT"), None),
            (599, ("HIT", "HIT"), None),
            (600, ("HIT", "MISS"), Some("ANNUAL")),
            (601, ("HIT", "HIT"), None),
            (1_799, ("HIT", "MISS"), None),
            (1_800, ("MISS", "HIT"), Some("STATIC")),
            (1_801, ("HIT", "HIT"), None),
        ] {
            app.app.clock.advance(TimeDelta::seconds(at - age));
            age = at;
            let (now, sums, extensions) = seen(&app, &node, kept).await;
            assert_eq!(found(&extensions), expected, "after {at} s");
            assert_eq!(extensions["cache"]["live"]["found"], "BYPASS");
            let ttl = |tier: &str| extensions["cache"][tier]["ttlSeconds"].clone();
            assert_eq!([ttl("static"), ttl("annual"), ttl("live")], [1_800, 600, 0]);
            for (index, (first, now)) in [(&row, &now), (&summary, &sums)].into_iter().enumerate() {
                for name in changed(first, now) {
                    tiers[index].entry(name).or_insert_with_key(|name| {
                        tier.unwrap_or_else(|| panic!("{name} after {at} s"))
                    });
                }
            }
        }
        // What never was kept; the year and what follows from it are kept, but for the live month.
        let [mut tiers, mut of_summary] = tiers;
        for (names, tiers) in at_once.into_iter().zip([&mut tiers, &mut of_summary]) {
            for name in names {
                tiers.entry(name).or_insert("LIVE");
            }
        }
        // Who it is never changes.
        tiers.extend(["customerId", "sellerId"].map(|name| (name.to_owned(), "STATIC")));
        // Two customers instead of one are the subject of the next test.
        of_summary.insert("customers".to_owned(), "ANNUAL");
        let owned = |tiers: BTreeMap<String, &str>| -> BTreeMap<String, String> {
            tiers.into_iter().map(|(name, tier)| (name, tier.to_owned())).collect()
        };
        assert_eq!(owned(tiers), declared("CustomerGoal"));
        assert_eq!(owned(of_summary), declared("CustomerGoalsSummary"));
    }

    async fn customers_who_come_from_nowhere_are_counted_by_their_tier(app: TestApp) {
        let node = app.other_app();
        let (seller, other) = (app.alpha.comercial.id, app.alpha.manager.id);
        customer(&app, seller, "Um", "100.00").await;
        let hers = customer(&app, other, "Dois", "100.00").await;
        let january = sell(&app, (other, hers), "1", "10.00", "2026-01-05T12:00:00Z").await;
        let march = sell(&app, (other, hers), "2", "3.00", "2026-03-05T12:00:00Z").await;
        let count = async || {
            let query = "query($seller: ID) { customerGoals(sellerId: $seller, year: 2026, month: 3) { \
                summary { customers soldMonth } nodes { customerName } } }";
            let answer = node.graphql(&app.alpha.admin.key, query, json!({ "seller": seller })).await;
            let page = &answer["data"]["customerGoals"];
            let nodes = page["nodes"].as_array().unwrap();
            assert!(nodes.iter().all(|row| row["customerName"].is_string()), "{answer:#}");
            (page["summary"]["customers"].clone(), page["summary"]["soldMonth"].clone())
        };
        assert_eq!(count().await, (json!(1), json!("0.00")));
        let give = async |sale: Uuid| {
            let sql = "UPDATE sales SET seller_id = ? WHERE id = ?";
            assert_eq!(app.write_sql(sql, vec![seller.into(), sale.into()]).await, 1);
        };
        give(january).await;
        assert_eq!(count().await, (json!(1), json!("0.00")), "kept");
        app.app.clock.advance(TimeDelta::seconds(600));
        assert_eq!(count().await, (json!(2), json!("0.00")), "ten minutes later");
        // Who appears in the live month alone is there at once, and has a name.
        let fresh = customer(&app, other, "Três", "1.00").await;
        goal_of(&app, (other, app.company(&app.alpha, "Quatro", &[]).await), "1.00", json!({})).await;
        let sale = sell(&app, (other, fresh), "3", "4.00", "2026-03-06T12:00:00Z").await;
        give(sale).await;
        assert_eq!(count().await, (json!(3), json!("4.00")));
        give(march).await;
        assert_eq!(count().await, (json!(3), json!("7.00")));
    }
}
