//! Names put over values: as they are now, or as they were.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::store;
use crate::access::{FieldRule, Reader, Resource, RowRule};
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::Result;
use crate::record::kind::{EnumType, EnumValue};

pub static NAMING: EnumType = EnumType {
    name: "DimensionNaming",
    about: "Which names of dimensions' values are shown.",
    values: &[
        EnumValue::of("is", "AS_IT_IS", "As they are called now", "Como se chamam agora"),
        EnumValue::of(
            "was",
            "AS_IT_WAS",
            "As they were called at the end of each bucket",
            "Como se chamavam no fim de cada intervalo",
        ),
    ],
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    Is,
    Was,
}

/// Values of dimensions, in the order in which they are asked for; none where an event did not say.
pub type Key = Vec<Option<String>>;

/// A key, and the buckets in which it goes by that name: all where it is not said.
pub type Named = (Key, Option<Vec<bool>>);

/// Labels of a value in their order, each with the time from which on it counts.
type History = Vec<(DateTime<Utc>, String)>;

/// What the values of some dimensions are called.
pub struct Names {
    naming: Naming,
    now: DateTime<Utc>,
    /// By dimension, in the order in which they are asked for.
    histories: Vec<HashMap<String, History>>,
}

impl Names {
    /// What these values are called. Labels count before what the CRM calls its units and people,
    /// which is shown to whom it may be.
    pub async fn of(
        ctx: &Ctx,
        conn: &Conn,
        naming: Naming,
        dimensions: &[(String, BTreeSet<String>)],
    ) -> Result<Self> {
        let reader = ctx.reader(Resource::Analytics)?;
        let mut histories = Vec::with_capacity(dimensions.len());
        for (dimension, values) in dimensions {
            histories.push(of_the_crm(ctx, conn, dimension, values).await?);
        }
        let wanted: Vec<String> = dimensions.iter().map(|(name, _)| name.clone()).collect();
        if !wanted.is_empty() {
            for label in store::labels(conn, &reader, &wanted).await? {
                let places = wanted.iter().zip(&mut histories);
                for (_, histories) in places.filter(|(name, _)| **name == label.dimension) {
                    let history = histories.entry(label.value.clone()).or_default();
                    history.push((label.from, label.text.clone()));
                }
            }
        }
        Ok(Self { naming, now: ctx.now(), histories })
    }

    /// What a key is called in buckets that end at these instants.
    pub fn named(&self, key: &Key, ends: &[DateTime<Utc>]) -> Vec<Named> {
        if self.naming == Naming::Is || !self.changes(key, ends) {
            let last = ends.last().copied().unwrap_or(self.now);
            return vec![(self.at(key, last), None)];
        }
        let mut named: BTreeMap<Key, Vec<bool>> = BTreeMap::new();
        for (bucket, end) in ends.iter().enumerate() {
            let buckets =
                named.entry(self.at(key, *end)).or_insert_with(|| vec![false; ends.len()]);
            if let Some(counts) = buckets.get_mut(bucket) {
                *counts = true;
            }
        }
        named.into_iter().map(|(key, buckets)| (key, Some(buckets))).collect()
    }

    /// What a key is called in a bucket that ends then.
    pub fn at(&self, key: &Key, end: DateTime<Utc>) -> Key {
        let is_there = |from: DateTime<Utc>| match self.naming {
            Naming::Is => from <= self.now,
            // A bucket does not contain its end.
            Naming::Was => from < end && from <= self.now,
        };
        let name = |(histories, value): (&HashMap<String, History>, &Option<String>)| {
            let value = value.as_ref()?;
            let history = histories.get(value).map_or(&[][..], Vec::as_slice);
            let label = history.iter().rev().find(|(from, _)| is_there(*from));
            Some(label.map_or_else(|| value.clone(), |(_, label)| label.clone()))
        };
        self.histories.iter().zip(key).map(name).collect()
    }

    /// Whether a value of the key gets another name between the first of these ends and the last.
    fn changes(&self, key: &Key, ends: &[DateTime<Utc>]) -> bool {
        let (Some(first), Some(last)) = (ends.first(), ends.last()) else { return false };
        let between = |(from, _): &(DateTime<Utc>, String)| from >= first && from <= last;
        let mut histories = self
            .histories
            .iter()
            .zip(key)
            .filter_map(|(histories, value)| histories.get(value.as_ref()?));
        histories.any(|history| history.iter().any(between))
    }
}

/// What the CRM calls its units and people now; it keeps no earlier names.
async fn of_the_crm(
    ctx: &Ctx,
    conn: &Conn,
    dimension: &str,
    values: &BTreeSet<String>,
) -> Result<HashMap<String, History>> {
    let names = match dimension {
        "org_unit" => match whole(ctx, Resource::OrgUnits, "name") {
            Some(reader) => store::units(conn, &reader).await?,
            None => Vec::new(),
        },
        "agent" => {
            let ids: Vec<Uuid> =
                values.iter().filter_map(|value| Uuid::try_parse(value).ok()).collect();
            match whole(ctx, Resource::Users, "fullName") {
                Some(reader) if !ids.is_empty() => store::people(conn, &reader, ids).await?,
                Some(_) | None => Vec::new(),
            }
        }
        _ => Vec::new(),
    };
    let since_ever = DateTime::<Utc>::MIN_UTC;
    Ok(names.into_iter().map(|(value, name)| (value, vec![(since_ever, name)])).collect())
}

/// The right to read a name of all rows.
fn whole(ctx: &Ctx, resource: Resource, field: &str) -> Option<Reader> {
    let reader = ctx.reader(resource).ok()?;
    let is_plain = reader.field(field) == FieldRule::Plain;
    (is_plain && *reader.rows() == RowRule::All).then_some(reader)
}
