//! What passed validation once is not validated again.
//!
//! Validation looks at the schema, the document, the operation's name and the variables, and at nothing
//! else: the same four give the same answer. Every rule still runs over everything that is new.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::ValidationResult;
use serde_json::{Map, Value as Json};

use super::document::Document;
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
    /// Written out: two numbers that print alike are alike to a validator.
    variables: Option<String>,
    digest: u64,
}

impl Asked {
    pub(super) fn of(
        document: &Arc<Document>,
        operation_name: Option<&str>,
        variables: &Map<String, Json>,
    ) -> Self {
        let variables =
            (!variables.is_empty()).then(|| Json::Object(variables.clone()).to_string());
        let operation_name = operation_name.map(str::to_owned);
        let digest = document.passed.digests.hash_one((&operation_name, &variables));
        Self { document: Arc::clone(document), operation_name, variables, digest }
    }

    /// Differs from document to document, and otherwise where what was asked does, as good as always.
    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    /// What was found when the same passed.
    pub(super) fn found(&self) -> Option<ValidationResult> {
        self.document.passed.lock().get(&self.digest).copied()
    }

    pub(super) fn remember(&self, found: ValidationResult) {
        let mut known = self.document.passed.lock();
        if known.len() >= limits::VALIDATIONS_KEPT {
            known.clear();
        }
        known.insert(self.digest, found);
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
