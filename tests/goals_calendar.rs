//! Days, months and years of the page of goals: they are the tenant's, and those that people work.

use chrono::TimeDelta;
use serde_json::{Value as Json, json};

use crate::support::goals::{customer, found, page, page_on, sell};
use crate::support::{TestApp, both_databases};

/// What a year that is under way comes to.
async fn projected(app: &TestApp, year: i32) -> Json {
    page(app, json!({ "year": year })).await["summary"]["projectedYear"].clone()
}

both_databases! {
    async fn a_year_is_projected_by_its_working_days(app: TestApp) {
        let seller = app.alpha.comercial.id;
        let id = customer(&app, seller, "Bazar", "1000.00").await;
        sell(&app, (seller, id), "1", "307.00", "2026-01-15T12:00:00Z").await;
        sell(&app, (seller, id), "2", "250.00", "2026-03-02T15:00:00Z").await;
        // It is Tuesday, 10 March. January had 22 weekdays and its first was a holiday (21), February
        // 20 less Carnival's Monday and Tuesday (18), March has 7 so far, today's included: 46.
        // The year has 261 weekdays and loses 12: 1 January, Carnival's two, Good Friday (3 April),
        // 21 April, 1 May, Corpus Christi (4 June), 7 September, 12 October, 2 and 20 November, and
        // 25 December; 15 November is a Sunday. 557.00 x 249 / 46 = 3015.065…
        assert_eq!(projected(&app, 2026).await, "3015.07");
        // Friday is the 49th, and nobody works on Saturday: 557.00 x 249 / 49 = 2830.469…
        app.app.clock.advance(TimeDelta::days(3));
        assert_eq!(projected(&app, 2026).await, "2830.47", "Friday, 13 March");
        app.app.clock.advance(TimeDelta::days(1));
        assert_eq!(projected(&app, 2026).await, "2830.47", "Saturday, 14 March");
        assert_eq!(projected(&app, 2027).await, Json::Null, "nothing is known of a year to come");
        assert_eq!(projected(&app, 2025).await, "0.00", "it is over");
        app.app.clock.advance(TimeDelta::days(292));
        assert_eq!(projected(&app, 2026).await, "557.00", "31 December, the last of its days");
        app.app.clock.advance(TimeDelta::days(1));
        assert_eq!(projected(&app, 2027).await, Json::Null, "1 January: nobody has worked yet");
        assert_eq!(projected(&app, 2026).await, "557.00");
    }

    async fn a_page_is_as_old_as_its_oldest_part(app: TestApp) {
        let node = app.other_app();
        let (seller, other) = (app.alpha.comercial.id, app.alpha.manager.id);
        let id = customer(&app, seller, "Bazar", "1000.00").await;
        let of = |seller| json!({ "seller": seller, "year": 2026, "month": 3 });
        let as_of = async |asked: Json| {
            let (page, extensions) = page_on(&app, &node, asked).await;
            (page["summary"]["dataAsOf"].clone(), extensions)
        };
        let after = |seconds| app.app.clock.advance(TimeDelta::seconds(seconds));
        assert_eq!(as_of(of(seller)).await.0, "2026-03-10T12:00:00Z");
        after(90);
        assert_eq!(as_of(of(seller)).await.0, "2026-03-10T12:00:00Z", "it is kept");
        // Of two sellers the older one counts.
        assert_eq!(as_of(of(other)).await.0, "2026-03-10T12:01:30Z");
        let both = json!({ "sellers": [seller, other], "year": 2026, "month": 3 });
        assert_eq!(as_of(both.clone()).await.0, "2026-03-10T12:00:00Z");
        // A sale renews what was sold, not what customers are called.
        sell(&app, (seller, id), "1", "1.00", "2026-03-10T12:00:00Z").await;
        let (at, extensions) = as_of(of(seller)).await;
        assert_eq!((at, found(&extensions)), (json!("2026-03-10T12:00:00Z"), ("HIT", "MISS")));
        after(1_710);
        assert_eq!(as_of(of(seller)).await.0, "2026-03-10T12:30:00Z", "half an hour is over");
        after(60);
        let mut anew = both;
        anew["refresh"] = json!(true);
        assert_eq!(as_of(anew).await.0, "2026-03-10T12:31:00Z");
        assert_eq!(as_of(of(other)).await.0, "2026-03-10T12:31:00Z", "the others find it fresh too");
    }

    async fn month_and_year_are_those_of_the_tenants_zone(app: TestApp) {
        let seller = app.alpha.comercial.id;
        let id = customer(&app, seller, "Bazar", "1000.00").await;
        let now = "{ customerGoals { summary { year month soldYear soldMonth } } \
            goalSeries { nodes { month } } }";
        let read = async || app.ask(&app.alpha, now).await;
        // Another tenant has a calendar of its own.
        let input = json!({ "input": { "timeZone": "Asia/Tokyo" } });
        app.done(&app.beta.admin.key, "tenantUpdate", input, "{ timeZone }").await;
        // 1 April, 01:00 UTC: in São Paulo it is still ten in the evening of 31 March.
        app.app.clock.advance(TimeDelta::hours(21 * 24 + 13));
        assert_eq!(app.app.clock.now().to_rfc3339(), "2026-04-01T01:00:00+00:00");
        let input = json!({ "orderId": "1", "sellerId": seller, "customerId": id, "amount": "5.00" });
        let sale = app.done(&app.alpha.admin.key, "saleRegister", json!({ "input": input }),
            "{ soldAt soldOn }").await;
        assert_eq!(sale, json!({ "soldAt": "2026-04-01T01:00:00Z", "soldOn": "2026-03-31" }));
        let march = json!({ "year": 2026, "month": 3, "soldYear": "5.00", "soldMonth": "5.00" });
        assert_eq!(read().await["customerGoals"]["summary"], march);
        app.app.clock.advance(TimeDelta::hours(2));
        let april = json!({ "year": 2026, "month": 4, "soldYear": "5.00", "soldMonth": "0.00" });
        assert_eq!(read().await["customerGoals"]["summary"], april, "midnight in São Paulo");
        // 1 January, 01:00 UTC: the old year still.
        app.app.clock.advance(TimeDelta::hours(275 * 24 - 2));
        assert_eq!(app.app.clock.now().to_rfc3339(), "2027-01-01T01:00:00+00:00");
        let data = read().await;
        assert_eq!(data["customerGoals"]["summary"]["year"], 2026);
        assert_eq!(data["customerGoals"]["summary"]["month"], 12);
        assert_eq!(data["goalSeries"]["nodes"][0]["month"], "2026-01-01");
        app.app.clock.advance(TimeDelta::hours(2));
        assert_eq!(read().await["customerGoals"]["summary"]["year"], 2027);
        app.app.clock.advance(TimeDelta::hours(58 * 24 + 13));
        assert_eq!(app.app.clock.now().to_rfc3339(), "2027-02-28T16:00:00+00:00");
        let of_beta = app.data(&app.beta.admin.key, now, json!({})).await;
        assert_eq!(of_beta["customerGoals"]["summary"]["month"], 3, "an hour past midnight in Tokyo");
        assert_eq!(read().await["customerGoals"]["summary"]["month"], 2);
    }
}
