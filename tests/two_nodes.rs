//! Two processes on one database: what is taken away on one is gone on the other, what is counted is
//! counted together, and the end of one is not the end of the other.

use serde_json::{Value as Json, json};

use crate::support::node::{Node, SECRET, pulso, soon};
use crate::support::seed::PASSWORD;
use crate::support::{TestApp, both_databases};

const ME: &str = "{ me { user { id } } }";
const OTHER_SECRET: &str = "another one for tests: 32 bytes at the very least";

fn two(app: &TestApp, settings: &[(&str, &str)]) -> (Node, Node) {
    let url = app.database.url();
    (Node::start(url, settings), Node::start(url, settings))
}

async fn is_refused(node: &Node, credential: &str) -> bool {
    match node.code(credential, ME).await.as_str() {
        "" => false,
        "UNAUTHENTICATED" => true,
        other => panic!("{other}"),
    }
}

both_databases! {
    async fn what_is_taken_away_on_one_is_gone_on_the_other(app: TestApp) {
        let (alpha, (one, two)) = (&app.alpha, two(&app, &[]));
        let admin = &alpha.admin.key;

        // Logging out.
        let token = one.sign_in("alpha", &alpha.manager.email, PASSWORD).await;
        assert!(!is_refused(&two, &token).await);
        one.data(&token, "mutation { logout }", json!({})).await;
        assert!(is_refused(&one, &token).await);
        soon("the session", || is_refused(&two, &token)).await;

        // Revoking a key.
        let keys = one.data(admin, "{ apiKeys { id name } }", json!({})).await;
        let of_agent = keys["apiKeys"].as_array().unwrap().iter()
            .find(|key| key["name"] == alpha.agente_ia.email.as_str()).unwrap();
        assert!(!is_refused(&two, &alpha.agente_ia.key).await);
        let revoke = "mutation($id: ID!) { apiKeyRevoke(id: $id) { id } }";
        one.data(admin, revoke, json!({ "id": of_agent["id"] })).await;
        soon("the key", || is_refused(&two, &alpha.agente_ia.key)).await;

        // Changing a role, and whose roles they are.
        let leads = "{ leads { totalCount } }";
        let token = two.sign_in("alpha", &alpha.comercial.email, PASSWORD).await;
        assert_eq!(two.code(&token, leads).await, "");
        let set = "mutation($id: ID!, $roles: [String!]!) { userRolesSet(userId: $id, roles: $roles) { id } }";
        one.data(admin, set, json!({ "id": alpha.comercial.id, "roles": [] })).await;
        soon("the roles", || async { two.code(&token, leads).await == "FORBIDDEN" }).await;
        one.data(admin, set, json!({ "id": alpha.comercial.id, "roles": ["comercial"] })).await;
        soon("the roles again", || async { two.code(&token, leads).await.is_empty() }).await;
        let roles = one.data(admin, "{ roles { id name permissions } }", json!({})).await;
        let role = roles["roles"].as_array().unwrap().iter().find(|role| role["name"] == "comercial");
        let mut permissions = role.unwrap()["permissions"].clone();
        permissions.as_object_mut().unwrap().remove("leads");
        let update = "mutation($id: ID!, $input: RoleUpdateInput!) { roleUpdate(id: $id, input: $input) { id } }";
        let given = json!({ "id": role.unwrap()["id"], "input": { "permissions": permissions } });
        one.data(admin, update, given).await;
        soon("the role", || async { two.code(&token, leads).await == "FORBIDDEN" }).await;

        // Deactivating somebody.
        let deactivate = "mutation($id: ID!) { userUpdate(id: $id, input: { isActive: false }) { id } }";
        assert!(!is_refused(&two, &token).await);
        one.data(admin, deactivate, json!({ "id": alpha.comercial.id })).await;
        soon("the person", || is_refused(&two, &token)).await;

        // Suspending the tenant, by a third process.
        let folder = tempfile::tempdir().unwrap();
        let suspend = ["admin", "tenant", "suspend", "alpha"];
        let done = pulso(app.database.url(), folder.path()).args(suspend).output().unwrap();
        assert!(done.status.success());
        for node in [&one, &two] {
            soon("the tenant", || is_refused(node, admin)).await;
            assert!(!is_refused(node, &app.beta.admin.key).await);
        }
    }

    async fn a_limit_is_one_for_both(app: TestApp) {
        let settings = [("PULSO_RATE_SHARED", "true"), ("PULSO_RATE_KEY_PER_MINUTE", "60")];
        let (one, two) = two(&app, &settings);
        let key = &app.alpha.admin.key;
        let (mut answered, mut refused) = ([0, 0], [0, 0]);
        for _ in 0..60 {
            for (place, node) in [&one, &two].into_iter().enumerate() {
                match node.code(key, "{ __typename }").await.as_str() {
                    "" => answered[place] += 1,
                    "RATE_LIMITED" => refused[place] += 1,
                    other => panic!("{other}"),
                }
            }
        }
        // A point comes back each second that this took; two nodes that count apart answer all 120.
        let all: u32 = answered.iter().sum();
        assert!((50..100).contains(&all), "{answered:?} {refused:?}");
        assert!(refused.iter().all(|count| *count > 0), "{refused:?}");
        let other = &app.beta.admin.key;
        assert_eq!(two.code(other, "{ __typename }").await, "", "it is that key's limit alone");
    }

    /// One node after the other, and nobody has to sign in again.
    async fn a_signing_secret_is_changed_under_way(app: TestApp) {
        let url = app.database.url();
        let old = [("PULSO_JWT_SECRET", SECRET)];
        let accepts_new = [("PULSO_JWT_SECRET", SECRET), ("PULSO_JWT_PREVIOUS_SECRETS", OTHER_SECRET)];
        let new = [("PULSO_JWT_SECRET", OTHER_SECRET), ("PULSO_JWT_PREVIOUS_SECRETS", SECRET)];
        let only_new = [("PULSO_JWT_SECRET", OTHER_SECRET)];
        let email = &app.alpha.admin.email;
        let first = Node::start(url, &old);
        let early = first.sign_in("alpha", email, PASSWORD).await;
        drop(first);
        // Both know the new one before either signs with it.
        let (one, two) = (Node::start(url, &accepts_new), Node::start(url, &accepts_new));
        for node in [&one, &two] {
            assert!(!is_refused(node, &early).await);
        }
        drop(one);
        let one = Node::start(url, &new);
        let late = one.sign_in("alpha", email, PASSWORD).await;
        let middle = two.sign_in("alpha", email, PASSWORD).await;
        for (node, token) in [(&one, &early), (&one, &middle), (&two, &late), (&two, &early)] {
            assert!(!is_refused(node, token).await);
        }
        drop(two);
        // Whoever no longer knows the old one believes none of its tokens.
        let two = Node::start(url, &only_new);
        assert!(!is_refused(&two, &late).await);
        for token in [&early, &middle] {
            assert!(is_refused(&two, token).await);
        }
    }

    async fn one_is_killed_and_the_other_goes_on(app: TestApp) {
        let (alpha, (mut one, two)) = (&app.alpha, two(&app, &[]));
        let key = alpha.admin.key.as_str();
        let create = "mutation($input: LeadCreateInput!) { leadCreate(input: $input) { id } }";
        let given = |number: usize| json!({ "input": { "source": format!("s{number}") } });
        let mut kept: Vec<Json> = Vec::new();
        for number in 0..10 {
            let node = if number % 2 == 0 { &one } else { &two };
            kept.push(node.data(key, create, given(number)).await["leadCreate"]["id"].take());
        }
        // In the middle of what it does.
        let under_way = (10..20).map(|number| one.try_graphql(key, create, given(number)));
        let under_way: Vec<_> = under_way.map(Box::pin).collect();
        let answered = {
            let mut answers = futures::future::join_all(under_way);
            let started = futures::poll!(&mut answers);
            assert!(started.is_pending());
            drop(answers);
            one.kill();
            started
        };
        assert!(answered.is_pending());
        assert!(one.try_graphql(key, ME, json!({})).await.is_none());
        for number in 20..25 {
            kept.push(two.data(key, create, given(number)).await["leadCreate"]["id"].take());
        }
        let seen = two.data(key, "{ leads(first: 1000) { nodes { id } } }", json!({})).await;
        let seen: Vec<&Json> = seen["leads"]["nodes"].as_array().unwrap().iter().map(|lead| &lead["id"]).collect();
        assert!(kept.iter().all(|id| seen.contains(&id)), "what was answered is there");
        // Each change with its entry and its event, and the trail is sealed by who is left.
        let leads = app.rows_in(alpha, "leads").await;
        assert_eq!(app.rows_in(alpha, "event_ids").await, 0);
        let changes = "SELECT COUNT(*) FROM audit_logs WHERE tenant_id = ? AND action = 'lead.create'";
        let entries = app.read_sql(alpha, changes, Vec::new()).await[0].int(0).unwrap();
        assert_eq!(entries, Some(leads));
        let open = "SELECT COUNT(*) FROM audit_logs WHERE tenant_id = ? AND chain_seq IS NULL";
        soon("sealed", || async {
            app.read_sql(alpha, open, Vec::new()).await[0].int(0).unwrap() == Some(0)
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let verify = ["verify", "audit", "--tenant", "alpha"];
        let verified = pulso(app.database.url(), folder.path()).args(verify).output().unwrap();
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    }

    /// No message has to arrive: the very next answer of the other process has the sale, and a
    /// process that dies takes nothing with it.
    async fn a_sale_on_one_is_in_the_next_answer_of_the_other(app: TestApp) {
        let (alpha, (mut one, two)) = (&app.alpha, two(&app, &[]));
        let (admin, seller) = (&alpha.admin.key, alpha.comercial.id);
        let customer = app.create(admin, "Company", json!({ "name": "Bazar" })).await;
        let page = "query($seller: ID!) { customerGoals(sellerId: $seller) { \
            summary { soldYear soldMonth } } }";
        let says = async |node: &Node, found: &str, sold: &str| {
            let answer = node.graphql(admin, page, json!({ "seller": seller })).await;
            let summary = &answer["data"]["customerGoals"]["summary"];
            assert_eq!(summary, &json!({ "soldYear": sold, "soldMonth": sold }), "{answer:#}");
            assert_eq!(answer["extensions"]["cache"]["annual"]["found"], found, "{answer:#}");
        };
        let register = "mutation($input: SaleUpsertInput!) { saleRegister(input: $input) { id } }";
        let sell = async |node: &Node, order: &str| {
            let input = json!({ "orderId": order, "sellerId": seller, "customerId": customer,
                                "amount": "5.00" });
            node.data(admin, register, json!({ "input": input })).await;
        };
        for node in [&one, &two] {
            says(node, "MISS", "0.00").await;
            says(node, "HIT", "0.00").await;
        }
        sell(&one, "1").await;
        says(&two, "MISS", "5.00").await;
        sell(&two, "2").await;
        says(&one, "MISS", "10.00").await;
        says(&two, "MISS", "10.00").await;
        sell(&one, "3").await;
        one.kill();
        says(&two, "MISS", "15.00").await;
        says(&two, "HIT", "15.00").await;
    }
}
