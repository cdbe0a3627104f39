//! `pulso goals`: what it prints, its exit code, and that servers feel what it did.

use std::process::Output;

use serde_json::{Value as Json, json};

use crate::support::goals::{company, customer, found, page_on, row_of, sell};
use crate::support::{TestApp, both_databases, node};

fn goals(app: &TestApp, words: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = node::pulso(app.database.url(), folder.path());
    // A command needs the database's address only.
    command.arg("goals").args(words).env_remove("PULSO_JWT_SECRET").output().unwrap()
}

/// What a command that must succeed says.
#[track_caller]
fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// What a command that must fail complains of.
#[track_caller]
fn complaint(output: &Output) -> String {
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &[][..]), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

both_databases! {
    async fn goals_are_proposed_and_classified_at_the_command_line(app: TestApp) {
        let node = app.other_app();
        let seller = app.alpha.comercial.id;
        let there = customer(&app, seller, "there", "1000.00").await;
        let fresh = company(&app, "fresh").await;
        for (order, id, amount) in [("1", there, "900.00"), ("2", fresh, "100.00")] {
            sell(&app, (seller, id), order, amount, "2025-06-02T15:00:00Z").await;
        }
        let asked = json!({ "seller": seller, "year": 2026, "month": 3 });
        let ask = async || page_on(&app, &node, asked.clone()).await;
        let shown = |page: &Json| [there, fresh].map(|id| {
            let row = row_of(page, id);
            (row["goal"].as_str().unwrap().to_owned(), row["classification"].clone())
        });
        let (a, b, c, none) = (json!("A"), json!("B"), json!("C"), Json::Null);
        let of = |left: (&str, &Json), right: (&str, &Json)| {
            [left, right].map(|(goal, class)| (goal.to_owned(), class.clone()))
        };
        assert_eq!(shown(&ask().await.0), of(("1000.00", &a), ("0.00", &none)));
        let propose = ["propose", "--tenant", "alpha", "--year", "2026"];
        let with = |more: &[&'static str]| [&propose, more].concat();
        assert_eq!(said(&goals(&app, &propose)), "1 created, 0 updated, 1 unchanged");
        let (page, extensions) = ask().await;
        assert_eq!(shown(&page), of(("1000.00", &a), ("115.00", &none)));
        assert_eq!(found(&extensions), ("MISS", "HIT"), "another process did it");
        assert_eq!(said(&goals(&app, &propose)), "0 created, 0 updated, 2 unchanged");
        assert_eq!(found(&ask().await.1), ("HIT", "HIT"));
        let doubled = with(&["--factor", "2", "--overwrite", "--currency", "BRL"]);
        assert_eq!(said(&goals(&app, &doubled)), "0 created, 2 updated, 0 unchanged");
        assert_eq!(shown(&ask().await.0), of(("1800.00", &a), ("200.00", &none)));

        let classify = ["classify", "--tenant", "alpha", "--year", "2026"];
        assert_eq!(said(&goals(&app, &classify)), "0 created, 1 updated, 1 unchanged");
        assert_eq!(shown(&ask().await.0), of(("1800.00", &a), ("200.00", &b)));
        let narrow = [&classify[..], &["--a", "50", "--b", "30"]].concat();
        assert_eq!(said(&goals(&app, &narrow)), "0 created, 1 updated, 1 unchanged");
        assert_eq!(shown(&ask().await.0), of(("1800.00", &a), ("200.00", &c)));

        let before = app.trail(&app.alpha).await;
        for (words, complained) in [
            (with(&["--factor", "0", "--overwrite"]), "must be more than 0"),
            (with(&["--factor", "1.155"]), "factor"),
            ([&classify[..], &["--a", "90", "--b", "20"]].concat(), "together at most 100"),
            (vec!["propose", "--tenant", "nobody", "--year", "2026"], "Tenant not found"),
            (vec!["classify", "--tenant", "alpha", "--year", "1000"], "must be 1900 to 9999"),
        ] {
            let heard = complaint(&goals(&app, &words));
            assert!(heard.contains(complained), "{words:?}: {heard}");
        }
        assert!(app.trail(&app.alpha).await.since(&before).is_empty());
        assert_eq!(app.count(&app.beta, "customer_goals").await, 0);
        let usage = goals(&app, &["propose", "--tenant", "alpha"]);
        assert_eq!(usage.status.code(), Some(2), "a year is needed: {usage:?}");
    }
}
