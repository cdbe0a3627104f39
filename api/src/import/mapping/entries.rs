//! One table of a mapping, entry by entry. What nobody asked for is a mistake.

use std::collections::BTreeSet;

use super::Reader;
use crate::error::{Message, say};

pub(super) struct Entries<'t> {
    place: String,
    table: &'t toml::Table,
    asked: BTreeSet<&'static str>,
}

/// `expected a table`
pub(super) fn expected(en: &str, pt: &str) -> Message {
    say(format!("expected {en}"), format!("esperava {pt}"))
}

/// A text, number or boolean as a text.
pub(super) fn constant(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Datetime(at) => Some(at.to_string()),
        // A float may have lost digits on its way: it has to be written as a text.
        toml::Value::Float(_) | toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}

impl<'t> Entries<'t> {
    pub(super) fn new(place: &str, table: &'t toml::Table) -> Self {
        Self { place: place.to_owned(), table, asked: BTreeSet::new() }
    }

    pub(super) fn place_of(&self, key: &str) -> String {
        if self.place.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place) }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(super) fn raw(&mut self, key: &'static str) -> Option<&'t toml::Value> {
        self.asked.insert(key);
        self.table.get(key)
    }

    fn typed<T>(
        &mut self,
        reader: &mut Reader,
        key: &'static str,
        (en, pt): (&str, &str),
        read: impl FnOnce(&'t toml::Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.raw(key)?;
        let read = read(value);
        if read.is_none() {
            reader.problem(&self.place_of(key), expected(en, pt));
        }
        read
    }

    pub(super) fn text(&mut self, reader: &mut Reader, key: &'static str) -> Option<String> {
        self.typed(reader, key, ("a text", "um texto"), |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn required_text(
        &mut self,
        reader: &mut Reader,
        key: &'static str,
    ) -> Option<String> {
        if self.raw(key).is_none() {
            reader.problem(&self.place_of(key), say("is missing", "falta"));
        }
        self.text(reader, key)
    }

    /// A text, number or boolean.
    pub(super) fn constant(&mut self, reader: &mut Reader, key: &'static str) -> Option<String> {
        self.typed(
            reader,
            key,
            ("a text, whole number or boolean", "um texto ou inteiro"),
            constant,
        )
    }

    /// One text, or a list of them.
    pub(super) fn texts(&mut self, reader: &mut Reader, key: &'static str) -> Vec<String> {
        self.typed(reader, key, ("a text or a list of texts", "um texto ou lista"), |value| {
            match value.as_array() {
                Some(items) => items.iter().map(constant).collect(),
                None => Some(vec![constant(value)?]),
            }
        })
        .unwrap_or_default()
    }

    pub(super) fn flag(&mut self, reader: &mut Reader, key: &'static str) -> Option<bool> {
        self.typed(reader, key, ("true or false", "true ou false"), toml::Value::as_bool)
    }

    pub(super) fn integer(
        &mut self,
        reader: &mut Reader,
        key: &'static str,
        (from, to): (i32, i32),
    ) -> Option<i32> {
        let (en, pt) = (format!("a number {from} to {to}"), format!("um número de {from} a {to}"));
        self.typed(reader, key, (&en, &pt), |value| {
            let number = i32::try_from(value.as_integer()?).ok()?;
            (from..=to).contains(&number).then_some(number)
        })
    }

    pub(super) fn character(&mut self, reader: &mut Reader, key: &'static str) -> Option<char> {
        self.typed(reader, key, ("one character", "um caractere"), |value| {
            let mut characters = value.as_str()?.chars();
            let first = characters.next()?;
            characters.next().is_none().then_some(first)
        })
    }

    pub(super) fn choice<T: Copy>(
        &mut self,
        reader: &mut Reader,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let (en, pt) = (names.join(" or "), names.join(" ou "));
        self.typed(reader, key, (&en, &pt), |value| {
            let given = value.as_str()?;
            choices.iter().find(|(name, _)| *name == given).map(|(_, choice)| *choice)
        })
    }

    pub(super) fn table(
        &mut self,
        reader: &mut Reader,
        key: &'static str,
    ) -> Option<&'t toml::Table> {
        self.typed(reader, key, ("a table", "uma tabela"), toml::Value::as_table)
    }

    /// Whatever was not asked for has no meaning.
    pub(super) fn finish(self, reader: &mut Reader) {
        for key in self.table.keys().filter(|key| !self.asked.contains(key.as_str())) {
            let known: Vec<&str> = self.asked.iter().copied().collect();
            let known = known.join(", ");
            reader.problem(
                &self.place_of(key),
                say(
                    format!("is not known here; known are {known}"),
                    format!("não é conhecido aqui; conhecidos: {known}"),
                ),
            );
        }
    }
}
