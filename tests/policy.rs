//! Who may do what: the whole table of the seed roles, and the rules by which roles add up.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;
use pulso::access::policy::{Decision, decide};
use pulso::access::{
    Action, Actor, FieldRule, Permissions, Reach, Resource, RowRule, ScopeKind, TenantProfile,
    parse_key_field, parse_key_scope,
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
        persisted_only: false,
        errors_as_status: false,
        session_id: None,
        role_names: Arc::from([]),
        permissions: Arc::new(permissions),
        team: people[..2].into(),
        org_unit_members: people[..3].into(),
        company_id: Some(Uuid::from_u128(50)),
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
                    Decision::Allow(RowRule::Company(_)) => "company",
                    Decision::Allow(RowRule::Either(..)) => "either",
                };
                write!(table, " {}:{rows:<4}", action.as_str()).unwrap();
            }
            for (field, rule) in permissions.field_rules(resource) {
                write!(table, " {field}:{rule}").unwrap();
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
        let rules = permissions.field_rules(resource).into_iter();
        let hidden =
            rules.filter(|(_, rule)| *rule == "hidden").map(|(field, _)| format!("`{field}`"));
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
fn read_only_is_a_rule_of_writing() {
    let role = |json: Json| Permissions::from_json(&json).unwrap();
    let clerk = role(json!({ "leads": { "read": "all", "create": "all", "update": "own",
        "fields": { "score": "read_only", "notes": "hidden" } } }));
    assert_eq!(clerk.field(Resource::Leads, "score"), FieldRule::Plain);
    for action in [Action::Create, Action::Update] {
        assert!(!clerk.writes(Resource::Leads, action, "score"));
        assert!(!clerk.writes(Resource::Leads, action, "notes"));
        assert!(clerk.writes(Resource::Leads, action, "name"));
    }
    // A role that only reads says nothing of writing.
    let reader = role(json!({ "leads": { "read": "all" } }));
    let both = clerk.clone().merge(&reader);
    assert_eq!(both.field(Resource::Leads, "notes"), FieldRule::Plain);
    assert!(!both.writes(Resource::Leads, Action::Update, "notes"));
    let maker = role(json!({ "leads": { "create": "all" } }));
    let both = clerk.merge(&maker);
    assert!(both.writes(Resource::Leads, Action::Create, "score"));
    assert!(!both.writes(Resource::Leads, Action::Update, "score"));
}

#[test]
fn fields_of_keys_are_resource_and_field() {
    assert_eq!(parse_key_field("leads.fullName"), Some((Resource::Leads, "fullName")));
    assert_eq!(parse_key_field("leads.*"), Some((Resource::Leads, "*")));
    for wrong in ["", "leads", "leads.", ".name", "Leads.name", "leads.a.b", "*.*", "leads.a b"] {
        assert_eq!(parse_key_field(wrong), None, "{wrong}");
    }
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
    let scope = prop::sample::select(vec!["own", "team", "org_unit", "company", "all"]);
    let action = prop::sample::select(Action::ALL.map(Action::as_str).to_vec());
    let rule = prop::sample::select(vec!["hidden", "masked", "read_only"]);
    let field = prop::sample::select(vec!["email", "phone", "name"]);
    let entry = (
        prop::collection::btree_map(action, scope, 0..4),
        prop::collection::btree_map(field, rule, 0..3),
    )
        .prop_map(|(scopes, fields)| {
            let mut entry = json!(scopes);
            // A rule stands where there is something to rule.
            let writes = scopes.contains_key("create") || scopes.contains_key("update");
            let reads = scopes.contains_key("read");
            let fits = |rule: &str| if rule == "read_only" { writes } else { reads };
            let fields: std::collections::BTreeMap<_, _> =
                fields.into_iter().filter(|(_, rule)| fits(rule)).collect();
            entry["fields"] = json!(fields);
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
                let added = roles.iter().filter_map(|role| role.reach(resource, action));
                let added = added.fold(None, |sum: Option<Reach>, reach| {
                    Some(sum.map_or(reach, |sum| sum.plus(reach)))
                });
                prop_assert_eq!(sum.reach(resource, action), added);
                // A field is written where some role that does this writes it.
                let mut doing = roles.iter().filter(|role| role.scope(resource, action).is_some());
                if added.is_some() {
                    let written = doing.any(|role| role.writes(resource, action, "email"));
                    prop_assert_eq!(sum.writes(resource, action, "email"), written);
                }
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

    /// Who has several roles has each of them; who has everything lacks nothing.
    #[test]
    fn a_sum_covers_its_parts(roles in prop::collection::vec(any_role(), 1..5)) {
        let sum = merged(&roles);
        for role in &roles {
            // Where another role reads a field in full, the sum may see more, never less.
            prop_assert_eq!(sum.lacks(role), Vec::<String>::new());
            prop_assert_eq!(Permissions::everything().lacks(role), Vec::<String>::new());
        }
        prop_assert_eq!(sum.lacks(&sum), Vec::<String>::new());
    }

    /// What is lacking is lacking: a role that covers another can do all that the other can.
    #[test]
    fn what_covers_can_do_as_much(one in any_role(), other in any_role()) {
        if one.lacks(&other).is_empty() {
            for (resource, action, scope) in other.grants() {
                let reach = one.reach(resource, action);
                prop_assert!(reach.is_some_and(|reach| reach.covers(Reach::of(scope))));
                for field in ["email", "phone", "name"] {
                    if action == Action::Read {
                        prop_assert!(one.field(resource, field) <= other.field(resource, field));
                    }
                    let writes = other.writes(resource, action, field);
                    prop_assert!(!writes || one.writes(resource, action, field));
                }
            }
        } else {
            prop_assert_ne!(&one, &other);
        }
    }

    #[test]
    fn fields_of_a_key_only_narrow(
        role in any_role(),
        fields in prop::collection::vec(prop::sample::select(vec!["leads.email", "leads.*", "contacts.name"]), 0..3),
    ) {
        let listed: Vec<_> = fields.iter().filter_map(|text| parse_key_field(text)).collect();
        let narrowed = role.with_fields(&listed);
        for resource in [Resource::Leads, Resource::Contacts] {
            if role.scope(resource, Action::Read).is_none() {
                continue;
            }
            for field in ["email", "phone", "name"] {
                let named = listed.iter().any(|(of, name)| *of == resource && (*name == field || *name == "*"));
                let expected = if named { role.field(resource, field) } else { FieldRule::Hidden };
                prop_assert_eq!(narrowed.field(resource, field), expected);
            }
            prop_assert_eq!(narrowed.field(resource, "id"), role.field(resource, "id"));
        }
        prop_assert_eq!(role.lacks(&narrowed), Vec::<String>::new());
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
