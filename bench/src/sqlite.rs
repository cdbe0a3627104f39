//! The same rows on SQLite: the tables are made by the server's own migration, the rows come over
//! from PostgreSQL as one INSERT a line.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::machine;
use crate::outcome::{During as _, Outcome};
use crate::postgres::DATABASE;
use crate::programs::output;
use crate::stand::Stand;

/// What the server writes as it works: a copy begins without it.
const LEFT_OUT: [&str; 6] =
    ["seaql_migrations", "events", "event_ids", "event_batches", "audit_logs", "outbox"];

/// Copies the stand's rows into a new file; returns its URL.
pub(crate) fn copy(stand: &Stand) -> Outcome<String> {
    let started = machine::now();
    let path = stand.folder.path().join("copy.db");
    let url = format!("sqlite://{}?mode=rwc", path.display());
    stand.pulso.command(&url, &["migrate", "up"])?;
    let indexes = indexes(&path)?;
    let mut before = "PRAGMA synchronous = OFF;\nPRAGMA foreign_keys = OFF;\nBEGIN;\n".to_owned();
    for (name, _) in &indexes {
        before.push_str(&format!("DROP INDEX {name};\n"));
    }
    let mut after = String::new();
    for (_, statement) in &indexes {
        after.push_str(&format!("{statement};\n"));
    }
    after.push_str("COMMIT;\nANALYZE;\nPRAGMA wal_checkpoint(TRUNCATE);\n");

    let script = stand.folder.path().join("copy.sql");
    let mut copies = String::new();
    for (table, columns) in tables(stand)? {
        before.push_str(&format!("DELETE FROM {table};\n"));
        copies.push_str(&format!("\\copy (select {}) to pstdout\n", insert(&table, &columns)));
    }
    fs::write(&script, copies).during(script.display())?;
    pipe(stand, &script, &path, &before, &after)?;
    let leads = execute(&path, "SELECT count(*) FROM leads;\n")?;
    println!("copied {} leads to SQLite in {:.0} s", leads.trim(), started.elapsed().as_secs_f64());
    Ok(url)
}

/// The secondary indexes: name and statement. They are built once at the end.
fn indexes(path: &Path) -> Outcome<Vec<(String, String)>> {
    let question = "SELECT name || char(9) || replace(sql, char(10), ' ') FROM sqlite_master \
                    WHERE type = 'index' AND sql IS NOT NULL;\n";
    let pair =
        |line: &str| line.split_once('\t').map(|(name, sql)| (name.to_owned(), sql.to_owned()));
    Ok(execute(path, question)?.lines().filter_map(pair).collect())
}

/// Tables with rows, and their columns with types, in order.
fn tables(stand: &Stand) -> Outcome<BTreeMap<String, Vec<(String, String)>>> {
    let statement = "select c.table_name, c.column_name, c.data_type \
         from information_schema.columns c join information_schema.tables t \
         using (table_schema, table_name) join pg_class k on k.relname = c.table_name \
         where c.table_schema = 'public' and t.table_type = 'BASE TABLE' and not k.relispartition \
         order by c.table_name, c.ordinal_position";
    let mut tables: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for line in stand.postgres.query(statement)?.lines() {
        let mut cells = line.split('|').map(str::to_owned);
        if let (Some(table), Some(column), Some(kind)) = (cells.next(), cells.next(), cells.next())
            && !LEFT_OUT.contains(&table.as_str())
        {
            tables.entry(table).or_default().push((column, kind));
        }
    }
    Ok(tables)
}

/// The SELECT list and FROM that give one INSERT per row.
fn insert(table: &str, columns: &[(String, String)]) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let values: Vec<String> = columns
        .iter()
        .map(|(name, kind)| {
            let value = match kind.as_str() {
                "uuid" => format!("'x''' || replace({name}::text, '-', '') || ''''"),
                "integer" | "bigint" | "smallint" => format!("{name}::text"),
                "boolean" => format!("{name}::int::text"),
                "timestamp with time zone" => format!(
                    "to_char({name} at time zone 'UTC', case when date_part('milliseconds', {name})\
                     ::int % 1000 = 0 then '''YYYY-MM-DD\"T\"HH24:MI:SS\"+00:00\"''' \
                     else '''YYYY-MM-DD\"T\"HH24:MI:SS.MS\"+00:00\"''' end)"
                ),
                _ => format!("quote_literal({name}::text)"),
            };
            format!("coalesce({value}, 'NULL')")
        })
        .collect();
    let (names, values) = (names.join(", "), values.join(" || ', ' || "));
    format!("'INSERT INTO {table} ({names}) VALUES (' || {values} || ');' from {table}")
}

/// `psql | sqlite3`, with statements before and after the rows.
fn pipe(stand: &Stand, script: &Path, path: &Path, before: &str, after: &str) -> Outcome {
    let mut sqlite = Command::new("sqlite3");
    sqlite.arg("-bail").arg(path);
    sqlite.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut sqlite = sqlite.spawn().during("sqlite3")?;
    let mut input = sqlite.stdin.take().ok_or("sqlite3 takes no input")?;
    // What is written into a pipe of a program that ended early fails; its own words say why.
    let written = input.write_all(before.as_bytes());
    let mut psql = stand.postgres.client("psql", DATABASE);
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"]).arg(script);
    let second = input.as_fd().try_clone_to_owned().during("a pipe")?;
    let copied = psql.stdin(Stdio::null()).stdout(second).status();
    // The command holds the second end of the pipe: without this sqlite3 would wait for ever.
    drop(psql);
    let finished = input.write_all(after.as_bytes());
    drop(input);
    let ended = sqlite.wait_with_output().during("sqlite3")?;
    let said = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
    if !ended.status.success() || !said.is_empty() {
        return Err(format!("sqlite3 ({}): {said}", ended.status));
    }
    written.and(finished).during("sqlite3")?;
    let status = copied.during("psql")?;
    if status.success() { Ok(()) } else { Err(format!("psql: {status}")) }
}

fn execute(path: &Path, statements: &str) -> Outcome<String> {
    output(Command::new("sqlite3").arg(path).arg(statements))
}
