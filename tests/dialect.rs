//! Every function of `api/src/db/dialect` means the same on both databases, and every kind of
//! value comes back as it went in.

use chrono::{DateTime, Datelike as _, NaiveDate, Offset as _, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use pulso::access::SystemHandle;
use pulso::db::dialect::{Bucket, escape_like};
use pulso::db::{Conn, Db, Dialect, NullOf, Row, Statement, Value};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use uuid::Uuid;

use crate::support::{TestDb, both_databases};

fn permit() -> SystemHandle {
    SystemHandle::for_tenant(Uuid::nil())
}

async fn rows(conn: &Conn, sql: impl Into<String>, values: Vec<Value>) -> Vec<Row> {
    let statement = Statement::new(sql, values);
    conn.rows(&permit(), &statement).await.unwrap_or_else(|error| panic!("{error}: {statement:?}"))
}

async fn execute(conn: &Conn, sql: impl Into<String>, values: Vec<Value>) {
    let statement = Statement::new(sql, values);
    conn.execute(&permit(), &statement)
        .await
        .unwrap_or_else(|error| panic!("{error}: {statement:?}"));
}

/// The type of a column as the migrations write it.
fn column_type(dialect: Dialect, kind: NullOf) -> &'static str {
    match (dialect, kind) {
        (Dialect::Postgres, NullOf::Id) => "uuid",
        (Dialect::Postgres, NullOf::Text) => "text COLLATE \"C\"",
        (Dialect::Postgres, NullOf::Int) => "bigint",
        (Dialect::Postgres, NullOf::Float) => "double precision",
        (Dialect::Postgres, NullOf::Instant) => "timestamptz",
        (Dialect::Postgres, NullOf::Date) => "date",
        (Dialect::Postgres, NullOf::Json) => "jsonb",
        (Dialect::Sqlite, NullOf::Id) => "blob",
        (Dialect::Sqlite, NullOf::Int) => "integer",
        (Dialect::Sqlite, NullOf::Float) => "real",
        (_, NullOf::Bool) => "boolean",
        (Dialect::Sqlite, NullOf::Text | NullOf::Instant | NullOf::Date | NullOf::Json) => "text",
    }
}

/// A table `t (n bigint, v <kind>)` with these values, numbered from 0. On a connection of its own:
/// prepared statements are kept by their text, and the text is the same for every kind.
async fn table_of(test: &TestDb, kind: NullOf, values: impl IntoIterator<Item = Value>) -> Conn {
    let db = Db::connect(test.url(), 1).await.unwrap();
    let conn = db.transaction().await.unwrap();
    let dialect = conn.dialect();
    let kind = column_type(dialect, kind);
    execute(&conn, format!("CREATE TABLE t (n bigint PRIMARY KEY, v {kind})"), vec![]).await;
    let insert = format!(
        "INSERT INTO t (n, v) VALUES ({}, {})",
        dialect.placeholder(1),
        dialect.placeholder(2)
    );
    for (number, value) in values.into_iter().enumerate() {
        let number = Value::Int(i64::try_from(number).unwrap());
        execute(&conn, insert.clone(), vec![number, value]).await;
    }
    conn
}

/// The numbers of the rows of `t` that meet a condition.
async fn numbers_where(conn: &Conn, condition: &str, values: Vec<Value>) -> Vec<i64> {
    rows(conn, format!("SELECT n FROM t WHERE {condition} ORDER BY n"), values)
        .await
        .iter()
        .map(|row| row.int(0).unwrap().unwrap())
        .collect()
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0195_0000_0000_7000_8000_0000_0000_0000 + number)
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

// ---- Lists ---------------------------------------------------------------------------------------

both_databases! {
    async fn in_ids_finds_exactly_the_listed_ids(test: TestDb) {
        let conn = table_of(&test, NullOf::Id, (0..50).map(|number| Value::Id(id(number)))).await;
        let found = conn.dialect().in_ids("v", &conn.dialect().placeholder(1));
        for (list, expected) in [
            (vec![], vec![]),
            (vec![id(7)], vec![7]),
            (vec![id(3), id(3), id(999), id(1)], vec![1, 3]),
            ((40..10_040).map(id).collect(), (40..50).collect::<Vec<i64>>()),
        ] {
            assert_eq!(numbers_where(&conn, &found, vec![Value::Ids(list)]).await, expected);
        }
    }

    async fn in_list_finds_exactly_the_listed_texts(test: TestDb) {
        let texts = ["a", "A", "á", "", "it's", "quo\"te", "back\\slash", "1", "null", "%"];
        let conn = table_of(&test, NullOf::Text, texts.map(Value::from)).await;
        let found = conn.dialect().in_list("v", &conn.dialect().placeholder(1));
        for (number, text) in texts.iter().enumerate() {
            let list = Value::Texts(vec![(*text).to_owned(), "absent".to_owned()]);
            let number = i64::try_from(number).unwrap();
            assert_eq!(numbers_where(&conn, &found, vec![list]).await, [number], "{text:?}");
        }
        assert!(numbers_where(&conn, &found, vec![Value::Texts(vec![])]).await.is_empty());
    }

    async fn in_list_finds_exactly_the_listed_integers(test: TestDb) {
        let integers = [0, 1, -1, i64::MAX, i64::MIN, 9_007_199_254_740_993];
        let conn = table_of(&test, NullOf::Int, integers.map(Value::Int)).await;
        let found = conn.dialect().in_list("v", &conn.dialect().placeholder(1));
        for (number, integer) in integers.into_iter().enumerate() {
            let number = i64::try_from(number).unwrap();
            let list = Value::Ints(vec![integer, 5]);
            assert_eq!(numbers_where(&conn, &found, vec![list]).await, [number], "{integer}");
        }
        let many = Value::Ints((1..=10_000).collect());
        assert_eq!(numbers_where(&conn, &found, vec![many]).await, [1]);
    }
}

both_databases! {
    async fn lists_of_dates_instants_and_truth_values(test: TestDb) {
        for (kind, values) in samples() {
            let conn = table_of(&test, kind, values.clone()).await;
            let (dialect, mark) = (conn.dialect(), conn.dialect().placeholder(1));
            for (number, value) in values.into_iter().enumerate() {
                let (condition, list) = match value {
                    Value::Date(date) => (dialect.in_dates("v", &mark), Value::Dates(vec![date])),
                    Value::Instant(at) => (dialect.in_instants("v", &mark), Value::Instants(vec![at])),
                    Value::Bool(bool) => (dialect.in_bools("v", &mark), Value::Bools(vec![bool])),
                    _ => continue,
                };
                let number = i64::try_from(number).unwrap();
                assert_eq!(numbers_where(&conn, &condition, vec![list.clone()]).await, [number], "{list:?}");
            }
        }
    }
}

// ---- Text ----------------------------------------------------------------------------------------

both_databases! {
    async fn position_and_ends_with_know_characters(test: TestDb) {
        let texts = ["ação", "acao", "a😀b", "100%", "aaa", ""];
        let conn = table_of(&test, NullOf::Text, texts.map(Value::from)).await;
        let dialect = conn.dialect();
        let (first, second) = (dialect.placeholder(1), dialect.placeholder(2));
        let position = format!("{} > 0", dialect.position("v", &first));
        let ends = dialect.ends_with("v", &first, &second);
        for needle in ["ção", "ao", "b", "😀b", "%", "a", "aaaa", "_", "ACAO", "o"] {
            let numbers = |fits: &dyn Fn(&str) -> bool| -> Vec<i64> {
                (0..).zip(texts).filter(|(_, text)| fits(text)).map(|(number, _)| number).collect()
            };
            let found = numbers_where(&conn, &position, vec![Value::from(needle)]).await;
            assert_eq!(found, numbers(&|text| text.contains(needle)), "contains {needle:?}");
            let length = i64::try_from(needle.chars().count()).unwrap();
            let values = vec![Value::from(needle), Value::Int(length)];
            let found = numbers_where(&conn, &ends, values).await;
            assert_eq!(found, numbers(&|text| text.ends_with(needle)), "ends with {needle:?}");
        }
        let values = vec![Value::from(""), Value::Int(0)];
        assert_eq!(numbers_where(&conn, &ends, values).await, [0, 1, 2, 3, 4, 5]);
    }
}

// ---- JSON ----------------------------------------------------------------------------------------

both_databases! {
    async fn json_text_reads_scalars_as_text(test: TestDb) {
        let document = json!({
            "text": "São Paulo", "empty": "", "yes": true, "no": false, "nothing": null,
            "int": 42, "negative": -7, "big": 9_007_199_254_740_993_i64, "tenth": 0.1, "half": 2.5,
            "long": 0.123_456_789_012_345_68, "whole": 3.0, "huge": u64::MAX,
            "deep": { "deeper": { "deepest": "here" } },
            "list": ["zero", 1, { "in": "list" }],
            "dotted.key": "dot", "key with space": "space", "quo\"te": "quote",
            "back\\slash": "backslash", "it's": "apostrophe", "ação": "unicode", "😀": "emoji",
            "$": "dollar", "[0]": "bracket", "0": "digit",
        });
        let conn = table_of(&test, NullOf::Json, [Value::Json(document)]).await;
        for (path, expected) in [
            (&["text"][..], Some("São Paulo")),
            (&["empty"], Some("")),
            (&["yes"], Some("true")),
            (&["no"], Some("false")),
            (&["nothing"], None),
            (&["missing"], None),
            (&["missing", "deeper"], None),
            (&["text", "deeper"], None),
            (&["int"], Some("42")),
            (&["negative"], Some("-7")),
            (&["big"], Some("9007199254740993")),
            (&["tenth"], Some("0.1")),
            (&["half"], Some("2.5")),
            (&["long"], Some("0.12345678901234568")),
            (&["whole"], Some("3.0")),
            (&["huge"], Some("18446744073709551615")),
            (&["deep", "deeper", "deepest"], Some("here")),
            (&["list", "0"], Some("zero")),
            (&["list", "1"], Some("1")),
            (&["list", "2", "in"], Some("list")),
            (&["list", "3"], None),
            (&["dotted.key"], Some("dot")),
            (&["key with space"], Some("space")),
            (&["quo\"te"], Some("quote")),
            (&["back\\slash"], Some("backslash")),
            (&["it's"], Some("apostrophe")),
            (&["ação"], Some("unicode")),
            (&["😀"], Some("emoji")),
            (&["$"], Some("dollar")),
            (&["[0]"], Some("bracket")),
            (&["0"], Some("digit")),
        ] {
            let found = json_text(&conn, path).await;
            assert_eq!(found[0].as_deref(), expected, "{path:?}");
        }
    }

    async fn objects_and_lists_exist_and_have_no_text(test: TestDb) {
        let document = json!({
            "inner": { "b": [1, "two", null, true], "a": { "c": "ç" } }, "list": [], "zero": 0,
            "empty": "", "no": false, "null": null,
        });
        let conn = table_of(&test, NullOf::Json, [Value::Json(document)]).await;
        for (path, exists) in [
            (&["inner"][..], true),
            (&["inner", "b"], true),
            (&["inner", "b", "2"], false),
            (&["inner", "x"], false),
            (&["list"], true),
            (&["list", "0"], false),
            (&["zero"], true),
            (&["empty"], true),
            (&["no"], true),
            (&["null"], false),
        ] {
            let keys: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
            let place = conn.dialect().placeholder(1);
            let sql = format!("SELECT {} FROM t", conn.dialect().json_exists("v", &place));
            let found = rows(&conn, sql, vec![conn.dialect().json_path_value(&keys)]).await;
            assert_eq!(found[0].bool(0).unwrap(), Some(exists), "{path:?}");
            let scalar = matches!(path, ["zero" | "empty" | "no"]);
            assert_eq!(json_text(&conn, path).await[0].is_some(), scalar, "{path:?}");
        }
    }

    async fn json_text_of_null_and_of_scalars_at_the_root_is_null(test: TestDb) {
        let values = [Value::Null(NullOf::Json), Value::Json(json!("text")), Value::Json(json!(1))];
        let conn = table_of(&test, NullOf::Json, values).await;
        assert_eq!(json_text(&conn, &["key"]).await, [None, None, None]);
    }
}

both_databases! {
    async fn json_array_contains_looks_for_texts_in_lists(test: TestDb) {
        let documents = [
            json!({ "tags": ["vip", "ação", "it's"], "deep": { "0": ["x"] } }),
            json!({ "tags": "vip" }),
            json!({ "tags": { "vip": 1 } }),
            json!({ "tags": [1, true, null, ["vip"]], "deep": [["x"]] }),
            json!({}),
            json!(["vip"]),
        ];
        let conn = table_of(&test, NullOf::Json, documents.map(Value::Json)).await;
        let dialect = conn.dialect();
        let (path, text) = (dialect.placeholder(1), dialect.placeholder(2));
        let condition = dialect.json_array_contains("v", &path, &text);
        for (keys, text, expected) in [
            (&["tags"][..], "vip", &[0][..]),
            (&["tags"], "ação", &[0]),
            (&["tags"], "it's", &[0]),
            (&["tags"], "1", &[]),
            (&["tags"], "true", &[]),
            (&["deep", "0"], "x", &[0, 3]),
            (&["missing"], "vip", &[]),
        ] {
            let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
            let values = vec![dialect.json_path_value(&keys), Value::from(text)];
            let found = numbers_where(&conn, &condition, values).await;
            assert_eq!(found, expected, "{keys:?} {text:?}");
        }
    }
}

async fn json_text(conn: &Conn, path: &[&str]) -> Vec<Option<String>> {
    let dialect = conn.dialect();
    let keys: Vec<String> = path.iter().map(|&key| key.to_owned()).collect();
    let expression = dialect.json_text("v", &dialect.placeholder(1));
    let sql = format!("SELECT {expression} FROM t ORDER BY n");
    let value = dialect.json_path_value(&keys);
    rows(conn, sql, vec![value]).await.iter().map(|row| row.text(0).unwrap()).collect()
}

// ---- Calendar ------------------------------------------------------------------------------------

/// What the wall calendar says, by chrono-tz instead of a database.
fn bucket_start(date: NaiveDate, bucket: Bucket) -> NaiveDate {
    let day = |month, day| NaiveDate::from_ymd_opt(date.year(), month, day).unwrap();
    match bucket {
        Bucket::Day => date,
        Bucket::Week => date - TimeDelta::days(i64::from(date.weekday().num_days_from_monday())),
        Bucket::Month => day(date.month(), 1),
        Bucket::Quarter => day((date.month() - 1) / 3 * 3 + 1, 1),
        Bucket::Year => day(1, 1),
    }
}

const ZONES: [Tz; 6] = [
    Tz::America__Sao_Paulo,
    Tz::Europe__Lisbon,
    Tz::Asia__Kolkata,
    Tz::Pacific__Apia,
    Tz::America__Noronha,
    Tz::UTC,
];

/// Instants around every oddity, and a seeded crowd over 140 years.
fn instants() -> Vec<DateTime<Utc>> {
    let mut instants = Vec::new();
    for (from, days) in [
        ("2018-11-03T00:00:00Z", 3), // São Paulo: midnight of the 4th does not exist
        ("2018-02-17T00:00:00Z", 3), // São Paulo: 23:00 of the 17th comes twice
        ("2011-12-29T00:00:00Z", 4), // Apia: the 30th does not exist
        ("2026-03-28T00:00:00Z", 3), // Lisbon: summer begins
        ("2025-12-31T00:00:00Z", 2),
        ("2024-02-28T00:00:00Z", 3),
    ] {
        let from = instant(from);
        instants.extend((0..days * 96).map(|quarter| from + TimeDelta::minutes(15 * quarter)));
    }
    for edge in ["2018-11-04T03:00:00Z", "2018-02-18T02:00:00Z", "2011-12-30T10:00:00Z"] {
        let edge = instant(edge);
        let around = [-1_000_000, -1_000, -1, 0, 1, 1_000, 1_000_000];
        instants.extend(around.map(|micros| edge + TimeDelta::microseconds(micros)));
    }
    let mut random = StdRng::seed_from_u64(2026);
    let (first, last) = (instant("1950-01-01T00:00:00Z"), instant("2090-01-01T00:00:00Z"));
    instants.extend((0..3_000).map(|_| {
        let millis = random.random_range(first.timestamp_millis()..last.timestamp_millis());
        DateTime::from_timestamp_millis(millis).unwrap()
    }));
    instants
}

both_databases! {
    async fn instant_bucket_follows_the_wall_calendar_of_the_zone(test: TestDb) {
        let instants = instants();
        let values = instants.iter().map(|at| Value::Instant(*at));
        let conn = table_of(&test, NullOf::Instant, values).await;
        for zone in ZONES {
            for bucket in Bucket::ALL {
                let expression = conn.dialect().instant_bucket("v", bucket, zone);
                let found = texts(&conn, &expression).await;
                for (at, found) in instants.iter().zip(found) {
                    let local = at.with_timezone(&zone).date_naive();
                    let expected = bucket_start(local, bucket).to_string();
                    assert_eq!(found.as_ref(), Some(&expected), "{at} by {bucket:?} in {zone}");
                }
            }
        }
    }

    /// Where sources differ, or end, the zone's offset at the bound is taken on both databases.
    async fn before_1900_and_from_2100_on_an_offset_stays_what_it_is(test: TestDb) {
        let mut random = StdRng::seed_from_u64(1899);
        let mut instants: Vec<DateTime<Utc>> = Vec::new();
        for (from, to) in [("0001-01-02T00:00:00Z", "1902-01-01T00:00:00Z"),
            ("2098-01-01T00:00:00Z", "2300-01-01T00:00:00Z"), ("9000-01-01T00:00:00Z", "9998-01-01T00:00:00Z")]
        {
            let (from, to) = (instant(from).timestamp(), instant(to).timestamp());
            instants.extend((0..300)
                .map(|_| DateTime::from_timestamp(random.random_range(from..to), 0).unwrap()));
        }
        for edge in ["1900-01-01T00:00:00Z", "2100-01-01T00:00:00Z"] {
            instants.extend([-1, 0, 1].map(|seconds| instant(edge) + TimeDelta::seconds(seconds)));
        }
        // Summer evenings: the hour before midnight is the next day where clocks are put forward.
        for year in [2099, 2100, 2150] {
            instants.extend([3, 4, 23].map(|hour| instant(&format!("{year}-07-15T{hour:02}:30:00Z"))));
        }
        let conn = table_of(&test, NullOf::Instant, instants.iter().map(|at| Value::Instant(*at))).await;
        let summer = [Tz::America__New_York, Tz::Europe__London, Tz::Australia__Lord_Howe, Tz::Europe__Paris];
        for zone in ZONES.into_iter().chain(summer) {
            for bucket in Bucket::ALL {
                let expression = conn.dialect().instant_bucket("v", bucket, zone);
                let found = texts(&conn, &expression).await;
                for (at, found) in instants.iter().zip(found) {
                    let (first, last) = (instant("1900-01-01T00:00:00Z"), instant("2100-01-01T00:00:00Z"));
                    let known = if *at < first { first } else if *at >= last { last } else { *at };
                    let offset = zone.offset_from_utc_datetime(&known.naive_utc()).fix();
                    let local = at.with_timezone(&offset).date_naive();
                    let expected = bucket_start(local, bucket).to_string();
                    assert_eq!(found, Some(expected), "{at} by {bucket:?} in {zone}");
                }
            }
        }
    }

    async fn instant_bucket_of_null_is_null(test: TestDb) {
        let conn = table_of(&test, NullOf::Instant, [Value::Null(NullOf::Instant)]).await;
        for bucket in Bucket::ALL {
            let expression = conn.dialect().instant_bucket("v", bucket, Tz::America__Sao_Paulo);
            assert_eq!(texts(&conn, &expression).await, [None]);
        }
    }

    async fn date_bucket_follows_the_calendar(test: TestDb) {
        let first = NaiveDate::from_ymd_opt(2023, 12, 1).unwrap();
        let mut dates: Vec<NaiveDate> = first.iter_days().take(800).collect();
        let mut random = StdRng::seed_from_u64(7);
        dates.extend((0..1_000).map(|_| {
            NaiveDate::from_ymd_opt(1900, 1, 1).unwrap() + TimeDelta::days(random.random_range(0..73_000))
        }));
        let conn = table_of(&test, NullOf::Date, dates.iter().map(|date| Value::Date(*date))).await;
        for bucket in Bucket::ALL {
            let found = texts(&conn, &conn.dialect().date_bucket("v", bucket)).await;
            for (date, found) in dates.iter().zip(found) {
                let expected = bucket_start(*date, bucket).to_string();
                assert_eq!(found, Some(expected), "{date} by {bucket:?}");
            }
        }
    }
}

async fn texts(conn: &Conn, expression: &str) -> Vec<Option<String>> {
    let sql = format!("SELECT {expression} FROM t ORDER BY n");
    rows(conn, sql, vec![]).await.iter().map(|row| row.text(0).unwrap()).collect()
}

// ---- Search --------------------------------------------------------------------------------------

both_databases! {
    async fn contains_indexed_finds_substrings_and_nothing_else(test: TestDb) {
        let names = [
            "acougue boi feliz", "padaria sao joao", "100% natural", "under_score ltda",
            "quo\"te e filhos", "it's fine", "back\\slash", "a*b (c) -d", "near or and not", "abc",
        ];
        let conn = companies(&test, &names).await;
        let dialect = conn.dialect();
        let condition = dialect.contains_indexed("companies", "c", &dialect.placeholder(1));
        let sql = format!("SELECT c.name FROM companies c WHERE {condition} ORDER BY c.name");
        for (needle, expected) in [
            ("boi", vec!["acougue boi feliz"]),
            ("sao jo", vec!["padaria sao joao"]),
            ("aria", vec!["padaria sao joao"]),
            ("00%", vec!["100% natural"]),
            ("0% n", vec!["100% natural"]),
            ("r_s", vec!["under_score ltda"]),
            ("o_b", vec![]),
            ("u%l", vec![]),
            ("quo\"te", vec!["quo\"te e filhos"]),
            ("t's", vec!["it's fine"]),
            ("ck\\sl", vec!["back\\slash"]),
            ("a*b (c) -d", vec!["a*b (c) -d"]),
            ("or and not", vec!["near or and not"]),
            ("abc", vec!["abc"]),
            ("zzz", vec![]),
        ] {
            let found: Vec<String> = rows(&conn, sql.clone(), vec![dialect.contains_value(needle)])
                .await
                .iter()
                .map(|row| row.text(0).unwrap().unwrap())
                .collect();
            assert_eq!(found, expected, "{needle:?}");
        }
    }

    async fn contains_indexed_follows_changes(test: TestDb) {
        let conn = companies(&test, &["first name", "other name"]).await;
        let dialect = conn.dialect();
        let condition = dialect.contains_indexed("companies", "c", &dialect.placeholder(1));
        let sql = format!("SELECT c.name FROM companies c WHERE {condition}");
        execute(&conn, "UPDATE companies SET search_text = 'second' WHERE name = 'first name'", vec![])
            .await;
        execute(&conn, "DELETE FROM companies WHERE name = 'other name'", vec![]).await;
        for (needle, count) in [("first", 0), ("second", 1), ("other", 0), ("name", 0)] {
            let found = rows(&conn, sql.clone(), vec![dialect.contains_value(needle)]).await;
            assert_eq!(found.len(), count, "{needle}");
        }
    }
}

#[test]
fn escape_like_escapes_what_like_reads() {
    assert_eq!(escape_like("100%_\\ok"), "100\\%\\_\\\\ok");
}

async fn companies(test: &TestDb, names: &[&str]) -> Conn {
    let conn = test.db.transaction().await.unwrap();
    let dialect = conn.dialect();
    let marks: Vec<String> = (1..=4).map(|number| dialect.placeholder(number)).collect();
    let now = Value::Instant(instant("2026-03-10T12:00:00Z"));
    execute(
        &conn,
        format!(
            "INSERT INTO tenants (id, slug, name, created_at, updated_at) \
             VALUES ({0}, 'search', 'Search', {1}, {1})",
            marks[0], marks[1]
        ),
        vec![Value::Id(id(1)), now.clone()],
    )
    .await;
    let insert = format!(
        "INSERT INTO companies (tenant_id, id, name, name_folded, currency, created_at, updated_at, \
         search_text) VALUES ({0}, {1}, {2}, {2}, 'BRL', {3}, {3}, {2})",
        marks[0], marks[1], marks[2], marks[3]
    );
    for (number, name) in names.iter().enumerate() {
        let number = u128::try_from(number).unwrap();
        let values = vec![Value::Id(id(1)), Value::Id(id(number)), Value::from(*name), now.clone()];
        execute(&conn, insert.clone(), values).await;
    }
    conn
}

// ---- Values, in and out --------------------------------------------------------------------------

/// What each kind of column must be able to hold.
fn samples() -> Vec<(NullOf, Vec<Value>)> {
    let json = |value| Value::Json(value);
    vec![
        (NullOf::Id, vec![Value::Id(Uuid::nil()), Value::Id(id(42)), Value::Id(Uuid::max())]),
        (
            NullOf::Text,
            ["", "plain", "ação 😀", "quo\"te it's \\", "1", "null", "line\nbreak"]
                .map(Value::from)
                .to_vec(),
        ),
        (
            NullOf::Int,
            [0, 1, -1, i64::MAX, i64::MIN, 9_007_199_254_740_993].map(Value::Int).to_vec(),
        ),
        (NullOf::Float, [0.0, -2.5, 0.1, 1e300, 5e-324, 3.0].map(Value::Float).to_vec()),
        (NullOf::Bool, [true, false].map(Value::Bool).to_vec()),
        (
            NullOf::Instant,
            [
                "2026-03-10T12:00:00Z",
                "2026-03-10T12:00:00.001Z",
                "2026-03-10T12:00:00.123456Z",
                "2026-03-10T23:59:59.999999Z",
                "1969-12-31T23:59:59.999Z",
                "0001-01-01T00:00:00Z",
                "9999-12-31T23:59:59.999999Z",
            ]
            .map(|text| Value::Instant(instant(text)))
            .to_vec(),
        ),
        (
            NullOf::Date,
            ["2026-03-10", "2024-02-29", "0001-01-01", "9999-12-31", "1969-12-31"]
                .map(|text| Value::Date(text.parse().unwrap()))
                .to_vec(),
        ),
        (
            NullOf::Json,
            vec![
                json(json!({})),
                json(json!([1, "two", null, true, { "ação": 0.1 }])),
                json(json!("text")),
                json(json!(null)),
                json(json!(9_007_199_254_740_993_i64)),
            ],
        ),
    ]
}

both_databases! {
    async fn every_value_comes_back_as_it_went_in(test: TestDb) {
        for (kind, values) in samples() {
            let with_null = values.iter().cloned().chain([Value::Null(kind)]);
            let conn = table_of(&test, kind, with_null).await;
            let found = rows(&conn, "SELECT v FROM t ORDER BY n", vec![]).await;
            for (row, value) in found.iter().zip(&values) {
                assert_eq!(row.value(0, kind).unwrap(), *value);
                assert!(!row.is_null(0).unwrap(), "{value:?}");
                assert_eq!(row.len(), 1);
            }
            let last = found.last().unwrap();
            assert!(last.is_null(0).unwrap(), "{kind:?}");
            assert_eq!(last.value(0, kind).unwrap(), Value::Null(kind));
        }
    }

    async fn a_bound_value_equals_the_stored_one(test: TestDb) {
        for (kind, values) in samples() {
            let conn = table_of(&test, kind, values.clone()).await;
            let condition = format!("v = {}", conn.dialect().placeholder(1));
            for (number, value) in values.into_iter().enumerate() {
                let number = i64::try_from(number).unwrap();
                let found = numbers_where(&conn, &condition, vec![value.clone()]).await;
                assert_eq!(found, [number], "{value:?}");
            }
        }
    }

    async fn instants_and_dates_sort_by_time(test: TestDb) {
        for (kind, mut values) in samples() {
            if !matches!(kind, NullOf::Instant | NullOf::Date | NullOf::Id | NullOf::Int) {
                continue;
            }
            let conn = table_of(&test, kind, values.clone()).await;
            let found: Vec<Value> = rows(&conn, "SELECT v FROM t ORDER BY v", vec![])
                .await
                .iter()
                .map(|row| row.value(0, kind).unwrap())
                .collect();
            values.sort_by_key(order_key);
            assert_eq!(found, values);
        }
    }

    async fn integers_of_every_width_are_read(test: TestDb) {
        let conn = test.db.single_read().await.unwrap();
        let sql = "SELECT CAST(7 AS smallint), CAST(-8 AS integer), CAST(9 AS bigint), count(*) \
                   FROM (SELECT 1) AS one";
        let found = rows(&conn, sql, vec![]).await;
        let integers: Vec<_> = (0..4).map(|index| found[0].int(index).unwrap()).collect();
        assert_eq!(integers, [Some(7), Some(-8), Some(9), Some(1)]);
    }

    async fn sums_of_integers_are_integers_or_a_loud_error(test: TestDb) {
        let conn = table_of(&test, NullOf::Int, [Value::Int(i64::MAX - 1), Value::Int(1)]).await;
        let sum = conn.dialect().sum_int("v");
        let found = rows(&conn, format!("SELECT {sum} FROM t"), vec![]).await;
        assert_eq!(found[0].int(0).unwrap(), Some(i64::MAX));
        let empty = rows(&conn, format!("SELECT {sum} FROM t WHERE n > 9"), vec![]).await;
        assert_eq!(empty[0].int(0).unwrap(), None);
        execute(&conn, "UPDATE t SET v = v + 1 WHERE n = 1", vec![]).await;
        let statement = Statement::new(format!("SELECT {sum} FROM t"), vec![]);
        let error = conn.rows(&permit(), &statement).await.err().expect("the sum does not fit");
        assert_eq!(error.code(), pulso::error::Code::Invalid, "{error}");
    }
}

/// Text that sorts as the value does.
fn order_key(value: &Value) -> (i128, String) {
    match value {
        Value::Instant(at) => (i128::from(at.timestamp_micros()), String::new()),
        Value::Date(date) => (i128::from(date.num_days_from_ce()), String::new()),
        Value::Id(id) => (0, id.to_string()),
        Value::Int(value) => (i128::from(*value), String::new()),
        _ => panic!("no order for {value:?}"),
    }
}
