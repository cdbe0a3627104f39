//! Records, changed: every mutation that follows from a declaration, by each of the four.

use pulso::record::change::mutation::WriteKind;
use pulso::record::declare::{OwnerPath, Write as Writable};
use pulso::record::{Kind, Record};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{changeable, code, everywhere, one_of_each, reading_all, words};
use crate::support::{TestApp, both_databases};

/// The arguments of a mutation of `id`.
pub fn arguments(record: &Record, kind: WriteKind, id: Uuid, least: &Json) -> Json {
    let writable = |wanted: fn(&Kind) -> bool| {
        let mut fields = record.fields.iter().filter(|field| field.write == Writable::Always);
        fields.find(|field| wanted(&field.kind)).map(|field| field.name.as_str())
    };
    let update = match writable(|kind| matches!(kind, Kind::Text)) {
        Some(text) => json!({ text: "mudou" }),
        None => json!({ writable(|kind| matches!(kind, Kind::Money { .. })).unwrap(): "7.77" }),
    };
    match kind {
        WriteKind::Create => json!({ "input": least }),
        WriteKind::Upsert => json!({ "input": keyed(record, least) }),
        WriteKind::Update => json!({ "id": id, "input": update }),
        WriteKind::Delete | WriteKind::Restore | WriteKind::Destroy => json!({ "id": id }),
        WriteKind::CreateMany => json!({ "inputs": [least] }),
        WriteKind::UpdateMany => json!({ "inputs": [{ "id": id, "input": update }] }),
        WriteKind::DeleteMany => json!({ "ids": [id] }),
    }
}

pub fn keyed(record: &Record, least: &Json) -> Json {
    let mut input = least.clone();
    for name in record.changes.natural_keys[0] {
        if input.get(*name).is_none() {
            input[*name] = json!("chave");
        }
    }
    input
}

pub fn mutation(record: &Record, kind: WriteKind) -> String {
    format!("{}{}", record.singular, kind.suffix())
}

pub fn selection(kind: WriteKind) -> &'static str {
    match kind {
        WriteKind::Destroy => "",
        WriteKind::CreateMany | WriteKind::UpdateMany | WriteKind::DeleteMany => {
            "{ record { id } error { code } }"
        }
        _ => "{ id }",
    }
}

pub fn names_a_row(kind: WriteKind) -> bool {
    ![WriteKind::Create, WriteKind::CreateMany, WriteKind::Upsert].contains(&kind)
}

both_databases! {
    async fn nobody_writes_anything(app: TestApp) {
        let alpha = &app.alpha;
        let ids = one_of_each(&app, alpha, &alpha.admin).await;
        for record in changeable() {
            let least = app.least(alpha, record.name).await;
            let before = app.whole(alpha).await;
            for kind in WriteKind::ALL.into_iter().filter(|kind| kind.fits(record)) {
                let arguments = arguments(record, kind, ids[record.name], &least);
                let field = mutation(record, kind);
                let answer = app.mutate("x", &field, arguments, selection(kind)).await;
                assert_eq!(code(&answer), Some("UNAUTHENTICATED"), "{field}\n{answer:#}");
            }
            assert_eq!(app.whole(alpha).await.changed_since(&before), Vec::<String>::new());
        }
    }

    async fn another_tenant_touches_nothing(app: TestApp) {
        let (alpha, stranger) = (&app.alpha, &app.beta.admin.key);
        let ids = one_of_each(&app, alpha, &alpha.comercial).await;
        let before = app.whole(alpha).await;
        for record in changeable() {
            let least = app.least(&app.beta, record.name).await;
            for kind in WriteKind::ALL.into_iter().filter(|kind| kind.fits(record)) {
                let field = mutation(record, kind);
                let with = |id: Uuid| arguments(record, kind, id, &least);
                let theirs = app.mutate(stranger, &field, with(ids[record.name]), selection(kind)).await;
                if names_a_row(kind) {
                    let never = with(app.app.clock.new_id());
                    let never = app.mutate(stranger, &field, never, selection(kind)).await;
                    assert_eq!(code(&theirs), Some("NOT_FOUND"), "{field}\n{theirs:#}");
                    assert_eq!(words(&theirs), words(&never), "{field}");
                } else {
                    // Their own row, however much it resembles ours; not taken twice.
                    let ok = theirs.get("errors").is_none() || code(&theirs) == Some("CONFLICT");
                    assert!(ok, "{field}\n{theirs:#}");
                }
            }
        }
        assert_eq!(app.whole(alpha).await.changed_since(&before), Vec::<String>::new());
    }

    async fn a_role_without_the_grant_writes_nothing(app: TestApp) {
        let alpha = &app.alpha;
        let ids = one_of_each(&app, alpha, &alpha.comercial).await;
        let nothing = app.key_with(alpha, alpha.comercial.id, json!({})).await;
        let mut reading = everywhere("all");
        for grants in reading.as_object_mut().unwrap().values_mut() {
            *grants = json!({ "read": "all" });
        }
        let reader = app.key_with(alpha, alpha.comercial.id, reading).await;
        for record in changeable() {
            let least = app.least(alpha, record.name).await;
            let seen = app.trail(alpha).await;
            for kind in WriteKind::ALL.into_iter().filter(|kind| kind.fits(record)) {
                for key in [&nothing, &reader] {
                    let arguments = arguments(record, kind, ids[record.name], &least);
                    let field = mutation(record, kind);
                    let answer = app.mutate(key, &field, arguments, selection(kind)).await;
                    assert_eq!(code(&answer), Some("FORBIDDEN"), "{field}\n{answer:#}");
                }
            }
            assert!(app.trail(alpha).await.since(&seen).is_empty(), "{}", record.name);
        }
    }

    /// Each action is granted by itself: the grants of all others do not stand in for it.
    async fn every_action_is_a_grant_of_its_own(app: TestApp) {
        let alpha = &app.alpha;
        let ids = one_of_each(&app, alpha, &alpha.comercial).await;
        for record in changeable() {
            let least = app.least(alpha, record.name).await;
            for kind in WriteKind::ALL.into_iter().filter(|kind| kind.fits(record)) {
                let mut rights = everywhere("all");
                rights[record.resource.as_str()]
                    .as_object_mut()
                    .unwrap()
                    .remove(kind.action().as_str());
                let key = app.key_with(alpha, alpha.comercial.id, rights).await;
                let seen = app.trail(alpha).await;
                let arguments = arguments(record, kind, ids[record.name], &least);
                let field = mutation(record, kind);
                let answer = app.mutate(&key, &field, arguments, selection(kind)).await;
                assert_eq!(code(&answer), Some("FORBIDDEN"), "{field}\n{answer:#}");
                assert!(app.trail(alpha).await.since(&seen).is_empty());
            }
        }
    }

    /// The scope `own`: rows of others are not there to be written, and where they are seen, refused.
    async fn own_rows_only_are_written(app: TestApp) {
        let alpha = &app.alpha;
        let mine = one_of_each(&app, alpha, &alpha.comercial).await;
        let others = one_of_each(&app, alpha, &alpha.diretor).await;
        let own = app.key_with(alpha, alpha.comercial.id, everywhere("own")).await;
        let seeing = app.key_with(alpha, alpha.comercial.id, reading_all("own")).await;
        for record in changeable() {
            if matches!(record.owner, OwnerPath::Everybody) {
                continue;
            }
            let least = app.least(alpha, record.name).await;
            let seen = app.trail(alpha).await;
            for kind in WriteKind::ALL.into_iter().filter(|kind| kind.fits(record)) {
                if !names_a_row(kind) {
                    continue;
                }
                let with = |id: Uuid| arguments(record, kind, id, &least);
                let field = mutation(record, kind);
                let answer = app.mutate(&own, &field, with(others[record.name]), selection(kind)).await;
                let never = with(app.app.clock.new_id());
                let never = app.mutate(&own, &field, never, selection(kind)).await;
                assert_eq!(code(&answer), Some("NOT_FOUND"), "{field}\n{answer:#}");
                assert_eq!(words(&answer), words(&never), "{field}");
                // Who sees it is told that it is not theirs to change.
                let answer = app.mutate(&seeing, &field, with(others[record.name]), selection(kind)).await;
                assert_eq!(code(&answer), Some("FORBIDDEN"), "{field}\n{answer:#}");
            }
            assert!(app.trail(alpha).await.since(&seen).is_empty(), "{}", record.name);
            let update = arguments(record, WriteKind::Update, mine[record.name], &least);
            app.done(&own, &mutation(record, WriteKind::Update), update, "{ id }").await;
        }
    }
}
