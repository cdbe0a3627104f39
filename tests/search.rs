//! Search: accents and case do not matter, better fits come first, and nothing that people type can
//! break it.

use std::collections::BTreeSet;

use entity::value::search_text;
use pulso::db::Value;
use serde_json::{Value as Json, json};

use crate::support::seed::Tenant;
use crate::support::{TestApp, both_databases};

async fn leads(app: &TestApp, tenant: &Tenant, names: &[&str]) {
    for name in names {
        app.lead(tenant, name, &[]).await;
    }
}

fn names_of(list: &Json) -> Vec<String> {
    let nodes = list["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["name"].as_str().unwrap().to_owned()).collect()
}

async fn found(app: &TestApp, search: &str) -> Vec<String> {
    let query = "query($search: String) { leads(first: 1000, search: $search) { totalCount nodes { name } \
                 countUpTo(limit: 1000) { count isExact } } leadAggregate(search: $search) { count } \
                 leadGroups(search: $search, by: [{ field: SOURCE }]) { nodes { count } } }";
    let data = app.data(&app.alpha.admin.key, query, json!({ "search": search })).await;
    let names = names_of(&data["leads"]);
    assert_eq!(data["leads"]["totalCount"], json!(names.len()), "{search}");
    assert_eq!(
        data["leads"]["countUpTo"],
        json!({ "count": names.len(), "isExact": true }),
        "{search}"
    );
    assert_eq!(data["leadAggregate"]["count"], json!(names.len()), "{search}");
    let groups = data["leadGroups"]["nodes"].as_array().unwrap();
    let grouped: u64 = groups.iter().map(|group| group["count"].as_u64().unwrap()).sum();
    assert_eq!(grouped, names.len() as u64, "{search}");
    names
}

both_databases! {
    async fn accents_and_case_do_not_matter_and_better_fits_come_first(app: TestApp) {
        let names =
            ["Maria João", "São João Comércio", "João", "Estajoao", "Joana", "Joãozinho da Padaria", "Pedro"];
        leads(&app, &app.alpha, &names).await;
        leads(&app, &app.beta, &["João de Beta"]).await;
        for search in ["joao", "JOÃO", "  João  "] {
            assert_eq!(
                found(&app, search).await,
                // At the very beginning, then at the beginning of a word, then inside one; shorter first.
                ["João", "Joãozinho da Padaria", "Maria João", "São João Comércio", "Estajoao"],
                "{search}"
            );
        }
        // Several words, in any order and as parts of words.
        assert_eq!(found(&app, "joao sao").await, ["São João Comércio"]);
        assert_eq!(found(&app, "ozinho pada").await, ["Joãozinho da Padaria"]);
        // One or two letters begin a word.
        assert_eq!(found(&app, "da").await, ["Joãozinho da Padaria"]);
        assert_eq!(found(&app, "p").await, ["Pedro", "Joãozinho da Padaria"]);
        assert_eq!(found(&app, "jo pa").await, ["Joãozinho da Padaria"]);
        assert_eq!(found(&app, "zzz").await, Vec::<String>::new());
    }

    async fn misspelt_words_find_what_they_resemble_only_when_nothing_contains_them(app: TestApp) {
        leads(&app, &app.alpha, &["Maria", "Mariana Souza", "Mario", "Pedro", "Açougue Central"]).await;
        let alike = found(&app, "marria").await;
        assert!(alike.contains(&"Maria".to_owned()) && !alike.contains(&"Pedro".to_owned()), "{alike:?}");
        assert_eq!(found(&app, "assougue").await, ["Açougue Central"]);
        // Every word is resembled, not one of them twice as well.
        assert_eq!(found(&app, "mariana sousa").await, ["Mariana Souza"]);
        assert_eq!(found(&app, "mariana pedreira").await, Vec::<String>::new());
        // Once something contains it, only that.
        leads(&app, &app.alpha, &["Marria"]).await;
        assert_eq!(found(&app, "marria").await, ["Marria"]);
        // Another tenant's rows and deleted ones do not count as something.
        app.run_sql(&app.alpha, "UPDATE leads SET deleted_at = created_at WHERE name = ?", vec!["Marria".into()])
            .await;
        leads(&app, &app.beta, &["Marria"]).await;
        assert_eq!(found(&app, "marria").await, alike);
    }

    async fn what_people_type_is_only_text(app: TestApp) {
        let names = [
            "100% útil", "a_b_c", "O'Brien \"Quoted\"", "C++ (dev) * NEAR AND OR NOT", "back\\slash",
            "semi;colon -- comment", "col:umn ^start", "{braces} [x]", "日本語会社", "🚀 rocket",
        ];
        leads(&app, &app.alpha, &names).await;
        for (search, expected) in [
            ("100%", vec!["100% útil"]),
            ("%", vec![]),
            ("a_b", vec!["a_b_c"]),
            ("a%b", vec![]),
            ("axb", vec![]),
            ("___", vec![]),
            ("o'brien", vec!["O'Brien \"Quoted\""]),
            ("\"quoted\"", vec!["O'Brien \"Quoted\""]),
            ("\"", vec!["O'Brien \"Quoted\""]),
            ("(dev)", vec!["C++ (dev) * NEAR AND OR NOT"]),
            ("near not", vec!["C++ (dev) * NEAR AND OR NOT"]),
            ("dev*", vec![]),
            ("back\\slash", vec!["back\\slash"]),
            ("\\", vec![]),
            ("col:umn", vec!["col:umn ^start"]),
            ("^start", vec!["col:umn ^start"]),
            ("--", vec!["semi;colon -- comment"]),
            ("{braces}", vec!["{braces} [x]"]),
            ("日本語", vec!["日本語会社"]),
            ("🚀", vec!["🚀 rocket"]),
        ] {
            let names = found(&app, search).await;
            let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
            let expected: BTreeSet<&str> = expected.into_iter().collect();
            // Nothing contains some of them; what they resemble may come instead.
            if expected.is_empty() {
                assert!(names.len() < 3, "{search}: {names:?}");
            } else {
                assert_eq!(names, expected, "{search}");
            }
        }
        for search in ["'; DROP TABLE leads; --", "\"\"\"", "((((", "a OR 1=1", "NEAR(a b)", "{a b}: c", "\u{7f}"] {
            found(&app, search).await;
        }
        let key = &app.alpha.admin.key;
        let words: String = ('a'..='z').flat_map(|one| [format!("{one}qx "), format!("x{one}q ")]).take(50).collect();
        for search in [&*words, &"qx".repeat(100)] {
            assert_eq!(found(&app, search).await, Vec::<String>::new());
        }
        let query = "query($search: String) { leads(search: $search) { totalCount } }";
        let long = json!({ "search": "x".repeat(201) });
        assert_eq!(app.error_code(key, query, long).await, "LIMIT_EXCEEDED");
        let nul = r#"{ leads(search: "\u0000") { totalCount } }"#;
        assert_eq!(app.error_code(key, nul, json!({})).await, "INVALID");
    }

    async fn an_empty_search_is_no_search(app: TestApp) {
        leads(&app, &app.alpha, &["Ana", "Bia", "Caio"]).await;
        for search in ["", "   ", "\u{301}"] {
            assert_eq!(found(&app, search).await, ["Caio", "Bia", "Ana"], "{search:?}");
        }
        let query = "{ leads(search: null) { totalCount } }";
        assert_eq!(app.data(&app.alpha.admin.key, query, json!({})).await["leads"]["totalCount"], 3);
        let refused = "{ pipelineStages(search: \"x\") { totalCount } }";
        app.error_code(&app.alpha.admin.key, refused, json!({})).await;
    }

    async fn pages_of_a_search_agree_with_filters_and_counts(app: TestApp) {
        for number in 0..17_i64 {
            let name = format!("{} {number:02}", ["João", "Dona Joana", "Bijoao"][usize::try_from(number % 3).unwrap()]);
            app.lead(&app.alpha, &name, &[("score", Value::Int(number))]).await;
        }
        let key = &app.alpha.admin.key;
        for search in ["joa", "joaao"] {
            let all = found(&app, search).await;
            let filter = "search: $search, filter: { score: { lt: 13 } }";
            let whole = format!("query($search: String) {{ leads(first: 100, {filter}) {{ totalCount nodes {{ name }} }} }}");
            let whole = app.data(key, &whole, json!({ "search": search })).await;
            let expected = names_of(&whole["leads"]);
            assert_eq!(whole["leads"]["totalCount"], json!(expected.len()));
            let filtered: Vec<&String> =
                all.iter().filter(|name| name[name.len() - 2..].parse::<u8>().unwrap() < 13).collect();
            assert_eq!(expected.iter().collect::<Vec<_>>(), filtered, "{search}");
            for (size, limit, after, more, end) in [
                (4, "first", "after", "hasNextPage", "endCursor"),
                (3, "last", "before", "hasPreviousPage", "startCursor"),
            ] {
                let query = format!(
                    "query($search: String, $cursor: String) {{ leads({limit}: {size}, {after}: $cursor, {filter}) \
                     {{ totalCount nodes {{ name }} pageInfo {{ {more} {end} }} }} }}"
                );
                let (mut pages, mut cursor) = (Vec::new(), Json::Null);
                loop {
                    let data = app.data(key, &query, json!({ "search": search, "cursor": cursor })).await;
                    assert_eq!(data["leads"]["totalCount"], json!(expected.len()));
                    pages.push(names_of(&data["leads"]));
                    if data["leads"]["pageInfo"][more] == json!(false) {
                        break;
                    }
                    cursor = data["leads"]["pageInfo"][end].clone();
                }
                if limit == "last" {
                    pages.reverse();
                }
                assert_eq!(pages.concat(), expected, "{search} {limit}");
            }
        }
    }

    /// Whether anything contains the words is asked of all rows: a filter makes no misspelling of what
    /// is spelt well.
    async fn a_filter_does_not_change_what_a_search_means(app: TestApp) {
        app.lead(&app.alpha, "Maria", &[("score", Value::Int(9))]).await;
        app.lead(&app.alpha, "Mariana", &[("score", Value::Int(1))]).await;
        app.lead(&app.alpha, "Mariza", &[("score", Value::Int(1))]).await;
        let key = &app.alpha.admin.key;
        let query = "query($search: String, $above: Int) { leads(search: $search, filter: { score: { gt: $above } }) \
                     { totalCount nodes { name } } }";
        for (search, above, expected) in [
            ("maria", 0, vec!["Maria", "Mariana"]),
            ("maria", 5, vec!["Maria"]),
            ("maria", 9, vec![]),
            // All resemble it; nothing contains it.
            ("marina", 0, vec!["Maria", "Mariza", "Mariana"]),
            ("marina", 5, vec!["Maria"]),
            ("mariza", 5, vec![]),
        ] {
            let found = app.data(key, query, json!({ "search": search, "above": above })).await;
            assert_eq!(names_of(&found["leads"]), expected, "{search} {above}");
            assert_eq!(found["leads"]["totalCount"], json!(expected.len()), "{search} {above}");
        }
    }

    async fn a_search_keeps_its_meaning_from_page_to_page(app: TestApp) {
        leads(&app, &app.alpha, &["Maria 1", "Maria 2", "Maria 3", "Maria 4"]).await;
        let key = &app.alpha.admin.key;
        let query = "query($after: String) { leads(first: 2, after: $after, search: \"marria\") { nodes { name } \
                     pageInfo { endCursor hasNextPage } } }";
        let first = app.data(key, query, json!({})).await;
        assert_eq!(names_of(&first["leads"]), ["Maria 1", "Maria 2"]);
        // Now something contains the words; a walk that has begun still ends.
        leads(&app, &app.alpha, &["Marria"]).await;
        let after = &first["leads"]["pageInfo"]["endCursor"];
        let second = app.data(key, query, json!({ "after": after })).await;
        assert_eq!(names_of(&second["leads"]), ["Maria 3", "Maria 4"]);
        assert_eq!(names_of(&app.data(key, query, json!({})).await["leads"]), ["Marria"]);
    }

    async fn lists_below_are_searched_too(app: TestApp) {
        let companies =
            [app.company(&app.alpha, "A", &[]).await, app.company(&app.alpha, "B", &[]).await];
        for (number, title) in ["Reforma", "Reformma", "Obra", "Pintura"].iter().enumerate() {
            app.deal(&app.alpha, title, &[("company_id", companies[number % 2].into())]).await;
        }
        let query = "{ companies(orderBy: [{ field: NAME }]) { nodes { deals(search: \"reforma\") { totalCount \
                     nodes { title } } } } }";
        let data = app.data(&app.alpha.admin.key, query, json!({})).await;
        assert_eq!(
            data["companies"]["nodes"],
            json!([
                { "deals": { "totalCount": 1, "nodes": [{ "title": "Reforma" }] } },
                { "deals": { "totalCount": 0, "nodes": [] } },
            ])
        );
    }

    async fn a_search_looks_at_all_searched_fields(app: TestApp) {
        let fields = [
            ("cnpj", Value::from("12345678000195")),
            ("trade_name", Value::from("Pão Quente")),
            ("trade_name_folded", Value::from("pao quente")),
            ("search_text", Value::Text(search_text(&["Padaria Sol Ltda", "Pão Quente", "12345678000195"]))),
        ];
        app.company(&app.alpha, "Padaria Sol Ltda", &fields).await;
        app.company(&app.alpha, "Outra", &[]).await;
        for search in ["sol", "pao quente", "quente sol", "5678000", "12345678000195"] {
            let query = "query($s: String) { companies(search: $s) { nodes { name } } }";
            let data = app.data(&app.alpha.admin.key, query, json!({ "s": search })).await;
            assert_eq!(names_of(&data["companies"]), ["Padaria Sol Ltda"], "{search}");
        }
    }
}
