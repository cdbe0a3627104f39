//! `pulso goals`: the goals of a year out of the sales of the year before, and the classes of
//! customers.

use std::sync::Arc;

use clap::{Args, Subcommand};

use super::{Done, print};
use crate::app::App;
use crate::ctx::{Ctx, Origin};
use crate::error::{Error, Result, say};
use crate::goals::goal::service::{self, Curve, Outcome, Proposal};
use crate::identity::{actor, tenant};
use crate::record::change::Session;

#[derive(Debug, Subcommand)]
pub(super) enum Goals {
    /// Make goals out of what each seller sold to each customer the year before
    Propose(Propose),
    /// Classify customers by what they bought the year before (A, B, C)
    Classify(Classify),
}

#[derive(Debug, Args)]
pub(super) struct Propose {
    /// Slug of the tenant
    #[arg(long)]
    tenant: String,
    /// Year of the goals
    #[arg(long)]
    year: i32,
    /// Of what was sold the year before, with at most two decimals
    #[arg(long, default_value = "1.15")]
    factor: String,
    /// Needed where sales have more than one currency
    #[arg(long)]
    currency: Option<String>,
    /// Change goals that are there too
    #[arg(long)]
    overwrite: bool,
}

#[derive(Debug, Args)]
pub(super) struct Classify {
    /// Slug of the tenant
    #[arg(long)]
    tenant: String,
    /// Year of the goals
    #[arg(long)]
    year: i32,
    /// Per cent of the sales that A customers stand for
    #[arg(long, default_value_t = Curve::default().a)]
    a: i64,
    /// Per cent of the sales that B customers stand for
    #[arg(long, default_value_t = Curve::default().b)]
    b: i64,
    /// Needed where sales have more than one currency
    #[arg(long)]
    currency: Option<String>,
}

pub(super) async fn run(app: &Arc<App>, command: Goals) -> Done {
    let outcome = match command {
        Goals::Propose(args) => propose(app, args).await?,
        Goals::Classify(args) => classify(app, args).await?,
    };
    let Outcome { created, updated, unchanged } = outcome;
    print(&format!("{created} created, {updated} updated, {unchanged} unchanged"))
}

async fn propose(app: &Arc<App>, args: Propose) -> Result<Outcome> {
    let factor = entity::value::money::parse_hundredths(&args.factor)
        .map_err(|refused| Error::invalid_field("factor", say(refused.en, refused.pt)))?;
    let ctx = importer(app, &args.tenant, "goals propose").await?;
    let conn = ctx.transaction().await?;
    let mut session = Session::new(&ctx, &conn);
    let proposal = Proposal {
        year: args.year,
        factor_hundredths: factor,
        currency: args.currency,
        overwrite: args.overwrite,
    };
    let outcome = service::propose(&mut session, proposal).await?;
    session.finish().await?;
    conn.commit().await?;
    Ok(outcome)
}

async fn classify(app: &Arc<App>, args: Classify) -> Result<Outcome> {
    let ctx = importer(app, &args.tenant, "goals classify").await?;
    let conn = ctx.transaction().await?;
    let mut session = Session::new(&ctx, &conn);
    let curve = Curve { a: args.a, b: args.b };
    let currency = args.currency.as_deref();
    let outcome = service::classify(&mut session, args.year, curve, currency).await?;
    session.finish().await?;
    conn.commit().await?;
    Ok(outcome)
}

/// Whoever works at the command line works as imports do.
async fn importer(app: &Arc<App>, slug: &str, work: &str) -> Result<Ctx> {
    let tenant = tenant::service::named(app, slug).await?;
    let conn = app.db.transaction().await?;
    let actor = actor::service::importer(app, &conn, &tenant).await?;
    conn.commit().await?;
    Ok(Ctx::new(Arc::clone(app), actor, Origin::internal(work)))
}
