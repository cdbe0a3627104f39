//! What could be learned without being told: from numbers, conflicts, cursors, the order of a search,
//! the count of statements, and what others left in the server's memory.

use axum::body::Body;
use axum::http::{Request, header};
use pulso::ctx::Origin;
use pulso::db::Value;
use pulso::error::Code;
use pulso::identity::persisted_operation::service::hash_of;
use pulso::identity::session::service::login;
use pulso::record::Record;
use pulso::record::change::mutation::WriteKind;
use pulso::record::declare::OwnerPath;
use pulso::record::operation::ReadKind;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::changes::{arguments, keyed, mutation, names_a_row, selection};
use super::records::read;
use super::{betrays, changeable, code, everywhere, marks, one_of_each, records, words};
use crate::support::seed::{PASSWORD, Person};
use crate::support::{TestApp, both_databases};

/// What an answer cost, without the time that it took.
fn cost(answer: &Json) -> (Json, Json) {
    let cost = &answer["extensions"]["cost"];
    (cost["statements"].clone(), cost["rowsRead"].clone())
}

/// An input that names a row by a key, belonging to somebody.
fn with_key(record: &Record, least: &Json, key: &Json, owner: &Person) -> Json {
    let mut input = least.clone();
    for name in record.changes.natural_keys[0] {
        input[*name] = key[*name].clone();
    }
    if let OwnerPath::Column(column) = record.owner
        && column != "id"
    {
        let field = record.fields.iter().find(|field| field.column == column).unwrap();
        input[&field.name] = json!(owner.id);
    }
    input
}

both_databases! {
    /// A value that is unique in one tenant is free in the other, and a conflict with a row out of
    /// reach does not show the row.
    async fn unique_values_tell_nothing(app: TestApp) {
        let (alpha, beta) = (&app.alpha, &app.beta);
        let own = app.key_with(alpha, alpha.comercial.id, everywhere("own")).await;
        let mut tried = 0;
        for record in changeable().filter(|record| !record.changes.natural_keys.is_empty()) {
            let key = keyed(record, &app.least(alpha, record.name).await);
            let of = |least: Json, owner: &Person| with_key(record, &least, &key, owner);
            let theirs = of(app.least(alpha, record.name).await, &alpha.diretor);
            let hidden = app.create(&alpha.admin.key, record.name, theirs).await;
            let before = app.whole(alpha).await;
            for kind in [WriteKind::Create, WriteKind::Upsert] {
                let input = of(app.least(beta, record.name).await, &beta.diretor);
                let field = mutation(record, kind);
                let made = app.done(&beta.admin.key, &field, json!({ "input": input }), "{ id }").await;
                assert_ne!(made["id"], json!(hidden), "{field}");
            }
            assert_eq!(app.whole(alpha).await.changed_since(&before), Vec::<String>::new());
            if matches!(record.owner, OwnerPath::Everybody | OwnerPath::Column("id")) {
                continue;
            }
            let least = app.least(alpha, record.name).await;
            let before = app.whole(alpha).await;
            for kind in [WriteKind::Create, WriteKind::Upsert] {
                let input = of(least.clone(), &alpha.comercial);
                let field = mutation(record, kind);
                let answer = app.mutate(&own, &field, json!({ "input": input }), "{ id }").await;
                assert!(["CONFLICT", "NOT_FOUND"].contains(&code(&answer).unwrap()), "{answer:#}");
                let marks = [hidden.to_string(), alpha.diretor.id.to_string()];
                assert_eq!(betrays(&answer.to_string(), "", &marks), None, "{field}\n{answer:#}");
                let current = &answer["errors"][0]["extensions"]["current"];
                assert!(current.is_null(), "{field}\n{answer:#}");
            }
            assert_eq!(app.whole(alpha).await.changed_since(&before), Vec::<String>::new());
            tried += 1;
        }
        assert!(tried > 3, "{tried}");
    }

    /// To reach for another's row costs what it costs to reach for nothing, in statements and in rows,
    /// whatever version is expected; no answer shows the row's present values.
    async fn reaching_for_another_costs_what_nothing_costs(app: TestApp) {
        let alpha = &app.alpha;
        let ids = one_of_each(&app, alpha, &alpha.diretor).await;
        let marks = marks(alpha, &ids);
        let own = app.key_with(alpha, alpha.comercial.id, everywhere("own")).await;
        for record in records().filter(|record| !record.is_virtual()) {
            let everybodys = matches!(record.owner, OwnerPath::Everybody);
            let callers = if everybodys { vec![&app.beta.admin.key] } else { vec![&app.beta.admin.key, &own] };
            for key in callers {
                let query = |id: Uuid| read(record, ReadKind::One, id);
                let theirs = app.graphql(key, &query(ids[record.name]), json!({})).await;
                let never = app.graphql(key, &query(app.app.clock.new_id()), json!({})).await;
                assert_eq!((words(&theirs), cost(&theirs)), (words(&never), cost(&never)), "{}", record.name);
                for kind in WriteKind::ALL.into_iter().filter(|kind| kind.fits(record) && names_a_row(*kind)) {
                    let field = mutation(record, kind);
                    let versioned = matches!(kind, WriteKind::Update | WriteKind::Delete);
                    for version in [None, Some(1), Some(99)].into_iter().filter(|v| v.is_none() || versioned) {
                        let with = |id: Uuid| {
                            let mut arguments = arguments(record, kind, id, &Json::Null);
                            if let Some(version) = version {
                                arguments["expectedVersion"] = json!(version);
                            }
                            arguments
                        };
                        let theirs = app.mutate(key, &field, with(ids[record.name]), selection(kind)).await;
                        let never = with(app.app.clock.new_id());
                        let never = app.mutate(key, &field, never, selection(kind)).await;
                        assert_eq!((words(&theirs), cost(&theirs)), (words(&never), cost(&never)), "{field}");
                        let asked = ids[record.name].to_string();
                        assert_eq!(betrays(&theirs.to_string(), &asked, &marks), None, "{field}");
                        assert!(theirs["errors"][0]["extensions"]["current"].is_null(), "{field}");
                    }
                }
            }
        }
    }

    /// A cursor holds the values of a row: it works in the list that it came from, and in no other.
    async fn cursors_stay_in_their_list(app: TestApp) {
        let (alpha, beta) = (&app.alpha, &app.beta);
        for tenant in [alpha, beta] {
            for name in ["Ana", "Bia", "Caio"] {
                app.lead(tenant, name, &[]).await;
            }
        }
        let page = |rest: &str| {
            format!("{{ leads(first: 1, orderBy: [{{ field: NAME }}]{rest}) {{ nodes {{ id }} pageInfo {{ endCursor }} }} }}")
        };
        let first = app.data(&alpha.admin.key, &page(""), json!({})).await;
        let cursor = first["leads"]["pageInfo"]["endCursor"].as_str().unwrap();
        let after = |rest: &str| page(&format!(", after: \"{cursor}\"{rest}"));
        app.data(&alpha.admin.key, &after(""), json!({})).await;
        let other_filter = after(", filter: { name: { ne: \"x\" } }");
        let refused = app.graphql(&alpha.admin.key, &other_filter, json!({})).await;
        let stranger = app.graphql(&beta.admin.key, &after(""), json!({})).await;
        assert_eq!(code(&stranger), Some("INVALID"), "{stranger:#}");
        assert_eq!(words(&stranger), words(&refused));
        // Within the tenant it leads to no row out of reach.
        let own = app.key_with(alpha, alpha.manager.id, everywhere("own")).await;
        let answer = app.graphql(&own, &after(""), json!({})).await;
        let nodes = &answer["data"]["leads"]["nodes"];
        assert!(nodes.is_null() || nodes.as_array().unwrap().is_empty(), "{answer:#}");
    }

    /// Whether a search finds words or what resembles them depends on rows in reach alone.
    async fn the_order_of_a_search_tells_nothing(app: TestApp) {
        let (alpha, beta) = (&app.alpha, &app.beta);
        let mine = [("assigned_to", Value::Id(alpha.comercial.id))];
        for name in ["Maria", "Mariana Souza", "Pedro"] {
            app.lead(alpha, name, &mine).await;
        }
        let own = app.key_with(alpha, alpha.comercial.id, everywhere("own")).await;
        let query = "{ leads(search: \"marria\") { totalCount countUpTo(limit: 9) { count } nodes { name } } \
                     leadAggregate(search: \"marria\") { count } \
                     leadGroups(search: \"marria\", by: [{ field: SOURCE }]) { nodes { count } } }";
        let before = app.data(&own, query, json!({})).await;
        assert!(before["leads"]["totalCount"].as_i64().unwrap() > 0, "{before}");
        app.lead(beta, "Marria", &[]).await;
        app.lead(alpha, "Marria", &[("assigned_to", Value::Id(alpha.diretor.id))]).await;
        assert_eq!(app.data(&own, query, json!({})).await, before);
    }

    /// What somebody did under an idempotency key is remembered for them alone.
    async fn idempotency_keys_are_their_callers_own(app: TestApp) {
        let (alpha, beta) = (&app.alpha, &app.beta);
        let lead = |name: &str| ("leadCreate", json!({ "input": { "name": name, "source": "s" } }), "{ id name }");
        let ours = app.mutate_once(&alpha.admin.key, "k", lead("a")).await;
        for key in [&beta.admin.key, &alpha.diretor.key] {
            // The same arguments: a row of its own. Others: no conflict that tells of the first.
            let theirs = app.mutate_once(key, "k", lead("b")).await;
            assert!(theirs.get("errors").is_none(), "{theirs:#}");
            assert_ne!(theirs["data"], ours["data"]);
            let again = app.mutate_once(key, "k", lead("b")).await;
            assert_eq!(again["data"], theirs["data"]);
        }
        assert_eq!((app.count(alpha, "leads").await, app.count(beta, "leads").await), (2, 1));
    }

    /// Documents that one tenant taught the server by digest serve another as texts alone.
    async fn persisted_documents_carry_no_rows(app: TestApp) {
        let (alpha, beta) = (&app.alpha, &app.beta);
        app.lead(alpha, "Segredo", &[]).await;
        let text = "{ leads { totalCount nodes { id name } } }";
        let by_hash = async |key: &str, text: &str, with_text: bool| {
            let mut body = json!({ "extensions": { "persistedQuery": {
                "version": 1, "sha256Hash": hash_of(text) } } });
            if with_text {
                body["query"] = json!(text);
            }
            let request = Request::post("/graphql")
                .header(header::AUTHORIZATION, format!("Bearer {key}"))
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(body.to_string()))
                .unwrap();
            app.request(request).await.json()
        };
        assert_eq!(by_hash(&alpha.admin.key, text, true).await["data"]["leads"]["totalCount"], 1);
        let theirs = by_hash(&beta.admin.key, text, false).await;
        assert_eq!(theirs["data"]["leads"], json!({ "totalCount": 0, "nodes": [] }));
        // The rights are asked at every run.
        let nothing = app.key_with(alpha, alpha.comercial.id, json!({})).await;
        assert_eq!(code(&by_hash(&nothing, text, false).await), Some("FORBIDDEN"));
    }

    /// Signing in tells neither tenants nor accounts apart.
    async fn sign_in_tells_nobody_who_exists(app: TestApp) {
        let origin = Origin::internal("test");
        let known = &app.alpha.comercial.email;
        let mut told = std::collections::BTreeSet::new();
        for (tenant, email, password) in [
            ("alpha", known.as_str(), "wrong"),
            ("alpha", "ninguem@alpha.example", PASSWORD),
            ("beta", known, PASSWORD),
            ("gamma", known, PASSWORD),
        ] {
            let refused = login(&app.app, tenant, email, password, &origin).await.unwrap_err();
            assert_eq!(refused.code(), Code::Unauthenticated);
            told.insert(refused.to_string());
        }
        assert_eq!(told.len(), 1, "{told:?}");
    }
}
