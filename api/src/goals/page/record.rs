//! Declaration of the page, `customerGoals`.

use std::sync::LazyLock;

use async_graphql_value::ConstValue;
use uuid::Uuid;

use super::answer::Answer;
use super::ask::Ask;
use super::merge::{LastYear, Line, Page};
use super::ranking::READS;
use super::{fill, merge};
use crate::access::{FieldRule, Resource};
use crate::clock::id_of;
use crate::crm::company;
use crate::ctx::Ctx;
use crate::db::{Conn, NullOf, Value};
use crate::goals::goal;
use crate::identity::user;
use crate::record::declare::{
    Computation, ComputedRows, FieldBuilder, Rows, Tier, computed_field, declare_computed,
};
use crate::record::kind::{EnumType, EnumValue};
use crate::record::{Kind, Record};

static LAST_YEAR_SOURCE: EnumType = EnumType {
    name: "LastYearSource",
    about: "Where last year's sales are known from.",
    values: &[
        EnumValue::of("sales", "SALES", "Sales", "Vendas"),
        EnumValue::of("imported", "IMPORTED", "Imported with the goal", "Importado com a meta"),
    ],
};

const MONEY: Kind = Kind::Money { currency: "currency" };

pub(in crate::goals) fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    let fixed = |column, kind, nullable| listed(column, kind, nullable).tier(Tier::Static);
    let annual = |column, kind, nullable| listed(column, kind, nullable).tier(Tier::Annual);
    let live = |column, kind| listed(column, kind, false).tier(Tier::Live);
    declare_computed("CustomerGoal", "customerGoals", Resource::CustomerGoals, compute)
        .about(
            "Customers with their goal and what they bought (metas por cliente): those with a goal \
             in the year, or a sale in it or in the year before. Months and years are the tenant's. \
             What was sold a second ago is there; extensions.cache says how old the rest is.",
        )
        .arguments(&[
            ("sellerId", "ID", "One seller; all whom the caller may see by default."),
            ("sellers", "[ID!]", "Several sellers."),
            ("orgUnitId", "ID", "The sellers of a unit and of those below it."),
            ("year", "Int", "The present one by default."),
            ("month", "Int", "1 to 12; the present one by default."),
            ("classification", "CustomerClass", "Only customers of this class."),
            ("currency", "String", "Needed where there are amounts in more than one."),
            ("refresh", "Boolean", "Reads everything anew; once in 10 seconds."),
        ])
        .reads(READS)
        .listed("soldYear", true)
        .searched(&["customer_name", "city"])
        .summarised(summary)
        .field(
            computed_field("id", Kind::Id, false)
                .about("Names the row: seller, customer, year and month."),
        )
        .field(fixed("seller_id", Kind::Id, false))
        .field(fixed("customer_id", Kind::Id, false))
        .field(
            fixed("customer_name", Kind::Text, true)
                .folded()
                .about("Null for whoever may not read companies' names."),
        )
        .field(fixed("city", Kind::Text, true).folded())
        .field(fixed("state", Kind::Code, true))
        .field(fixed("classification", Kind::Enum(&goal::record::CLASSIFICATION), true))
        .field(computed_field("currency", Kind::Code, false))
        .field(fixed("goal", MONEY, false).about("Of the year (meta)."))
        .field(fixed("last_year_sales", MONEY, true))
        .field(fixed("last_year_source", Kind::Enum(&LAST_YEAR_SOURCE), true))
        .field(annual("sold_year", MONEY, false))
        .field(annual("gap", MONEY, false).about("Missing to the goal; negative beyond it."))
        .field(
            annual("achievement_pct", Kind::Float, true)
                .about("Sold of the goal, per cent; null without a goal."),
        )
        .field(annual("last_purchase_at", Kind::Instant, true))
        .field(live("sold_month", MONEY))
        .field(live("is_active_month", Kind::Bool).about("Bought in the month, returns deducted."))
        .one_by("customer", "customer_id", company::record)
        .one_by("seller", "seller_id", user::record::record)
}

fn listed(column: &'static str, kind: Kind, nullable: bool) -> FieldBuilder {
    computed_field(column, kind, nullable).filter().sort()
}

/// What the page says beside its rows.
fn summary() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(|| {
        let annual = |column, kind, null| computed_field(column, kind, null).tier(Tier::Annual);
        let live = |column, kind, null| computed_field(column, kind, null).tier(Tier::Live);
        declare_computed(
            "CustomerGoalsSummary",
            "customerGoalsSummaries",
            Resource::CustomerGoals,
            |_, _, _| Box::pin(async { Ok(Computation::default()) }),
        )
        .about("Sums over all customers of the page; filter, search and paging do not change them.")
        .field(computed_field("year", Kind::Int, false))
        .field(computed_field("month", Kind::Int, false))
        .field(computed_field("currency", Kind::Code, false))
        .field(annual("customers", Kind::Int, false))
        .field(computed_field("goal", MONEY, false).tier(Tier::Static))
        .field(annual("sold_year", MONEY, false))
        .field(live("sold_month", MONEY, false))
        .field(annual("gap", MONEY, false))
        .field(annual("achievement_pct", Kind::Float, true))
        .field(live("active_customers", Kind::Int, false))
        .field(
            live("penetration_pct", Kind::Float, true).about("Active customers of all, per cent."),
        )
        .field(annual("projected_year", MONEY, true).about(
            "What the year comes to if it goes on as it went, by the working days of the Brazilian \
             calendar; null for a year to come.",
        ))
        .field(
            computed_field("data_as_of", Kind::Instant, false)
                .about("When the oldest part of the answer was read."),
        )
    });
    &RECORD
}

fn compute<'a>(
    ctx: &'a Ctx,
    conn: &'a Conn,
    arguments: &'a [(String, ConstValue)],
) -> ComputedRows<'a> {
    Box::pin(async move {
        let Answer { ask, material, page } =
            Answer::of(ctx, conn, ("customerGoals", arguments)).await?;
        let oldest = |seller: &fill::Seller| seller.base.at.min(seller.sold.at);
        let as_of = material.sellers.iter().map(oldest).min().unwrap_or_else(|| ctx.now());
        let summary = Some(summary_row(&page, &ask, as_of));
        let rows = Box::new(Lines { page, ask, names: Names::of(ctx) });
        Ok(Computation { rows, summary, freshness: material.freshness })
    })
}

/// What of companies the caller may read.
#[derive(Clone, Copy)]
struct Names {
    name: bool,
    city: bool,
    state: bool,
}

impl Names {
    fn of(ctx: &Ctx) -> Self {
        let reader = ctx.reader(Resource::Companies).ok();
        let may = |field: &str| {
            reader.as_ref().is_some_and(|reader| reader.field(field) == FieldRule::Plain)
        };
        Self { name: may("name"), city: may("addressCity"), state: may("addressState") }
    }
}

/// The lines of a page as the rows of the list.
struct Lines {
    page: Page,
    ask: Ask,
    names: Names,
}

impl Rows for Lines {
    fn count(&self) -> usize {
        self.page.lines.len()
    }

    fn value(&self, row: usize, field: usize) -> Option<Value> {
        let line = self.page.lines.get(row)?;
        VALUES.get(field).map(|value| value(self, line))
    }
}

/// What each field shows, in the order of the declaration.
const VALUES: [fn(&Lines, &Line) -> Value; 17] = [
    |lines, line| Value::Id(row_id(line, &lines.ask)),
    |_, line| Value::Id(line.seller),
    |_, line| Value::Id(line.customer),
    |lines, line| text(lines.names.name.then_some(&line.called.name)),
    |lines, line| text(line.called.city.as_ref().filter(|_| lines.names.city)),
    |lines, line| text(line.called.state.as_ref().filter(|_| lines.names.state)),
    |_, line| text(line.classification),
    |lines, _| text(Some(&lines.page.currency)),
    |_, line| Value::Int(line.goal),
    |_, line| match line.last_year_source {
        LastYear::Sales | LastYear::Imported => Value::Int(line.last_year),
        LastYear::Unknown => Value::Null(NullOf::Int),
    },
    |_, line| match line.last_year_source {
        LastYear::Sales => Value::from("sales"),
        LastYear::Imported => Value::from("imported"),
        LastYear::Unknown => Value::Null(NullOf::Text),
    },
    |_, line| Value::Int(line.sold_year),
    |_, line| Value::Int(line.gap()),
    |_, line| merge::percent(line.sold_year, line.goal),
    |_, line| line.last_purchase.map_or(Value::Null(NullOf::Instant), Value::Instant),
    |_, line| Value::Int(line.sold_month),
    |_, line| Value::Bool(line.sold_month > 0),
];

fn text(text: Option<impl AsRef<str>>) -> Value {
    text.map_or(Value::Null(NullOf::Text), |text| Value::from(text.as_ref()))
}

fn summary_row(page: &Page, ask: &Ask, as_of: chrono::DateTime<chrono::Utc>) -> Vec<Value> {
    let sums = page.sums;
    vec![
        Value::Int(i64::from(ask.year)),
        Value::Int(i64::from(ask.month)),
        Value::Text(page.currency.clone()),
        Value::Int(sums.customers),
        Value::Int(sums.goal),
        Value::Int(sums.sold_year),
        Value::Int(sums.sold_month),
        Value::Int(sums.gap()),
        merge::percent(sums.sold_year, sums.goal),
        Value::Int(sums.active_customers),
        merge::percent(sums.active_customers, sums.customers),
        sums.projected_year.map_or(Value::Null(NullOf::Int), Value::Int),
        Value::Instant(as_of),
    ]
}

/// The same for the same seller, customer, year and month, so that clients that keep rows by id never
/// mix two months.
fn row_id(line: &Line, ask: &Ask) -> Uuid {
    let (year, month) = (ask.year.to_be_bytes(), ask.month.to_be_bytes());
    id_of(&[line.seller.as_bytes(), line.customer.as_bytes(), &year, &month])
}
