//! `accessExplain`.

use async_graphql::{Context, ID, Object, Result, SimpleObject};

use super::service::{self, Explanation, Question};
use crate::error::Language;
use crate::identity::graphql::{in_language, read_id, somebody};

#[derive(Default)]
pub struct ExplanationQuery;

#[Object]
impl ExplanationQuery {
    /// Why the caller may or may not do something; with the right to read users also why another
    /// may. What one may not see is as good as not there.
    async fn access_explain(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "As in permissions: `leads`.")] resource: String,
        #[graphql(desc = "`read`, `create`, `update`, `delete` or `destroy`.")] action: String,
        #[graphql(desc = "The one row that it is about.")] id: Option<ID>,
        user_id: Option<ID>,
    ) -> Result<AccessExplanation> {
        let ctx = somebody(context)?;
        let explained = async {
            let id = id.as_ref().map(|id| read_id(id, "id")).transpose()?;
            let user_id = user_id.as_ref().map(|id| read_id(id, "userId")).transpose()?;
            let question = Question { resource: &resource, action: &action, id, user_id };
            service::explain(ctx, question).await
        };
        Ok(AccessExplanation::of(explained.await.map_err(in_language(&ctx.origin))?))
    }
}

/// Which grant allows something, or what is missing.
#[derive(SimpleObject)]
struct AccessExplanation {
    allowed: bool,
    /// What each role grants of it.
    grants: Vec<AccessGrant>,
    /// What would have to be granted, `leads:update`.
    missing: Option<String>,
    /// Which rows all roles together reach.
    row_rule: Option<String>,
    reason_en: String,
    reason_pt: String,
}

/// What one role grants.
#[derive(SimpleObject)]
struct AccessGrant {
    role: String,
    /// own, team, org_unit, company or all.
    scope: &'static str,
    /// Fields of the resource that have a rule in this role.
    fields: Vec<AccessFieldRule>,
}

/// The rule of a field: hidden, masked or read_only.
#[derive(SimpleObject)]
struct AccessFieldRule {
    field: String,
    rule: &'static str,
}

impl AccessExplanation {
    fn of(explanation: Explanation) -> Self {
        let rule = |(field, rule)| AccessFieldRule { field, rule };
        let grant = |granted: service::Granted| AccessGrant {
            role: granted.role,
            scope: granted.scope.as_str(),
            fields: granted.fields.into_iter().map(rule).collect(),
        };
        Self {
            allowed: explanation.allowed,
            grants: explanation.grants.into_iter().map(grant).collect(),
            missing: explanation.missing,
            row_rule: explanation.row_rule,
            reason_en: explanation.reason.in_language(Language::En).to_owned(),
            reason_pt: explanation.reason.in_language(Language::PtBr).to_owned(),
        }
    }
}
