//! Who may do what: the whole table of the seed roles, and the rules by which roles add up.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;
use pulso::access::policy::{Decision, decide};
use pulso::access::{
    Action, Actor, FieldRule, Permissions, Resource, RowRule, ScopeKind, TenantProfile,
    parse_key_scope,
};
use pulso::identity::role::seed::{RoleSeed, SEEDS};
use serde_json::{Value as Json, json};
use uuid::Uuid;

const DOCUMENT: &str = include_str!("../docs/roles.md");

fn permissions_of(seed: &RoleSeed) -> Permissions {
    Permissions::from_json(&seed.permissions()).unwrap()
}

/// An actor whose `own`, `team` and `org_unit` differ.
fn actor(permissions: Permissions) -> Actor {
    let people: Vec<Uuid> = (1..=4).map(Uuid::from_u128).collect();
    Actor {
        tenant_id: Uuid::from_u128(100),
        tenant: Arc::new(TenantProfile {
            slug: "alpha".to_owned(),
            time_zone: chrono_tz::America::Sao_Paulo,
            currency: "BRL".to_owned(),
            language: "pt-BR".to_owned(),
        }),
        user_id: people[0],
        api_key_id: None,
        role_names: Arc::from([]),
        permissions: Arc::new(permissions),
        team: people[..2].into(),
        org_unit_members: people[..3].into(),
    }
}

#[test]
fn the_policy_table() {
    let mut table = String::new();
    for seed in &SEEDS {
        let permissions = permissions_of(seed);
        let actor = actor(permissions.clone());
        for resource in Resource::ALL {
            write!(table, "{:<10} {:<17}", seed.name, resource.as_str()).unwrap();
            for action in Action::ALL {
                let rows = match decide(&actor, action, resource) {
                    Decision::Deny => "-",
                    Decision::Allow(RowRule::All) => "all",
                    Decision::Allow(RowRule::Owners(owners)) => match owners.len() {
                        1 => "own",
                        2 => "team",
                        _ => "org_unit",
                    },
                };
                write!(table, " {}:{rows:<4}", action.as_str()).unwrap();
            }
            for field in ["email", "phone", "fullName"] {
                let rule = permissions.field(resource, field);
                if rule != FieldRule::Plain {
                    write!(table, " {field}:{}", rule.as_str()).unwrap();
                }
            }
            let length = table.trim_end().len();
            table.truncate(length);
            table.push('\n');
        }
    }
    insta::assert_snapshot!("policy_table", table);
}

/// The same table as people read it.
fn as_markdown(seed: &RoleSeed) -> String {
    let permissions = permissions_of(seed);
    let mut text = format!("## `{}` ({})\n\n{}\n", seed.name, seed.label_pt, seed.description);
    if permissions == Permissions::everything() {
        text.push_str("\nEvery action on every resource, `all` rows, all fields.\n");
        return text;
    }
    if permissions.grants().next().is_none() {
        text.push_str("\nNothing of what exists today.\n");
        return text;
    }
    text.push_str("\n| Resource | read | create | update | delete | destroy | hidden fields |\n");
    text.push_str("|---|---|---|---|---|---|---|\n");
    for resource in Resource::ALL {
        if Action::ALL.iter().all(|action| permissions.scope(resource, *action).is_none()) {
            continue;
        }
        write!(text, "| `{}` |", resource.as_str()).unwrap();
        for action in Action::ALL {
            let scope = permissions.scope(resource, action).map_or("", ScopeKind::as_str);
            write!(text, " {scope} |").unwrap();
        }
        let hidden = ["email", "phone", "avatarUrl", "fullName"]
            .into_iter()
            .filter(|field| permissions.field(resource, field) == FieldRule::Hidden)
            .map(|field| format!("`{field}`"));
        writeln!(text, " {} |", hidden.collect::<Vec<_>>().join(", ")).unwrap();
    }
    text.replace("|  |", "| |").replace("|  |", "| |")
}

#[test]
fn the_document_shows_the_seed_roles() {
    for seed in &SEEDS {
        let section = as_markdown(seed);
        assert!(DOCUMENT.contains(&section), "docs/roles.md lacks this section:\n\n{section}");
    }
}

#[test]
fn names_that_nobody_knows_are_refused_and_allow_nothing() {
    for wrong in [
        json!({ "lead": { "read": "all" } }),
        json!({ "leads": { "raed": "all" } }),
        json!({ "leads": { "read": "everyone" } }),
        json!({ "leads": { "read": true } }),
        json!({ "leads": ["read"] }),
        json!({ "leads": { "read": "all", "fields": { "phone": "secret" } } }),
        json!({ "leads": { "read": "all", "fields": ["phone"] } }),
        json!({ "leads": { "create": "all", "fields": { "phone": "hidden" } } }),
        json!({ "*": "own" }),
        json!({ "*": "all", "leads": { "read": "own" } }),
        json!({ "all": true }),
        json!(["leads"]),
        json!(null),
    ] {
        assert!(Permissions::from_json(&wrong).is_err(), "{wrong} was accepted");
        let (stored, problems) = Permissions::from_stored(&wrong);
        assert!(!problems.is_empty());
        assert!(stored.scope(Resource::Contacts, Action::Read).is_none());
        assert_ne!(stored.field(Resource::Leads, "phone"), FieldRule::Masked);
    }
}

#[test]
fn what_a_newer_version_wrote_keeps_the_rest() {
    let (stored, problems) = Permissions::from_stored(&json!({
        "leads": { "read": "team", "teleport": "all", "update": "galaxy" },
        "spaceships": { "read": "all" },
        "contacts": { "read": "all", "fields": { "phone": "blurred", "email": "masked" } },
    }));
    assert_eq!(problems.len(), 4);
    let granted: Vec<_> = stored.grants().collect();
    assert_eq!(
        granted,
        [
            (Resource::Contacts, Action::Read, ScopeKind::All),
            (Resource::Leads, Action::Read, ScopeKind::Team),
        ]
    );
    assert_eq!(stored.field(Resource::Contacts, "phone"), FieldRule::Hidden);
    assert_eq!(stored.field(Resource::Contacts, "email"), FieldRule::Masked);
}

#[test]
fn scopes_of_keys_are_resource_and_action() {
    assert_eq!(parse_key_scope("leads:read"), Some((Resource::Leads, Action::Read)));
    for wrong in
        ["", "leads", "leads:", ":read", "leads:all", "leads:read:own", "Leads:read", "*:*"]
    {
        assert_eq!(parse_key_scope(wrong), None, "{wrong}");
    }
}

/// Roles with every kind of grant and rule, over few resources so that they meet.
fn any_role() -> impl Strategy<Value = Permissions> {
    let scope = prop::sample::select(vec!["own", "team", "org_unit", "all"]);
    let action = prop::sample::select(Action::ALL.map(Action::as_str).to_vec());
    let rule = prop::sample::select(vec!["hidden", "masked"]);
    let field = prop::sample::select(vec!["email", "phone", "name"]);
    let entry = (
        prop::collection::btree_map(action, scope, 0..4),
        prop::collection::btree_map(field, rule, 0..3),
    )
        .prop_map(|(scopes, fields)| {
            let mut entry = json!(scopes);
            if scopes.contains_key("read") {
                entry["fields"] = json!(fields);
            }
            entry
        });
    let resource = prop::sample::select(vec!["leads", "contacts"]);
    let listed = prop::collection::btree_map(resource, entry, 0..3)
        .prop_map(|roles| Permissions::from_json(&json!(roles)).unwrap());
    prop_oneof![9 => listed, 1 => Just(Permissions::everything())]
}

fn merged(roles: &[Permissions]) -> Permissions {
    roles.iter().fold(Permissions::default(), |sum, role| sum.merge(role))
}

proptest! {
    #[test]
    fn the_widest_scope_and_the_mildest_rule_win(
        roles in prop::collection::vec(any_role(), 0..5)
    ) {
        let sum = merged(&roles);
        for resource in [Resource::Leads, Resource::Contacts, Resource::Users] {
            for action in Action::ALL {
                let widest = roles.iter().filter_map(|role| role.scope(resource, action)).max();
                prop_assert_eq!(sum.scope(resource, action), widest);
            }
            for field in ["email", "phone", "name", "other"] {
                let mildest = roles
                    .iter()
                    .filter(|role| role.scope(resource, Action::Read).is_some())
                    .map(|role| role.field(resource, field))
                    .min();
                prop_assert_eq!(
                    sum.field(resource, field),
                    mildest.unwrap_or(FieldRule::Plain)
                );
            }
        }
    }

    #[test]
    fn the_order_of_roles_does_not_matter(
        roles in prop::collection::vec(any_role(), 0..5).prop_flat_map(|roles| {
            (Just(roles.clone()), Just(roles).prop_shuffle())
        })
    ) {
        let (ordered, shuffled) = roles;
        let sum = merged(&ordered);
        let (left, right): (Vec<_>, Vec<_>) = (sum.grants().collect(), merged(&shuffled).grants().collect());
        prop_assert_eq!(left, right);
        prop_assert_eq!(sum.clone().merge(&sum), sum);
    }

    #[test]
    fn scopes_of_a_key_only_narrow(
        role in any_role(),
        scopes in prop::collection::vec(
            (prop::sample::select(Resource::ALL.to_vec()), prop::sample::select(Action::ALL.to_vec())),
            0..6,
        ),
    ) {
        let narrowed = role.restricted_to(&scopes);
        let asked: BTreeSet<_> = scopes.iter().copied().collect();
        for resource in Resource::ALL {
            for action in Action::ALL {
                let expected =
                    role.scope(resource, action).filter(|_| asked.contains(&(resource, action)));
                prop_assert_eq!(narrowed.scope(resource, action), expected);
            }
            if narrowed.scope(resource, Action::Read).is_some() {
                prop_assert_eq!(narrowed.field(resource, "email"), role.field(resource, "email"));
            }
        }
    }
}

#[test]
fn seeds_are_stored_as_they_are_read() {
    for seed in &SEEDS {
        let stored: Json = serde_json::from_str(&seed.permissions().to_string()).unwrap();
        assert_eq!(Permissions::from_stored(&stored), (permissions_of(seed), Vec::new()));
    }
}
