//! Whom a person leads and stands with.

use super::{claims, token};
use crate::support::TestApp;
use crate::support::both_databases;
use crate::support::seed::Tenant;
use pulso::access::Resource;
use pulso::ctx::Ctx;
use pulso::ctx::Origin;
use pulso::db::NullOf;
use pulso::db::Value;
use pulso::error::Code;
use pulso::identity::user::service as user;
use pulso::identity::user::service::UserInput;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

fn set(ids: &[Uuid]) -> BTreeSet<Uuid> {
    ids.iter().copied().collect()
}

async fn org_unit(app: &TestApp, tenant: &Tenant, name: &str, parent: Option<Uuid>) -> Uuid {
    let parent = parent.map_or(Value::Null(NullOf::Id), Value::Id);
    let fields = [
        ("name", Value::from(name)),
        ("name_folded", Value::from(name.to_lowercase())),
        ("parent_id", parent),
    ];
    app.insert(tenant, "org_units", &fields).await
}

both_databases! {
    async fn the_team_is_everybody_below(app: TestApp) {
        let alpha = &app.alpha;
        let (manager, seller) = (alpha.manager.id, alpha.comercial.id);
        let junior = app.person(alpha, "Júnior", Some(seller)).await;
        app.person(alpha, "Somebody else", None).await;
        app.person(&app.beta, "Stranger", Some(app.beta.manager.id)).await;

        let manager_token = token(&claims(&app, alpha, &alpha.manager).await);
        let actor = app.who(&manager_token).await.unwrap();
        assert_eq!(set(&actor.team), BTreeSet::from([manager, seller, junior]));
        assert_eq!(set(&actor.org_unit_members), BTreeSet::from([manager]));

        // A circle: everybody is below everybody, once.
        app.change(
            alpha,
            "UPDATE users SET manager_id = ? WHERE tenant_id = ? AND id = ?",
            vec![Value::Id(junior), Value::Id(alpha.id), Value::Id(manager)],
        )
        .await;
        app.a_second_later();
        for credential in [&manager_token, &token(&claims(&app, alpha, &alpha.comercial).await)] {
            let actor = app.who(credential).await.unwrap();
            assert_eq!(actor.team.len(), 3);
            assert_eq!(set(&actor.team), BTreeSet::from([manager, seller, junior]));
        }
        // Nobody asks for the team of an administrator.
        let admin = app.who(&alpha.admin.key).await.unwrap();
        assert_eq!(set(&admin.team), BTreeSet::from([alpha.admin.id]));
    }

    async fn org_units_hold_the_units_below(app: TestApp) {
        let alpha = &app.alpha;
        let root = org_unit(&app, alpha, "Brasil", None).await;
        let south = org_unit(&app, alpha, "Sul", Some(root)).await;
        let city = org_unit(&app, alpha, "Curitiba", Some(south)).await;
        let north = org_unit(&app, alpha, "Norte", Some(root)).await;
        app.change(
            alpha,
            "UPDATE org_units SET parent_id = ? WHERE tenant_id = ? AND id = ?",
            vec![Value::Id(city), Value::Id(alpha.id), Value::Id(south)],
        )
        .await;
        for (person, unit) in
            [(&alpha.comercial, south), (&alpha.manager, city), (&alpha.diretor, north)]
        {
            app.change(
                alpha,
                "UPDATE users SET org_unit_id = ? WHERE tenant_id = ? AND id = ?",
                vec![Value::Id(unit), Value::Id(alpha.id), Value::Id(person.id)],
            )
            .await;
        }
        app.change(
            alpha,
            "UPDATE roles SET permissions = ? WHERE tenant_id = ? AND name = 'comercial'",
            vec![Value::Json(json!({ "leads": { "read": "org_unit" } })), Value::Id(alpha.id)],
        )
        .await;
        let actor = app.who(&alpha.comercial.key).await.unwrap();
        assert_eq!(
            set(&actor.org_unit_members),
            BTreeSet::from([alpha.comercial.id, alpha.manager.id])
        );
        let ctx = Ctx::new(Arc::clone(&app.app), actor, Origin::internal("test"));
        let reader = ctx.reader(Resource::Leads).unwrap();
        assert!(format!("{:?}", reader.rows()).starts_with("Owners"));
    }

    async fn an_address_belongs_to_one_person_of_a_tenant(app: TestApp) {
        let make = |tenant: Uuid, email: &str| {
            let input = UserInput {
                email: Some(email.to_owned()),
                full_name: "Ana".to_owned(),
                ..UserInput::default()
            };
            user::create(&app.app, tenant, input)
        };
        make(app.alpha.id, "Ana.Souza@Exemplo.com.br").await.unwrap();
        let error = make(app.alpha.id, " ana.souza@exemplo.COM.BR").await.unwrap_err();
        assert_eq!((error.code(), error.field()), (Code::Conflict, Some("email")));
        make(app.beta.id, "ana.souza@exemplo.com.br").await.unwrap();
        let error = make(app.alpha.id, "ana").await.unwrap_err();
        assert_eq!((error.code(), error.field()), (Code::Invalid, Some("email")));
        // A deleted person frees the address.
        app.change(
            &app.alpha,
            "UPDATE users SET deleted_at = created_at WHERE tenant_id = ? AND email = ?",
            vec![Value::Id(app.alpha.id), Value::from("ana.souza@exemplo.com.br")],
        )
        .await;
        make(app.alpha.id, "ana.souza@exemplo.com.br").await.unwrap();
    }

    async fn people_stand_in_their_own_tenant(app: TestApp) {
        let stranger = UserInput {
            full_name: "Ana".to_owned(),
            manager_id: Some(app.beta.manager.id),
            ..UserInput::default()
        };
        let error = user::create(&app.app, app.alpha.id, stranger).await.unwrap_err();
        assert_eq!(error.code(), Code::NotFound);
        let nameless = UserInput { full_name: "  ".to_owned(), ..UserInput::default() };
        let error = user::create(&app.app, app.alpha.id, nameless).await.unwrap_err();
        assert_eq!((error.code(), error.field()), (Code::Invalid, Some("fullName")));
    }
}
