//! The command `pulso import`: what it prints, its exit code, and that a killed one is started again.

use std::process::{Command, Output, Stdio};

use crate::support::importing::{Files, LEADS, assert_step};
use crate::support::{TestApp, both_databases, node};

fn pulso(app: &TestApp, files: &Files, more: &[&str]) -> Output {
    command(app, files, more).output().unwrap()
}

fn command(app: &TestApp, files: &Files, more: &[&str]) -> Command {
    let mut command = node::pulso(app.database.url(), files.elsewhere.path());
    command
        .args(["import", "--tenant", "alpha", "--mapping"])
        .arg(files.mapping())
        .args(more)
        .arg(files.folder.path())
        // A command needs the database's address only.
        .env_remove("PULSO_JWT_SECRET");
    command
}

fn code_and_words(output: &Output) -> (Option<i32>, String, String) {
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), words(&output.stdout), words(&output.stderr))
}

both_databases! {
    async fn the_exit_code_says_whether_rows_were_refused(app: TestApp) {
        let good = "id,name,source,page\n1,Ana,site,p\n";
        let files = Files::new(LEADS, &[("leads.csv", good)]);
        let default_errors = files.elsewhere.path().join("import-errors.csv");

        let (code, report, complaint) = code_and_words(&pulso(&app, &files, &["--dry-run"]));
        assert_eq!((code, complaint.as_str()), (Some(0), ""), "{report}");
        assert!(report.contains("dry run"), "{report}");
        assert_eq!(app.rows_in(&app.alpha, "leads").await, 0);

        let (code, report, complaint) = code_and_words(&pulso(&app, &files, &[]));
        assert_eq!((code, complaint.as_str()), (Some(0), ""), "{report}");
        assert!(report.starts_with("step"), "{report}");
        assert!(!default_errors.exists());

        files.write("leads.csv", "id,name,source,page\n1,Ana,site,p\n2,Bia,,p\n");
        let (code, report, complaint) = code_and_words(&pulso(&app, &files, &[]));
        assert_eq!(code, Some(2), "{report}{complaint}");
        assert!(complaint.contains("1 row was refused: see ./import-errors.csv"), "{complaint}");
        let refused = std::fs::read_to_string(&default_errors).unwrap();
        assert_eq!(
            refused,
            "step,file,line,key,code,field,reason\n\
             leads,leads.csv,3,2,INVALID,source,source is required\n"
        );

        let named = files.elsewhere.path().join("named.csv");
        let (code, ..) = code_and_words(&pulso(&app, &files, &["--errors", named.to_str().unwrap()]));
        assert_eq!((code, named.exists()), (Some(2), true));

        std::fs::remove_file(files.folder.path().join("leads.csv")).unwrap();
        let (code, _, complaint) = code_and_words(&pulso(&app, &files, &[]));
        assert_eq!(code, Some(1), "{complaint}");
        assert!(complaint.contains("leads.csv: cannot be read"), "{complaint}");
    }
}

both_databases! {
    async fn an_import_that_was_killed_is_started_again(app: TestApp) {
        let mut text = "id,name,source,page\n".to_owned();
        (0..5_000).for_each(|number| text.push_str(&format!("{number},Lead {number},site,\n")));
        let files = Files::new(LEADS, &[("leads.csv", &text)]);
        let mut child = command(&app, &files, &[]).stdout(Stdio::null()).spawn().unwrap();
        while app.rows_in(&app.alpha, "leads").await == 0 {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let kept = u64::try_from(app.rows_in(&app.alpha, "leads").await).unwrap();
        assert_eq!(kept % 500, 0, "half a batch was kept");
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "leads", &[("unchanged", kept), ("created", 5_000 - kept)]);
        for table in ["leads", "audit_logs", "events"] {
            assert_eq!(app.rows_in(&app.alpha, table).await, 5_000, "{table}");
        }
    }
}
