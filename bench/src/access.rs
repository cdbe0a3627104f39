//! `access`: what it costs to know who asks, and to show them their rows only: signing in, an API key
//! beside an access token, and each row scope beside none, on the same rows.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::contest::{self, Contender, Figures, Way};
use crate::http::{Target, ask};
use crate::load::{ID, Work};
use crate::options::Options;
use crate::outcome::{During as _, Outcome};
use crate::postgres::DATABASE;
use crate::pulso;
use crate::queries::{LIST, LIST_PREFIX, SINGLE, SINGLE_PREFIX};
use crate::report::{Bound, Budget, Verdict, heading, judge};
use crate::same;
use crate::stand::{Size, Stand, settle};

const SCOPES_SQL: &str = include_str!("../sql/scopes.sql");
/// The first one is what the others are compared with.
const SCOPES: [&str; 4] = ["all", "own", "team", "org_unit"];
const EMAIL: &str = "bench.login@bench.example";
const LOGIN: &str = "mutation($email: String!, $password: String!) { \
     login(tenant: \"bench\", email: $email, password: $password) { accessToken expiresAt } }";
const LOGIN_PREFIX: &str = "{\"data\":{\"login\":{";
/// Signing in is bound by hashing: more connections would only wait.
const LOGIN_CONNECTIONS: usize = 4;

pub(crate) async fn run(options: &Options) -> Outcome<Verdict> {
    let size = Size {
        users: 50,
        companies: options.scaled(20_000, 200),
        contacts: options.scaled(40_000, 400),
        leads: options.scaled(100_000, 5_000),
        deals: options.scaled(50_000, 2_500),
    };
    let stand = Stand::set_up(options, size)?;
    let url = stand.postgres.url();
    let keys = scoped_keys(&stand)?;
    let arguments =
        ["admin", "user", "create", "--tenant", "bench", "--email", EMAIL, "--name", "Login"];
    let password =
        stand.pulso.command(&url, &[&arguments[..], &["--role", "comercial"]].concat())?;
    let given = json!({ "email": EMAIL, "password": password.trim() });
    let server = stand.pulso.serve_with("pulso", &url, &[("PULSO_RATE_LOGIN_PER_MINUTE", "0")])?;

    heading("Access", &[format!("PostgreSQL {}", stand.postgres.version())]);
    check_scopes(&server, &keys).await?;

    let way = |work: Work, connections: usize| Way::Http {
        work: Arc::new(work),
        server: server.process_id(),
        database: Some(stand.postgres.process_id()),
        connections,
    };
    let login = json!({ "query": LOGIN, "variables": &given }).to_string();
    let login = Work::new(server.anonymous(), &login, Arc::from([]), LOGIN_PREFIX);
    let logins = [Contender {
        name: "Signing in (argon2id)".to_owned(),
        way: way(login, LOGIN_CONNECTIONS),
    }];
    contest::hold("Signing in", options, &logins).await?;

    // After those: of a user's many sessions only the latest stay.
    let signed_in = ask(&server.anonymous(), LOGIN, given).await.during("signing in")?;
    let token = signed_in.pointer("/login/accessToken").and_then(Value::as_str);
    let token = token.ok_or("signing in gave no token")?;
    let ids: Arc<[String]> = stand.lead_ids()?.into();
    let single = json!({ "query": SINGLE, "variables": { "id": ID } }).to_string();
    let credentials = [("an access token", token), ("an API key", stand.keys.seed.as_str())];
    let singles = credentials.map(|(name, credential)| {
        let work = Work::new(server.target(credential), &single, Arc::clone(&ids), SINGLE_PREFIX);
        Contender { name: format!("with {name}"), way: way(work, options.connections) }
    });
    let singles = contest::hold("One lead by id", options, &singles).await?;

    let list = json!({ "query": LIST }).to_string();
    let lists: Vec<Contender> = SCOPES
        .iter()
        .zip(&keys)
        .map(|(scope, key)| {
            let work = Work::new(server.target(key), &list, Arc::from([]), LIST_PREFIX);
            Contender { name: format!("scope {scope}"), way: way(work, options.connections) }
        })
        .collect();
    let lists = contest::hold("50 leads, nested", options, &lists).await?;
    Ok(judge(&budgets(&singles, &lists), options.quick))
}

/// A key for each scope, all of the user to whom every row belongs.
fn scoped_keys(stand: &Stand) -> Outcome<Vec<String>> {
    let url = stand.postgres.url();
    let script = stand.folder.path().join("scopes.sql");
    std::fs::write(&script, SCOPES_SQL).during(script.display())?;
    stand.postgres.psql(DATABASE, &["-q", "-f", &script.display().to_string()])?;
    let mut keys = Vec::new();
    for scope in SCOPES {
        let role = format!("bench_{scope}");
        let arguments = ["admin", "key", "create", "--tenant", "bench", "--role", &role];
        keys.push(stand.pulso.command(&url, &arguments)?.trim().to_owned());
    }
    let (tenant, user) = (&stand.tenant_id, &stand.seller_id);
    stand.postgres.query(&format!(
        "update api_keys k set user_id = '{user}' from roles r where k.tenant_id = '{tenant}' \
         and r.tenant_id = k.tenant_id and r.id = k.role_id and r.name like 'bench\\_%'"
    ))?;
    // Every row was written anew.
    settle(&stand.postgres)?;
    Ok(keys)
}

/// All scopes must show the same rows, or their prices say nothing.
async fn check_scopes(server: &pulso::Running, keys: &[String]) -> Outcome {
    let mut first = None;
    for (scope, key) in SCOPES.iter().zip(keys) {
        let answer = ask(&server.target(key), LIST, Value::Null).await.during(scope)?;
        if same::rows(&answer) != 50 {
            return Err(format!("the scope {scope} shows {} rows, not 50", same::rows(&answer)));
        }
        let known = first.get_or_insert_with(|| answer.clone());
        same::must_agree(("scope all", known), (&format!("scope {scope}"), &answer))?;
    }
    println!("every scope shows the same rows");
    Ok(())
}

fn budgets(singles: &[Figures], lists: &[Figures]) -> Vec<Budget> {
    let through = |one: Option<&Figures>, other: Option<&Figures>, of: fn(&Figures) -> f64| {
        Some(of(one?) / of(other?))
    };
    let mut budgets = vec![Budget {
        work: "one record, CPU with an API key / with an access token".to_owned(),
        bound: Bound::AtMost(1.1),
        measured: through(singles.get(1), singles.first(), Figures::cpu_us),
    }];
    for (scope, figures) in SCOPES.iter().zip(lists).skip(1) {
        budgets.push(Budget {
            work: format!("list, CPU in scope {scope} / in scope all"),
            bound: Bound::AtMost(1.1),
            measured: through(Some(figures), lists.first(), Figures::cpu_us),
        });
    }
    budgets
}

impl pulso::Running {
    /// The server, for somebody without a credential.
    fn anonymous(&self) -> Target {
        Target { key: None, ..self.target("") }
    }
}
