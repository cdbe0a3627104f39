//! Flat rows for charts, made of the same kept parts as the page: `sellerRanking` and `goalSeries`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use async_graphql_value::ConstValue;
use entity::value::Money;
use uuid::Uuid;

use super::answer::Answer;
use super::ask::Ask;
use super::merge::{self, Line};
use super::store;
use crate::access::Resource;
use crate::ctx::Ctx;
use crate::db::{Conn, Value};
use crate::error::{Error, Result};
use crate::identity::user;
use crate::record::declare::{
    Computation, ComputedRows, Freshness, Tier, computed_field, declare_computed,
};
use crate::record::{Kind, Record};

const MONEY: Kind = Kind::Money { currency: "currency" };
/// What the page's numbers are made of.
pub(super) const READS: &[&str] =
    &["year", "amount", "currency", "classification", "lastYearSales", "sellerId", "customerId"];

pub(in crate::goals) fn ranking() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(|| {
        let listed = |column, kind, null, tier| {
            computed_field(column, kind, null).filter().sort().tier(tier)
        };
        declare_computed("SellerRank", "sellerRanking", Resource::CustomerGoals, rank)
            .about("Sellers by what they sold (ranking de vendedores), with their goals.")
            .arguments(&[
                ("year", "Int", "The present one by default."),
                ("month", "Int", "1 to 12; the present one by default."),
                ("sellers", "[ID!]", "All whom the caller may see by default."),
                ("orgUnitId", "ID", "The sellers of a unit and of those below it."),
                ("currency", "String", "Needed where there are amounts in more than one."),
            ])
            .reads(READS)
            .listed("soldYear", true)
            .field(computed_field("id", Kind::Id, false).about("The seller's."))
            .field(computed_field("seller_id", Kind::Id, false).filter())
            .field(computed_field("currency", Kind::Code, false))
            .field(listed("customers", Kind::Int, false, Tier::Annual))
            .field(listed("goal", MONEY, false, Tier::Static))
            .field(listed("sold_year", MONEY, false, Tier::Annual))
            .field(listed("gap", MONEY, false, Tier::Annual))
            .field(listed("achievement_pct", Kind::Float, true, Tier::Annual))
            .field(listed("sold_month", MONEY, false, Tier::Live))
            .field(listed("active_customers", Kind::Int, false, Tier::Live))
            .one_by("seller", "seller_id", user::record::record)
    });
    &RECORD
}

pub(in crate::goals) fn series() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(|| {
        let annual = |column, kind| computed_field(column, kind, false).tier(Tier::Annual);
        declare_computed("GoalMonth", "goalSeries", Resource::CustomerGoals, months)
            .about("The months of a year by seller: what was sold, and a twelfth of the goal.")
            .arguments(&[
                ("year", "Int", "The present one by default."),
                ("sellers", "[ID!]", "All whom the caller may see by default."),
                ("orgUnitId", "ID", "The sellers of a unit and of those below it."),
                ("currency", "String", "Needed where there are amounts in more than one."),
            ])
            .reads(READS)
            .field(computed_field("month", Kind::Date, false).about("Its first day."))
            .field(computed_field("seller_id", Kind::Id, false))
            .field(computed_field("currency", Kind::Code, false))
            .field(annual("sold", MONEY))
            .field(annual("sold_as_float", Kind::Float))
            .field(annual("sold_to_date", MONEY).about("Of the year, this month included."))
            .field(annual("sold_to_date_as_float", Kind::Float))
            .field(computed_field("goal", MONEY, false).tier(Tier::Static))
            .field(computed_field("goal_as_float", Kind::Float, false).tier(Tier::Static))
            .field(
                computed_field("goal_to_date", MONEY, false)
                    .tier(Tier::Static)
                    .about("As many twelfths as months have begun."),
            )
            .field(computed_field("goal_to_date_as_float", Kind::Float, false).tier(Tier::Static))
            .one_by("seller", "seller_id", user::record::record)
    });
    &RECORD
}

/// The lines of everybody asked for, by seller.
struct Board {
    currency: String,
    sellers: BTreeMap<Uuid, Vec<Line>>,
    freshness: Vec<Freshness>,
    ask: Ask,
}

async fn board(
    ctx: &Ctx,
    conn: &Conn,
    question: (&'static str, &[(String, ConstValue)]),
) -> Result<Board> {
    let Answer { ask, material, page } = Answer::of(ctx, conn, question).await?;
    let mut sellers: BTreeMap<Uuid, Vec<Line>> = BTreeMap::new();
    for line in page.lines {
        sellers.entry(line.seller).or_default().push(line);
    }
    Ok(Board { currency: page.currency, sellers, freshness: material.freshness, ask })
}

fn sum(lines: &[Line], of: impl Fn(&Line) -> i64) -> i64 {
    lines.iter().fold(0_i64, |sum, line| sum.saturating_add(of(line)))
}

fn rank<'a>(
    ctx: &'a Ctx,
    conn: &'a Conn,
    arguments: &'a [(String, ConstValue)],
) -> ComputedRows<'a> {
    Box::pin(async move {
        let board = board(ctx, conn, ("sellerRanking", arguments)).await?;
        let mut rows = Vec::with_capacity(board.sellers.len());
        for (seller, lines) in &board.sellers {
            let sums = merge::sums(lines, &board.ask)?;
            rows.push(vec![
                Value::Id(*seller),
                Value::Id(*seller),
                Value::Text(board.currency.clone()),
                Value::Int(sums.customers),
                Value::Int(sums.goal),
                Value::Int(sums.sold_year),
                Value::Int(sums.gap()),
                merge::percent(sums.sold_year, sums.goal),
                Value::Int(sums.sold_month),
                Value::Int(sums.active_customers),
            ]);
        }
        Ok(Computation { freshness: board.freshness, ..Computation::from(rows) })
    })
}

fn months<'a>(
    ctx: &'a Ctx,
    conn: &'a Conn,
    arguments: &'a [(String, ConstValue)],
) -> ComputedRows<'a> {
    Box::pin(async move {
        let board = board(ctx, conn, ("goalSeries", arguments)).await?;
        let mut rows = Vec::with_capacity(board.sellers.len() * 12);
        for (seller, lines) in &board.sellers {
            let goal = i128::from(sum(lines, |line| line.goal));
            let (mut sold_to_date, mut goal_before) = (0_i64, 0_i64);
            for (index, number) in (1..=12_u32).enumerate() {
                let (first, _) = store::month_window(board.ask.year, number)?;
                let sold = sum(lines, |line| line.months.get(index).copied().unwrap_or_default());
                sold_to_date = sold_to_date.saturating_add(sold);
                // Twelfths that add up to the goal.
                let goal_to_date = goal * i128::from(number) / 12;
                let goal_to_date = i64::try_from(goal_to_date).map_err(Error::internal)?;
                let part = goal_to_date.saturating_sub(goal_before);
                goal_before = goal_to_date;
                let mut row = vec![
                    Value::Date(first),
                    Value::Id(*seller),
                    Value::Text(board.currency.clone()),
                ];
                for amount in [sold, sold_to_date, part, goal_to_date] {
                    row.extend([
                        Value::Int(amount),
                        Value::Float(Money::from_hundredths(amount).as_float()),
                    ]);
                }
                rows.push(row);
            }
        }
        Ok(Computation { freshness: board.freshness, ..Computation::from(rows) })
    })
}
