//! `search`: accents and case do not matter, words may be parts of words, better fits come first,
//! and when nothing matches, misspelt words still find what they resemble.
//!
//! A searchable record keeps its folded words in `search_text`, each between spaces. A row matches
//! *exactly* when it contains every word sought. Only when no row does, rows match *alike*: those
//! that share at least half of the three-letter pieces of what is sought, and a third of every word's.
//! Both are answered by the trigram index of either database and mean the same on both (ADR 0004).

use crate::db::{Dialect, NullOf, Value};
use crate::error::{Error, Result, say};
use crate::limits;

use super::declare::Record;
use super::order::{Expression, OrderKey};
use super::sql::Sql;

/// Texts of three letters at least; of every group a row contains one.
type Groups<'a> = Vec<Vec<&'a str>>;
/// Binds a value and tells its placeholder.
type Bind<'a> = &'a mut dyn FnMut(Value) -> String;

/// A search, read.
#[derive(Debug, Clone)]
pub struct SearchPlan {
    words: Vec<String>,
    /// What the search means, where a cursor says so: pages of one walk must agree.
    pub decided: Option<Tier>,
}

/// Which of the two meanings a search has, decided by a look at the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    Exact,
    Alike,
}

impl SearchPlan {
    /// `None` when there is nothing to search for.
    pub fn read(record: &Record, text: &str) -> Result<Option<Self>> {
        if record.searched.is_empty() {
            return Err(Error::invalid_field(
                "search",
                say("this record cannot be searched", "este registro não tem busca"),
            ));
        }
        if text.chars().count() > limits::SEARCH_CHARS_MAX {
            let max = limits::SEARCH_CHARS_MAX;
            return Err(Error::limit(say(
                format!("search takes at most {max} characters"),
                format!("search aceita no máximo {max} caracteres"),
            )));
        }
        let words: Vec<String> = entity::value::fold::fold(text)
            .split(' ')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect();
        Ok(if words.is_empty() { None } else { Some(Self { words, decided: None }) })
    }

    /// Whether the data must be looked at to know what the search means. A misspelt search can be
    /// helped only where there are three letters to compare.
    pub fn needs_probe(&self) -> bool {
        self.decided.is_none() && self.words.iter().any(|word| word.chars().count() >= 3)
    }

    /// What it means when the data need not be looked at.
    pub fn tier_without_probe(&self) -> Tier {
        self.decided.unwrap_or(Tier::Exact)
    }

    pub fn rank_keys(&self) -> Vec<OrderKey> {
        let key = |expression| OrderKey {
            expression,
            bind: NullOf::Int,
            nullable: false,
            descending: false,
            nulls_first: false,
        };
        vec![
            key(Expression::SearchRank { words: self.words.join(" ") }),
            key(Expression::SearchLength),
        ]
    }

    /// As a condition on rows that something else leads to as well.
    pub fn write(&self, sql: &mut Sql, record: &Record, alias: &str, tier: Tier) -> String {
        let write = Dialect::contains_one_of_each;
        let indexed = |dialect, groups: &Groups<'_>, bind: Bind<'_>| {
            write(dialect, record.table, alias, groups, bind)
        };
        self.write_over(sql, alias, tier, indexed)
    }

    /// As the way to the rows: what stands behind FROM, and the condition.
    pub fn write_from(
        &self,
        sql: &mut Sql,
        record: &Record,
        alias: &str,
        tier: Tier,
    ) -> (String, String) {
        let mut from = format!("{} {alias}", record.table);
        let indexed = |dialect: Dialect, groups: &Groups<'_>, bind: Bind<'_>| {
            let (through, condition) = dialect.searched(record.table, alias, groups, bind);
            from = through;
            condition
        };
        let condition = self.write_over(sql, alias, tier, indexed);
        (from, condition)
    }

    /// `indexed` writes what the index answers: a row contains one text of every group.
    fn write_over(
        &self,
        sql: &mut Sql,
        alias: &str,
        tier: Tier,
        indexed: impl FnOnce(Dialect, &Groups<'_>, Bind<'_>) -> String,
    ) -> String {
        let conditions = match tier {
            Tier::Exact => self.write_exact(sql, alias, indexed),
            Tier::Alike => self.write_alike(sql, alias, indexed),
        };
        format!("({})", conditions.join(" AND "))
    }

    fn write_exact(
        &self,
        sql: &mut Sql,
        alias: &str,
        indexed: impl FnOnce(Dialect, &Groups<'_>, Bind<'_>) -> String,
    ) -> Vec<String> {
        let texts: Vec<(String, usize)> = self
            .words
            .iter()
            .map(|word| match word.chars().count() {
                // Of a short word the beginning, which its space belongs to.
                short @ 0..=2 => (format!(" {word}"), short + 1),
                long => (word.clone(), long),
            })
            .collect();
        let groups: Groups<'_> =
            texts.iter().filter(|(_, long)| *long >= 3).map(|(text, _)| vec![&**text]).collect();
        let mut conditions = Vec::with_capacity(texts.len());
        if !groups.is_empty() {
            conditions.push(indexed(sql.dialect, &groups, &mut |value| sql.bind(value)));
        }
        // Too short for the index.
        for (text, _) in texts.iter().filter(|(_, long)| *long < 3) {
            let placeholder = sql.bind(Value::Text(text.clone()));
            let position = sql.dialect.position(&format!("{alias}.search_text"), &placeholder);
            conditions.push(format!("{position} > 0"));
        }
        conditions
    }

    fn write_alike(
        &self,
        sql: &mut Sql,
        alias: &str,
        indexed: impl FnOnce(Dialect, &Groups<'_>, Bind<'_>) -> String,
    ) -> Vec<String> {
        let words: Vec<Vec<String>> = self
            .words
            .iter()
            .filter(|word| word.chars().count() >= 3)
            .map(|word| pieces_of(word))
            .collect();
        if words.is_empty() {
            // Only a cursor that was made up can say so: there is nothing to resemble.
            return vec!["FALSE".to_owned()];
        }
        let all: usize = words.iter().map(Vec::len).sum();
        let needed = all.div_ceil(2);
        // Of a word at least what its fellows cannot make up for.
        let needed_of = |pieces: &Vec<String>| {
            pieces.len().div_ceil(3).max(needed.saturating_sub(all - pieces.len()))
        };
        let rarest: Groups<'_> =
            words.iter().map(|pieces| rarest_of(pieces, needed_of(pieces))).collect();
        let dialect = sql.dialect;
        let candidates = indexed(dialect, &rarest, &mut |value| sql.bind(value));
        let text = format!("{alias}.search_text");
        let mut share_of = |pieces: &Vec<String>| {
            let shared = pieces.iter().map(|piece| {
                let placeholder = sql.bind(Value::Text(piece.clone()));
                let position = dialect.position(&text, &placeholder);
                format!("(CASE WHEN {position} > 0 THEN 1 ELSE 0 END)")
            });
            format!("({})", shared.collect::<Vec<_>>().join(" + "))
        };
        let shares: Vec<String> = words.iter().map(&mut share_of).collect();
        let mut conditions = vec![candidates, format!("{} >= {needed}", shares.join(" + "))];
        if words.len() > 1 {
            let each = words.iter().zip(&shares);
            conditions
                .extend(each.map(|(pieces, share)| format!("{share} >= {}", needed_of(pieces))));
        }
        conditions
    }
}

/// The distinct three-letter pieces of a word between its two spaces. One of three letters is its
/// only piece: the others hold two letters of it.
fn pieces_of(word: &str) -> Vec<String> {
    let padded: Vec<char> = format!(" {word} ").chars().collect();
    if padded.len() == 5 {
        return vec![word.to_owned()];
    }
    let mut pieces: Vec<String> = Vec::new();
    for window in padded.windows(3) {
        let piece: String = window.iter().collect();
        if !pieces.contains(&piece) {
            pieces.push(piece);
        }
    }
    pieces
}

/// A row that shares `needed` of n pieces shares at least one of any n - needed + 1: only the rarest
/// that many have to be looked up in the index.
fn rarest_of(pieces: &[String], needed: usize) -> Vec<&str> {
    let mut rarest: Vec<&str> = pieces.iter().map(String::as_str).collect();
    rarest.sort_by_key(|piece| commonness(piece));
    rarest.truncate(pieces.len() - needed + 1);
    rarest
}

/// How often a piece is to be expected, by the letters of Portuguese and English names.
fn commonness(piece: &str) -> u32 {
    piece
        .chars()
        .map(|letter| match letter {
            'a' => 13,
            'e' => 11,
            'o' | 'i' => 9,
            ' ' | 's' | 'r' | 'n' => 7,
            't' | 'l' | 'c' | 'm' | 'd' => 5,
            'u' | 'p' | 'v' | 'g' | 'b' => 3,
            _ => 1,
        })
        .sum()
}
