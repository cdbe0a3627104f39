//! `goals`: the page of customer goals, warm and uncached, through GraphQL and under its older names,
//! beside a small Node service that keeps the same tiers in node-cache.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::contest::{self, Contender, Figures, Way};
use crate::http::{Target, ask, get};
use crate::load::{ID, Work};
use crate::npm;
use crate::options::Options;
use crate::outcome::{During as _, Outcome};
use crate::postgres::DATABASE;
use crate::pulso;
use crate::report::{Bound, Budget, Verdict, figure, heading, judge};
use crate::same::{instant, must_agree};
use crate::stand::{Size, Stand};

const GOALS_SQL: &str = include_str!("../sql/goals.sql");
const SCRIPT: &str = include_str!("../peers/goals.mjs");
const PACKAGES: &str = "express@5.3.0 node-cache@5.1.2 pg@8.23.1";

const PAGE: &str = "query($id: ID!) { customerGoals(sellerId: $id, first: 50, \
     orderBy: [{field: GAP, direction: DESC}]) { totalCount summary { customers goal soldYear \
     soldMonth gap achievementPct activeCustomers penetrationPct } nodes { customerId customerName \
     city state classification goal lastYearSales soldYear gap achievementPct lastPurchaseAt \
     soldMonth isActiveMonth } } }";
const PAGE_PREFIX: &str = "{\"data\":{\"customerGoals\":{";
/// The same page under its older names.
const PATH: &str = "/api/v2/analytics/goals/seller/{{ID}}?order_by=-gap&limit=50";

const WARM: &str = "Pulso, warm";
const WARM_REST: &str = "Pulso, warm, REST";
const UNCACHED: &str = "Pulso, uncached";
/// What is judged: node-cache is made without options, as the service is described.
const NODE: &str = "Node, warm";
/// What the same service comes to in the hands of somebody who knows what node-cache copies.
const NODE_TUNED: &str = "Node, warm, useClones: false";
const NODE_TWO: &str = "Node, 2 workers, warm, useClones: false";
const NODE_UNCACHED: &str = "Node, uncached, useClones: false";

/// Everybody who takes part. Servers are dropped before the stand that they work on.
struct Hall {
    pulso: pulso::Running,
    peers: Option<Peers>,
    stand: Stand,
    sellers: Arc<[String]>,
}

struct Peers {
    /// One process with node-cache as it is without options.
    plain: npm::Running,
    /// One process that gives out what it keeps without copying it, and two of that kind.
    tuned: npm::Running,
    two: npm::Running,
    version: String,
}

pub(crate) async fn run(options: &Options) -> Outcome<Verdict> {
    let hall = Hall::open(options)?;
    hall.check().await?;
    let mut programs = vec![format!("PostgreSQL {}", hall.stand.postgres.version())];
    programs.extend(hall.peers.as_ref().map(|peers| peers.version.clone()));
    programs.push(format!("{} connections", options.connections));
    heading("Goals", &programs);
    let contenders = hall.contenders(options);
    let figures = contest::hold("50 of a seller's customers", options, &contenders).await?;
    let of = |name: &str| {
        let mut pairs = contenders.iter().zip(&figures);
        pairs.find(|(contender, _)| contender.name == name).map(|(_, figures)| *figures)
    };
    if let (Some(warm), Some(tuned)) = (of(WARM), of(NODE_TUNED)) {
        let ratio = figure(warm.rate / tuned.rate);
        println!("\nNot judged: the warm page does {ratio} times the requests of {NODE_TUNED}.\n");
    }
    Ok(judge(&budgets(of), options.quick))
}

impl Hall {
    fn open(options: &Options) -> Outcome<Self> {
        let users = options.scaled(200, 2);
        let size = Size { users, companies: users * 500, contacts: 200, leads: 200, deals: 100 };
        let peer = || npm::Peer::install("goals", PACKAGES, SCRIPT);
        let peer = options.peer.then(peer).transpose()?;
        let stand = Stand::set_up(options, size)?;
        let sales = options.scaled(1_000_000, 10_000);
        stand.load_more("sales customer_goals", ("sales", sales), GOALS_SQL)?;
        let (tenant, url) = (&stand.tenant_id, stand.postgres.url());
        let sellers = stand.postgres.query(&format!(
            "select distinct seller_id from customer_goals where tenant_id = '{tenant}'"
        ))?;
        let sellers: Arc<[String]> = sellers.lines().map(str::to_owned).collect();
        println!("loaded {sales} sales of {} sellers", sellers.len());
        let pulso = stand.pulso.serve("pulso", &url)?;
        let peers = match peer {
            Some(peer) => Some(Peers::start(&peer, &stand)?),
            None => None,
        };
        Ok(Self { pulso, peers, stand, sellers })
    }

    fn ours(&self) -> Target {
        self.pulso.target(&self.stand.keys.admin)
    }

    fn theirs(&self, peer: &npm::Running) -> Target {
        Target { address: peer.address(), key: Some(self.stand.keys.admin.clone()) }
    }

    /// Every seller's page by every contender, value by value; everybody is warm after it.
    async fn check(&self) -> Outcome {
        for seller in self.sellers.iter() {
            let answer = ask(&self.ours(), PAGE, json!({ "id": seller })).await?;
            let page = answer.get("customerGoals").unwrap_or(&Value::Null);
            let ours = shape(page, &OUR_SUMMARY, "nodes", &OUR_ROW);
            if ours.pointer("/rows").and_then(Value::as_array).is_none_or(|rows| rows.len() != 50) {
                return Err(format!("the page of {seller} has not 50 rows: {ours}"));
            }
            let path = PATH.replace(ID, seller);
            let mut others = vec![("Pulso, REST", self.ours())];
            if let Some(peers) = &self.peers {
                others.push(("Node", self.theirs(&peers.plain)));
                others.push(("Node, useClones: false", self.theirs(&peers.tuned)));
                others.push(("Node, 2 workers", self.theirs(&peers.two)));
            }
            for (name, target) in others {
                let page = get(&target, &path).await.during(name)?;
                let year = page.get("year").and_then(Value::as_i64).unwrap_or_default();
                let (summary, row) = older_names(year);
                let other = shape(&page, &summary, "customers", &row);
                must_agree(("Pulso", &ours), (name, &other))?;
            }
        }
        println!("every contender answers with the same rows for each of the sellers");
        Ok(())
    }

    fn contenders(&self, options: &Options) -> Vec<Contender> {
        let (database, connections) = (Some(self.stand.postgres.process_id()), options.connections);
        let sellers = || Arc::clone(&self.sellers);
        let ours = || {
            let body = json!({ "query": PAGE, "variables": { "id": ID } }).to_string();
            Work::new(self.ours(), &body, sellers(), PAGE_PREFIX)
        };
        let http = |name: &str, work: Work, server: u32| Contender {
            name: name.to_owned(),
            way: Way::Http { work: Arc::new(work), server, database, connections },
        };
        let rest = Work::get(self.ours(), PATH, sellers(), "{\"");
        let server = self.pulso.process_id();
        let warm = ours().told(&["\"statements\":1,", "\"found\":\"HIT\""]);
        let uncached = Way::Passes {
            before: self.raising_epochs(),
            work: Arc::new(ours().told(&["\"found\":\"MISS\""])),
            server,
            database,
            connections,
        };
        let mut contenders = vec![
            http(WARM, warm, server),
            http(WARM_REST, rest, server),
            Contender { name: UNCACHED.to_owned(), way: uncached },
        ];
        if let Some(peers) = &self.peers {
            let uncached = format!("{PATH}&refresh=1");
            for (name, peer, path) in [
                (NODE, &peers.plain, PATH),
                (NODE_TUNED, &peers.tuned, PATH),
                (NODE_TWO, &peers.two, PATH),
                (NODE_UNCACHED, &peers.tuned, &uncached),
            ] {
                let work = Work::get(self.theirs(peer), path, sellers(), "{\"year\":");
                contenders.push(http(name, work, peer.process_id()));
            }
        }
        contenders
    }

    /// What a change of every seller's goals and sales does: nothing that was kept holds any more.
    fn raising_epochs(&self) -> Box<dyn Fn() -> Outcome> {
        let statement = format!(
            "update epochs set value = value + 1 where tenant_id = '{}' and id like 'goal%'",
            self.stand.tenant_id
        );
        let mut psql = self.stand.postgres.client("psql", DATABASE);
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", &statement]);
        let psql = std::cell::RefCell::new(psql);
        Box::new(move || crate::programs::output(&mut psql.borrow_mut()).map(drop))
    }
}

impl Peers {
    fn start(peer: &npm::Peer, stand: &Stand) -> Outcome<Self> {
        stand.postgres.query(&format!(
            "create table service_keys (key_hash text primary key, tenant_id uuid not null); \
             insert into service_keys values (encode(sha256('{}'), 'hex'), '{}')",
            stand.keys.admin, stand.tenant_id
        ))?;
        let (url, logs) = (stand.postgres.url(), stand.folder.path());
        let start = |name: &str, settings: &[(&str, &str)]| peer.serve(name, &url, settings, logs);
        Ok(Self {
            plain: start("node", &[("CLONES", "1")])?,
            tuned: start("node-tuned", &[])?,
            two: start("node-2", &[("WORKERS", "2")])?,
            version: peer.version(),
        })
    }
}

/// How a value is written.
#[derive(Clone, Copy)]
enum Kind {
    Plain,
    /// Decimal text, or a number.
    Money,
    Instant,
}

const SUMMARY: [Kind; 8] = [
    Kind::Plain,
    Kind::Money,
    Kind::Money,
    Kind::Money,
    Kind::Money,
    Kind::Plain,
    Kind::Plain,
    Kind::Plain,
];
const ROW: [Kind; 13] = [
    Kind::Plain,
    Kind::Plain,
    Kind::Plain,
    Kind::Plain,
    Kind::Plain,
    Kind::Money,
    Kind::Money,
    Kind::Money,
    Kind::Money,
    Kind::Plain,
    Kind::Instant,
    Kind::Money,
    Kind::Plain,
];
const OUR_SUMMARY: [&str; 8] = [
    "customers",
    "goal",
    "soldYear",
    "soldMonth",
    "gap",
    "achievementPct",
    "activeCustomers",
    "penetrationPct",
];
const OUR_ROW: [&str; 13] = [
    "customerId",
    "customerName",
    "city",
    "state",
    "classification",
    "goal",
    "lastYearSales",
    "soldYear",
    "gap",
    "achievementPct",
    "lastPurchaseAt",
    "soldMonth",
    "isActiveMonth",
];

/// [`OUR_SUMMARY`] and [`OUR_ROW`] as the older contract calls them.
fn older_names(year: i64) -> ([String; 8], [String; 13]) {
    let (goal, sold) = (format!("goal_{year}"), format!("sold_{year}"));
    let before = format!("sales_{}", year - 1);
    let summary = [
        "customers",
        &goal,
        &sold,
        "total_sold_month",
        "gap",
        "achievement_pct",
        "active_customers_month",
        "penetration_month_pct",
    ];
    let row = [
        "customer_id",
        "customer_name",
        "city",
        "state",
        "classification",
        &goal,
        &before,
        &sold,
        "gap",
        "achievement_pct",
        "last_purchase_date",
        "sold_month",
        "is_active_month",
    ];
    (summary.map(str::to_owned), row.map(str::to_owned))
}

/// A page with its values in order and written in one way.
fn shape(page: &Value, summary: &[impl AsRef<str>], rows: &str, row: &[impl AsRef<str>]) -> Value {
    let sums = page.get("summary").unwrap_or(&Value::Null);
    let list = page.get(rows).and_then(Value::as_array);
    let rows: Vec<Value> = list.into_iter().flatten().map(|each| values(each, row, &ROW)).collect();
    json!({ "summary": values(sums, summary, &SUMMARY), "rows": rows })
}

fn values(of: &Value, names: &[impl AsRef<str>], kinds: &[Kind]) -> Value {
    let value = |(name, kind): (&_, &Kind)| {
        let value = of.get(AsRef::<str>::as_ref(name)).cloned().unwrap_or(json!("absent"));
        match kind {
            Kind::Plain => value.as_f64().map_or(value, |number| json!(number)),
            Kind::Money => money(&value),
            Kind::Instant => value.as_str().map_or(Value::Null, |text| json!(instant(text))),
        }
    };
    names.iter().zip(kinds).map(value).collect()
}

/// Hundredths.
fn money(value: &Value) -> Value {
    let text = value.as_str().and_then(|text| text.parse().ok());
    match text.or_else(|| value.as_f64()) {
        Some(units) => json!(format!("{:.0}", units * 100.0)),
        None => value.clone(),
    }
}

fn budgets(of: impl Fn(&str) -> Option<Figures>) -> Vec<Budget> {
    let rates = |one: &str, other: &str| Some(of(one)?.rate / of(other)?.rate);
    let at_least = |work: &str, least: f64, measured| Budget {
        work: work.to_owned(),
        bound: Bound::AtLeast(least),
        measured,
    };
    vec![
        at_least("warm page / uncached page", 5.0, rates(WARM, UNCACHED)),
        at_least("warm page / Node", 5.0, rates(WARM, NODE)),
        // Every answer of a warm round must say so, or the run fails.
        Budget {
            work: "statements of a warm page".to_owned(),
            bound: Bound::AtMost(1.0),
            measured: of(WARM).map(|_| 1.0),
        },
    ]
}
