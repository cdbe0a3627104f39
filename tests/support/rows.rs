//! Rows put straight into the tables, for tests whose subject is not how rows are written.

use entity::value::{fold, search_text};
use pulso::access::SystemHandle;
use pulso::db::{Conn, Statement, Value};
use serde_json::json;
use uuid::Uuid;

use super::TestApp;
use super::seed::Tenant;

/// Column and value.
pub type Field<'f> = (&'f str, Value);

impl TestApp {
    /// A row of a tenant's table, with the columns that every record has; its id.
    pub async fn insert(&self, tenant: &Tenant, table: &str, fields: &[Field<'_>]) -> Uuid {
        let (id, now) = (self.app.clock.new_id(), Value::Instant(self.app.clock.now()));
        let mut columns = vec![
            ("tenant_id", Value::Id(tenant.id)),
            ("id", Value::Id(id)),
            ("created_at", now.clone()),
            ("updated_at", now),
        ];
        // A field that is given replaces the usual one.
        columns.retain(|(name, _)| fields.iter().all(|(given, _)| given != name));
        columns.extend(fields.iter().cloned());
        let conn = self.app.db.transaction().await.unwrap();
        insert_row(&conn, tenant.id, table, columns).await;
        conn.commit().await.unwrap();
        id
    }

    pub async fn company(&self, tenant: &Tenant, name: &str, fields: &[Field<'_>]) -> Uuid {
        let usual = [
            ("name", Value::from(name)),
            ("name_folded", Value::Text(fold(name))),
            ("search_text", Value::Text(search_text(&[name]))),
            ("currency", Value::from("BRL")),
            ("metadata", Value::Json(json!({}))),
        ];
        self.insert(tenant, "companies", &merged(&usual, fields)).await
    }

    pub async fn contact(&self, tenant: &Tenant, name: &str, fields: &[Field<'_>]) -> Uuid {
        let usual = [
            ("full_name", Value::from(name)),
            ("full_name_folded", Value::Text(fold(name))),
            ("search_text", Value::Text(search_text(&[name]))),
            ("metadata", Value::Json(json!({}))),
        ];
        self.insert(tenant, "contacts", &merged(&usual, fields)).await
    }

    pub async fn lead(&self, tenant: &Tenant, name: &str, fields: &[Field<'_>]) -> Uuid {
        let usual = [
            ("name", Value::from(name)),
            ("name_folded", Value::Text(fold(name))),
            ("search_text", Value::Text(search_text(&[name]))),
            ("source", Value::from("site")),
            ("metadata", Value::Json(json!({}))),
        ];
        self.insert(tenant, "leads", &merged(&usual, fields)).await
    }

    /// A deal in the first stage of the pipeline, owned by the tenant's seller.
    pub async fn deal(&self, tenant: &Tenant, title: &str, fields: &[Field<'_>]) -> Uuid {
        let usual = [
            ("title", Value::from(title)),
            ("title_folded", Value::Text(fold(title))),
            ("search_text", Value::Text(search_text(&[title]))),
            ("stage_id", Value::Id(self.stage(tenant, "prospeccao").await)),
            ("currency", Value::from("BRL")),
            ("owned_by", Value::Id(tenant.comercial.id)),
            ("stage_changed_at", Value::Instant(self.app.clock.now())),
            ("metadata", Value::Json(json!({}))),
        ];
        self.insert(tenant, "deals", &merged(&usual, fields)).await
    }

    /// The id of one of the pipeline stages that every tenant begins with.
    pub async fn stage(&self, tenant: &Tenant, slug: &str) -> Uuid {
        let conn = self.app.db.single_read().await.unwrap();
        let mark = |number| conn.dialect().placeholder(number);
        let statement = Statement::new(
            format!(
                "SELECT id FROM pipeline_stages WHERE tenant_id = {} AND slug = {}",
                mark(1),
                mark(2)
            ),
            vec![Value::Id(tenant.id), Value::from(slug)],
        );
        let system = SystemHandle::for_tenant(tenant.id);
        let row = conn.row(&system, &statement).await.unwrap();
        row.unwrap_or_else(|| panic!("no stage {slug}")).required_id(0).unwrap()
    }
}

fn merged<'f>(usual: &[Field<'f>], given: &[Field<'f>]) -> Vec<Field<'f>> {
    let is_given = |name: &str| given.iter().any(|(other, _)| *other == name);
    let kept = usual.iter().filter(|(name, _)| !is_given(name));
    kept.chain(given).cloned().collect()
}

async fn insert_row(conn: &Conn, tenant_id: Uuid, table: &str, fields: Vec<Field<'_>>) {
    let (names, values): (Vec<&str>, Vec<Value>) = fields.into_iter().unzip();
    let marks: Vec<String> =
        (1..=values.len()).map(|number| conn.dialect().placeholder(number)).collect();
    let sql = format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), marks.join(", "));
    let statement = Statement::new(sql, values);
    let system = SystemHandle::for_tenant(tenant_id);
    conn.execute(&system, &statement)
        .await
        .unwrap_or_else(|error| panic!("{error}: {statement:?}"));
}
