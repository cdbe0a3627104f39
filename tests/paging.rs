//! Pages: every connection, walked under every order, gives each row exactly once, in the order that
//! a plain sort gives, on both databases.

use std::cmp::Ordering;

use entity::value::fold;
use pulso::db::Value;
use pulso::record::Record;
use pulso::record::declare::{Field, RelationKind};
use serde_json::{Value as Json, json};

use crate::support::data::{Data, Random, Row, fill, id_of, records};
use crate::support::{TestApp, both_databases};

/// One key of an order: to-one relations, then a field.
#[derive(Debug, Clone)]
struct Key {
    path: Vec<&'static str>,
    field: &'static Field,
    descending: bool,
    nulls_first: bool,
}

impl Key {
    fn random(random: &mut Random, path: Vec<&'static str>, field: &'static Field) -> Self {
        Self { path, field, descending: random.chance(50), nulls_first: random.chance(50) }
    }

    fn input(&self) -> Json {
        let mut key = json!({ "field": self.field.enum_name() });
        if self.descending {
            key["direction"] = json!("DESC");
        }
        if self.nulls_first {
            key["nulls"] = json!("FIRST");
        }
        self.path.iter().rev().fold(key, |key, relation| json!({ *relation: key }))
    }

    fn value(&self, data: &Data, record: &'static Record, row: &Row) -> Value {
        let (mut record, mut row) = (record, row);
        for relation in &self.path {
            let Some(next) = data.related(row, relation, record) else {
                return Value::Null(self.field.kind.bind());
            };
            record = (record.find_relation(relation).unwrap().target)();
            row = next;
        }
        match &row[self.field.column] {
            Value::Text(text) if self.field.folded => Value::Text(fold(text)),
            value => value.clone(),
        }
    }

    fn compare(&self, left: &Value, right: &Value) -> Ordering {
        let by_null = right.is_null().cmp(&left.is_null());
        let by_null = if self.nulls_first { by_null } else { by_null.reverse() };
        let by_value = compare(left, right);
        by_null.then(if self.descending { by_value.reverse() } else { by_value })
    }
}

fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => left.as_bytes().cmp(right.as_bytes()),
        (Value::Int(left), Value::Int(right)) => left.cmp(right),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Date(left), Value::Date(right)) => left.cmp(right),
        (Value::Instant(left), Value::Instant(right)) => left.cmp(right),
        (Value::Id(left), Value::Id(right)) => left.cmp(right),
        (Value::Null(_), _) | (_, Value::Null(_)) => Ordering::Equal,
        other => panic!("{other:?}"),
    }
}

/// The ids of the living rows as a plain sort has them.
fn sorted(data: &Data, record: &'static Record, keys: &[Key]) -> Vec<String> {
    let mut rows: Vec<(Vec<Value>, &Row)> = data
        .living(record)
        .into_iter()
        .map(|row| (keys.iter().map(|key| key.value(data, record, row)).collect(), row))
        .collect();
    let last_descends = keys.last().is_some_and(|key| key.descending);
    rows.sort_by(|(left, left_row), (right, right_row)| {
        let by_keys = keys.iter().zip(left).zip(right);
        by_keys
            .fold(Ordering::Equal, |known, ((key, left), right)| {
                known.then_with(|| key.compare(left, right))
            })
            .then_with(|| {
                let by_id = compare(&left_row["id"], &right_row["id"]);
                if last_descends { by_id.reverse() } else { by_id }
            })
    });
    rows.into_iter().map(|(_, row)| id_of(row)).collect()
}

/// All ids of a connection, page by page, from its start or from its end.
async fn walk(
    app: &TestApp,
    record: &Record,
    variables: &Json,
    size: usize,
    backward: bool,
) -> Vec<String> {
    let (name, plural) = (record.name, record.plural);
    let paging =
        if backward { "last: $size, before: $cursor" } else { "first: $size, after: $cursor" };
    let query = format!(
        "query($size: Int, $cursor: String, $order: [{name}Order!]) {{ page: {plural}({paging}, \
         orderBy: $order) {{ nodes {{ id }} edges {{ cursor node {{ id }} }} pageInfo {{ hasNextPage \
         hasPreviousPage startCursor endCursor }} }} }}"
    );
    let (mut found, mut cursor) = (Vec::new(), Json::Null);
    for _ in 0..1000 {
        let mut variables = variables.clone();
        variables["size"] = json!(size);
        variables["cursor"] = cursor.clone();
        let data = app.data(&app.alpha.admin.key, &query, variables).await;
        let page = &data["page"];
        let nodes = page["nodes"].as_array().unwrap();
        let edges = page["edges"].as_array().unwrap();
        let mut ids: Vec<String> =
            nodes.iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(edges.len(), ids.len());
        if let (Some(first), Some(last)) = (edges.first(), edges.last()) {
            assert_eq!(first["cursor"], page["pageInfo"]["startCursor"]);
            assert_eq!(last["cursor"], page["pageInfo"]["endCursor"]);
        }
        let (more, begun, next) = if backward {
            ("hasPreviousPage", "hasNextPage", "startCursor")
        } else {
            ("hasNextPage", "hasPreviousPage", "endCursor")
        };
        assert_eq!(page["pageInfo"][begun], json!(!cursor.is_null()));
        if backward {
            ids.reverse();
        }
        found.extend(ids);
        if page["pageInfo"][more] == json!(false) {
            if backward {
                found.reverse();
            }
            return found;
        }
        assert_eq!(nodes.len(), size);
        cursor = page["pageInfo"][next].clone();
    }
    panic!("the walk does not end");
}

fn sortable(record: &'static Record) -> impl Iterator<Item = &'static Field> {
    record.fields.iter().filter(|field| field.sort)
}

/// A random order of up to three keys, some of them through to-one relations.
fn random_order(random: &mut Random, record: &'static Record) -> Vec<Key> {
    (0..=random.below(3))
        .map(|_| {
            let (mut at, mut path) = (record, Vec::new());
            while path.len() < 2 && random.chance(35) {
                let ones: Vec<_> = at
                    .relations
                    .iter()
                    .filter(|relation| matches!(relation.kind, RelationKind::One { .. }))
                    .collect();
                if ones.is_empty() {
                    break;
                }
                let relation = *random.pick(&ones);
                path.push(relation.name);
                at = (relation.target)();
            }
            let fields: Vec<_> = sortable(at).collect();
            let field = *random.pick(&fields);
            Key::random(random, path, field)
        })
        .collect()
}

async fn check(
    app: &TestApp,
    data: &Data,
    record: &'static Record,
    keys: &[Key],
    random: &mut Random,
) {
    let expected = sorted(data, record, keys);
    let order: Vec<Json> = keys.iter().map(Key::input).collect();
    let variables = json!({ "order": order });
    let size = 1 + random.below(7);
    let backward = random.chance(50);
    let found = walk(app, record, &variables, size, backward).await;
    assert_eq!(found, expected, "{} by {order:?}, {size} a page, backward {backward}", record.name);
}

both_databases! {
    async fn every_sortable_field_of_every_connection_walks_each_row_once(app: TestApp) {
        let mut random = Random::new(1);
        let data = fill(&app, &app.alpha, &mut random, 22).await;
        fill(&app, &app.beta, &mut random, 5).await;
        for record in records() {
            for field in sortable(record) {
                let key = Key::random(&mut random, Vec::new(), field);
                check(&app, &data, record, &[key], &mut random).await;
            }
        }
    }

    async fn random_orders_walk_each_row_once(app: TestApp) {
        let mut random = Random::new(2);
        let data = fill(&app, &app.alpha, &mut random, 18).await;
        let records = records();
        for _ in 0..70 {
            let record = *random.pick(&records);
            let keys = random_order(&mut random, record);
            check(&app, &data, record, &keys, &mut random).await;
        }
    }

    async fn rows_that_do_not_change_come_once_while_others_come_and_go(app: TestApp) {
        let mut random = Random::new(3);
        for (field, nulls) in [("NAME", "FIRST"), ("NAME", "LAST"), ("SCORE", "LAST"), ("CHANNEL", "LAST")] {
            let mut steady = Vec::new();
            let channels = ["a", "b", "c"];
            for number in 0..24_i64 {
                let name = format!("{} {number}", random.pick(&["Ana", "João", "Zé"]));
                let score = ("score", Value::Int(number % 5));
                let channel = random.chance(70).then(|| ("channel", Value::from(*random.pick(&channels))));
                let fields: Vec<_> = channel.into_iter().chain([score]).collect();
                steady.push(app.lead(&app.alpha, &name, &fields).await.to_string());
            }
            let query = format!(
                "query($after: String) {{ leads(first: 5, after: $after, orderBy: [{{ field: {field}, \
                 nulls: {nulls} }}]) {{ nodes {{ id }} pageInfo {{ hasNextPage endCursor }} }} }}"
            );
            let (mut found, mut after, mut passing) = (Vec::new(), Json::Null, Vec::new());
            loop {
                let data = app.data(&app.alpha.admin.key, &query, json!({ "after": after })).await;
                let nodes = data["leads"]["nodes"].as_array().unwrap();
                found.extend(nodes.iter().map(|node| node["id"].as_str().unwrap().to_owned()));
                if data["leads"]["pageInfo"]["hasNextPage"] == json!(false) {
                    break;
                }
                after = data["leads"]["pageInfo"]["endCursor"].clone();
                // Somebody else works meanwhile, also on the very row that the cursor stands on.
                for name in ["Ana 0", "Carla", "Zz"] {
                    passing.push(app.lead(&app.alpha, name, &[("channel", Value::from("b"))]).await);
                }
                let gone = passing.remove(random.below(passing.len()));
                app.run_sql(&app.alpha, "UPDATE leads SET deleted_at = created_at WHERE id = ?", vec![gone.into()])
                    .await;
            }
            for id in &steady {
                assert_eq!(found.iter().filter(|other| *other == id).count(), 1, "{field} {nulls}");
            }
            app.run_sql(&app.alpha, "DELETE FROM leads WHERE version = ?", vec![Value::Int(1)]).await;
        }
    }

    async fn a_cursor_works_in_its_own_list_only(app: TestApp) {
        let company = app.company(&app.alpha, "Padaria", &[]).await;
        let other_company = app.company(&app.alpha, "Mercado", &[]).await;
        for number in 0..6 {
            let of = if number % 2 == 0 { company } else { other_company };
            app.deal(&app.alpha, &format!("Negócio {number}"), &[("company_id", of.into())]).await;
        }
        app.deal(&app.beta, "Deles", &[]).await;
        let key = &app.alpha.admin.key;
        let end_of = async |credential: &str, arguments: &str| {
            let query = format!("{{ deals(first: 1{arguments}) {{ pageInfo {{ endCursor }} }} }}");
            let data = app.data(credential, &query, json!({})).await;
            data["deals"]["pageInfo"]["endCursor"].as_str().unwrap().to_owned()
        };
        let cursor = end_of(key, "").await;
        let own = format!("{{ deals(first: 9, after: \"{cursor}\") {{ nodes {{ id }} }} }}");
        assert_eq!(app.data(key, &own, json!({})).await["deals"]["nodes"].as_array().unwrap().len(), 5);
        // Elsewhere: another order, filter, search, deletion, tenant, record, parent.
        for arguments in [
            "orderBy: [{ field: TITLE }]",
            "filter: { status: { eq: OPEN } }",
            "search: \"negocio\"",
            "deleted: INCLUDE",
        ] {
            let query = format!("{{ deals({arguments}, after: \"{cursor}\") {{ nodes {{ id }} }} }}");
            assert_eq!(app.error_code(key, &query, json!({})).await, "INVALID", "{arguments}");
        }
        assert_eq!(app.error_code(&app.beta.admin.key, &own, json!({})).await, "INVALID");
        let leads = own.replace("deals", "leads");
        assert_eq!(app.error_code(key, &leads, json!({})).await, "INVALID");
        let below = format!(
            "{{ company(id: \"{company}\") {{ deals(first: 9, after: \"{cursor}\") {{ nodes {{ id }} }} }} }}"
        );
        assert_eq!(app.error_code(key, &below, json!({})).await, "INVALID");
        for nonsense in ["", "x", "W10", "bnVsbA", "eyJhIjoxfQ", "\\u0000"] {
            let query = format!("{{ deals(after: \"{nonsense}\") {{ nodes {{ id }} }} }}");
            assert_eq!(app.error_code(key, &query, json!({})).await, "INVALID", "{nonsense}");
        }
    }

    async fn a_cursor_of_a_list_below_many_parents_goes_on_under_its_own(app: TestApp) {
        let companies =
            [app.company(&app.alpha, "A", &[]).await, app.company(&app.alpha, "B", &[]).await];
        for number in 0..10 {
            let of = companies[number % 2];
            app.deal(&app.alpha, &format!("N{number}"), &[("company_id", of.into())]).await;
        }
        let key = &app.alpha.admin.key;
        let query = "{ companies(orderBy: [{ field: NAME }]) { nodes { deals(first: 2, orderBy: [{ field: \
                     TITLE }]) { nodes { title } pageInfo { hasNextPage endCursor } } } } }";
        let data = app.data(key, query, json!({})).await;
        let deals = &data["companies"]["nodes"][1]["deals"];
        assert_eq!(deals["nodes"], json!([{ "title": "N1" }, { "title": "N3" }]));
        let rest = "query($id: ID!, $after: String) { company(id: $id) { deals(first: 2, after: $after, \
                    orderBy: [{ field: TITLE }]) { totalCount nodes { title } pageInfo { hasNextPage \
                    hasPreviousPage } } } }";
        let after = &deals["pageInfo"]["endCursor"];
        let own = app.data(key, rest, json!({ "id": companies[1], "after": after })).await;
        assert_eq!(
            own["company"]["deals"],
            json!({ "totalCount": 5, "nodes": [{ "title": "N5" }, { "title": "N7" }],
                    "pageInfo": { "hasNextPage": true, "hasPreviousPage": true } })
        );
        let variables = json!({ "id": companies[0], "after": after });
        assert_eq!(app.error_code(key, rest, variables).await, "INVALID");
        let root = "query($after: String) { deals(first: 2, after: $after, orderBy: [{ field: TITLE }]) \
                    { totalCount } }";
        assert_eq!(app.error_code(key, root, json!({ "after": after })).await, "INVALID");
        let many = "query($after: String) { companies { nodes { deals(first: 2, after: $after, orderBy: \
                    [{ field: TITLE }]) { totalCount } } } }";
        assert_eq!(app.error_code(key, many, json!({ "after": after })).await, "INVALID");
        let through = "query($after: String) { companies { nodes { parent { deals(before: $after) \
                       { totalCount } } } } }";
        assert_eq!(app.error_code(key, through, json!({ "after": after })).await, "INVALID");
    }

    async fn page_sizes_are_0_to_1000(app: TestApp) {
        let company = app.company(&app.alpha, "A", &[]).await;
        for number in 0..52 {
            app.deal(&app.alpha, &format!("N{number}"), &[("company_id", company.into())]).await;
        }
        let key = &app.alpha.admin.key;
        let counted = async |arguments: &str| {
            let query = format!(
                "{{ deals({arguments}) {{ nodes {{ id }} pageInfo {{ hasNextPage hasPreviousPage endCursor \
                 }} }} company(id: \"{company}\") {{ deals({arguments}) {{ nodes {{ id }} pageInfo {{ \
                 hasNextPage hasPreviousPage }} }} }} }}"
            );
            let data = app.data(key, &query, json!({})).await;
            let count = |list: &Json| list["nodes"].as_array().unwrap().len();
            let flags = |list: &Json| {
                ["hasNextPage", "hasPreviousPage"].map(|name| list["pageInfo"][name] == json!(true))
            };
            let (list, below) = (&data["deals"], &data["company"]["deals"]);
            assert_eq!((count(list), flags(list)), (count(below), flags(below)), "{arguments}");
            (count(list), flags(list))
        };
        assert_eq!(counted("first: 0").await, (0, [true, false]));
        assert_eq!(counted("last: 0").await, (0, [false, true]));
        assert_eq!(counted("first: 1").await, (1, [true, false]));
        assert_eq!(counted("last: 51").await, (51, [false, true]));
        assert_eq!(counted("first: 52").await, (52, [false, false]));
        assert_eq!(counted("first: 1000").await, (52, [false, false]));
        assert_eq!(counted("first: null").await, (50, [true, false]));
        assert_eq!(counted("first: null, last: 3").await, (3, [false, true]));
        for bad in [
            "first: -1", "first: 1001", "last: -1", "last: 1001", "first: 4294967297", "first: 1, last: 1",
            "first: 1, before: \"x\"", "after: \"x\", last: 1",
        ] {
            let query = format!("{{ deals({bad}) {{ nodes {{ id }} }} }}");
            assert_eq!(app.error_code(key, &query, json!({})).await, "INVALID", "{bad}");
            let below = format!("{{ companies {{ nodes {{ deals({bad}) {{ nodes {{ id }} }} }} }} }}");
            assert_eq!(app.error_code(key, &below, json!({})).await, "INVALID", "{bad}");
        }
    }

    async fn orders_are_refused_where_they_mean_nothing(app: TestApp) {
        let key = &app.alpha.admin.key;
        for (order, code) in [
            ("[{}]", "INVALID"),
            ("[{ field: NAME, company: { field: NAME } }]", "INVALID"),
            ("[{ company: { field: NAME }, contact: { field: FULL_NAME } }]", "INVALID"),
            ("[{ company: {} }]", "INVALID"),
            ("[{ company: { field: NAME }, direction: DESC }]", "INVALID"),
            (
                "[{ field: NAME }, { field: SCORE }, { field: STATUS }, { field: SOURCE }, { field: CHANNEL }, \
                 { field: CREATED_AT }]",
                "LIMIT_EXCEEDED",
            ),
            (
                "[{ company: { parent: { parent: { parent: { parent: { field: NAME } } } } } }]",
                "LIMIT_EXCEEDED",
            ),
        ] {
            let query = format!("{{ leads(orderBy: {order}) {{ nodes {{ id }} }} }}");
            assert_eq!(app.error_code(key, &query, json!({})).await, code, "{order}");
        }
        // The same key twice, and an empty order, mean something.
        let query = "{ a: leads(orderBy: [{ field: NAME }, { field: NAME, direction: DESC }]) { totalCount } \
                     b: leads(orderBy: []) { nodes { id } } c: leads(orderBy: null) { nodes { id } } }";
        app.data(key, query, json!({})).await;
    }
}
