//! `pulso demo`: a year of an invented company's sales, to look at or to load a server with. What
//! opens a new tenant goes to standard output, once; progress and counts to standard error.

use std::sync::Arc;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::flags::CommandFlags;
use super::{Done, ENDING, build, configured, connect, print};
use crate::app::App;
use crate::clock::Clock;
use crate::demo::{self, Options, Planted, SEED};
use crate::identity::demo::{DemoCredentials, TENANT};
use crate::identity::tenant;

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Slug of a tenant that exists [default: demo, made if there is none]
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
    /// The same number gives the same companies, people and deals
    #[arg(long, value_name = "N", default_value_t = SEED)]
    seed: u64,
    /// So many times a few hundred rows; parts that are there are left alone
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    scale: u16,
    /// Also beside data that is there already
    #[arg(long)]
    force: bool,
}

/// Opens what the settings name (an embedded database is made and brought to this version, as
/// `serve` would) and fills it.
pub(super) async fn run(flags: CommandFlags, args: DemoArgs) -> Done {
    let config = configured(flags)?;
    let db = connect(&config).await?;
    let clock = Clock::system();
    if config.database.migrates_at_start() {
        db.migrate(clock.now()).await?;
    }
    let app = build(config, db, clock).await?;
    let done = fill(&app, args).await;
    app.stop(ENDING).await;
    done
}

async fn fill(app: &Arc<App>, args: DemoArgs) -> Done {
    let options = Options { seed: args.seed, scale: usize::from(args.scale) };
    let mut fresh = None;
    if args.tenant.is_none() && tenant::service::find_by_slug(app, TENANT).await?.is_none() {
        let (credentials, planted) = demo::create(app, args.seed).await?;
        print(&format!(
            "A demo tenant was made. Shown only this once:\n\n{}",
            shown(&credentials)
        ))?;
        fresh = Some(planted);
    }
    let slug = args.tenant.as_deref().unwrap_or(TENANT);
    let bar = ProgressBar::new(u64::from(args.scale));
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} parts, {eta} left");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    // The demo's own tenant is for this, whatever was tried in it.
    let force = args.force || slug == TENANT;
    let mut planted: Planted = fresh.unwrap_or_default();
    planted.add(demo::fill(app, slug, options, force, |_done| bar.inc(1)).await?);
    bar.finish_and_clear();
    print(&format!(
        "Tenant {slug}: {} companies, {} contacts, {} leads and {} deals are new.",
        planted.companies, planted.contacts, planted.leads, planted.deals
    ))
}

/// What opens a new demo tenant, one thing a line.
pub(super) fn shown(demo: &DemoCredentials) -> String {
    format!(
        "    Tenant    {}\n    E-mail    {}\n    Password  {} (its colleagues have the same)\n    \
         API key   {}\n",
        demo.tenant, demo.email, demo.password, demo.api_key
    )
}
