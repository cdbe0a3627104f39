//! What tests of reads need beside rows: roles of their own making, statements of their own, and the
//! engine asked without the schema.

use async_graphql::Variables;
use async_graphql::parser::parse_query;
use async_graphql::parser::types::DocumentOperations;
use chrono::TimeDelta;
use pulso::access::SystemHandle;
use pulso::ctx::{Ctx, Origin};
use pulso::db::{Statement, Value};
use pulso::error::Result;
use pulso::record::Record;
use pulso::record::operation::{self, PlannedRoot, ReadKind};
use pulso::record::plan::{Planner, Refused};
use pulso::record::selection;
use serde_json::Value as Json;

use super::TestApp;
use super::seed::{Person, Tenant};

impl TestApp {
    /// Runs a statement of the test's own; `?` stands for each value.
    pub async fn run_sql(&self, tenant: &Tenant, sql: &str, values: Vec<Value>) -> u64 {
        let conn = self.app.db.transaction().await.unwrap();
        let mut parts = sql.split('?');
        let mut text = parts.next().unwrap().to_owned();
        for (number, part) in parts.enumerate() {
            text.push_str(&conn.dialect().placeholder(number + 1));
            text.push_str(part);
        }
        let statement = Statement::new(text, values);
        let system = SystemHandle::for_tenant(tenant.id);
        let changed = conn.execute(&system, &statement).await;
        let changed = changed.unwrap_or_else(|error| panic!("{error}: {statement:?}"));
        conn.commit().await.unwrap();
        changed
    }

    /// Gives a role of the tenant other permissions, and waits until everybody has noticed.
    pub async fn set_role(&self, tenant: &Tenant, role: &str, permissions: Json) {
        let sql = "UPDATE roles SET permissions = ? WHERE tenant_id = ? AND name = ?";
        let values = vec![Value::Json(permissions), Value::Id(tenant.id), Value::from(role)];
        assert_eq!(self.run_sql(tenant, sql, values).await, 1);
        self.app.clock.advance(TimeDelta::seconds(2));
    }

    /// What the engine knows of a caller.
    pub async fn ctx(&self, person: &Person) -> Ctx {
        let actor = self.app.identity.authenticate(&self.app, &person.key).await.unwrap();
        Ctx::new(std::sync::Arc::clone(&self.app), actor, Origin::internal("test"))
    }

    /// Plans the one root field of a query as a list of `record`, whatever its name.
    pub fn plan(&self, ctx: &Ctx, record: &'static Record, query: &str) -> PlannedRoot {
        self.try_plan(ctx, record, query).unwrap_or_else(|refused| panic!("{refused:?}"))
    }

    pub fn try_plan(
        &self,
        ctx: &Ctx,
        record: &'static Record,
        query: &str,
    ) -> Result<PlannedRoot, Refused> {
        let document = parse_query(query).unwrap();
        let DocumentOperations::Single(definition) = &document.operations else { panic!() };
        let scope = selection::Scope {
            fragments: &document.fragments,
            variables: &Variables::default(),
            operation: &definition.node,
        };
        let selected = selection::resolve(&scope, &definition.node.selection_set.node).unwrap();
        let mut planner = Planner::new(ctx);
        operation::plan(&mut planner, record, ReadKind::List, &selected[0])
    }

    /// Plans and runs a list of a record that is in no schema.
    pub async fn engine(
        &self,
        person: &Person,
        record: &'static Record,
        query: &str,
    ) -> Result<Json> {
        let ctx = self.ctx(person).await;
        let planned = self.plan(&ctx, record, query);
        let conn = ctx.snapshot().await?;
        let mut text = Vec::new();
        operation::run(&ctx, &conn, &planned.plan, &mut text).await?;
        Ok(serde_json::from_slice(&text).unwrap())
    }
}
