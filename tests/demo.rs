//! The demo's year: believable, the same for the same seed, and put in as an import would.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use entity::value::Cnpj;
use pulso::clock::Clock;
use pulso::db::Value;
use pulso::demo::{self, Options, Planted};
use serde_json::{Value as Json, json};

use crate::support::app::{build, now};
use crate::support::{Backend, TestApp, TestDb, both_databases};

const EVERYTHING: &str = "{ \
    users(filter: { isService: { eq: false } }) { nodes { fullName email manager { fullName } orgUnit { name code } } } \
    companies(first: 1000, orderBy: [{ field: CNPJ }]) { nodes { name tradeName cnpj segment size \
      addressCity addressState addressZip employees annualRevenue createdAt externalId \
      parent { name } owner { fullName } contacts { nodes { fullName email phone jobTitle } } } } \
    leads(first: 1000, orderBy: [{ field: CREATED_AT }, { field: NAME }]) { nodes { name status score \
      temperature source channel createdAt convertedAt assignee { fullName } company { name } \
      interactions { nodes { type direction content createdAt } } } } \
    deals(first: 1000, orderBy: [{ field: CREATED_AT }, { field: TITLE }]) { nodes { title value currency \
      status createdAt stageChangedAt expectedCloseDate actualCloseDate lostReason version \
      stage { slug } owner { fullName } lead { name } company { name } contact { fullName } \
      activities { nodes { kind subject dueAt doneAt } } } } \
    sales(first: 1000, orderBy: [{ field: ORDER_ID }]) { nodes { orderId amount currency soldAt soldOn } } \
    goals(first: 1000, orderBy: [{ field: AMOUNT }]) { nodes { year amount classification } } }";

async fn planted(app: &TestApp, options: Options) -> Planted {
    demo::fill(&app.app, app.alpha.slug, options, false, |_part| {}).await.unwrap()
}

async fn everything(app: &TestApp) -> Json {
    app.data(&app.alpha.admin.key, EVERYTHING, Json::Null).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_seed_gives_the_same_year_on_both_databases() {
    let one = TestApp::new(Backend::Sqlite).await;
    let two = TestApp::new(Backend::Postgres).await;
    let other = TestApp::new(Backend::Sqlite).await;
    assert_eq!(planted(&one, Options::default()).await, planted(&two, Options::default()).await);
    planted(&other, Options { seed: 2, scale: 1 }).await;
    let (one, two, other) =
        (everything(&one).await, everything(&two).await, everything(&other).await);
    for part in ["users", "companies", "leads", "deals", "sales", "goals"] {
        assert_eq!(one[part], two[part], "{part}");
        assert_ne!(one[part], other[part], "{part}");
    }
}

both_databases! {
    async fn the_year_is_believable(app: TestApp) {
        let count = planted(&app, Options::default()).await;
        assert!(count.companies >= 40 && count.contacts >= 60 && count.leads >= 120 && count.deals >= 80);
        let all = everything(&app).await;
        let list = |name: &str| all[name]["nodes"].as_array().unwrap().clone();
        let text = |value: &Json| value.as_str().unwrap().to_owned();
        let year = now() - TimeDelta::days(370)..now();
        let within = |value: &Json| year.contains(&text(value).parse::<DateTime<Utc>>().unwrap());

        let companies = list("companies");
        let cnpjs: BTreeSet<String> = companies.iter().map(|each| text(&each["cnpj"])).collect();
        assert_eq!(cnpjs.len(), companies.len());
        assert!(cnpjs.iter().all(|cnpj| Cnpj::parse(cnpj).unwrap().as_str() == cnpj));
        assert!(cnpjs.iter().any(|cnpj| cnpj.bytes().any(|byte| byte.is_ascii_uppercase())));
        assert!(companies.iter().all(|each| within(&each["createdAt"])));
        assert!(companies.iter().any(|each| each["parent"].is_object()));
        let states: BTreeSet<String> = companies.iter().map(|each| text(&each["addressState"])).collect();
        assert!(states.len() >= 6, "{states:?}");

        let leads = list("leads");
        let statuses: BTreeSet<String> = leads.iter().map(|each| text(&each["status"])).collect();
        assert_eq!(statuses.len(), 6);
        for lead in &leads {
            assert!(within(&lead["createdAt"]));
            assert_eq!(lead["status"] == "CONVERTED", lead["convertedAt"].is_string());
            assert_eq!(lead["status"] == "NEW", lead["interactions"]["nodes"] == json!([]));
        }
        let deals = list("deals");
        let stages: BTreeSet<String> = deals.iter().map(|each| text(&each["stage"]["slug"])).collect();
        assert_eq!(stages.len(), 7, "{stages:?}");
        for deal in &deals {
            let slug = deal["stage"]["slug"].as_str().unwrap();
            let status = match slug { "ganho" => "WON", "perdido" => "LOST", _ => "OPEN" };
            assert_eq!(deal["status"], status);
            assert_eq!(deal["actualCloseDate"].is_string(), status != "OPEN");
            assert_eq!(deal["lostReason"].is_string(), status == "LOST");
            assert!(within(&deal["createdAt"]) && within(&deal["stageChangedAt"]));
        }
        let currencies: BTreeSet<String> = deals.iter().map(|each| text(&each["currency"])).collect();
        assert!(currencies.contains("BRL") && currencies.len() >= 2);

        // The page of goals shows something at once.
        let page = "{ customerGoals { summary { customers goal soldYear activeCustomers } } }";
        let page = app.data(&app.alpha.admin.key, page, Json::Null).await;
        let summary = &page["customerGoals"]["summary"];
        assert!(summary["customers"].as_i64().unwrap() >= 10, "{summary}");
        assert!(summary["activeCustomers"].as_i64().unwrap() >= 1, "{summary}");
        assert!(list("sales").iter().all(|each| within(&each["soldAt"])));

        // Every move is kept, and its time is the deal's.
        let moves: i64 = deals.iter().map(|deal| deal["version"].as_i64().unwrap()).sum();
        assert_eq!(app.count(&app.alpha, "deal_stage_changes").await, moves);
        let sql = "SELECT count(*) FROM deals d WHERE d.tenant_id = ? AND d.stage_changed_at <> \
                   (SELECT max(c.changed_at) FROM deal_stage_changes c \
                   WHERE c.tenant_id = d.tenant_id AND c.deal_id = d.id)";
        assert_eq!(app.read_sql(&app.alpha, sql, Vec::new()).await[0].int(0).unwrap(), Some(0));
    }

    async fn it_leaves_the_trail_that_imports_leave(app: TestApp) {
        let before = app.trail(&app.alpha).await;
        let count = planted(&app, Options::default()).await;
        let trail = app.trail(&app.alpha).await.since(&before);
        let of = |kind: &str| trail.kinds().iter().filter(|each| **each == kind).count();
        assert_eq!(of("company.created"), count.companies);
        assert_eq!(of("lead.created"), count.leads);
        assert_eq!(of("deal.created"), count.deals);
        assert_eq!(of("user.created"), 8);
        let won = "{ dealAggregate(filter: { status: { eq: WON } }) { count } }";
        let won = app.data(&app.alpha.admin.key, won, Json::Null).await;
        assert_eq!(won["dealAggregate"]["count"], of("deal.won"));
        assert_eq!(trail.audits.len() + of("deal.won") + of("deal.lost") + of("lead.converted"), trail.events.len());
        assert_eq!(trail.outbox.len(), trail.events.len());
        assert!(trail.batches.iter().all(|batch| batch.1 == "backfill"));
        // Events happened when the rows say so; the audit says when they were written.
        let sql = "SELECT count(*) FROM events WHERE tenant_id = ? AND event_type = 'lead.created' \
                   AND occurred_at < ?";
        let month_ago = Value::Instant(now() - TimeDelta::days(30));
        let old = app.read_sql(&app.alpha, sql, vec![month_ago]).await[0].int(0).unwrap().unwrap();
        assert!(usize::try_from(old).unwrap() > count.leads / 2);
        // The search text is there, without accents.
        let people = "{ contacts(first: 1000) { nodes { fullName } } }";
        let people = app.data(&app.alpha.admin.key, people, Json::Null).await;
        let people = people["contacts"]["nodes"].as_array().unwrap().clone();
        let mut accented = people.iter().map(|each| each["fullName"].as_str().unwrap());
        let name = accented.find(|name| !name.is_ascii()).unwrap();
        let found = "query($name: String!) { contacts(search: $name) { nodes { fullName } } }";
        let plain = json!({ "name": entity::value::fold(name) });
        let found = app.data(&app.alpha.admin.key, found, plain).await;
        assert_eq!(found["contacts"]["nodes"][0]["fullName"], name);
    }

    async fn data_of_ones_own_is_left_alone(app: TestApp) {
        app.company(&app.alpha, "Nossa", &[]).await;
        let refused = demo::fill(&app.app, "alpha", Options::default(), false, |_part| {}).await;
        assert_eq!(refused.unwrap_err().code().as_str(), "CONFLICT");
        assert_eq!(app.count(&app.alpha, "companies").await, 1);
        let options = Options { seed: 1, scale: 2 };
        let mut parts = Vec::new();
        let first = demo::fill(&app.app, "alpha", options, true, |part| parts.push(part)).await;
        let first = first.unwrap();
        assert_eq!(parts, [1, 2]);
        assert_eq!(app.count(&app.alpha, "companies").await, 1 + i64::try_from(first.companies).unwrap());
        // A part that is there is not written again.
        let again = demo::fill(&app.app, "alpha", options, true, |_part| {}).await.unwrap();
        assert_eq!(again, Planted::default());
        // Beside the demo alone there is nothing to be careful of.
        let demo_alone = demo::fill(&app.app, "beta", Options::default(), false, |_part| {}).await;
        assert_eq!(demo_alone.unwrap().companies, first.companies / 2);
        let more = demo::fill(&app.app, "beta", Options { seed: 2, scale: 1 }, false, |_| {}).await;
        assert!(more.unwrap().deals > 0);
        let other = demo::fill(&app.app, "alpha", Options { seed: 9, scale: 1 }, true, |_| {}).await;
        assert!(other.unwrap().companies > 0);
        let nobody = demo::fill(&app.app, "nobody", Options::default(), true, |_part| {}).await;
        assert_eq!(nobody.unwrap_err().code().as_str(), "NOT_FOUND");
    }

    async fn an_empty_installation_gets_a_tenant_that_opens(database: TestDb) {
        let app = build(&database.db, database.url(), Clock::fixed(now()));
        let made = demo::create_if_empty(&app).await.unwrap().unwrap();
        assert!(demo::create_if_empty(&app).await.unwrap().is_none());
        let actor = app.identity.authenticate(&app, &made.api_key).await.unwrap();
        assert_eq!(actor.tenant.slug, made.tenant);
        let router = pulso::http::router(std::sync::Arc::clone(&app));
        let ask = async |credential: Option<&str>, query: &str| {
            let mut request = axum::http::Request::post("/graphql")
                .header("Content-Type", "application/json");
            if let Some(credential) = credential {
                request = request.header("Authorization", format!("Bearer {credential}"));
            }
            let body = json!({ "query": query }).to_string();
            let request = request.body(axum::body::Body::from(body)).unwrap();
            let response = tower::ServiceExt::oneshot(router.clone(), request).await.unwrap();
            let body = axum::body::to_bytes(response.into_body(), 1 << 24).await.unwrap();
            serde_json::from_slice::<Json>(&body).unwrap()
        };
        let people = "{ users(filter: { isService: { eq: false } }) { nodes { email reports { totalCount } } } deals { totalCount } }";
        let seen = ask(Some(&made.api_key), people).await;
        let people = seen["data"]["users"]["nodes"].as_array().unwrap().clone();
        assert_eq!(people.len(), 9);
        // Everybody signs in with the one password; a seller sees what a seller may see.
        for person in &people {
            let email = person["email"].as_str().unwrap();
            let login = format!(
                "mutation {{ login(tenant: \"{}\", email: \"{email}\", password: \"{}\") {{ accessToken }} }}",
                made.tenant, made.password
            );
            let session = ask(None, &login).await;
            let token = session["data"]["login"]["accessToken"].as_str().unwrap().to_owned();
            let me = ask(Some(&token), "{ me { roles } deals { totalCount } }").await;
            assert_eq!(me["data"]["deals"], seen["data"]["deals"], "{me:#}");
        }
    }
}
