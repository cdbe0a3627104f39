//! The house rules, read off the sources: who may import whom, how long a file may be, where a
//! database or the environment may be named. `ARCHITECTURE.md` and `CONTRIBUTING.md` give the
//! reasons. A rule that has to bend bends here, in a list, with its reason beside it.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::sources::{Source, files, root, sources};

/// Rooms in the order in which they may know each other: a room knows the ones before it.
const ROOMS: [&str; 13] = [
    "identity",
    "crm",
    "delivery",
    "finance",
    "content",
    "agents",
    "people",
    "goals",
    "analytics",
    "market",
    "webhooks",
    "exports",
    "demo",
];
const DOORS: [&str; 5] = ["http", "graphql", "jobs", "import", "cli"];
/// The files that know every room: a new room is one folder and one line in each.
const SWITCHBOARDS: [&str; 8] = [
    "api/src/lib.rs",
    "api/src/app.rs",
    "api/src/http/mod.rs",
    "api/src/graphql/mod.rs",
    "api/src/graphql/catalogue.rs",
    "api/src/graphql/roots.rs",
    "api/src/jobs/mod.rs",
    "api/src/cli/",
];

/// A room that names a door, and why.
const UPWARD_IMPORTS: &[(&str, &str, &str)] = &[];

/// A door's file for one room, and why.
const DOORS_OF_ONE_ROOM: &[(&str, &str, &str)] =
    &[("api/src/http/events.rs", "analytics", "bodies and packings are the door's")];

const LINES_MAX: usize = 400;
/// Files that may be longer, and why.
const LONGER_FILES: &[(&str, &str)] = &[];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 11] = [
    "utils", "util", "helpers", "helper", "common", "core", "misc", "manager", "base", "shared",
    "stuff",
];

/// Work that is honestly across or beside tenants. This list is the audit: whoever adds to it says
/// why no caller's permission could be asked.
const SYSTEM_HANDLE_USERS: &[(&str, &str)] = &[
    ("api/src/access/mod.rs", "where it is offered"),
    ("api/src/access/permit.rs", "where it is made"),
    ("api/src/analytics/event/schema/secret.rs", "the operator seals every tenant's keys anew"),
    ("api/src/analytics/rollup/folder.rs", "every tenant's events are folded, for no caller"),
    (
        "api/src/analytics/rollup/auditor.rs",
        "some of every tenant's snapshots are audited, for no caller",
    ),
    ("api/src/analytics/rollup/store/sample.rs", "as the auditor"),
    ("api/src/analytics/rollup/job.rs", "a job runs later, for no caller: asking was permitted"),
    ("api/src/analytics/rollup/recount.rs", "as the jobs and the verification that it is for"),
    ("api/src/analytics/rollup/store/log.rs", "as the folder"),
    ("api/src/analytics/rollup/store/snapshots.rs", "minutes that are over go, whosever they are"),
    ("api/src/analytics/rollup/verify.rs", "the operator verifies at the command line"),
    ("api/src/audit/reads.rs", "reads are written later, those of many callers at once"),
    ("api/src/audit/sealer.rs", "every tenant's entries are sealed, and no caller asks for it"),
    ("api/src/audit/verify.rs", "the operator verifies at the command line, for no caller"),
    ("api/src/db/connect.rs", "asks whether the database answers"),
    ("api/src/identity/account/guard/service.rs", "guesses come before any tenant is known"),
    ("api/src/identity/account/guard/store.rs", "as its service"),
    ("api/src/identity/account/invitation.rs", "whoever opens an invitation is nobody yet"),
    ("api/src/identity/account/letter.rs", "mails are written later, for no caller"),
    ("api/src/identity/account/mod.rs", "whoever opens a link is nobody yet"),
    ("api/src/identity/account/password.rs", "a password is its owner's, whatever roles allow"),
    ("api/src/identity/account/store.rs", "as its services"),
    ("api/src/identity/account/upkeep.rs", "what has ended is removed for no caller"),
    ("api/src/identity/actor/service.rs", "a credential is resolved before there is an actor"),
    ("api/src/identity/actor/store.rs", "as its service"),
    (
        "api/src/identity/api_key/expiry.rs",
        "whoever is to hear of a key's end is found for no caller",
    ),
    (
        "api/src/identity/api_key/store.rs",
        "keys that end soon are looked for in all tenants at once",
    ),
    ("api/src/identity/api_key/service.rs", "keys are made at the command line, for no caller"),
    (
        "api/src/identity/identity_provider/service.rs",
        "the operator seals every tenant's secrets anew",
    ),
    ("api/src/identity/identity_provider/store.rs", "as its service"),
    ("api/src/identity/persisted_operation/service.rs", "a key is held before its role is asked"),
    (
        "api/src/identity/notification/audience.rs",
        "asks what the roles of somebody else let them read, before they are told of it",
    ),
    (
        "api/src/identity/notification/service.rs",
        "a notification is its user's own, whatever roles allow",
    ),
    ("api/src/identity/notification/standing.rs", "a node looks once for all its subscribers"),
    ("api/src/identity/notification/store.rs", "as its service"),
    ("api/src/identity/operator.rs", "the operator is nobody's user"),
    (
        "api/src/identity/explanation/service.rs",
        "of oneself everybody may ask; of others, and of rows, the policy is asked first",
    ),
    ("api/src/identity/role/service.rs", "a tenant's first roles have nobody to permit them"),
    ("api/src/identity/session/ending.rs", "a session is its user's own, whatever roles allow"),
    ("api/src/identity/session/service.rs", "whoever signs in is nobody yet"),
    ("api/src/identity/session/store.rs", "as its service"),
    ("api/src/identity/signing_secret.rs", "what signs is the installation's, no tenant's"),
    ("api/src/identity/single_sign_on/linking.rs", "whoever signs in is nobody yet"),
    ("api/src/identity/single_sign_on/redeem.rs", "whoever signs in is nobody yet"),
    (
        "api/src/identity/single_sign_on/sign_out.rs",
        "the session whose provider is asked for has ended",
    ),
    ("api/src/identity/single_sign_on/service.rs", "whoever signs in is nobody yet"),
    ("api/src/identity/single_sign_on/store.rs", "as its services"),
    ("api/src/identity/tenant/lifecycle.rs", "the operator turns tenants, for no caller"),
    (
        "api/src/identity/tenant/export/service.rs",
        "the operator takes a tenant along, for no caller; callers do it with their own right",
    ),
    ("api/src/identity/tenant/purge/service.rs", "whoever could be asked is locked out for weeks"),
    ("api/src/identity/tenant/purge/store.rs", "as its service"),
    ("api/src/identity/tenant/service.rs", "the table of tenants belongs to none of them"),
    ("api/src/identity/tenant/store.rs", "as its service"),
    ("api/src/identity/user/service.rs", "a tenant's first user has nobody to permit them"),
    ("api/src/identity/user/store.rs", "as its service"),
    ("api/src/cli/bi_role.rs", "the operator makes roles of the database, for no caller"),
    ("api/src/cli/doctor.rs", "asks the database about itself, not about anybody's rows"),
    ("api/src/queue/store.rs", "every tenant's jobs are run, and no caller asks for it"),
    ("api/src/mail/queue.rs", "every tenant's mails are sent, and no caller asks for it"),
    ("api/src/notice/store.rs", "what is older than it is kept goes, whosever it is"),
    ("api/src/rate/store.rs", "who asks is counted before anybody decides what they may do"),
    ("api/src/record/change/idempotency.rs", "a key is its caller's own, whatever they may do"),
];

/// Where a database's name may be spoken.
const DATABASE_NAMES_IN: [&str; 6] = [
    "api/src/db/",
    "api/src/record/",
    "api/src/config/",
    "api/src/cli/",
    "migration/src/dialect.rs",
    "migration/src/partitions.rs",
];

fn product() -> Vec<Source> {
    ["api/src", "entity/src", "migration/src"].into_iter().flat_map(sources).collect()
}

/// Files that are built and shipped or run by contributors; tests may be as long as their subject.
fn all_code() -> Vec<Source> {
    let mut code = product();
    code.extend(["xtask/src", "bench/src"].into_iter().flat_map(sources));
    code
}

fn is_below(path: &str, folders: &[&str]) -> bool {
    folders.iter().any(|folder| path.starts_with(folder))
}

/// The first folder or file below `api/src`.
fn part_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("api/src/")?;
    let first = inside.split('/').next()?;
    Some(first.strip_suffix(".rs").unwrap_or(first))
}

/// The rooms and doors that a file names, as in `crate::crm::…`.
fn parts_used(source: &Source) -> BTreeSet<String> {
    source
        .imports()
        .iter()
        .filter_map(|path| path.strip_prefix("crate::"))
        .filter_map(|path| path.split("::").next().map(str::to_owned))
        .collect()
}

fn room_order(name: &str) -> Option<usize> {
    ROOMS.iter().position(|room| *room == name)
}

#[track_caller]
fn none(broken: &[String], rule: &str) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

// ---- Who may import whom -------------------------------------------------------------------------

#[test]
fn ground_knows_neither_rooms_nor_doors() {
    let mut broken = Vec::new();
    for source in sources("api/src") {
        let part = part_of(&source.path).unwrap_or_default();
        let is_top = ["lib", "main", "app"].contains(&part);
        if is_top || room_order(part).is_some() || DOORS.contains(&part) {
            continue;
        }
        for used in parts_used(&source) {
            if room_order(&used).is_some() || DOORS.contains(&used.as_str()) {
                broken.push(format!("{} uses {used}", source.path));
            }
        }
    }
    none(&broken, "imports only go down: the ground knows no room and no door");
}

#[test]
fn rooms_know_only_the_rooms_before_them_and_no_door() {
    let mut broken = Vec::new();
    for source in sources("api/src") {
        let Some(own) = part_of(&source.path).and_then(room_order) else { continue };
        for used in parts_used(&source) {
            let excepted =
                UPWARD_IMPORTS.iter().any(|(path, part, _)| *path == source.path && *part == used);
            let upwards = room_order(&used).is_some_and(|other| other > own);
            if !excepted && (upwards || DOORS.contains(&used.as_str())) {
                broken.push(format!("{} uses {used}", source.path));
            }
        }
    }
    none(&broken, "rooms form one direction; where it must go back, an event or a reactor does it");
}

#[test]
fn only_the_switchboards_know_all_rooms() {
    let mut broken = Vec::new();
    for source in sources("api/src") {
        let part = part_of(&source.path).unwrap_or_default();
        if !DOORS.contains(&part) || is_below(&source.path, &SWITCHBOARDS) {
            continue;
        }
        for used in parts_used(&source) {
            // Every door signs its callers in.
            let is_its_own = DOORS_OF_ONE_ROOM
                .iter()
                .any(|(path, room, _)| *path == source.path && *room == used);
            if room_order(&used).is_some() && used != "identity" && !is_its_own {
                broken.push(format!("{} uses {used}", source.path));
            }
        }
    }
    none(&broken, "a new room is one folder and a line in each switchboard");
}

#[test]
fn tables_and_migrations_know_nothing_of_ours() {
    let mut broken = Vec::new();
    for source in sources("entity/src").into_iter().chain(sources("migration/src")) {
        if source.says("pulso") || (source.path.starts_with("migration") && source.says("entity")) {
            broken.push(source.path);
        }
    }
    none(&broken, "entity and migration stand below everything");
}

#[test]
fn each_kind_of_file_uses_its_own_crates() {
    let mut broken = Vec::new();
    let mut forbid = |source: &Source, words: &[&str]| {
        for word in words.iter().filter(|word| source.says(word)) {
            broken.push(format!("{} uses {word}", source.path));
        }
    };
    for source in sources("api/src") {
        let in_room = part_of(&source.path).and_then(room_order).is_some();
        let kind = if in_room { source.stem() } else { "" };
        match kind {
            "store" => forbid(&source, &["async_graphql", "axum"]),
            "service" => forbid(&source, &["sea_orm", "sqlx", "async_graphql", "axum"]),
            "graphql" => forbid(&source, &["sea_orm", "sqlx", "axum"]),
            // Declarations name columns of entities; rows are read from the driver's own bytes.
            _ if is_below(&source.path, &["api/src/db/", "api/src/record/"]) => {
                forbid(&source, &["axum"]);
            }
            _ if source.path.starts_with("api/src/graphql/") => {
                forbid(&source, &["sea_orm", "sqlx", "axum"]);
            }
            _ => forbid(&source, &["sea_orm", "sqlx", "sea_orm_migration"]),
        }
    }
    none(
        &broken,
        "sea_orm in stores and db, async_graphql at the GraphQL door, axum at the HTTP door",
    );
}

#[test]
fn a_store_is_used_by_its_own_folder_only() {
    let mut broken = Vec::new();
    for source in sources("api/src") {
        let folder = source.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for import in source.imports() {
            let Some((before, _)) = import.split_once("::store::") else { continue };
            let owner = before.replacen("crate::", "api/src/", 1).replace("::", "/");
            // A store that is a folder has files that know each other.
            let is_its_own = folder == owner || folder == format!("{owner}/store");
            if before.starts_with("crate::") && !is_its_own {
                broken.push(format!("{} uses {import}", source.path));
            }
        }
    }
    none(&broken, "another thing's rows are asked for through its service");
}

#[test]
fn what_decides_does_not_wait() {
    let mut broken = Vec::new();
    for source in sources("api/src") {
        let pure = ["plan", "parse", "decide", "fold"].contains(&source.stem());
        if pure && (source.says("async") || source.says("await")) {
            broken.push(source.path);
        }
    }
    none(&broken, "plan, parse, decide and fold are pure: no I/O, so that tests need none");
}

// ---- One place for each thing --------------------------------------------------------------------

#[test]
fn databases_are_named_in_few_places() {
    let mut broken = Vec::new();
    for source in product() {
        if is_below(&source.path, &DATABASE_NAMES_IN) {
            continue;
        }
        for (number, line) in source.code.lines().enumerate() {
            let line = line.to_lowercase();
            if line.contains("postgres") || line.contains("sqlite") {
                broken.push(format!("{} line {}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    none(&broken, "what differs by database is a function of `Dialect`");
}

#[test]
fn the_environment_is_read_in_config() {
    let mut broken = Vec::new();
    for source in product() {
        let reads = ["env::var", "option_env!"].iter().any(|call| source.bare.contains(call));
        if reads && !source.path.starts_with("api/src/config/") {
            broken.push(source.path);
        }
    }
    none(
        &broken,
        "a setting is declared once, in config/, with its flag and its line in the example",
    );
}

#[test]
fn system_handles_have_known_users() {
    let users: BTreeSet<String> = sources("api/src")
        .into_iter()
        .filter(|source| source.says("SystemHandle"))
        .map(|source| source.path)
        .collect();
    let known: BTreeSet<String> =
        SYSTEM_HANDLE_USERS.iter().map(|(path, _)| (*path).to_owned()).collect();
    let new: Vec<_> = users.difference(&known).cloned().collect();
    none(
        &new,
        "a system handle passes over the policy: list its user in tests/tidy.rs and say why",
    );
    let gone: Vec<_> = known.difference(&users).cloned().collect();
    none(&gone, "no longer users of a system handle: take them off the list");
}

#[test]
fn only_the_command_line_prints() {
    let mut broken = Vec::new();
    for source in product() {
        let prints = ["println!", "print!", "eprintln!", "eprint!", "dbg!"]
            .iter()
            .any(|call| source.bare.contains(call));
        if prints && !is_below(&source.path, &["api/src/cli/", "api/src/main.rs"]) {
            broken.push(source.path);
        }
    }
    none(&broken, "the server speaks through its log");
}

// ---- Shape ---------------------------------------------------------------------------------------

#[test]
fn files_fit_a_reader() {
    let mut broken = Vec::new();
    for source in all_code() {
        let lines = source.text.lines().count();
        let excepted = LONGER_FILES.iter().any(|(path, _)| *path == source.path);
        if excepted && lines <= LINES_MAX {
            broken.push(format!("{} fits again: take it off the list", source.path));
        }
        if !excepted && lines > LINES_MAX {
            broken.push(format!("{} has {lines} lines", source.path));
        }
    }
    none(&broken, "a file that passes 400 lines becomes a folder of the same name");
}

#[test]
fn modules_are_named_for_what_they_hold() {
    let mut broken = Vec::new();
    for source in all_code() {
        let mut parts = source.path.split('/').map(|part| part.strip_suffix(".rs").unwrap_or(part));
        if parts.any(|part| EMPTY_NAMES.contains(&part)) {
            broken.push(source.path);
        }
    }
    none(&broken, "what two rooms use belongs to one of them, or is ground and has a noun");
}

#[test]
fn every_file_says_what_it_is() {
    let broken: Vec<String> = all_code()
        .into_iter()
        .filter(|source| !source.text.starts_with("//!"))
        .map(|source| source.path)
        .collect();
    none(&broken, "a file opens with `//!`: what it is, and what it deliberately does not do");
}

// ---- Documents -----------------------------------------------------------------------------------

#[test]
fn paths_named_in_documents_exist() {
    let mut documents = files("docs", "md");
    documents.extend(
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
            .map(str::to_owned),
    );
    let mut broken = Vec::new();
    for document in documents {
        let text = std::fs::read_to_string(root().join(&document)).unwrap();
        for path in quoted_paths(&text) {
            if !exists(&path) {
                broken.push(format!("{document} names `{path}`"));
            }
        }
    }
    none(&broken, "a document that names a file is wrong when the file moves");
}

/// What stands in single backticks outside code blocks and looks like a path of this repository.
fn quoted_paths(document: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut in_block = false;
    for line in document.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            continue;
        }
        let quoted = line.split('`').skip(1).step_by(2);
        paths.extend(quoted.filter(|text| looks_like_path(text)).map(str::to_owned));
    }
    paths
}

fn looks_like_path(text: &str) -> bool {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    let name = text.rsplit('/').next().unwrap_or_default();
    let is_file = ["rs", "md", "toml", "yaml", "lock"]
        .iter()
        .any(|extension| name.strip_suffix(extension).is_some_and(|stem| stem.ends_with('.')));
    let first = text.split('/').next().unwrap_or_default();
    let in_repository = text.contains('/')
        && !first.is_empty()
        && (root().join(first).exists() || root().join("api/src").join(first).exists());
    // Files that only exist on an operator's machine.
    let name_there = text.strip_prefix("./").unwrap_or(text);
    let elsewhere = name_there == "pulso.toml" || is_below(name_there, &["data", "target"]);
    plain && !elsewhere && (is_file || in_repository)
}

/// From the root, from `api/src`, or, for a bare file name, anywhere in the sources.
fn exists(path: &str) -> bool {
    if root().join(path).exists() || root().join("api/src").join(path).exists() {
        return true;
    }
    let bare = !path.contains('/') && path.ends_with(".rs");
    bare && ["api/src", "entity/src", "migration/src", "xtask/src", "bench/src", "tests"]
        .into_iter()
        .flat_map(|folder| files(folder, "rs"))
        .any(|file| Path::new(&file).file_name().is_some_and(|name| name == path))
}
