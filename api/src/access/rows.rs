//! Which rows of a resource a permitted caller may touch.

use std::sync::Arc;

use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowRule {
    All,
    /// Only rows whose owner path ends at one of these users.
    Owners(Arc<[Uuid]>),
    /// Only rows whose company path ends at this company; no row for somebody who has none.
    Company(Option<Uuid>),
    /// Rows of either kind, for somebody with roles of both.
    Either(Arc<[Uuid]>, Option<Uuid>),
}

impl RowRule {
    /// The users whose rows are reached, where the rule speaks of users.
    pub fn owners(&self) -> Option<&[Uuid]> {
        match self {
            Self::Owners(owners) | Self::Either(owners, _) => Some(owners),
            Self::All | Self::Company(_) => None,
        }
    }

    /// The company whose rows are reached, where the rule speaks of one.
    pub fn company(&self) -> Option<Option<Uuid>> {
        match self {
            Self::Company(company) | Self::Either(_, company) => Some(*company),
            Self::All | Self::Owners(_) => None,
        }
    }

    /// Whether things that belong to nobody in particular (roles, settings) are reached: everybody
    /// of the tenant may see them, but nobody who only looks in from outside.
    pub fn reaches_everybodys(&self) -> bool {
        match self {
            Self::All | Self::Owners(_) | Self::Either(..) => true,
            Self::Company(_) => false,
        }
    }

    /// Whether a row of this owner and this company is reached.
    pub fn reaches(&self, owner: Option<Uuid>, of_company: Option<Uuid>) -> bool {
        let owned = owner.is_some_and(|id| self.owners().is_some_and(|ids| ids.contains(&id)));
        let ours = of_company.is_some() && self.company() == Some(of_company);
        *self == Self::All || owned || ours
    }
}
