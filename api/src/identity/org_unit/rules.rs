//! Org units are a tree: none lies beneath itself.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;

use uuid::Uuid;

use super::store;
use crate::access::Resource;
use crate::ctx::Ctx;
use crate::db::{Conn, Value};
use crate::error::{Error, Result, say};
use crate::record::change::RowChange;

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// Before org units are written: refuses those that would lie beneath themselves.
pub(super) fn keep_tree<'a>(
    ctx: &'a Ctx,
    conn: &'a Conn,
    changes: &'a mut [RowChange],
) -> Boxed<'a> {
    Box::pin(async move {
        // A new unit has nothing beneath it yet.
        let moves: HashMap<Uuid, Option<Uuid>> = changes
            .iter()
            .filter(|change| change.old.is_some() && change.changes("parent_id"))
            .map(|change| (change.id, parent_of(change)))
            .collect();
        if moves.values().all(Option::is_none) {
            return Ok(());
        }
        let reader = ctx.reader(Resource::OrgUnits)?;
        // The lock on the whole tree: two moves at once could make a circle that neither sees.
        let mut parents = store::lock_parents(conn, &reader).await?;
        parents.extend(moves.iter().map(|(id, parent)| (*id, *parent)));
        for unit in moves.keys() {
            if is_beneath_itself(*unit, &parents) {
                return Err(Error::invalid_field(
                    "parentId",
                    say(
                        "a unit cannot lie beneath itself",
                        "uma unidade não pode ficar abaixo de si mesma",
                    ),
                ));
            }
        }
        Ok(())
    })
}

fn parent_of(change: &RowChange) -> Option<Uuid> {
    match change.new.get("parent_id") {
        Some(Value::Id(id)) => Some(*id),
        _ => None,
    }
}

/// Whether the way up from here comes back here.
pub(in crate::identity) fn is_beneath_itself(
    unit: Uuid,
    parents: &HashMap<Uuid, Option<Uuid>>,
) -> bool {
    let mut above = parents.get(&unit).copied().flatten();
    // An old circle elsewhere must not turn for ever.
    for _step in 0..=parents.len() {
        match above {
            None => return false,
            Some(id) if id == unit => return true,
            Some(id) => above = parents.get(&id).copied().flatten(),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_found_and_another_one_does_not_turn_for_ever() {
        let id = Uuid::from_u128;
        let tree = HashMap::from([(id(1), None), (id(2), Some(id(1))), (id(3), Some(id(2)))]);
        assert!([1, 2, 3].iter().all(|unit| !is_beneath_itself(id(*unit), &tree)));
        let mut circle = tree;
        circle.insert(id(1), Some(id(3)));
        circle.insert(id(4), Some(id(3)));
        assert!([1, 2, 3].iter().all(|unit| is_beneath_itself(id(*unit), &circle)));
        assert!(!is_beneath_itself(id(4), &circle));
    }
}
