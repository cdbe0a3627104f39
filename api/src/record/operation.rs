//! One operation: all its engine fields planned before anything runs, all read in one snapshot.

use async_graphql::Pos;

use crate::ctx::Ctx;
use crate::error::Result;

use super::aggregate::{self, Aggregate, Groups};
use super::declare::{Freshness, Record};
use super::disclosed::{Disclosed, Disclosures};
use super::plan::{List, One, Planner, Refused};
use super::selection::Selected;
use super::{fetch, json};
use crate::db::Conn;
use crate::error::Error;

/// What a root field of a record asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadKind {
    List,
    One,
    Aggregate,
    Groups,
}

/// A planned root field.
pub struct PlannedRoot {
    pub key: String,
    /// Where it stands in the document, for errors.
    pub position: Pos,
    pub plan: RootPlan,
}

pub enum RootPlan {
    List(Box<List>),
    One(Box<One>, &'static Record),
    Aggregate(Box<Aggregate>),
    Groups(Box<Groups>),
}

impl RootPlan {
    /// Statements that this takes at most.
    pub fn statements(&self) -> u32 {
        match self {
            Self::List(list) => list.statements(),
            Self::One(one, _) => one.statements(),
            Self::Aggregate(aggregate) => aggregate.statements(),
            Self::Groups(groups) => groups.statements(),
        }
    }
}

/// Plans one root field.
pub fn plan(
    planner: &mut Planner<'_>,
    record: &'static Record,
    kind: ReadKind,
    selected: &Selected,
) -> std::result::Result<PlannedRoot, Refused> {
    let plan = planner.at(selected, |planner| {
        Ok(match kind {
            ReadKind::List => RootPlan::List(Box::new(planner.list(record, selected, 1, None)?)),
            ReadKind::One => RootPlan::One(Box::new(planner.one(record, selected)?), record),
            ReadKind::Aggregate => {
                RootPlan::Aggregate(Box::new(planner.aggregate(record, selected)?))
            }
            ReadKind::Groups => RootPlan::Groups(Box::new(planner.groups(record, selected)?)),
        })
    })?;
    Ok(PlannedRoot { key: selected.key.clone(), position: selected.position, plan })
}

/// What is known of an answer beside its text.
#[derive(Default)]
pub struct Known {
    /// What of it is personal or analytics.
    pub told: Vec<Disclosed>,
    /// How fresh the parts of it are that were kept.
    pub freshness: Vec<Freshness>,
}

/// Runs a planned root field and writes its JSON text.
pub async fn run(ctx: &Ctx, conn: &Conn, plan: &RootPlan, out: &mut Vec<u8>) -> Result<Known> {
    let mut told = Disclosures::default();
    let mut freshness = Vec::new();
    let rows_before = conn.rows_read();
    match plan {
        RootPlan::List(plan) => {
            let fetched = fetch::list(ctx, conn, plan).await?;
            told.list(plan, &fetched);
            json::write_list(out, plan, &fetched)?;
            freshness = fetched.freshness;
        }
        RootPlan::One(plan, record) => {
            let fetched = fetch::one(ctx, conn, plan).await?;
            let fetched = fetched.ok_or_else(|| Error::not_found(record.name))?;
            told.one(plan, &fetched);
            json::write_one(out, plan, &fetched)?;
        }
        RootPlan::Aggregate(aggregate) => {
            let row = aggregate::fetch_aggregate(conn, aggregate).await?;
            told.analytics(plan, conn.rows_read() - rows_before);
            aggregate::write_aggregate(out, aggregate, &row)?;
        }
        RootPlan::Groups(groups) => {
            let fetched = aggregate::fetch_groups(conn, groups).await?;
            told.analytics(plan, conn.rows_read() - rows_before);
            aggregate::write_groups(out, groups, &fetched)?;
        }
    }
    Ok(Known { told: told.into_vec(), freshness })
}
