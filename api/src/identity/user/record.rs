//! Declaration of users. Passwords and credentials are not fields of it: they never leave.

use std::sync::LazyLock;

use entity::user::{Column, Entity};

use super::rules;
use crate::access::Resource;
use crate::identity::{account, org_unit};
use crate::record::declare::{Changes, CompanyPath, Default, OnDestroy, OwnerPath, field};
use crate::record::{Kind, Record, checks, declare};

pub fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    let declared = declare::<Entity>("User", "user", "users", Resource::Users)
        .about("A person who signs in or owns records, or a service account (usuário).")
        .stamped(
            Column::Id,
            [Column::CreatedAt, Column::UpdatedAt, Column::DeletedAt],
            Column::Version,
        )
        .external(Column::ExternalSystem, Column::ExternalId)
        .owned_by(OwnerPath::Column("id"))
        .of_company(CompanyPath::Column("company_id"))
        // Not the e-mail: who may not read it must not find out by searching.
        .searched(&["full_name"])
        .ordered_by("fullName", false)
        .changes(Changes {
            enabled: true,
            natural_keys: vec![&["externalSystem", "externalId"], &["email"]],
            emits: Some(("core", "user")),
            before: Some(rules::protect),
            after: Some(rules::close_ways_in),
            follows: Some(rules::keep_an_admin),
            dependents: vec![
                ("mails", "user_id"),
                ("account_tokens", "user_id"),
                ("user_identities", "user_id"),
                ("sign_in_flows", "user_id"),
                ("notifications", "user_id"),
                ("notification_feeds", "id"),
            ],
            verbs: &account::verbs::VERBS,
            ..Changes::default()
        });
    declared
        .field(field(Column::FullName, Kind::Text).filter().sort().folded())
        .field(field(Column::Email, Kind::Code).filter().sort().pii().check(checks::login_email))
        .field(field(Column::Phone, Kind::Code).filter().pii().chars(20).check(checks::phone))
        .field(field(Column::AvatarUrl, Kind::Text).chars(500).check(checks::url))
        .field(field(Column::IsActive, Kind::Bool).filter().default(Default::Value(true.into())))
        .field(
            field(Column::IsVerified, Kind::Bool)
                .filter()
                .read_only()
                .default(Default::Value(false.into())),
        )
        .field(
            field(Column::IsService, Kind::Bool)
                .filter()
                .on_create()
                .default(Default::Value(false.into())),
        )
        .field(field(Column::LastLoginAt, Kind::Instant).filter().sort().read_only())
        .field(field(Column::ManagerId, Kind::Id).filter())
        .field(field(Column::OrgUnitId, Kind::Id).filter())
        .field(
            field(Column::CompanyId, Kind::Id)
                .filter()
                .about("Of somebody from outside: the company whose rows the scope company shows."),
        )
        .one("manager", Column::ManagerId, record, "")
        .one("orgUnit", Column::OrgUnitId, org_unit::record::record, "")
        .many("reports", Column::ManagerId, record, OnDestroy::Clear)
}
