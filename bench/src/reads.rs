//! `reads`: the nested page and the single record, beside PostGraphile, pgbench and SQLite.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::contest::{self, Contender, Figures, Way};
use crate::http::{Target, ask};
use crate::load::{ID, Work};
use crate::npm;
use crate::options::Options;
use crate::outcome::{During as _, Outcome};
use crate::postgraphile::Peer;
use crate::postgres::DATABASE;
use crate::pulso;
use crate::queries::{self, LIST, LIST_PREFIX, SINGLE, SINGLE_PREFIX};
use crate::report::{Bound, Budget, Verdict, heading, judge};
use crate::same::{self, Money, must_agree, normalise};
use crate::sqlite;
use crate::stand::{Size, Stand};

const PAGE: &str = include_str!("../sql/page.sql");

/// How many single records are compared between servers before anything is measured.
const COMPARED: usize = 50;

/// Everybody who takes part. Servers are dropped before the stand that they work on.
struct Hall {
    pulso: pulso::Running,
    on_sqlite: Option<pulso::Running>,
    peers: Option<Peers>,
    stand: Stand,
    page: PathBuf,
}

struct Peers {
    one: npm::Running,
    two: npm::Running,
    version: String,
}

pub(crate) async fn run(options: &Options) -> Outcome<Verdict> {
    let hall = Hall::open(options)?;
    hall.check_lists().await?;
    let ids: Arc<[String]> = hall.stand.lead_ids()?.into();
    hall.check_singles(&ids).await?;
    println!("every contender answers with the same rows");

    let mut programs = vec![format!("PostgreSQL {}", hall.stand.postgres.version())];
    programs.extend(hall.peers.as_ref().map(|peers| peers.version.clone()));
    programs.push(format!("{} connections", options.connections));
    heading("Reads", &programs);
    let lists = hall.lists(options);
    let list = contest::hold("50 leads, nested", options, &lists).await?;
    let singles = hall.singles(options, &ids);
    let single = contest::hold("One lead by id", options, &singles).await?;
    let list = Results { contenders: &lists, figures: &list };
    let single = Results { contenders: &singles, figures: &single };
    Ok(judge(&budgets(&list, &single), options.quick))
}

impl Hall {
    fn open(options: &Options) -> Outcome<Self> {
        let size = Size {
            users: 50,
            companies: options.scaled(20_000, 200),
            contacts: options.scaled(40_000, 400),
            leads: options.scaled(100_000, 5_000),
            deals: options.scaled(50_000, 2_500),
        };
        let peer = options.peer.then(Peer::install).transpose()?;
        let stand = Stand::set_up(options, size)?;
        let page = stand.folder.path().join("page.sql");
        std::fs::write(&page, PAGE.replace("{{TENANT}}", &stand.tenant_id)).during("page.sql")?;
        let url = stand.postgres.url();
        let on_sqlite = match options.sqlite.then(|| sqlite::copy(&stand)).transpose()? {
            Some(url) => Some(stand.pulso.serve("pulso-sqlite", &url)?),
            None => None,
        };
        let pulso = stand.pulso.serve("pulso", &url)?;
        let logs = stand.folder.path();
        let peers = match peer {
            Some(peer) => Some(Peers {
                one: peer.serve(&url, 1, logs)?,
                two: peer.serve(&url, 2, logs)?,
                version: peer.version(),
            }),
            None => None,
        };
        Ok(Self { pulso, on_sqlite, peers, stand, page })
    }

    /// The nested page of every contender against ours, for both roles.
    async fn check_lists(&self) -> Outcome {
        let keys = &self.stand.keys;
        let seed = ours(&self.pulso.target(&keys.seed), LIST, Value::Null).await?;
        let own = ours(&self.pulso.target(&keys.seller), LIST, Value::Null).await?;
        for (who, answer) in [("the seed role", &seed), ("a seller", &own)] {
            if same::rows(answer) != 50 {
                return Err(format!("{who} sees {} rows, not 50", same::rows(answer)));
            }
        }
        if same::rows(&own) == 50 && own == seed {
            return Err("the row rule shows a seller what the seed role sees".to_owned());
        }
        let said = self.stand.postgres.query(&PAGE.replace("{{TENANT}}", &self.stand.tenant_id))?;
        let nodes: Value = serde_json::from_str(&said).during("the hand-written statement")?;
        let by_hand = normalise(json!({ "leads": { "nodes": nodes } }), Money::Hundredths);
        must_agree(("Pulso", &seed), ("the hand-written statement", &by_hand))?;
        if let Some(on_sqlite) = &self.on_sqlite {
            let answer = ours(&on_sqlite.target(&keys.seed), LIST, Value::Null).await?;
            must_agree(("Pulso", &seed), ("Pulso on SQLite", &answer))?;
        }
        for peer in self.peers.iter().flat_map(|peers| [&peers.one, &peers.two]) {
            let all = queries::peer_list(&self.stand.tenant_id, "");
            let answer = theirs(&peer.target(), &all, Value::Null).await?;
            must_agree(("Pulso", &seed), ("PostGraphile", &answer))?;
            let answer = theirs(&peer.target(), &self.peer_own_list(), Value::Null).await?;
            must_agree(("Pulso for a seller", &own), ("PostGraphile", &answer))?;
        }
        Ok(())
    }

    async fn check_singles(&self, ids: &[String]) -> Outcome {
        let query = queries::peer_single(&self.stand.tenant_id);
        for id in ids.iter().take(COMPARED) {
            let variables = json!({ "id": id });
            let key = &self.stand.keys.seed;
            let answer = ours(&self.pulso.target(key), SINGLE, variables.clone()).await?;
            if answer.pointer("/lead/id").and_then(Value::as_str) != Some(id) {
                return Err(format!("Pulso does not find the lead {id}"));
            }
            if let Some(on_sqlite) = &self.on_sqlite {
                let other = ours(&on_sqlite.target(key), SINGLE, variables.clone()).await?;
                must_agree(("Pulso", &answer), ("Pulso on SQLite", &other))?;
            }
            if let Some(peers) = &self.peers {
                let other = theirs(&peers.one.target(), &query, variables).await?;
                must_agree(("Pulso", &answer), ("PostGraphile", &other))?;
            }
        }
        Ok(())
    }

    fn peer_own_list(&self) -> String {
        let rows = queries::peer_rows_of(&self.stand.seller_id);
        queries::peer_list(&self.stand.tenant_id, &rows)
    }

    fn lists(&self, options: &Options) -> Vec<Contender> {
        let keys = &self.stand.keys;
        let database = Some(self.stand.postgres.process_id());
        let work = |target: Target, query: &str| {
            let body = json!({ "query": query }).to_string();
            Arc::new(Work::new(target, &body, Arc::from([]), LIST_PREFIX))
        };
        let http = |name: &str, work, server, database| Contender {
            name: name.to_owned(),
            way: Way::Http { work, server, database, connections: options.connections },
        };
        let ours = self.pulso.process_id();
        let mut contenders =
            vec![http(PULSO, work(self.pulso.target(&keys.seed), LIST), ours, database)];
        if let Some(peers) = &self.peers {
            let query = queries::peer_list(&self.stand.tenant_id, "");
            for (name, peer) in [(PEER, &peers.one), (PEER_TWO, &peers.two)] {
                let work = work(peer.target(), &query);
                contenders.push(http(name, work, peer.process_id(), database));
            }
        }
        contenders.push(self.pgbench());
        if let Some(lite) = &self.on_sqlite {
            let work = work(lite.target(&keys.seed), LIST);
            contenders.push(http(PULSO_SQLITE, work, lite.process_id(), None));
        }
        let own = work(self.pulso.target(&keys.seller), LIST);
        contenders.push(http(PULSO_OWN, own, ours, database));
        if let Some(peers) = &self.peers {
            let own = work(peers.one.target(), &self.peer_own_list());
            contenders.push(http(PEER_OWN, own, peers.one.process_id(), database));
        }
        contenders
    }

    fn pgbench(&self) -> Contender {
        let client = self.stand.postgres.client("pgbench", DATABASE);
        let mut arguments =
            ["-n", "-M", "prepared", "-c", "4", "-j", "2", "-f"].map(OsString::from).to_vec();
        arguments.push(self.page.clone().into_os_string());
        Contender { name: PGBENCH.to_owned(), way: Way::pgbench(&client, arguments) }
    }

    fn singles(&self, options: &Options, ids: &Arc<[String]>) -> Vec<Contender> {
        let key = &self.stand.keys.seed;
        let database = Some(self.stand.postgres.process_id());
        let contender = |name: &str, target: Target, query: &str, server, database| {
            let body = json!({ "query": query, "variables": { "id": ID } }).to_string();
            let work = Arc::new(Work::new(target, &body, Arc::clone(ids), SINGLE_PREFIX));
            let connections = options.connections;
            let way = Way::Http { work, server, database, connections };
            Contender { name: name.to_owned(), way }
        };
        let ours = self.pulso.process_id();
        let mut contenders = vec![contender(PULSO, self.pulso.target(key), SINGLE, ours, database)];
        if let Some(peers) = &self.peers {
            let query = queries::peer_single(&self.stand.tenant_id);
            for (name, peer) in [(PEER, &peers.one), (PEER_TWO, &peers.two)] {
                let (target, server) = (peer.target(), peer.process_id());
                contenders.push(contender(name, target, &query, server, database));
            }
        }
        if let Some(lite) = &self.on_sqlite {
            let (target, server) = (lite.target(key), lite.process_id());
            contenders.push(contender(PULSO_SQLITE, target, SINGLE, server, None));
        }
        contenders
    }
}

const PULSO: &str = "Pulso (role comercial)";
const PULSO_OWN: &str = "Pulso, rows of one seller";
const PULSO_SQLITE: &str = "Pulso on SQLite";
const PEER: &str = "PostGraphile, 1 process";
const PEER_TWO: &str = "PostGraphile, 2 workers";
const PEER_OWN: &str = "PostGraphile, condition on one seller";
const PGBENCH: &str = "pgbench, one json_agg statement";

async fn ours(target: &Target, query: &str, variables: Value) -> Outcome<Value> {
    Ok(normalise(ask(target, query, variables).await.during("Pulso")?, Money::Decimal))
}

async fn theirs(target: &Target, query: &str, variables: Value) -> Outcome<Value> {
    Ok(normalise(ask(target, query, variables).await.during("PostGraphile")?, Money::Hundredths))
}

/// Figures by the contender's name.
struct Results<'a> {
    contenders: &'a [Contender],
    figures: &'a [Figures],
}

impl Results<'_> {
    /// One figure of one contender through that of another; `None` when either did not take part.
    fn ratio(&self, of: fn(&Figures) -> f64, one: &str, other: &str) -> Option<f64> {
        let find = |name: &str| {
            let mut pairs = self.contenders.iter().zip(self.figures);
            pairs.find(|(contender, _)| contender.name == name).map(|(_, figures)| of(figures))
        };
        Some(find(one)? / find(other)?)
    }
}

fn budgets(list: &Results<'_>, single: &Results<'_>) -> Vec<Budget> {
    let rate = |figures: &Figures| figures.rate;
    let budget = |work: &str, bound, measured| Budget { work: work.to_owned(), bound, measured };
    let least = Bound::AtLeast;
    let list_rate = |one, other| list.ratio(rate, one, other);
    let list_cpu = list.ratio(Figures::cpu_us, PULSO, PEER);
    let single_rate = single.ratio(rate, PULSO, PEER);
    vec![
        budget("list / PostGraphile, 1 process", least(4.0), list_rate(PULSO, PEER)),
        budget("list / PostGraphile, 2 workers", least(3.0), list_rate(PULSO, PEER_TWO)),
        budget("list / pgbench", least(1.1), list_rate(PULSO, PGBENCH)),
        budget("list, CPU per request / PostGraphile's", Bound::AtMost(0.30), list_cpu),
        budget("one record / PostGraphile, 1 process", least(3.0), single_rate),
        budget("list on SQLite / on PostgreSQL", least(0.5), list_rate(PULSO_SQLITE, PULSO)),
        budget("list of one seller / PostGraphile's", least(1.0), list_rate(PULSO_OWN, PEER_OWN)),
    ]
}
