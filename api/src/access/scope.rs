//! How far a grant reaches.

/// One word of a role for the rows that an action reaches, narrowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScopeKind {
    Own,
    Team,
    OrgUnit,
    /// Rows of the caller's own company: for customers who look in from outside.
    Company,
    All,
}

impl ScopeKind {
    pub const ALL: [Self; 5] = [Self::Own, Self::Team, Self::OrgUnit, Self::Company, Self::All];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Team => "team",
            Self::OrgUnit => "org_unit",
            Self::Company => "company",
            Self::All => "all",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// What the scopes of several roles add up to: of those that speak of people the widest, and the
/// company beside them, since neither contains the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reach {
    people: Option<ScopeKind>,
    company: bool,
}

impl Reach {
    pub fn of(scope: ScopeKind) -> Self {
        match scope {
            ScopeKind::Company => Self { people: None, company: true },
            ScopeKind::Own | ScopeKind::Team | ScopeKind::OrgUnit | ScopeKind::All => {
                Self { people: Some(scope), company: false }
            }
        }
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let people = self.people.max(other.people);
        let company = (self.company || other.company) && people != Some(ScopeKind::All);
        Self { people, company }
    }

    /// Whether it reaches every row that `other` reaches.
    pub fn covers(self, other: Self) -> bool {
        self.people == Some(ScopeKind::All)
            || (other.people <= self.people && (self.company || !other.company))
    }

    /// Own, team, org unit or all; `None` where only the company is reached.
    pub fn people(self) -> Option<ScopeKind> {
        self.people
    }

    pub fn is_of_company(self) -> bool {
        self.company
    }

    /// The scopes that make it up.
    pub fn scopes(self) -> impl Iterator<Item = ScopeKind> {
        self.people.into_iter().chain(self.company.then_some(ScopeKind::Company))
    }
}
