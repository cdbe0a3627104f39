//! `pulso verify`: what is sealed is computed again, beside a running server. A line for each tenant
//! goes to standard output, with the places that do not agree below it. The exit code is 0 when all
//! that is there agrees, and 1 when something does not.

use std::sync::Arc;

use clap::{Args, Subcommand};

use uuid::Uuid;

use super::{Done, Failure, print};
use crate::analytics::rollup;
use crate::app::App;
use crate::audit::verify::{Anchor, Report, verify};
use crate::error::{Error, Result};
use crate::identity::tenant;

#[derive(Debug, Subcommand)]
pub enum Verify {
    /// The audit trail: entries, their order, months and the head
    Audit(AuditArgs),
    /// Snapshots of metrics: the whole log of events is folded again
    Snapshots(SnapshotArgs),
}

#[derive(Debug, Args)]
pub struct SnapshotArgs {
    /// Slug of one tenant; all of them otherwise
    #[arg(long)]
    tenant: Option<String>,
}

#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Slug of one tenant; all of them otherwise
    #[arg(long)]
    tenant: Option<String>,
    /// A head that was printed earlier, PLACE:HASH; may be given several times
    #[arg(long = "anchor", requires = "tenant")]
    anchors: Vec<Anchor>,
}

/// What a verification has to say.
#[derive(Debug)]
pub struct Verdict {
    pub lines: Vec<String>,
    /// Tenants of whom something does not agree.
    pub broken: Vec<String>,
}

/// Verifies, prints, and fails when something does not agree.
pub(super) async fn run(app: &Arc<App>, what: Verify) -> Done {
    let subject = match &what {
        Verify::Audit(_) => "the audit trail does",
        Verify::Snapshots(_) => "snapshots do",
    };
    let verdict = execute(app, what).await?;
    for line in &verdict.lines {
        print(line)?;
    }
    if verdict.broken.is_empty() {
        return Ok(());
    }
    let broken = verdict.broken.join(", ");
    Err(Failure::Failed(format!("{subject} not agree: {broken}")))
}

/// Verifies.
pub async fn execute(app: &Arc<App>, what: Verify) -> Result<Verdict> {
    match what {
        Verify::Audit(args) => audit_trails(app, args).await,
        Verify::Snapshots(args) => snapshots(app, args).await,
    }
}

/// The tenant that is named, or all of them: ids and slugs.
async fn tenants(app: &Arc<App>, slug: Option<&str>) -> Result<Vec<(Uuid, String)>> {
    let tenants = match slug {
        Some(slug) => vec![tenant::service::named(app, slug).await?],
        None => tenant::service::list(app).await?,
    };
    Ok(tenants.into_iter().map(|tenant| (tenant.id, tenant.slug)).collect())
}

async fn snapshots(app: &Arc<App>, args: SnapshotArgs) -> Result<Verdict> {
    let mut verdict = Verdict { lines: Vec::new(), broken: Vec::new() };
    for (id, slug) in tenants(app, args.tenant.as_deref()).await? {
        let report = rollup::verify::verify(app, id).await?;
        let judgement = if report.wrong == 0 { "agrees" } else { "DOES NOT AGREE" };
        let (events, buckets, wrong) = (report.events, report.buckets, report.wrong);
        verdict.lines.push(format!(
            "{slug}: {judgement}; {events} events, {buckets} buckets, {wrong} wrong"
        ));
        verdict.lines.extend(report.findings.iter().map(|finding| format!("  {finding}")));
        let told = u64::try_from(report.findings.len()).map_err(Error::internal)?;
        if wrong > told {
            verdict.lines.push(format!("  and {} more", wrong - told));
        }
        if wrong > 0 {
            verdict.broken.push(slug);
        }
    }
    Ok(verdict)
}

async fn audit_trails(app: &Arc<App>, args: AuditArgs) -> Result<Verdict> {
    let mut verdict = Verdict { lines: Vec::new(), broken: Vec::new() };
    for (id, slug) in tenants(app, args.tenant.as_deref()).await? {
        let report = verify(app, id, &args.anchors).await?;
        verdict.lines.push(summary(&slug, &report));
        verdict.lines.extend(report.findings.iter().map(|finding| format!("  {finding}")));
        if report.more > 0 {
            verdict.lines.push(format!("  and {} more", report.more));
        }
        if !report.agrees() {
            verdict.broken.push(slug);
        }
    }
    Ok(verdict)
}

fn summary(slug: &str, report: &Report) -> String {
    let judgement = if report.agrees() { "agrees" } else { "DOES NOT AGREE" };
    let head = report.head.as_ref().map_or("none".to_owned(), Anchor::to_string);
    format!(
        "{slug}: {judgement}; {} sealed, {} not sealed yet, {} erased, {} months closed, head {head}",
        report.entries, report.unsealed, report.erased, report.months
    )
}
