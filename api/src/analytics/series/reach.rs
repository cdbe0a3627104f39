//! Whose numbers a caller may see: all, or those of some people or units.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use uuid::Uuid;

use crate::access::{Action, Permit as _, Reader, Resource, RowRule, ScopeKind};
use crate::analytics::metric::Metric;
use crate::ctx::Ctx;
use crate::db::{Conn, Statement, Value};
use crate::error::{Error, Result, say};

/// What of a metric's series a caller may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    All,
    /// Series whose dimension of this name has one of these values.
    Only(&'static str, BTreeSet<String>),
}

impl Reach {
    pub(super) async fn of(ctx: &Ctx, conn: &Conn) -> Result<Self> {
        let reader = ctx.reader(Resource::Analytics)?;
        let people = match reader.rows() {
            RowRule::All => return Ok(Self::All),
            RowRule::Owners(people) | RowRule::Either(people, _) => people,
            RowRule::Company(_) => return Err(nothing()),
        };
        let reach = ctx.actor.permissions.reach(Resource::Analytics, Action::Read);
        match reach.and_then(|reach| reach.people()) {
            Some(ScopeKind::OrgUnit) => {
                Ok(Self::Only("org_unit", names_of_units(conn, &reader, ctx.actor.user_id).await?))
            }
            Some(ScopeKind::Own | ScopeKind::Team) => {
                Ok(Self::Only("agent", people.iter().map(Uuid::to_string).collect()))
            }
            Some(ScopeKind::All | ScopeKind::Company) | None => Err(nothing()),
        }
    }

    /// `FORBIDDEN` for a metric that does not say whose it is.
    pub(super) fn check(&self, metric: &Metric) -> Result<()> {
        let Self::Only(name, _) = self else { return Ok(()) };
        if metric.dimensions().contains(name) {
            return Ok(());
        }
        let metric = &metric.name;
        Err(Error::Forbidden {
            message: say(
                format!("{metric} is not divided by {name}, and your role reaches only some"),
                format!("{metric} não se divide por {name}, e seu papel só alcança alguns"),
            ),
            field: Some("metrics".into()),
        })
    }

    pub(super) fn covers(&self, dimensions: &Json) -> bool {
        match self {
            Self::All => true,
            Self::Only(name, values) => {
                let value = dimensions.get(*name).and_then(Json::as_str);
                value.is_some_and(|value| values.contains(value))
            }
        }
    }
}

fn nothing() -> Error {
    Error::forbidden(say("your role reaches no numbers", "seu papel não alcança nenhum número"))
}

/// What the caller's unit and those below it are called: their ids, codes and outside ids.
async fn names_of_units(conn: &Conn, reader: &Reader, user_id: Uuid) -> Result<BTreeSet<String>> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "WITH RECURSIVE below (id) AS (SELECT u.org_unit_id FROM users u WHERE u.tenant_id = {0} \
         AND u.id = {1} AND u.org_unit_id IS NOT NULL UNION SELECT o.id FROM org_units o \
         JOIN below b ON o.parent_id = b.id WHERE o.tenant_id = {0} AND o.deleted_at IS NULL) \
         SELECT o.id, o.code, o.external_id FROM below b JOIN org_units o ON o.id = b.id \
         WHERE o.tenant_id = {0} AND o.deleted_at IS NULL",
        place(1),
        place(2)
    );
    let values = vec![Value::Id(reader.tenant_id()), Value::Id(user_id)];
    let mut names = BTreeSet::new();
    for row in conn.rows(reader, &Statement::new(sql, values)).await? {
        names.insert(row.required_id(0)?.to_string());
        names.extend(row.text(1)?);
        names.extend(row.text(2)?);
    }
    Ok(names)
}
