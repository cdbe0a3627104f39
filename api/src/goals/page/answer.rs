//! What every question about goals does: reads its arguments, gathers the parts, lays them together, and
//! says how fresh they were.

use async_graphql_value::ConstValue;

use super::ask::Ask;
use super::fill::{self, Material};
use super::merge::{self, Page};
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::Result;
use crate::record::Arguments;

pub(super) struct Answer {
    pub(super) ask: Ask,
    pub(super) material: Material,
    pub(super) page: Page,
}

impl Answer {
    pub(super) async fn of(
        ctx: &Ctx,
        conn: &Conn,
        (field, arguments): (&'static str, &[(String, ConstValue)]),
    ) -> Result<Self> {
        let started = ctx.app.clock.stopwatch();
        let ask = Ask::read(ctx, conn, &Arguments(arguments)).await?;
        let material = fill::gather(ctx, conn, &ask).await?;
        let page = merge::page(&material, &ask, &ctx.actor.tenant.currency)?;
        for each in &material.freshness {
            let (tier, found) = (each.tier.graphql_name(), each.found.as_str());
            ctx.app.metrics.kept_answered(tier, found, each.age_s);
        }
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            field,
            sellers = material.sellers.len(),
            customers = page.lines.len(),
            statements = conn.statements(),
            ms,
            cache = ?material.freshness.iter().map(|each| each.found.as_str()).collect::<Vec<_>>(),
            "customer goals"
        );
        Ok(Self { ask, material, page })
    }
}
