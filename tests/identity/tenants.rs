//! How a tenant is born.

use super::admin;
use crate::support::Backend;
use crate::support::Fixture;
use crate::support::TestApp;
use crate::support::TestDb;
use crate::support::app::build;
use crate::support::app::now;
use crate::support::both_databases;
use crate::support::seed::Tenant;
use chrono::TimeDelta;
use pulso::access::Action;
use pulso::access::Resource;
use pulso::access::ScopeKind;
use pulso::app::App;
use pulso::ctx::Origin;
use pulso::db::Value;
use pulso::demo;
use pulso::error::Code;
use pulso::error::Error;
use pulso::identity::role;
use pulso::identity::session::service::login;
use pulso::identity::tenant::service as tenant;
use pulso::identity::tenant::service::TenantOptions;
use std::sync::Arc;

/// An application on a database without a single tenant.
struct Empty {
    app: Arc<App>,
    _database: TestDb,
}

impl Fixture for Empty {
    async fn on(backend: Backend) -> Self {
        let database = TestDb::new(backend).await;
        let app = build(&database.db, database.url(), pulso::clock::Clock::fixed(now()));
        Self { app, _database: database }
    }
}

both_databases! {
    async fn a_tenant_is_born_complete(app: TestApp) {
        let options = TenantOptions {
            time_zone: Some("Europe/Lisbon".to_owned()),
            currency: Some("EUR".to_owned()),
            language: Some("en".to_owned()),
        };
        let id = tenant::create(&app.app, "gama-2", " Gama Ltda ", options).await.unwrap();
        let found = tenant::find_by_slug(&app.app, "gama-2").await.unwrap().unwrap();
        assert_eq!(
            (found.id, found.name.as_str(), found.time_zone.as_str()),
            (id, "Gama Ltda", "Europe/Lisbon")
        );
        assert_eq!((found.currency.as_str(), found.language.as_str()), ("EUR", "en"));

        let roles = role::service::list(&app.app, "gama-2").await.unwrap();
        let names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
        assert_eq!(names, ["admin", "agente_ia", "cliente", "comercial", "diretor"]);

        let gama = Tenant { id, ..app.alpha.clone() };
        let sql = "SELECT name, slug, probability, is_won, is_lost, name_folded \
                   FROM pipeline_stages WHERE tenant_id = ? ORDER BY sort_order";
        let stages: Vec<String> = app
            .rows(&gama, sql, vec![Value::Id(id)])
            .await
            .iter()
            .map(|row| {
                let text = |index| row.text(index).unwrap().unwrap();
                let flag = |index| row.bool(index).unwrap().unwrap();
                let outcome = if flag(3) { " won" } else if flag(4) { " lost" } else { "" };
                assert_eq!(text(1), text(5));
                format!("{} {}{outcome}", text(0), row.int(2).unwrap().unwrap())
            })
            .collect();
        assert_eq!(
            stages,
            [
                "Prospecção 10", "Qualificação 20", "Proposta 50", "Negociação 70",
                "Fechamento 90", "Ganho 100 won", "Perdido 0 lost",
            ]
        );
    }

    async fn a_tenant_that_cannot_be(app: TestApp) {
        let make = |slug: &str, name: &str, options: TenantOptions| {
            let (slug, name, app) = (slug.to_owned(), name.to_owned(), Arc::clone(&app.app));
            async move { tenant::create(&app, &slug, &name, options).await.unwrap_err() }
        };
        let usual = TenantOptions::default;
        let is = |error: &Error| (error.code(), error.field().unwrap_or_default().to_owned());
        let taken = make("alpha", "Alpha", usual()).await;
        assert_eq!(is(&taken), (Code::Conflict, "slug".to_owned()));
        let long = "a".repeat(64);
        for slug in ["", "a", "Gama", "ga ma", "gamá", "ga_ma", long.as_str()] {
            let error = make(slug, "Gama", usual()).await;
            assert_eq!(is(&error), (Code::Invalid, "slug".to_owned()), "{slug}");
        }
        let error = make("gama", " ", usual()).await;
        assert_eq!(is(&error), (Code::Invalid, "name".to_owned()));
        let zone = TenantOptions { time_zone: Some("Brasilia".to_owned()), ..usual() };
        assert_eq!(is(&make("gama", "G", zone).await), (Code::Invalid, "timeZone".to_owned()));
        let money = TenantOptions { currency: Some("REAL".to_owned()), ..usual() };
        assert_eq!(is(&make("gama", "G", money).await), (Code::Invalid, "currency".to_owned()));
        let tongue = TenantOptions { language: Some("fr".to_owned()), ..usual() };
        assert_eq!(is(&make("gama", "G", tongue).await), (Code::Invalid, "language".to_owned()));
        assert!(tenant::find_by_slug(&app.app, "gama").await.unwrap().is_none());
        assert_eq!(tenant::list(&app.app).await.unwrap().len(), 2);
    }

    async fn the_demo_is_made_once_and_only_where_nothing_is(empty: Empty) {
        let made = demo::create_if_empty(&empty.app).await.unwrap().unwrap();
        assert!(demo::create_if_empty(&empty.app).await.unwrap().is_none());
        let origin = Origin::internal("test");
        let session =
            login(&empty.app, &made.tenant, &made.email, &made.password, &origin).await.unwrap();
        for credential in [&session.access_token, &made.api_key] {
            let actor = empty.app.identity.authenticate(&empty.app, credential).await.unwrap();
            assert_eq!(&*actor.role_names, ["admin".to_owned()]);
            let scope = actor.permissions.scope(Resource::Leads, Action::Destroy);
            assert_eq!(scope, Some(ScopeKind::All));
        }
        assert_eq!(tenant::list(&empty.app).await.unwrap()[0].name, "Demonstração");
    }

    async fn the_command_line_makes_what_it_takes_to_begin(empty: Empty) {
        let created = admin(&empty.app, "tenant create acme --name Acme").await.unwrap();
        let found = tenant::find_by_slug(&empty.app, "acme").await.unwrap().unwrap();
        assert_eq!(created, [found.id.to_string()]);

        let user = "user create --tenant acme --email ana@acme.example --name Ana --role comercial";
        let [password] = &admin(&empty.app, user).await.unwrap()[..] else { panic!() };
        let origin = Origin::internal("test");
        login(&empty.app, "acme", "ana@acme.example", password, &origin).await.unwrap();

        let make = "key create --tenant acme --role diretor --scope leads:read --scope deals:read \
                    --name grafana --expires-in-days 30";
        let [key] = &admin(&empty.app, make).await.unwrap()[..] else { panic!() };
        let actor = empty.app.identity.authenticate(&empty.app, key).await.unwrap();
        assert_eq!(actor.permissions.grants().count(), 2);

        let listed = admin(&empty.app, "key list --tenant acme").await.unwrap();
        let [_, line] = &listed[..] else { panic!("{listed:?}") };
        let cells: Vec<&str> = line.split('\t').collect();
        assert!(key.starts_with(cells[0]));
        assert_eq!(cells[1..4], ["grafana", "diretor", "leads:read,deals:read"]);
        assert!(cells[4].starts_with("until 2026-04-09"));
        assert!(!line.contains(&key[52..]), "a list shows no secret");

        let rotate = format!("key rotate --tenant acme --overlap-hours 0 {}", cells[0]);
        let [new_key] = &admin(&empty.app, &rotate).await.unwrap()[..] else { panic!() };
        let revoke = format!("key revoke --tenant acme {}", cells[6]);
        assert!(admin(&empty.app, &revoke).await.unwrap().is_empty());
        empty.app.clock.advance(TimeDelta::seconds(1));
        for credential in [key, new_key] {
            assert!(empty.app.identity.authenticate(&empty.app, credential).await.is_err());
        }

        assert_eq!(admin(&empty.app, "role list --tenant acme").await.unwrap().len(), 6);
        assert_eq!(admin(&empty.app, "tenant list").await.unwrap().len(), 2);
        let nowhere = admin(&empty.app, "key list --tenant nowhere").await.unwrap_err();
        assert_eq!(nowhere.code(), Code::NotFound);
    }

    async fn no_demo_beside_real_tenants(app: TestApp) {
        assert!(demo::create_if_empty(&app.app).await.unwrap().is_none());
    }
}
