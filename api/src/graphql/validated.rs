//! What passed validation once is not validated again.
//!
//! Validation looks at the schema, the document, the operation's name and the variables, and at nothing
//! else: the same four give the same answer. Of a variable that takes any text it sees only that it is
//! one, so that one id is as good as another. Every rule still runs over everything that is new.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::ValidationResult;
use serde_json::{Map, Value as Json};

use super::document::{Document, Operation};
use crate::limits;

/// With what a document passed, and what was found: a page is asked for with the same variables again
/// and again.
#[derive(Default)]
pub(super) struct Passed {
    digests: RandomState,
    found: Mutex<HashMap<u64, ValidationResult>>,
}

/// One request for a document.
#[derive(Clone)]
pub(super) struct Asked {
    document: Arc<Document>,
    operation_name: Option<String>,
    /// Written out: two numbers that print alike are alike.
    variables: Option<String>,
    digest: u64,
    /// Of all that validation looks at.
    shape: u64,
}

impl Asked {
    pub(super) fn of(
        document: &Arc<Document>,
        operation: &Operation<'_>,
        operation_name: Option<&str>,
        variables: &Map<String, Json>,
    ) -> Self {
        let operation_name = operation_name.map(str::to_owned);
        let digest_of = |variables: &Option<String>| {
            document.passed.digests.hash_one((&operation_name, variables))
        };
        let mut shape = None;
        let mut written = None;
        if !variables.is_empty() {
            let mut variables = Json::Object(variables.clone());
            written = Some(variables.to_string());
            for (name, value) in variables.as_object_mut().into_iter().flatten() {
                if value.is_string() && operation.takes_any_text(name) {
                    *value = Json::String(String::new());
                }
            }
            shape = Some(variables.to_string());
        }
        let (digest, shape) = (digest_of(&written), digest_of(&shape));
        let document = Arc::clone(document);
        Self { document, operation_name, variables: written, digest, shape }
    }

    /// Differs from document to document, and otherwise where what was asked does, as good as always.
    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    /// What was found when the like passed.
    pub(super) fn found(&self) -> Option<ValidationResult> {
        self.document.passed.lock().get(&self.shape).copied()
    }

    pub(super) fn remember(&self, found: ValidationResult) {
        let mut known = self.document.passed.lock();
        if known.len() >= limits::VALIDATIONS_KEPT {
            known.clear();
        }
        known.insert(self.shape, found);
    }
}

impl PartialEq for Asked {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.document, &other.document)
            && self.operation_name == other.operation_name
            && self.variables == other.variables
    }
}

impl Passed {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, ValidationResult>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
