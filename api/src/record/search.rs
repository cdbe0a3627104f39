//! `search`: accents and case do not matter, words may be parts of words, better fits come first,
//! and when nothing matches, misspelt words still find what they resemble.
//!
//! A searchable record keeps its folded words in `search_text`, each between spaces. A row matches
//! *exactly* when it contains every word sought. Only when no row does, rows match *alike*: those
//! that share at least half of the three-letter pieces of what is sought, and a third of every word's.
//! Both are answered by the trigram index of either database and mean the same on both (ADR 0004).

use crate::db::{NullOf, Value};
use crate::error::{Error, Result, say};
use crate::limits;

use super::declare::Record;
use super::order::{Expression, OrderKey};
use super::sql::Sql;

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

    pub fn write(&self, sql: &mut Sql, record: &Record, alias: &str, tier: Tier) -> String {
        match tier {
            Tier::Exact => self.write_exact(sql, record, alias),
            Tier::Alike => self.write_alike(sql, record, alias),
        }
    }

    fn write_exact(&self, sql: &mut Sql, record: &Record, alias: &str) -> String {
        let conditions: Vec<String> = self
            .words
            .iter()
            .map(|word| {
                if word.chars().count() >= 3 {
                    indexed(sql, record, alias, word)
                } else {
                    // Too short for the index: the beginning of a word.
                    let placeholder = sql.bind(Value::Text(format!(" {word}")));
                    let text = format!("{alias}.search_text");
                    format!("{} > 0", sql.dialect.position(&text, &placeholder))
                }
            })
            .collect();
        format!("({})", conditions.join(" AND "))
    }

    fn write_alike(&self, sql: &mut Sql, record: &Record, alias: &str) -> String {
        let words: Vec<Vec<String>> = self
            .words
            .iter()
            .filter(|word| word.chars().count() >= 3)
            .map(|word| pieces_of(word))
            .collect();
        if words.is_empty() {
            // Only a cursor that was made up can say so: there is nothing to resemble.
            return "FALSE".to_owned();
        }
        let all: usize = words.iter().map(Vec::len).sum();
        let needed = all.div_ceil(2);
        // Of a word at least what its fellows cannot make up for.
        let needed_of = |pieces: &Vec<String>| {
            pieces.len().div_ceil(3).max(needed.saturating_sub(all - pieces.len()))
        };
        let rarest: Vec<Vec<&str>> =
            words.iter().map(|pieces| rarest_of(pieces, needed_of(pieces))).collect();
        let dialect = sql.dialect;
        let bind = &mut |value| sql.bind(value);
        let candidates = dialect.contains_one_of_each(record.table, alias, &rarest, bind);
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
        format!("({})", conditions.join(" AND "))
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

fn indexed(sql: &mut Sql, record: &Record, alias: &str, text: &str) -> String {
    let value = sql.dialect.contains_value(text);
    let placeholder = sql.bind(value);
    sql.dialect.contains_indexed(record.table, alias, &placeholder)
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
