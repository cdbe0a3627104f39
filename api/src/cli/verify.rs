//! `pulso verify`: what is sealed is computed again, beside a running server. A line for each tenant
//! goes to standard output, with the places that do not agree below it. The exit code is 0 when all
//! that is there agrees, and 1 when something does not.

use std::sync::Arc;

use clap::{Args, Subcommand};

use super::{Done, Failure, print};
use crate::app::App;
use crate::audit::verify::{Anchor, Report, verify};
use crate::error::Result;
use crate::identity::tenant;

#[derive(Debug, Subcommand)]
pub enum Verify {
    /// The audit trail: entries, their order, months and the head
    Audit(AuditArgs),
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
    let verdict = execute(app, what).await?;
    for line in &verdict.lines {
        print(line)?;
    }
    if verdict.broken.is_empty() {
        return Ok(());
    }
    let broken = verdict.broken.join(", ");
    Err(Failure::Failed(format!("the audit trail does not agree: {broken}")))
}

/// Verifies.
pub async fn execute(app: &Arc<App>, what: Verify) -> Result<Verdict> {
    let Verify::Audit(args) = what;
    let tenants = match &args.tenant {
        Some(slug) => vec![tenant::service::named(app, slug).await?],
        None => tenant::service::list(app).await?,
    };
    let mut verdict = Verdict { lines: Vec::new(), broken: Vec::new() };
    for tenant in tenants {
        let report = verify(app, tenant.id, &args.anchors).await?;
        verdict.lines.push(summary(&tenant.slug, &report));
        verdict.lines.extend(report.findings.iter().map(|finding| format!("  {finding}")));
        if report.more > 0 {
            verdict.lines.push(format!("  and {} more", report.more));
        }
        if !report.agrees() {
            verdict.broken.push(tenant.slug);
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
