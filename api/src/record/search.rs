//! `search`: accents and case do not matter, words may be parts of words, better fits come first,
//! and when nothing matches, misspelt words still find what they resemble.
//!
//! A searchable record keeps its folded words in `search_text`, each between spaces. A row matches
//! *exactly* when it contains every word sought. Only when no row does, rows match *alike*: those
//! that share at least half of the three-letter pieces of what is sought. Both are answered by the
//! trigram index of either database and mean the same on both (ADR 0004).

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
        let pieces = self.pieces();
        let needed = pieces.len().div_ceil(2);
        // A row that shares `needed` of n pieces shares at least one of any n - needed + 1: only
        // the rarest that many have to be looked up in the index.
        let mut rarest: Vec<&String> = pieces.iter().collect();
        rarest.sort_by_key(|piece| commonness(piece));
        rarest.truncate(pieces.len() - needed + 1);
        let candidates: Vec<String> =
            rarest.iter().map(|piece| indexed(sql, record, alias, piece)).collect();
        let text = format!("{alias}.search_text");
        let shared: Vec<String> = pieces
            .iter()
            .map(|piece| {
                let placeholder = sql.bind(Value::Text(piece.clone()));
                let position = sql.dialect.position(&text, &placeholder);
                format!("(CASE WHEN {position} > 0 THEN 1 ELSE 0 END)")
            })
            .collect();
        format!("(({}) AND ({}) >= {needed})", candidates.join(" OR "), shared.join(" + "))
    }

    /// The distinct three-letter pieces of the words, each word between its two spaces.
    fn pieces(&self) -> Vec<String> {
        let mut pieces: Vec<String> = Vec::new();
        for word in self.words.iter().filter(|word| word.chars().count() >= 3) {
            let padded: Vec<char> =
                std::iter::once(' ').chain(word.chars()).chain(std::iter::once(' ')).collect();
            for window in padded.windows(3) {
                let piece: String = window.iter().collect();
                if !pieces.contains(&piece) {
                    pieces.push(piece);
                }
            }
        }
        pieces
    }
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
