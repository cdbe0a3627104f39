//! The two public data sets, imported whole, with their totals; and once more, when nothing changes.

use serde_json::json;

use crate::support::importing::{all_unchanged, assert_step, example, run, shared_data};
use crate::support::{TestApp, both_databases};

both_databases! {
    async fn a_hardware_sellers_crm_is_imported_whole(app: TestApp) {
        let Some(data) = shared_data("crm-sales") else { return };
        let errors = tempfile::tempdir().unwrap();
        let files = (example("crm-sales.toml"), data);
        let files = (files.0.as_path(), files.1.as_path());
        let errors = errors.path().join("errors.csv");

        let before = app.traces(&app.alpha).await;
        let rehearsal = run(&app, &app.alpha, files, &errors, true).await;
        assert_eq!(app.traces(&app.alpha).await, before);
        let report = run(&app, &app.alpha, files, &errors, false).await;
        assert_eq!(report.steps, rehearsal.steps);
        assert!(!errors.exists());
        assert_step(&report, "offices", &[("read", 3), ("created", 3)]);
        assert_step(&report, "managers", &[("read", 6), ("created", 6)]);
        assert_step(&report, "agents", &[("read", 35), ("created", 35)]);
        assert_step(&report, "accounts", &[
            ("created", 85), ("refused", 0), ("unlinked", 0), ("linked", 15), ("with_parent", 15),
            ("misspelt_sector", 12), ("misspelt_country", 1),
        ]);
        assert_step(&report, "opportunities", &[
            ("created", 8_800), ("refused", 0), ("no_account", 1_425), ("won", 4_238),
            ("no_close_value", 2_089), ("product_respelt", 1_480), ("lost_for_nothing", 2_473),
        ]);

        let data = app.ask(&app.alpha, r#"{
            all: dealAggregate { count }
            won: dealAggregate(filter: { status: { eq: WON } }) { count sum { value } }
            homeless: deals(first: 1, filter: { companyId: { isNull: true } }) { totalCount }
            companies(first: 1, filter: { name: { eq: "Acme Corporation" } }) { nodes {
                segment annualRevenue currency employees foundedYear country owner { fullName }
                subsidiaries(first: 10) { totalCount } } }
            deals(first: 1, filter: { externalId: { eq: "Z063OYW0" } }) { nodes {
                title value currency status actualCloseDate metadata stage { slug }
                company { name } owner { fullName manager { fullName orgUnit { name } } } } }
        }"#).await;
        assert_eq!(data["all"]["count"], 8_800);
        assert_eq!(data["won"], json!({ "count": 4_238, "sum": { "value": "10005534.00" } }));
        assert_eq!(data["homeless"]["totalCount"], 1_425);
        assert_eq!(data["companies"]["nodes"][0], json!({
            "segment": "technology", "annualRevenue": "1100040000.00", "currency": "USD",
            "employees": 2822, "foundedYear": 1996, "country": "US", "owner": null,
            "subsidiaries": { "totalCount": 4 },
        }));
        assert_eq!(data["deals"]["nodes"][0], json!({
            "title": "Isdom / GTX Pro", "value": "4514.00", "currency": "USD", "status": "WON",
            "actualCloseDate": "2017-03-11", "stage": { "slug": "ganho" },
            "company": { "name": "Isdom" },
            "metadata": { "product": "GTX Pro", "series": "GTX", "listPrice": "4821",
                          "engageDate": "2016-10-25" },
            "owner": { "fullName": "Darcel Schlecht", "manager": {
                "fullName": "Melvin Marxen", "orgUnit": { "name": "Central" } } },
        }));

        let after = app.traces(&app.alpha).await;
        all_unchanged(&run(&app, &app.alpha, files, &errors, false).await);
        assert_eq!(app.traces(&app.alpha).await, after);
        assert_eq!(app.rows_in(&app.beta, "deals").await, 0);
        assert_eq!(app.rows_in(&app.beta, "companies").await, 0);
    }

    async fn a_marketplaces_funnel_is_imported_whole(app: TestApp) {
        let Some(data) = shared_data("olist-funnel") else { return };
        let errors = tempfile::tempdir().unwrap();
        let files = (example("olist-funnel.toml"), data);
        let files = (files.0.as_path(), files.1.as_path());
        let errors = errors.path().join("errors.csv");

        let before = app.traces(&app.alpha).await;
        let rehearsal = run(&app, &app.alpha, files, &errors, true).await;
        assert_eq!(app.traces(&app.alpha).await, before);
        let report = run(&app, &app.alpha, files, &errors, false).await;
        assert_eq!(report.steps, rehearsal.steps);
        assert!(!errors.exists());
        assert_step(&report, "sellers", &[("created", 3_095), ("odd_city", 28)]);
        assert_step(&report, "leads", &[("created", 8_000), ("no_origin", 60)]);
        assert_step(&report, "conversions", &[
            ("read", 842), ("updated", 842), ("seller_not_in_file", 462), ("odd_stock", 36),
            ("won_before_first_contact", 1),
        ]);
        assert_step(&report, "deals", &[("created", 842)]);

        let data = app.ask(&app.alpha, r#"{
            all: leadAggregate { count }
            converted: leadAggregate(filter: { status: { eq: CONVERTED } }) { count }
            unknown: leadAggregate(filter: { source: { eq: "unknown" } }) { count }
            known: leads(first: 1, filter: { status: { eq: CONVERTED }, companyId: { isNull: false } })
                { totalCount }
            leads(first: 1, filter: { externalId: { eq: "5420aad7fec3549a85876ba1c529bd84" } }) { nodes {
                name source status firstContactAt convertedAt metadata assignee { fullName }
                company { name } deals(first: 2) { nodes { status stage { slug } actualCloseDate } } } }
            companies(first: 1, filter: { addressCity: { eq: "São Bernardo do Campo" } }) {
                nodes { name } }
        }"#).await;
        assert_eq!(data["all"]["count"], 8_000);
        assert_eq!(data["converted"]["count"], 842);
        assert_eq!(data["unknown"]["count"], 1_159);
        assert_eq!(data["known"]["totalCount"], 380);
        let lead = &data["leads"]["nodes"][0];
        assert_eq!(lead["convertedAt"], "2018-02-26T19:58:00Z");
        assert_eq!(lead["metadata"]["segment"], "pet");
        assert!(lead["metadata"]["landingPageId"].is_string(), "{lead}");
        assert_eq!(lead["deals"]["nodes"], json!([
            { "status": "WON", "stage": { "slug": "ganho" }, "actualCloseDate": "2018-02-26" }
        ]));

        let after = app.traces(&app.alpha).await;
        all_unchanged(&run(&app, &app.alpha, files, &errors, false).await);
        assert_eq!(app.traces(&app.alpha).await, after);
    }
}
