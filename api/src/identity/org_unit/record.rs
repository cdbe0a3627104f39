//! Declaration of org units.

use std::sync::LazyLock;

use entity::org_unit::{Column, Entity};

use super::rules;
use crate::access::Resource;
use crate::identity::user;
use crate::record::declare::{Changes, OnDestroy, field};
use crate::record::{Kind, Record, declare};

pub fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    declare::<Entity>("OrgUnit", "orgUnit", "orgUnits", Resource::OrgUnits)
        .about("A part of the organisation (unidade): an office, a department, a team.")
        .stamped(
            Column::Id,
            [Column::CreatedAt, Column::UpdatedAt, Column::DeletedAt],
            Column::Version,
        )
        .external(Column::ExternalSystem, Column::ExternalId)
        .searched(&["name", "code"])
        .ordered_by("name", false)
        .changes(Changes {
            enabled: true,
            natural_keys: vec![&["externalSystem", "externalId"]],
            emits: Some(("core", "org_unit")),
            before: Some(rules::keep_tree),
            ..Changes::default()
        })
        .field(field(Column::Name, Kind::Text).filter().sort().folded())
        .field(field(Column::Code, Kind::Code).filter().sort().chars(50))
        .field(field(Column::ParentId, Kind::Id).filter())
        .one("parent", Column::ParentId, record, "")
        .many("units", Column::ParentId, record, OnDestroy::Restrict)
        .many("users", entity::user::Column::OrgUnitId, user::record::record, OnDestroy::Clear)
}
