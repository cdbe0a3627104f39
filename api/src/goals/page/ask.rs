//! What a page is asked for, and whether the caller may ask.

use async_graphql_value::ConstValue;
use chrono::{Datelike, NaiveDate};
use uuid::Uuid;

use super::store;
use crate::access::{FieldRule, Reader, Resource, RowRule};
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::{Error, Result, say};
use crate::goals::goal;
use crate::record::{Arguments, input};

/// Fields of a sale that the page tells of.
const OF_SALES: [&str; 5] = ["amount", "currency", "soldAt", "sellerId", "customerId"];

/// Whose numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sellers {
    /// Everybody who has, or had, a goal or a sale.
    All,
    These(Vec<Uuid>),
}

pub(super) struct Ask {
    pub(super) reader: Reader,
    pub(super) sellers: Sellers,
    /// The argument that named them: one who is nobody here is NOT_FOUND.
    pub(super) named: Option<&'static str>,
    pub(super) year: i32,
    pub(super) month: u32,
    /// By the tenant's calendar.
    pub(super) today: NaiveDate,
    pub(super) classification: Option<&'static str>,
    pub(super) currency: Option<String>,
    pub(super) refresh: bool,
}

impl Ask {
    pub(super) async fn read(ctx: &Ctx, conn: &Conn, given: &Arguments<'_>) -> Result<Self> {
        let reader = reader(ctx)?;
        let today = ctx.now().with_timezone(&ctx.actor.tenant.time_zone).date_naive();
        let year = given.read("year", number::<i32>)?.unwrap_or(today.year());
        goal::service::year_window(year)?;
        let month = given.read("month", number::<u32>)?.unwrap_or(today.month());
        if !(1..=12).contains(&month) {
            let message = say("must be 1 to 12", "deve ser de 1 a 12");
            return Err(Error::invalid_field("month", message));
        }
        let class = |value: &ConstValue| input::read_enum(&goal::record::CLASSIFICATION, value);
        let currency = |value: &ConstValue| input::read_text(value).map(str::to_owned);
        let (sellers, named) = sellers(ctx, conn, &reader, given).await?;
        Ok(Self {
            sellers,
            named,
            year,
            month,
            today,
            classification: given.read("classification", class)?,
            currency: given.read("currency", currency)?,
            refresh: given.read("refresh", input::read_bool)?.unwrap_or_default(),
            reader,
        })
    }

    /// The months that are never kept: the one asked for, and the present one.
    pub(super) fn live_months(&self) -> Vec<u32> {
        let mut months = vec![self.month];
        if self.year == self.today.year() && self.month != self.today.month() {
            months.push(self.today.month());
        }
        months
    }
}

/// The right to read goals, and with them what was sold.
fn reader(ctx: &Ctx) -> Result<Reader> {
    let reader = ctx.reader(Resource::CustomerGoals)?;
    let sales = ctx.reader(Resource::Sales)?;
    if let Some(hidden) = OF_SALES.iter().find(|name| sales.field(name) != FieldRule::Plain) {
        return Err(Error::Forbidden {
            message: say(
                format!("your role may not read {hidden} of sales"),
                format!("seu papel não permite ler {hidden} das vendas"),
            ),
            field: None,
        });
    }
    Ok(reader)
}

fn number<T: TryFrom<i64>>(value: &ConstValue) -> Result<T> {
    let number = input::read_int(value)?;
    T::try_from(number).map_err(|_too_far| {
        Error::invalid(say("the number is out of range", "o número está fora do intervalo"))
    })
}

/// The sellers asked for, all of whom the caller may see; those whom the caller may see where nobody
/// is named. One whom the caller may not see is as good as not there.
async fn sellers(
    ctx: &Ctx,
    conn: &Conn,
    reader: &Reader,
    given: &Arguments<'_>,
) -> Result<(Sellers, Option<&'static str>)> {
    let reach = reach_of(reader.rows(), ctx.reader(Resource::Sales)?.rows())?;
    let one = given.read("sellerId", input::read_id)?;
    let ids = |value: &ConstValue| input::read_list(value).iter().map(input::read_id).collect();
    let many: Option<Vec<Uuid>> = given.read("sellers", ids)?;
    let unit = given.read("orgUnitId", input::read_id)?;
    let (name, mut wanted) = match (one, many, unit) {
        (None, None, None) => return Ok((reach, None)),
        (Some(seller), None, None) => ("sellerId", vec![seller]),
        (None, Some(sellers), None) => ("sellers", sellers),
        (None, None, Some(unit)) => {
            ctx.reader(Resource::OrgUnits).map_err(|error| error.at("orgUnitId"))?;
            let people = store::people_of_unit(conn, reader, unit).await?;
            let people = people.ok_or_else(|| Error::not_found("OrgUnit").at("orgUnitId"))?;
            return Ok((within(reach, people), None));
        }
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
            let message = say(
                "use one of sellerId, sellers and orgUnitId",
                "use um só entre sellerId, sellers e orgUnitId",
            );
            return Err(Error::invalid_field("sellers", message));
        }
    };
    wanted.sort_unstable();
    wanted.dedup();
    let is_reached = |seller: &Uuid| match &reach {
        Sellers::All => true,
        Sellers::These(reached) => reached.contains(seller),
    };
    if wanted.iter().all(is_reached) {
        Ok((Sellers::These(wanted), Some(name)))
    } else {
        Err(Error::not_found("User").at(name))
    }
}

/// Whom of these people the caller may see.
fn within(reach: Sellers, people: Vec<Uuid>) -> Sellers {
    match reach {
        Sellers::All => Sellers::These(people),
        Sellers::These(mut reached) => {
            reached.retain(|seller| people.contains(seller));
            Sellers::These(reached)
        }
    }
}

/// Whom both rules reach. Customers from outside reach nobody.
fn reach_of(goals: &RowRule, sales: &RowRule) -> Result<Sellers> {
    let people = |rule: &RowRule| match rule {
        RowRule::All => Ok(Sellers::All),
        RowRule::Owners(owners) | RowRule::Either(owners, _) => Ok(Sellers::These(owners.to_vec())),
        RowRule::Company(_) => Err(Error::forbidden(say(
            "your role reaches no seller",
            "seu papel não alcança nenhum vendedor",
        ))),
    };
    Ok(match (people(goals)?, people(sales)?) {
        (Sellers::All, reach) | (reach, Sellers::All) => reach,
        (reach, Sellers::These(people)) => within(reach, people),
    })
}
