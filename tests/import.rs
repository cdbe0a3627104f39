//! `pulso import`: rows that are created, updated, left alone or refused, references to later rows, dry
//! runs, mistakes of a mapping, and what must not be touched.

use pulso::import;
use serde_json::{Value as Json, json};

use crate::support::importing::{Files, LEADS, assert_step, example, shared_data};
use crate::support::{TestApp, both_databases};

const CONVERSIONS: &str = r#"
system = "tests"
[[step]]
name = "conversions"
file = "won.csv"
record = "Lead"
mode = "update"
missing = "skip"
[step.fields]
externalId = "id"
status = { value = "CONVERTED" }
convertedAt = { column = "at", date = "%d-%m-%Y %H:%M" }
[step.fields.metadata.json]
segment = "segment"
"#;

async fn lead_of(app: &TestApp, external_id: &str) -> Json {
    let query = format!(
        "{{ leads(first: 2, deleted: INCLUDE, filter: {{ externalId: {{ eq: \"{external_id}\" }} }}) \
         {{ nodes {{ id name source status version metadata convertedAt }} }} }}"
    );
    let mut data = app.ask(&app.alpha, &query).await;
    assert_eq!(data["leads"]["nodes"].as_array().unwrap().len(), 1, "{external_id}");
    data["leads"]["nodes"][0].take()
}

both_databases! {
    async fn a_status_does_not_fall_back(app: TestApp) {
        let files = Files::new(LEADS, &[("leads.csv", "id,name,source,page\n1,Ana,site,p\n2,Bia,site,q\n")]);
        assert_step(&files.import(&app, &app.alpha).await, "leads", &[("created", 2)]);
        let lead = lead_of(&app, "1").await;
        let moved = format!(
            "mutation {{ leadUpdate(id: {}, input: {{ status: CONTACTED }}) {{ version }} }}",
            lead["id"]
        );
        app.ask(&app.alpha, &moved).await;
        let before = app.traces(&app.alpha).await;
        assert_step(&files.import(&app, &app.alpha).await, "leads", &[("unchanged", 2)]);
        assert_eq!(app.traces(&app.alpha).await, before);
        assert_eq!(lead_of(&app, "1").await["status"], "CONTACTED");

        files.write("leads.csv", "id,name,source,page\n1,Ana Maria,site,p\n2,Bia,site,q\n");
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "leads", &[("updated", 1), ("unchanged", 1)]);
        let lead = lead_of(&app, "1").await;
        assert_eq!((&lead["name"], &lead["status"]), (&json!("Ana Maria"), &json!("CONTACTED")));
        assert_eq!(lead["version"], 3);
    }

    async fn a_second_file_updates_what_the_first_created(app: TestApp) {
        let first = Files::new(LEADS, &[("leads.csv", "id,name,source,page\n1,Ana,site,p\n2,Bia,site,q\n")]);
        let second = Files::new(CONVERSIONS, &[(
            "won.csv",
            "id,at,segment\n1,26-02-2018 19:58,pet\n7,26-02-2018 20:00,toys\n",
        )]);
        first.import(&app, &app.alpha).await;
        let report = second.import(&app, &app.alpha).await;
        assert_step(&report, "conversions", &[("updated", 1), ("missing", 1), ("refused", 0)]);
        let lead = lead_of(&app, "1").await;
        assert_eq!(lead["status"], "CONVERTED");
        assert_eq!(lead["convertedAt"], "2018-02-26T22:58:00Z");
        assert_eq!(lead["metadata"], json!({ "page": "p", "segment": "pet" }));
        assert_eq!(app.rows_in(&app.alpha, "leads").await, 2);
        // The two sources do not take each other's part back.
        let before = app.traces(&app.alpha).await;
        first.import(&app, &app.alpha).await;
        second.import(&app, &app.alpha).await;
        assert_eq!(app.traces(&app.alpha).await, before);
    }

    async fn a_deleted_row_stays_deleted(app: TestApp) {
        let files = Files::new(LEADS, &[("leads.csv", "id,name,source,page\n1,Ana,site,p\n2,Bia,site,q\n")]);
        files.import(&app, &app.alpha).await;
        let lead = lead_of(&app, "2").await;
        app.ask(&app.alpha, &format!("mutation {{ leadDelete(id: {}) {{ id }} }}", lead["id"])).await;
        let before = app.traces(&app.alpha).await;
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "leads", &[("unchanged", 1), ("deleted", 1), ("refused", 0)]);
        assert_eq!(app.traces(&app.alpha).await, before);
    }

    async fn only_the_rows_that_are_wrong_are_refused(app: TestApp) {
        let mapping = LEADS.replace(
            "source = \"source\"",
            "source = \"source\"\nscore = \"score\"\nfirstContactAt = { column = \"at\", date = \"%d/%m/%Y\" }",
        );
        let long = "x".repeat(60);
        let text = format!(
            "id,name,source,page,score,at\n1,Ana,site,,10,01/02/2018\n2,Bia,site,,101,\n3,Caio,site,,ten,\n\
             4,Davi,{long},,1,\n5,Eva,site,,1,31/02/2018\n,Fabi,site,,1,\n7,Gil,site,,1\n1,Again,site,,1,\n\
             9,\"Hugo\nSilva\",,,1,\n10,Iara,site,,1,\n"
        );
        let files = Files::new(&mapping, &[("leads.csv", &text)]);
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "leads", &[("read", 10), ("created", 2), ("refused", 8)]);
        assert_eq!(files.refused(), [
            "leads,leads.csv,3,2,INVALID,score,must be 0 to 100",
            "leads,leads.csv,4,,INVALID,score,\"\"\"ten\"\" is not a number\"",
            "leads,leads.csv,5,4,INVALID,source,at most 50 characters",
            "leads,leads.csv,6,,INVALID,firstContactAt,\"\"\"31/02/2018\"\" is not a date of the form %d/%m/%Y\"",
            "leads,leads.csv,7,,INVALID,externalId,names the row and is empty",
            "leads,leads.csv,8,,INVALID,,\"has 5 columns, the header 6\"",
            "leads,leads.csv,9,1,CONFLICT,,line 2 has the same key",
            "leads,leads.csv,10,9,INVALID,source,source is required",
        ]);
        assert_eq!(std::fs::read_dir(files.folder.path()).unwrap().count(), 1, "beside the data");
        assert_eq!(app.rows_in(&app.alpha, "leads").await, 2);
    }

    async fn what_the_database_refuses_refuses_one_row_only(app: TestApp) {
        let mapping = "system = \"tests\"\n[[step]]\nname = \"companies\"\nfile = \"c.csv\"\n\
                       record = \"Company\"\n[step.fields]\nexternalId = \"id\"\nname = \"name\"\ncnpj = \"cnpj\"\n";
        let taken = "11.222.333/0001-81";
        let mut text = "id,name,cnpj\n".to_owned();
        for number in 1..=40 {
            let cnpj = if [7, 19, 33].contains(&number) { taken } else { "" };
            text.push_str(&format!("{number},Company {number},{cnpj}\n"));
        }
        let files = Files::new(mapping, &[("c.csv", &text)]);
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "companies", &[("created", 38), ("refused", 2)]);
        assert_eq!(files.refused(), [
            "companies,c.csv,20,19,CONFLICT,cnpj,this value is already taken",
            "companies,c.csv,34,33,CONFLICT,cnpj,this value is already taken",
        ]);
        assert_eq!(app.rows_in(&app.alpha, "companies").await, 38);
        assert_eq!(app.rows_in(&app.alpha, "events").await, 38);
        assert_eq!(app.rows_in(&app.alpha, "audit_logs").await, 38);
    }

    async fn parents_may_come_after_their_children(app: TestApp) {
        let mapping = "system = \"tests\"\n[[step]]\nname = \"companies\"\nfile = \"c.csv\"\n\
                       record = \"Company\"\n[step.fields]\nexternalId = \"id\"\nname = \"id\"\n\
                       parentId = { lookup = \"Company\", column = \"parent\", deferred = true }\n";
        let files = Files::new(mapping, &[("c.csv", "id,parent\na,c\nb,\nc,b\nd,nobody\n")]);
        let report = files.import(&app, &app.alpha).await;
        assert_step(&report, "companies", &[
            ("created", 4), ("linked", 2), ("unlinked", 1), ("refused", 0),
        ]);
        assert_eq!(report.refused(), 1);
        assert_eq!(
            files.refused(),
            ["companies,c.csv,5,d,NOT_FOUND,parentId,\"there is no Company \"\"nobody\"\"\""]
        );
        let data = app.ask(&app.alpha,
            "{ companies(first: 9, orderBy: [{ field: NAME, direction: ASC }]) { nodes { name parent { name } } } }",
        ).await;
        assert_eq!(data["companies"]["nodes"], json!([
            { "name": "a", "parent": { "name": "c" } },
            { "name": "b", "parent": null },
            { "name": "c", "parent": { "name": "b" } },
            { "name": "d", "parent": null },
        ]));
    }

    async fn a_dry_run_knows_the_rows_it_would_make(app: TestApp) {
        let mapping = format!("{LEADS}\n{}", CONVERSIONS.replace("system = \"tests\"", ""));
        let files = Files::new(&mapping, &[
            ("leads.csv", "id,name,source,page\n1,Ana,site,p\n2,Bia,,q\n"),
            ("won.csv", "id,at,segment\n1,26-02-2018 19:58,pet\n"),
        ]);
        let before = app.traces(&app.alpha).await;
        let rehearsal = files.run(&app, &app.alpha, true).await;
        assert_eq!(app.traces(&app.alpha).await, before);
        assert_eq!(files.refused().len(), 1);
        assert_step(&rehearsal, "leads", &[("created", 1), ("refused", 1)]);
        assert_step(&rehearsal, "conversions", &[("updated", 1)]);
        assert_eq!(files.import(&app, &app.alpha).await.steps, rehearsal.steps);
    }

    async fn a_tenant_imports_for_itself_alone(app: TestApp) {
        let files = Files::new(LEADS, &[("leads.csv", "id,name,source,page\n1,Ana,site,p\n")]);
        let before = app.traces(&app.beta).await;
        files.import(&app, &app.alpha).await;
        assert_eq!(app.traces(&app.beta).await, before);
        let report = files.import(&app, &app.beta).await;
        assert_step(&report, "leads", &[("created", 1)]);
        assert_eq!(app.rows_in(&app.alpha, "leads").await, 1);
        // A look-up does not see another tenant's rows either.
        let mapping = LEADS.replace("name = \"name\"", "companyId = { lookup = \"Company\", column = \"name\" }");
        let files = Files::new(&mapping, &[("leads.csv", "id,name,source,page\n5,Foreign,site,p\n")]);
        app.company(&app.beta, "Foreign", &[
            ("external_system", "tests".into()), ("external_id", "Foreign".into()),
        ]).await;
        assert_step(&files.import(&app, &app.alpha).await, "leads", &[("refused", 1)]);
    }

    async fn people_go_on_writing_meanwhile(app: TestApp) {
        let mut text = "id,name,source,page\n".to_owned();
        (0..3_000).for_each(|number| text.push_str(&format!("{number},Lead {number},site,\n")));
        let files = Files::new(LEADS, &[("leads.csv", &text)]);
        let create = "mutation { leadCreate(input: { source: \"hand\", name: \"By hand\" }) { id } }";
        let by_hand = async {
            for _ in 0..20 {
                app.ask(&app.alpha, create).await;
            }
        };
        let (report, ()) = tokio::join!(files.import(&app, &app.alpha), by_hand);
        assert_step(&report, "leads", &[("created", 3_000), ("refused", 0)]);
        let data = app.ask(&app.alpha, "{ leadAggregate { count } }").await;
        assert_eq!(data["leadAggregate"]["count"], 3_020);
    }
}

#[test]
fn mistakes_of_mapping_and_files_are_told_at_once() {
    let mapping = r#"
        system = "tests"
        [tables.pages]
        file = "pages.csv"
        key = "page_id"
        [[step]]
        name = "leads"
        file = "leads.csv"
        record = "Lead"
        [step.join]
        pages = "page"
        [step.fields]
        externalId = "id"
        source = "origin"
        name = ["{first} {last}", "pages.title"]
        [step.count]
        odd = { column = "colour", empty = true }
        [[step]]
        name = "gone"
        file = "gone.csv"
        record = "Lead"
        [step.fields]
        externalId = "id"
        source = "id"
    "#;
    let files =
        Files::new(mapping, &[("leads.csv", "id,page,first\n"), ("pages.csv", "page_id\n")]);
    let problems = import::prepare(&files.mapping(), files.folder.path()).err().unwrap();
    let told: Vec<String> = problems
        .iter()
        .map(|problem| format!("{}: {}", problem.place, problem.message.en))
        .collect();
    assert_eq!(
        told[1..],
        [
            "m.toml: step \"leads\".fields.name: leads.csv has no column \"last\"",
            "m.toml: step \"leads\".fields.name: pages.csv has no column \"title\"",
            "m.toml: step \"leads\".fields.source: leads.csv has no column \"origin\"",
            "m.toml: step \"leads\".count.odd: leads.csv has no column \"colour\"",
        ]
    );
    assert!(told[0].starts_with("gone.csv: cannot be read: "), "{}", told[0]);
    assert!(problems.to_string().starts_with("the import cannot begin, 5 mistakes:\n"));
}

#[test]
fn the_examples_are_understood() {
    let Some(data) = shared_data("crm-sales") else { return };
    for (mapping, folder) in
        [("crm-sales.toml", "crm-sales"), ("olist-funnel.toml", "olist-funnel")]
    {
        let folder = data.parent().unwrap().join(folder);
        if let Err(problems) = import::prepare(&example(mapping), &folder) {
            panic!("{problems}");
        }
    }
}
