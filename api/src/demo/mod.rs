//! A year of an invented company's sales, so that the first minute shows a product and not a blank
//! page: offices and colleagues, Brazilian companies and their people, leads and what was said to
//! them, deals through all stages, what is still to be done, sales and goals.
//!
//! Invariants: the same seed at the same time gives the same data; everything is written through the
//! engine, as an import would; a part that is there is not written again.
//!
//! Not here: the tenant itself, its administrator and its key (those are identity's).

mod dice;
mod market;
mod orders;
mod plant;
mod store;
mod story;
mod words;

use std::sync::Arc;

use chrono::{DateTime, Months, Utc};

use crate::access::{Actor, Resource};
use crate::app::App;
use crate::crm::{company, deal, lead};
use crate::ctx::{Ctx, Origin};
use crate::db::Conn;
use crate::error::{Error, Result, say};
use crate::identity::demo::{self as tenant, DemoCredentials};
use crate::identity::user;
use crate::record::change::Session;
use dice::Calendar;
use plant::Planter;

/// Where rows of the demo say that they come from.
pub const EXTERNAL_SYSTEM: &str = "demo";
/// What is planted unless another seed is asked for.
pub const SEED: u64 = 1;
/// Months that rows of the demo may fall into.
const MONTHS_BACK: u32 = 13;
/// Tables whose rows are kept by month.
const BY_MONTH: [&str; 2] = ["lead_interactions", "events"];

/// What to plant: `scale` times a few hundred rows.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub seed: u64,
    pub scale: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: SEED, scale: 1 }
    }
}

/// How many of each were written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Planted {
    pub companies: usize,
    pub contacts: usize,
    pub leads: usize,
    pub deals: usize,
}

impl Planted {
    pub fn add(&mut self, more: Self) {
        self.companies += more.companies;
        self.contacts += more.contacts;
        self.leads += more.leads;
        self.deals += more.deals;
    }
}

/// Makes the demo tenant with its data, all or nothing, where no tenant exists yet.
pub async fn create_if_empty(app: &Arc<App>) -> Result<Option<DemoCredentials>> {
    if !tenant::is_empty(app).await? {
        return Ok(None);
    }
    let admin = tenant::prepare(app).await?;
    ensure_months(app).await?;
    let conn = app.db.transaction().await?;
    // Asked again where it counts: another process may be starting on the same database.
    let Some((actor, credentials)) = tenant::create_if_empty_in(app, &conn, &admin).await? else {
        return Ok(None);
    };
    let ctx = context(app, actor);
    plant_part(&ctx, &conn, (SEED, 0), Some(admin.password_hash())).await?;
    conn.commit().await?;
    Ok(Some(credentials))
}

/// Makes the tenant that `pulso demo` fills when none is named, with the first part of its data;
/// CONFLICT when its slug is taken.
pub async fn create(app: &Arc<App>, seed: u64) -> Result<(DemoCredentials, Planted)> {
    let admin = tenant::prepare(app).await?;
    ensure_months(app).await?;
    let conn = app.db.transaction().await?;
    let (actor, credentials) = tenant::create_in(app, &conn, &admin).await?;
    let ctx = context(app, actor);
    let planted = plant_part(&ctx, &conn, (seed, 0), Some(admin.password_hash())).await?;
    conn.commit().await?;
    Ok((credentials, planted))
}

/// Plants into a tenant that exists, one transaction for each part. A tenant that has data of its own
/// is left alone unless `beside_other_data`. `tell` hears of each part that is done.
pub async fn fill(
    app: &Arc<App>,
    slug: &str,
    options: Options,
    beside_other_data: bool,
    mut tell: impl FnMut(usize),
) -> Result<Planted> {
    let actor = tenant::actor_in(app, slug).await?;
    let ctx = context(app, actor);
    if !beside_other_data {
        refuse_other_data(&ctx).await?;
    }
    ensure_months(app).await?;
    let mut planted = Planted::default();
    for part in 0..options.scale {
        let conn = ctx.transaction().await?;
        planted.add(plant_part(&ctx, &conn, (options.seed, part), None).await?);
        conn.commit().await?;
        tell(part + 1);
    }
    Ok(planted)
}

fn context(app: &Arc<App>, actor: Actor) -> Ctx {
    Ctx::new(Arc::clone(app), actor, Origin::internal("demo"))
}

/// Makes the months that back-dated rows fall into, before a transaction locks the tables.
async fn ensure_months(app: &App) -> Result<()> {
    let now = app.clock.now();
    for months in 0..=MONTHS_BACK {
        let at: DateTime<Utc> = now.checked_sub_months(Months::new(months)).unwrap_or(now);
        for table in BY_MONTH {
            app.db.ensure_partition_for(table, at).await?;
        }
    }
    Ok(())
}

async fn refuse_other_data(ctx: &Ctx) -> Result<()> {
    let conn = ctx.snapshot().await?;
    for (resource, table) in [
        (Resource::Companies, company::record().table),
        (Resource::Leads, lead::record::record().table),
        (Resource::Deals, deal::record::record().table),
    ] {
        if store::has_other_rows(&conn, &ctx.reader(resource)?, table).await? {
            let slug = &ctx.actor.tenant.slug;
            return Err(Error::conflict(say(
                format!(
                    "the tenant \"{slug}\" has data already; --force puts the demo's beside it"
                ),
                format!(
                    "a organização \"{slug}\" já tem dados; --force põe os da demonstração ao lado"
                ),
            )));
        }
    }
    Ok(())
}

/// One part of a seed's data. Colleagues get roles, and can sign in where a password is given.
async fn plant_part(
    ctx: &Ctx,
    conn: &Conn,
    (seed, part): (u64, usize),
    password_hash: Option<&str>,
) -> Result<Planted> {
    let calendar = Calendar { now: ctx.now(), zone: ctx.actor.tenant.time_zone };
    let mut session = Session::import(ctx, conn);
    let mut planter = Planter { session: &mut session, calendar, seed, part };
    if planter.is_there().await? {
        return Ok(Planted::default());
    }
    let domain = format!("{}.example", ctx.actor.tenant.slug);
    let (staff, fresh) = planter.staff(&domain).await?;
    for (colleague, id) in fresh.iter().zip(&staff.users) {
        let whom = (ctx.tenant_id(), *id);
        user::service::admit(&ctx.app, conn, whom, colleague.role, password_hash).await?;
    }
    let planted = planter.year(&staff).await?;
    session.finish().await?;
    Ok(planted)
}
