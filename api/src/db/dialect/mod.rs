//! Everything that differs by database, as a closed list of functions. Two files of the same shape.

mod postgres;
mod sqlite;

use chrono::{DateTime, NaiveDate, NaiveTime, Offset as _, TimeZone as _, Utc};
use chrono_tz::Tz;

/// Which database a statement is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    Postgres,
    Sqlite,
}

/// Years between which the rules of a time zone are followed, the second not included. Further back,
/// sources differ on local mean times; our table of zones ends with 2100, while PostgreSQL repeats a
/// zone's last rule for ever: two answers for one summer day of 2150.
pub const ZONES_FROM: i32 = 1900;
pub const ZONES_TO: i32 = 2100;

/// The beginning of a year, and the seconds that `zone` is east of UTC then.
fn offset_at_year(zone: Tz, year: i32) -> (DateTime<Utc>, i32) {
    let start = NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default().and_time(NaiveTime::MIN);
    (start.and_utc(), zone.offset_from_utc_datetime(&start).fix().local_minus_utc())
}

/// The start of a calendar period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bucket {
    Day,
    /// ISO week, Monday first.
    Week,
    Month,
    Quarter,
    Year,
}

impl Bucket {
    pub const ALL: [Self; 5] = [Self::Day, Self::Week, Self::Month, Self::Quarter, Self::Year];

    pub fn graphql_name(self) -> &'static str {
        match self {
            Self::Day => "DAY",
            Self::Week => "WEEK",
            Self::Month => "MONTH",
            Self::Quarter => "QUARTER",
            Self::Year => "YEAR",
        }
    }
}

impl Dialect {
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
        }
    }

    /// The n-th bind value (from 1).
    pub fn placeholder(self, number: usize) -> String {
        let mark = match self {
            Self::Postgres => "$",
            Self::Sqlite => "?",
        };
        [mark, itoa::Buffer::new().format(number)].concat()
    }

    /// As [`Dialect::placeholder`], in a text that names its values once and in their order. SQLite
    /// keeps numbered places in a list and sqlx asks for the name of each: with 15,000 of them that
    /// took four fifths of an import's time.
    pub fn next_placeholder(self, number: usize) -> String {
        match self {
            Self::Postgres => format!("${number}"),
            Self::Sqlite => "?".to_owned(),
        }
    }

    /// `column` is one of the ids bound at `placeholder` as one list.
    pub fn in_ids(self, column: &str, placeholder: &str) -> String {
        match self {
            Self::Postgres => postgres::in_list(column, placeholder),
            Self::Sqlite => sqlite::in_ids(column, placeholder),
        }
    }

    /// `column` is one of the texts or integers bound at `placeholder` as one list.
    pub fn in_list(self, column: &str, placeholder: &str) -> String {
        match self {
            Self::Postgres => postgres::in_list(column, placeholder),
            Self::Sqlite => sqlite::in_list(column, placeholder),
        }
    }

    /// `column` is one of the calendar dates bound at `placeholder` as one list.
    pub fn in_dates(self, column: &str, placeholder: &str) -> String {
        self.in_list(column, placeholder)
    }

    /// `column` is one of the instants bound at `placeholder` as one list.
    pub fn in_instants(self, column: &str, placeholder: &str) -> String {
        self.in_list(column, placeholder)
    }

    /// `column` is one of the truth values bound at `placeholder` as one list.
    pub fn in_bools(self, column: &str, placeholder: &str) -> String {
        self.in_list(column, placeholder)
    }

    /// Where `needle` begins in `haystack`, from 1; 0 when it is not in it. Exact characters.
    pub fn position(self, haystack: &str, needle: &str) -> String {
        match self {
            Self::Postgres => format!("strpos({haystack}, {needle})"),
            Self::Sqlite => format!("instr({haystack}, {needle})"),
        }
    }

    /// `expression` ends with the text bound at `text`, which has `length` characters.
    pub fn ends_with(self, expression: &str, text: &str, length: &str) -> String {
        match self {
            Self::Postgres => format!("right({expression}, CAST({length} AS int)) = {text}"),
            // `substr(x, -n)` gives the whole of a shorter text, which then differs; an empty
            // ending would give everything, so it is compared by length first.
            Self::Sqlite => format!("({length} = 0 OR substr({expression}, -{length}) = {text})"),
        }
    }

    /// The JSON array at a path of `column` holds the text bound at `text`.
    pub fn json_array_contains(self, column: &str, path: &str, text: &str) -> String {
        match self {
            Self::Postgres => format!(
                "(jsonb_typeof({column} #> {path}) = 'array' AND ({column} #> {path}) ? {text})"
            ),
            Self::Sqlite => sqlite::json_array_contains(column, path, text),
        }
    }

    /// The text of a JSON scalar at a path of object keys, both as bind values (`path` is a JSON
    /// array of keys on PostgreSQL, a JSON path on SQLite: see [`Dialect::json_path_value`]).
    /// Objects and lists have none: each database writes them in its own way.
    pub fn json_text(self, column: &str, placeholder: &str) -> String {
        match self {
            Self::Postgres => postgres::json_text(column, placeholder),
            Self::Sqlite => sqlite::json_text(column, placeholder),
        }
    }

    /// Whether there is something at a path, and not null.
    pub fn json_exists(self, column: &str, placeholder: &str) -> String {
        match self {
            Self::Postgres => format!("({column} #>> {placeholder}) IS NOT NULL"),
            Self::Sqlite => sqlite::json_exists(column, placeholder),
        }
    }

    /// The bind value that [`Dialect::json_text`] wants for a path.
    pub fn json_path_value(self, keys: &[String]) -> super::Value {
        match self {
            Self::Postgres => super::Value::Texts(keys.to_vec()),
            Self::Sqlite => super::Value::Text(sqlite::json_paths(keys)),
        }
    }

    /// A calendar date (text `YYYY-MM-DD`): the start of the period that an instant falls into, as
    /// the wall calendar of `zone` shows it. Before [`ZONES_FROM`] and from [`ZONES_TO`] on, where
    /// the tables of zones end or disagree, the offset is the one that the zone has there.
    pub fn instant_bucket(self, column: &str, bucket: Bucket, zone: Tz) -> String {
        match self {
            Self::Postgres => postgres::instant_bucket(column, bucket, zone),
            Self::Sqlite => sqlite::instant_bucket(column, bucket, zone),
        }
    }

    /// As [`Dialect::instant_bucket`], for a calendar date.
    pub fn date_bucket(self, column: &str, bucket: Bucket) -> String {
        match self {
            Self::Postgres => postgres::date_bucket(column, bucket),
            Self::Sqlite => sqlite::date_bucket(column, bucket),
        }
    }

    /// Whole rows of `table` (alias `alias`) whose folded search text contains the folded text
    /// bound at `placeholder` (`%…%` on PostgreSQL, a quoted FTS5 phrase on SQLite), served by the
    /// trigram index. The text has three characters at least.
    pub fn contains_indexed(self, table: &str, alias: &str, placeholder: &str) -> String {
        match self {
            Self::Postgres => postgres::contains_indexed(alias, placeholder),
            Self::Sqlite => sqlite::contains_indexed(table, alias, placeholder),
        }
    }

    /// The bind value for [`Dialect::contains_indexed`].
    pub fn contains_value(self, folded: &str) -> super::Value {
        match self {
            Self::Postgres => super::Value::Text(postgres::contains(folded)),
            Self::Sqlite => super::Value::Text(sqlite::phrase(folded)),
        }
    }

    /// Rows that contain one text of every group at least, by the same index as
    /// [`Dialect::contains_indexed`]; `bind` binds a value and tells its placeholder.
    pub fn contains_one_of_each(
        self,
        table: &str,
        alias: &str,
        groups: &[Vec<&str>],
        bind: &mut dyn FnMut(super::Value) -> String,
    ) -> String {
        match self {
            Self::Postgres => postgres::contains_one_of_each(alias, groups, bind),
            Self::Sqlite => sqlite::contains_one_of_each(table, alias, groups, bind),
        }
    }

    /// The rows of [`Dialect::contains_one_of_each`], found by the index before anything else is
    /// looked at: what stands behind FROM, and the condition.
    pub fn searched(
        self,
        table: &str,
        alias: &str,
        groups: &[Vec<&str>],
        bind: &mut dyn FnMut(super::Value) -> String,
    ) -> (String, String) {
        match self {
            Self::Postgres => {
                let condition = postgres::contains_one_of_each(alias, groups, bind);
                (format!("{table} {alias}"), condition)
            }
            Self::Sqlite => sqlite::searched(table, alias, groups, bind),
        }
    }

    /// A row lock for read-then-write; SQLite's writer is alone already. It does not keep others
    /// from referring to the row meanwhile: keys never change.
    pub fn for_update(self) -> &'static str {
        match self {
            Self::Postgres => " FOR NO KEY UPDATE",
            Self::Sqlite => "",
        }
    }

    /// As [`Dialect::for_update`], for whoever leaves a row that somebody else holds alone.
    pub fn for_update_or_skip(self) -> &'static str {
        match self {
            Self::Postgres => " FOR NO KEY UPDATE SKIP LOCKED",
            Self::Sqlite => "",
        }
    }

    /// Whole seconds from one instant to a later one.
    pub fn seconds_between(self, from: &str, to: &str) -> String {
        match self {
            Self::Postgres => format!(
                "CAST(floor(extract(epoch FROM {to})) - floor(extract(epoch FROM {from})) AS bigint)"
            ),
            Self::Sqlite => format!("(unixepoch({to}) - unixepoch({from}))"),
        }
    }

    /// A sum that stays a 64-bit integer (PostgreSQL widens to numeric).
    pub fn sum_int(self, expression: &str) -> String {
        match self {
            Self::Postgres => format!("CAST(SUM({expression}) AS bigint)"),
            Self::Sqlite => format!("SUM({expression})"),
        }
    }
}

/// Escapes `%`, `_` and `\` for `LIKE … ESCAPE '\'`.
pub fn escape_like(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
