//! The steps of an import in order: who acts, in which transactions, and what is kept.

use std::sync::Arc;
use std::time::Duration;

use super::lookup::{Lookups, Wanted};
use super::refusal::Refusals;
use super::report::Report;
use super::values::Zones;
use super::{Order, Prepared, Watch, step};
use crate::app::App;
use crate::ctx::{Ctx, Origin};
use crate::db::Conn;
use crate::error::Result;
use crate::identity::{actor, tenant};
use crate::record::Record;
use crate::record::change::{BulkResult, BulkRow, Session, bulk_upsert};

/// How often a transaction that could not have the database is begun again, and after which pause.
const ATTEMPTS_MAX: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// An import under way.
pub(super) struct Run<'a> {
    pub(super) ctx: &'a Ctx,
    pub(super) prepared: &'a Prepared,
    pub(super) zones: Zones,
    pub(super) lookups: Lookups,
    pub(super) refusals: Refusals,
    pub(super) watch: &'a mut dyn Watch,
    /// The one transaction of a dry run, in which everything happens and from which nothing stays.
    rehearsal: Option<&'a Conn>,
}

pub(super) async fn all_steps(
    app: &Arc<App>,
    prepared: &Prepared,
    order: &Order,
    watch: &mut dyn Watch,
) -> Result<Report> {
    let tenant = tenant::service::named(app, &order.tenant).await?;
    if !order.dry_run {
        // No server may have run this month, and made the parts of the large tables that it needs.
        app.db.ensure_partitions(app.clock.now()).await?;
    }
    let conn = app.db.transaction().await?;
    let actor = actor::service::importer(app, &conn, &tenant).await?;
    let rehearsal = if order.dry_run {
        Some(conn)
    } else {
        conn.commit().await?;
        None
    };
    let plan = &prepared.plan;
    let zones = Zones {
        usual: plan.zone.unwrap_or(actor.tenant.time_zone),
        tenant: actor.tenant.time_zone,
    };
    let origin = Origin::internal(format!("import {}", plan.name));
    let ctx = Ctx::new(Arc::clone(app), actor, origin);
    let mut run = Run {
        ctx: &ctx,
        prepared,
        zones,
        lookups: Lookups::default(),
        refusals: Refusals::new(&order.errors),
        watch,
        rehearsal: rehearsal.as_ref(),
    };
    let mut report = Report { steps: Vec::with_capacity(plan.steps.len()), dry_run: order.dry_run };
    for each in &plan.steps {
        report.steps.push(step::Runner::new(&mut run, each).run().await?);
    }
    Ok(report)
}

impl Run<'_> {
    /// Looks up what rows refer to, outside the transaction that will write them.
    pub(super) async fn look_up(&mut self, wanted: &[&Wanted<'_>]) -> Result<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        match self.rehearsal {
            Some(conn) => self.lookups.find(self.ctx, conn, wanted).await,
            None => {
                let conn = self.ctx.single_read().await?;
                self.lookups.find(self.ctx, &conn, wanted).await
            }
        }
    }

    /// Writes rows in one transaction. When the database cannot be had, or chose this transaction to
    /// give way, it is tried again: nothing of it was kept.
    pub(super) async fn write(
        &self,
        record: &'static Record,
        key: &[&'static str],
        rows: Vec<BulkRow>,
        create: bool,
    ) -> Result<Vec<BulkResult>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(conn) = self.rehearsal {
            let mut session = Session::import(self.ctx, conn);
            return bulk_upsert(&mut session, record, key, rows, create).await;
        }
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.write_once(record, key, rows.clone(), create).await {
                Err(error) if error.retryable() && attempt < ATTEMPTS_MAX => {
                    tracing::warn!(%error, attempt, "a batch is tried again");
                    tokio::time::sleep(PAUSE * attempt).await;
                }
                done => return done,
            }
        }
    }

    /// After many new rows; a dry run has none that others see.
    pub(super) async fn refresh_statistics(&self, table: &'static str) -> Result<()> {
        match self.rehearsal {
            Some(_) => Ok(()),
            None => self.ctx.app.db.refresh_statistics(table).await,
        }
    }

    async fn write_once(
        &self,
        record: &'static Record,
        key: &[&'static str],
        rows: Vec<BulkRow>,
        create: bool,
    ) -> Result<Vec<BulkResult>> {
        let conn = self.ctx.transaction().await?;
        let mut session = Session::import(self.ctx, &conn);
        let results = bulk_upsert(&mut session, record, key, rows, create).await?;
        session.finish().await?;
        conn.commit().await?;
        Ok(results)
    }
}
