//! The test stand: a database with known rows, the server's binary, and keys of three kinds.

use std::process::Command;

use crate::machine::{self, Folder};
use crate::options::Options;
use crate::outcome::{During as _, Outcome};
use crate::postgres::{DATABASE, Postgres};
use crate::programs::output;
use crate::pulso::Pulso;

const BEGIN: &str = include_str!("../sql/begin.sql");
const LOAD: &str = include_str!("../sql/load.sql");
const SELLER: &str = include_str!("../sql/seller.sql");

/// The tables that [`LOAD`] fills.
const LOADED: &str = "users companies contacts leads deals";

/// The tenant that is measured, and the one beside it that must not be seen.
pub(crate) const TENANT: &str = "bench";
pub(crate) const NEIGHBOUR: &str = "neighbour";

/// How many rows there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) users: u64,
    pub(crate) companies: u64,
    pub(crate) contacts: u64,
    pub(crate) leads: u64,
    pub(crate) deals: u64,
}

impl Size {
    /// The tenant beside the measured one is a fifth of it.
    fn neighbour(self) -> Self {
        let fifth = |count: u64| (count / 5).max(1);
        Self {
            users: fifth(self.users),
            companies: fifth(self.companies),
            contacts: fifth(self.contacts),
            leads: fifth(self.leads),
            deals: fifth(self.deals),
        }
    }
}

/// API keys of the measured tenant.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) admin: String,
    /// A seed role of the sales side.
    pub(crate) seed: String,
    /// A role that reads the rows of one user only.
    pub(crate) seller: String,
}

/// Fields are dropped in this order: the database ends before its folder goes.
#[derive(Debug)]
pub(crate) struct Stand {
    pub(crate) postgres: Postgres,
    pub(crate) pulso: Pulso,
    pub(crate) tenant_id: String,
    /// Whose rows the seller's key reads.
    pub(crate) seller_id: String,
    pub(crate) keys: Keys,
    pub(crate) folder: Folder,
}

impl Stand {
    pub(crate) fn set_up(options: &Options, size: Size) -> Outcome<Self> {
        if let Some(load) = machine::load_average().filter(|&load| load > 0.5) {
            eprintln!("this machine is busy (load {load}): figures will mean little");
        }
        let folder = Folder::make(options.keep)?;
        let pulso = Pulso::find(options, folder.path())?;
        let postgres = Postgres::start(folder.path())?;
        let url = postgres.url();
        println!("PostgreSQL {} at {url}", postgres.version());
        pulso.command(&url, &["migrate", "up"])?;
        for (slug, name) in [(TENANT, "Bench"), (NEIGHBOUR, "Neighbour")] {
            pulso.command(&url, &["admin", "tenant", "create", slug, "--name", name])?;
        }
        postgres.psql(DATABASE, &["-c", SELLER])?;
        let key = |role: &str| -> Outcome<String> {
            let arguments = ["admin", "key", "create", "--tenant", TENANT, "--role", role];
            Ok(pulso.command(&url, &arguments)?.trim().to_owned())
        };
        let keys =
            Keys { admin: key("admin")?, seed: key("comercial")?, seller: key("bench_seller")? };
        load(&postgres, &folder, size)?;
        let tenant_id =
            postgres.query(&format!("select id from tenants where slug = '{TENANT}'"))?;
        let seller_id = give_seller_rows(&postgres, &tenant_id)?;
        Ok(Self { postgres, pulso, tenant_id, seller_id, keys, folder })
    }

    /// Loads more rows of both tenants, `count` and a fifth of it, with a script of its own.
    pub(crate) fn load_more(
        &self,
        tables: &str,
        (name, count): (&str, u64),
        script: &str,
    ) -> Outcome {
        for (slug, count) in [(NEIGHBOUR, (count / 5).max(1)), (TENANT, count)] {
            let stand = (&self.postgres, &self.folder);
            run_load(stand, (slug, tables), &[(name, count)], script)?;
        }
        settle(&self.postgres)
    }

    /// Ids of leads of the measured tenant, spread over all of them.
    pub(crate) fn lead_ids(&self) -> Outcome<Vec<String>> {
        let statement = format!(
            "select id from leads where tenant_id = '{}' order by md5(id::text) limit 20000",
            self.tenant_id
        );
        Ok(self.postgres.query(&statement)?.lines().map(str::to_owned).collect())
    }
}

fn load(postgres: &Postgres, folder: &Folder, size: Size) -> Outcome {
    let started = machine::now();
    for (slug, size) in [(NEIGHBOUR, size.neighbour()), (TENANT, size)] {
        let counts = [
            ("users", size.users),
            ("companies", size.companies),
            ("contacts", size.contacts),
            ("leads", size.leads),
            ("deals", size.deals),
        ];
        run_load((postgres, folder), (slug, LOADED), &counts, LOAD)?;
    }
    settle(postgres)?;
    let (leads, seconds) = (size.leads, started.elapsed().as_secs_f64());
    println!("loaded {leads} leads and what belongs to them in {seconds:.0} s");
    Ok(())
}

/// Runs a script that loads rows of a tenant into tables of which the caller names every one, with
/// `counts` as its variables.
fn run_load(
    (postgres, folder): (&Postgres, &Folder),
    (slug, tables): (&str, &str),
    counts: &[(&str, u64)],
    script: &str,
) -> Outcome {
    let mut psql: Command = postgres.client("psql", DATABASE);
    psql.args(["-X", "-q", "-v"]).arg(format!("tenant={slug}"));
    psql.arg("-v").arg(format!("tables={tables}"));
    for (name, count) in counts {
        psql.arg("-v").arg(format!("{name}={count}"));
    }
    for (name, text) in [("begin.sql", BEGIN), ("load.sql", script)] {
        let file = folder.path().join(name);
        std::fs::write(&file, text).during(file.display())?;
        psql.arg("-f").arg(file);
    }
    output(&mut psql).map(drop)
}

/// Vacuums, analyses and writes everything out, so that none of it happens during a measurement.
pub(crate) fn settle(postgres: &Postgres) -> Outcome {
    postgres.query("vacuum (analyze)")?;
    postgres.query("checkpoint").map(drop)
}

/// Makes the seller's key act as one of the loaded users; returns that user's id.
fn give_seller_rows(postgres: &Postgres, tenant_id: &str) -> Outcome<String> {
    let statement = format!(
        "update api_keys k set user_id = u.id from roles r, users u \
         where k.tenant_id = '{tenant_id}' and r.tenant_id = k.tenant_id and r.id = k.role_id \
         and r.name = 'bench_seller' and u.tenant_id = k.tenant_id \
         and u.email = 'vendedor1@{TENANT}.example' returning u.id"
    );
    let id = postgres.query(&statement)?;
    if id.is_empty() { Err("the seller's key was not found".to_owned()) } else { Ok(id) }
}
