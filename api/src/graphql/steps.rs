//! What happens around the steps of an operation: validation is skipped for what passed before, and an
//! operation that ran is noted.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextValidation,
};
use async_graphql::{Response, ServerError, ValidationResult};
use async_trait::async_trait;

use super::operation::OperationState;
use super::validated::Asked;

pub(super) struct Steps;

impl ExtensionFactory for Steps {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait]
impl Extension for Steps {
    async fn validation(
        &self,
        context: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let asked = context.data_opt::<Asked>();
        if let Some(found) = asked.and_then(Asked::found) {
            return Ok(found);
        }
        let found = next.run(context).await?;
        if let Some(asked) = asked {
            asked.remember(found);
        }
        Ok(found)
    }

    async fn execute(
        &self,
        context: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        if let Ok(state) = context.data::<Arc<OperationState>>() {
            state.executed.store(true, Ordering::Relaxed);
        }
        next.run(context, operation_name).await
    }
}
