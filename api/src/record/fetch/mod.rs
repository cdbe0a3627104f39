//! Plan -> rows. One statement per level; children by the list of their parents' ids.

mod computed;
mod sieve;
mod statement;

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;

use uuid::Uuid;

use super::declare::{Freshness, Source};
use super::plan::{Child, Column, Deleted, Level, List, Lookup, One};
use super::search::{SearchPlan, Tier};
use crate::access::{Permit, Reader};
use crate::ctx::Ctx;
use crate::db::{Conn, Dialect, Row, Statement};
use crate::error::{Error, Result};

pub use computed::computed_rows;
pub use statement::base_conditions;

/// The rows of a level and of everything below it.
pub struct Fetched {
    pub rows: Vec<Row>,
    pub children: Vec<FetchedChild>,
    pub lookups: Vec<FetchedLookup>,
    /// Finished JSON texts of each computed field, a row each.
    pub computed: Vec<Vec<String>>,
}

impl Fetched {
    /// About how long the text of all this will be, for a buffer that need not grow.
    pub fn bytes_expected(&self, columns: usize) -> usize {
        const BYTES_PER_VALUE: usize = 32;
        let below = self.children.iter().map(|child| &child.level);
        let below = below.chain(self.lookups.iter().map(|lookup| &lookup.level));
        let below: usize = below.map(|level| level.bytes_expected(columns)).sum();
        self.rows.len().saturating_mul(columns * BYTES_PER_VALUE).saturating_add(below)
    }
}

/// A connection's rows and counts.
pub struct FetchedList {
    pub level: Fetched,
    /// There are rows beyond the page, in the direction of paging.
    pub more: bool,
    pub total: Option<i64>,
    pub counts: Vec<i64>,
    /// What the search meant, if there was one.
    pub tier: Tier,
    /// What a computed record's list says beside its rows.
    pub summary: Option<Fetched>,
    /// How fresh the parts of a computed list are that were kept.
    pub freshness: Vec<Freshness>,
}

/// Rows of a to-many relation, by parent.
pub struct FetchedChild {
    pub level: Fetched,
    /// The rows of each parent, and whether there are more of them.
    pub by_parent: HashMap<Uuid, (Range<usize>, bool)>,
    pub totals: HashMap<Uuid, i64>,
    /// For each `countUpTo`, the parent's count.
    pub counts: Vec<HashMap<Uuid, i64>>,
    pub tier: Tier,
}

pub struct FetchedLookup {
    pub level: Fetched,
    pub by_id: HashMap<Uuid, usize>,
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

fn base_reader(level: &Level) -> Result<&Reader> {
    level
        .tables
        .first()
        .map(|table| &*table.reader)
        .ok_or_else(|| Error::internal("a level without its table"))
}

/// Fetches one record; `None` when the caller may not see it or it is not there.
pub async fn one(ctx: &Ctx, conn: &Conn, plan: &One) -> Result<Option<Fetched>> {
    let statement = plan.written.or_by(|| statement::one(conn.dialect(), plan))?;
    let rows = conn.rows(base_reader(&plan.level)?, statement).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    below(ctx, conn, &plan.level, rows).await.map(Some)
}

/// Fetches a connection at the root, or below one record.
pub async fn list(ctx: &Ctx, conn: &Conn, plan: &List) -> Result<FetchedList> {
    if let Source::Computed(compute) = plan.level.record.source {
        return computed::list(ctx, conn, plan, compute).await;
    }
    let reader = base_reader(&plan.level)?;
    let (tier, mut rows) = page_and_tier(conn, plan, reader).await?;
    let mut more = false;
    if plan.wants_rows {
        let page = usize::try_from(plan.page.rows).map_err(Error::internal)?;
        more = rows.len() > page;
        rows.truncate(page);
        if plan.page.backward {
            rows.reverse();
        }
    }
    let mut total = None;
    if plan.wants_total {
        let statement = statement::count(conn.dialect(), plan, tier, None)?;
        total = Some(single_count(conn, reader, &statement).await?);
    }
    let mut counts = Vec::with_capacity(plan.counts_up_to.len());
    if let Some(largest) = plan.counts_up_to.iter().max() {
        let statement = statement::count(conn.dialect(), plan, tier, Some(largest + 1))?;
        let count = single_count(conn, reader, &statement).await?;
        counts = vec![count; plan.counts_up_to.len()];
    }
    let level = below(ctx, conn, &plan.level, rows).await?;
    Ok(FetchedList { level, more, total, counts, tier, summary: None, freshness: Vec::new() })
}

/// The page, and what its search means. A page that has rows needs no other look at the data.
async fn page_and_tier(conn: &Conn, plan: &List, reader: &Reader) -> Result<(Tier, Vec<Row>)> {
    let search = plan.search.as_ref();
    let of = (&plan.level, plan.deleted);
    if !plan.wants_rows {
        return Ok((decide_tier(conn, reader, of, search).await?, Vec::new()));
    }
    let tier = search.map_or(Tier::Exact, SearchPlan::tier_without_probe);
    let rows = page(conn, plan, reader, tier).await?;
    if !rows.is_empty() || !search.is_some_and(SearchPlan::needs_probe) {
        return Ok((tier, rows));
    }
    // Where there is a filter, it may have left out whatever contains the words.
    let is_all = plan.condition.is_none() && plan.parent.is_none();
    match if is_all { Tier::Alike } else { decide_tier(conn, reader, of, search).await? } {
        Tier::Exact => Ok((Tier::Exact, rows)),
        Tier::Alike => Ok((Tier::Alike, page(conn, plan, reader, Tier::Alike).await?)),
    }
}

async fn page(conn: &Conn, plan: &List, reader: &Reader, tier: Tier) -> Result<Vec<Row>> {
    let write = || statement::page(conn.dialect(), plan, tier);
    if plan.search.is_some() {
        return conn.rows(reader, &write()?).await;
    }
    conn.rows(reader, plan.written.or_by(write)?).await
}

async fn single_count(conn: &Conn, reader: &Reader, statement: &Statement) -> Result<i64> {
    let row = conn.row(reader, statement).await?;
    let count = row.as_ref().map(|row| row.int(0)).transpose()?.flatten();
    count.ok_or_else(|| Error::internal("a count without a row"))
}

/// A search means "contains" unless nothing contains it.
pub async fn decide_tier(
    conn: &Conn,
    reader: &Reader,
    of: (&Level, Deleted),
    search: Option<&SearchPlan>,
) -> Result<Tier> {
    let Some(search) = search else { return Ok(Tier::Exact) };
    if !search.needs_probe() {
        return Ok(search.tier_without_probe());
    }
    let statement = statement::search_probe(conn.dialect(), of, search)?;
    let found = conn.row(reader, &statement).await?.is_some();
    Ok(if found { Tier::Exact } else { Tier::Alike })
}

/// Everything below rows: computed fields, related rows by id, children.
fn below<'a>(ctx: &'a Ctx, conn: &'a Conn, level: &'a Level, rows: Vec<Row>) -> Boxed<'a, Fetched> {
    Box::pin(async move {
        conn.count_joined(joined_rows(level, &rows)?);
        let mut fetched =
            Fetched { rows, children: Vec::new(), lookups: Vec::new(), computed: Vec::new() };
        for used in &level.computed {
            fetched.computed.push(compute(ctx, conn, used, &fetched.rows).await?);
        }
        for lookup in &level.lookups {
            fetched.lookups.push(look_up(ctx, conn, lookup, &fetched.rows).await?);
        }
        for child in &level.children {
            fetched.children.push(children(ctx, conn, child, &fetched.rows).await?);
        }
        Ok(fetched)
    })
}

/// Rows of to-one relations that came with `rows`; each stands in the answer as a row of its own.
fn joined_rows(level: &Level, rows: &[Row]) -> Result<u64> {
    let is_id = |column: &Column| column.table > 0 && column.name == "id";
    let ids = level.columns.iter().enumerate().filter(|(_, column)| is_id(column));
    let mut count = 0;
    for (index, _) in ids {
        for row in rows {
            count += u64::from(!row.is_null(index)?);
        }
    }
    Ok(count)
}

async fn compute(
    ctx: &Ctx,
    conn: &Conn,
    used: &super::plan::ComputedUse,
    rows: &[Row],
) -> Result<Vec<String>> {
    let mut inputs = Vec::with_capacity(rows.len());
    let mut present = Vec::with_capacity(rows.len());
    for row in rows {
        let is_present = match used.presence {
            Some(id) => !row.is_null(id)?,
            None => true,
        };
        present.push(is_present);
        if !is_present {
            continue;
        }
        let mut values = Vec::with_capacity(used.inputs.len());
        for (index, bind) in &used.inputs {
            values.push(row.value(*index, *bind)?);
        }
        inputs.push(values);
    }
    let mut answers = (used.computed.resolve)(ctx, conn, &inputs).await?.into_iter();
    present
        .into_iter()
        .map(|present| {
            if !present {
                return Ok("null".to_owned());
            }
            answers.next().ok_or_else(|| {
                Error::internal(format!("{} answered too few rows", used.computed.name))
            })
        })
        .collect()
}

async fn look_up(
    ctx: &Ctx,
    conn: &Conn,
    lookup: &Lookup,
    parents: &[Row],
) -> Result<FetchedLookup> {
    let ids = distinct_ids(parents, lookup.key)?;
    by_ids(ctx, conn, (&lookup.level, lookup.id), ids, Deleted::Exclude).await
}

/// Fetches rows by their ids; `id` is the column of the select list that holds them.
pub async fn by_ids(
    ctx: &Ctx,
    conn: &Conn,
    (plan, id): (&Level, usize),
    ids: Vec<Uuid>,
    deleted: Deleted,
) -> Result<FetchedLookup> {
    let mut rows = Vec::new();
    if !ids.is_empty() {
        let statement = statement::by_ids(conn.dialect(), plan, ids, deleted)?;
        rows = conn.rows(base_reader(plan)?, &statement).await?;
    }
    let mut by_id = HashMap::with_capacity(rows.len());
    for (number, row) in rows.iter().enumerate() {
        by_id.insert(row.required_id(id)?, number);
    }
    let level = below(ctx, conn, plan, rows).await?;
    Ok(FetchedLookup { level, by_id })
}

/// The ids in a column, each once, in the order of the rows.
fn distinct_ids(rows: &[Row], column: usize) -> Result<Vec<Uuid>> {
    let mut seen = HashSet::with_capacity(rows.len());
    let mut ids = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(id) = row.id(column)?
            && seen.insert(id)
        {
            ids.push(id);
        }
    }
    Ok(ids)
}

async fn children(ctx: &Ctx, conn: &Conn, child: &Child, parents: &[Row]) -> Result<FetchedChild> {
    let ids = distinct_ids(parents, child.parent)?;
    let list = &child.list;
    let reader = base_reader(&list.level)?;
    let mut fetched = FetchedChild {
        level: Fetched {
            rows: Vec::new(),
            children: Vec::new(),
            lookups: Vec::new(),
            computed: Vec::new(),
        },
        by_parent: HashMap::with_capacity(ids.len()),
        totals: HashMap::new(),
        counts: Vec::new(),
        tier: Tier::Exact,
    };
    if ids.is_empty() {
        return Ok(fetched);
    }
    let tier = decide_tier(conn, reader, (&list.level, list.deleted), list.search.as_ref()).await?;
    fetched.tier = tier;
    if list.wants_rows {
        let rows = if list.cursor.is_some() {
            page(conn, list, reader, tier).await?
        } else {
            top_per_parent(conn, (child, tier), reader, ids.clone()).await?
        };
        let (rows, by_parent) = group_by_parent(child, rows)?;
        fetched.by_parent = by_parent;
        fetched.level = below(ctx, conn, &list.level, rows).await?;
    }
    if list.wants_total {
        let statement =
            statement::count_per_parent(conn.dialect(), child, ids.clone(), tier, None)?;
        fetched.totals = counts_of(&conn.rows(reader, &statement).await?)?;
    }
    if let Some(largest) = list.counts_up_to.iter().max() {
        let statement =
            statement::count_per_parent(conn.dialect(), child, ids, tier, Some(largest + 1))?;
        let counts = counts_of(&conn.rows(reader, &statement).await?)?;
        fetched.counts = vec![counts; list.counts_up_to.len()];
    }
    Ok(fetched)
}

async fn top_per_parent(
    conn: &Conn,
    (child, tier): (&Child, Tier),
    reader: &Reader,
    parents: Vec<Uuid>,
) -> Result<Vec<Row>> {
    let write = || statement::top_per_parent(conn.dialect(), child, tier);
    let statement = match child.list.search {
        Some(_) => write()?.of(parents)?,
        None => child.written.or_by(write)?.of(parents)?,
    };
    conn.rows(reader, &statement).await
}

fn counts_of(rows: &[Row]) -> Result<HashMap<Uuid, i64>> {
    rows.iter().map(|row| Ok((row.required_id(0)?, row.int(1)?.unwrap_or_default()))).collect()
}

type Grouped = (Vec<Row>, HashMap<Uuid, (Range<usize>, bool)>);

/// Rows come parent by parent, one more each than the page holds: that one only says "more".
fn group_by_parent(child: &Child, rows: Vec<Row>) -> Result<Grouped> {
    let page = usize::try_from(child.list.page.rows).map_err(Error::internal)?;
    let mut kept: Vec<Row> = Vec::with_capacity(rows.len());
    let mut groups: Vec<(Uuid, (Range<usize>, bool))> = Vec::new();
    for row in rows {
        let parent = row.required_id(child.key)?;
        if groups.last().is_none_or(|(known, _)| *known != parent) {
            groups.push((parent, (kept.len()..kept.len(), false)));
        }
        let Some((_, (places, more))) = groups.last_mut() else { continue };
        if places.len() == page {
            *more = true;
            continue;
        }
        kept.push(row);
        places.end = kept.len();
    }
    if child.list.page.backward {
        for (_, (places, _)) in &groups {
            kept.get_mut(places.clone()).unwrap_or_default().reverse();
        }
    }
    Ok((kept, groups.into_iter().collect()))
}

/// The statement of a page, for those who ask the database how it will run it.
pub fn page_statement(dialect: Dialect, plan: &List) -> Result<Statement> {
    let tier = plan.search.as_ref().map_or(Tier::Exact, SearchPlan::tier_without_probe);
    statement::page(dialect, plan, tier)
}

/// The tenant of a level's reader.
pub fn tenant_of(level: &Level) -> Result<Uuid> {
    base_reader(level).map(Permit::tenant_id)
}
