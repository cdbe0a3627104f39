//! Ids of other records by what names them: one statement for all rows of a batch, and never again
//! for what was found.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use super::plan::Lookup;
use crate::ctx::Ctx;
use crate::db::{Conn, Value};
use crate::error::{Error, Result, say};
use crate::record::change::ids_by;
use crate::record::declare::Field;

/// Ids kept in memory, before all are forgotten and asked for again.
const KEPT_MAX: usize = 500_000;

/// A field of a row that waits for an id.
pub(super) struct Wanted<'p> {
    pub(super) field: &'static Field,
    pub(super) lookup: &'p Lookup,
    pub(super) name: String,
    pub(super) on_create: bool,
}

/// What a look-up found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    One(Uuid),
    Several,
    None,
}

/// Record, column and system: what makes two look-ups the same question.
type Question = (&'static str, &'static str, Option<String>);

/// Ids that were found.
#[derive(Default)]
pub(super) struct Lookups {
    known: HashMap<Question, HashMap<String, Found>>,
    count: usize,
}

fn question(lookup: &Lookup) -> Question {
    (lookup.record.name, lookup.column, lookup.system.clone())
}

impl Lookups {
    /// Finds what is not known yet.
    pub(super) async fn find(
        &mut self,
        ctx: &Ctx,
        conn: &Conn,
        wanted: &[&Wanted<'_>],
    ) -> Result<()> {
        if self.count > KEPT_MAX {
            *self = Self::default();
        }
        let mut asked: BTreeMap<Question, (&Lookup, BTreeSet<&str>)> = BTreeMap::new();
        for each in wanted {
            if self.get(each.lookup, &each.name) == Found::None {
                let question = question(each.lookup);
                asked
                    .entry(question)
                    .or_insert((each.lookup, BTreeSet::new()))
                    .1
                    .insert(&each.name);
            }
        }
        for (question, (lookup, names)) in asked {
            let reader = ctx.reader(lookup.record.resource)?;
            let names = names.into_iter().map(str::to_owned).collect();
            let fixed = lookup.system.as_deref().map(|system| ("external_system", system));
            let found = ids_by(conn, &reader, lookup.record, (lookup.column, names), fixed).await?;
            self.count += found.len();
            let known = self.known.entry(question).or_default();
            for (name, ids) in found {
                let found = match ids.as_slice() {
                    [] => Found::None,
                    [id] => Found::One(*id),
                    _ => Found::Several,
                };
                known.insert(name, found);
            }
        }
        Ok(())
    }

    pub(super) fn get(&self, lookup: &Lookup, name: &str) -> Found {
        let known = self.known.get(&question(lookup)).and_then(|known| known.get(name));
        known.copied().unwrap_or(Found::None)
    }
}

impl Wanted<'_> {
    /// The value for the field, nothing where it may come later, or why there is none.
    pub(super) fn value(&self, found: Found, may_come_later: bool) -> Result<Option<Value>> {
        let name = self.lookup.record.name;
        let shown: String = self.name.chars().take(60).collect();
        match found {
            Found::One(id) => Ok(Some(Value::Id(id))),
            Found::None if self.lookup.deferred && may_come_later => Ok(None),
            Found::None if self.lookup.may_miss => Ok(Some(Value::Null(self.field.kind.bind()))),
            Found::None => Err(Error::NotFound {
                message: say(
                    format!("there is no {name} \"{shown}\""),
                    format!("não existe {name} \"{shown}\""),
                ),
                field: Some(self.field.name.clone().into()),
            }),
            Found::Several => Err(Error::conflict_field(
                self.field.name.clone(),
                say(
                    format!("there is more than one {name} \"{shown}\""),
                    format!("existe mais de um {name} \"{shown}\""),
                ),
            )),
        }
    }
}
