//! What is wrong with a mapping or its files, all of it at once.

use std::fmt;

use crate::error::{Language, Message};

/// One mistake: where it stands (file, table and key) and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `crm-sales.toml: step "deals": fields.stageId`
    pub place: String,
    pub message: Message,
}

/// Mistakes, in the order of the mapping. Never empty where it is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn add(&mut self, place: impl Into<String>, message: Message) {
        self.0.push(Problem { place: place.into(), message });
    }

    pub(super) fn one(place: impl Into<String>, message: Message) -> Self {
        let mut problems = Self::default();
        problems.add(place, message);
        problems
    }

    /// `value` if nothing is wrong.
    pub(super) fn or<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        write!(f, "the import cannot begin, {count} {noun}:")?;
        for problem in &self.0 {
            write!(f, "\n  {}: {}", problem.place, problem.message.in_language(Language::En))?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
