//! The repository's own sources as data, for the rules of `tests/tidy.rs`.

use std::fs;
use std::path::{Path, PathBuf};

/// One Rust file.
pub struct Source {
    /// From the root of the repository, with `/`.
    pub path: String,
    pub text: String,
    /// Without comments and without its unit tests.
    pub code: String,
    /// As `code`, with string literals emptied.
    pub bare: String,
}

impl Source {
    /// The last part of the path without `.rs`.
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap();
        name.strip_suffix(".rs").unwrap_or(name)
    }

    /// Whether a word stands alone in the code, strings and comments aside.
    pub fn says(&self, word: &str) -> bool {
        has_word(&self.bare, word)
    }

    /// Every path that a `use` names, braces expanded, and every `crate::…` path within the code.
    pub fn imports(&self) -> Vec<String> {
        let module = self.module();
        let mut imports = Vec::new();
        for statement in use_statements(&self.bare) {
            expand(&statement, "", &mut imports);
        }
        let mut rest = self.bare.as_str();
        while let Some(at) = rest.find("crate::") {
            rest = &rest[at + "crate::".len()..];
            let end = rest.find(|c: char| !is_path_character(c)).unwrap_or(rest.len());
            imports.push(format!("crate::{}", &rest[..end]));
        }
        imports.into_iter().map(|path| absolute(&path, &module)).collect()
    }

    /// `api/src/crm/lead/service.rs` is `["crm", "lead", "service"]`.
    fn module(&self) -> Vec<String> {
        let inside = self.path.split_once("src/").map_or(self.path.as_str(), |(_, inside)| inside);
        let inside = inside.strip_suffix(".rs").unwrap_or(inside);
        let mut parts: Vec<String> = inside.split('/').map(str::to_owned).collect();
        if parts.last().is_some_and(|last| last == "mod" || last == "lib") {
            parts.pop();
        }
        parts
    }
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// All Rust files below a folder of the repository, in order of their paths.
pub fn sources(folder: &str) -> Vec<Source> {
    files(folder, "rs")
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(root().join(&path)).unwrap();
            let (code, bare) = without_comments(&text);
            Source { path, code: without_tests(&code), bare: without_tests(&bare), text }
        })
        .collect()
}

/// Paths below a folder of the repository that end in `.{extension}`, sorted.
pub fn files(folder: &str, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect(&root().join(folder), extension, &mut found);
    found.sort();
    found
}

fn collect(folder: &Path, extension: &str, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, extension, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            let inside = path.strip_prefix(root()).unwrap();
            found.push(inside.to_str().unwrap().replace('\\', "/"));
        }
    }
}

pub fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_name_character) && !after.is_some_and(is_name_character)
    })
}

fn is_name_character(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn is_path_character(character: char) -> bool {
    is_name_character(character) || character == ':'
}

/// The bodies of all `use …;`, white space removed.
fn use_statements(code: &str) -> Vec<String> {
    let mut statements = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|character| !character.is_whitespace() && character != ')') {
            continue;
        }
        let body = code[at + 4..].split(';').next().unwrap_or_default();
        let body = body.split(" as ").next().unwrap_or_default();
        statements.push(body.split_whitespace().collect::<String>());
    }
    statements
}

/// `a::{b, c::{d, e}}` becomes `a::b`, `a::c::d`, `a::c::e`.
fn expand(statement: &str, prefix: &str, found: &mut Vec<String>) {
    let Some(open) = statement.find('{') else {
        found.push(format!("{prefix}{statement}"));
        return;
    };
    let prefix = format!("{prefix}{}", &statement[..open]);
    let inside = statement[open + 1..].strip_suffix('}').unwrap_or(&statement[open + 1..]);
    let (mut depth, mut start) = (0, 0);
    for (at, character) in inside.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&inside[start..at], &prefix, found);
                start = at + 1;
            }
            _ => {}
        }
    }
    if start < inside.len() {
        expand(&inside[start..], &prefix, found);
    }
}

/// `super::x` in module `a::b` is `crate::a::x`.
fn absolute(path: &str, module: &[String]) -> String {
    let mut module = module.to_vec();
    let mut rest = path;
    if let Some(inside) = rest.strip_prefix("self::") {
        rest = inside;
    } else if !rest.starts_with("super::") {
        return path.to_owned();
    }
    while let Some(above) = rest.strip_prefix("super::") {
        module.pop();
        rest = above;
    }
    let mut parts = vec!["crate".to_owned()];
    parts.extend(module);
    parts.push(rest.to_owned());
    parts.join("::")
}

/// Unit tests stand at the end of a file.
fn without_tests(code: &str) -> String {
    code.split("#[cfg(test)]\nmod ").next().unwrap_or_default().to_owned()
}

/// The code without comments; and the same with string and character literals emptied.
fn without_comments(text: &str) -> (String, String) {
    let characters: Vec<char> = text.chars().collect();
    let (mut code, mut bare) = (String::new(), String::new());
    let mut at = 0;
    while at < characters.len() {
        let rest = &characters[at..];
        let length = match rest {
            ['/', '/', ..] => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => block_comment(rest),
            ['"', ..] => string(rest),
            ['r', '"' | '#', ..] if !code.chars().next_back().is_some_and(is_name_character) => {
                raw_string(rest)
            }
            ['\'', '\\', ..] => {
                rest.iter().skip(2).position(|c| *c == '\'').map_or(2, |end| end + 3)
            }
            ['\'', _, '\'', ..] => 3,
            _ => 1,
        };
        let literal = length > 1 && rest[0] != '/';
        if literal || length == 1 {
            code.extend(&rest[..length]);
            if literal { bare.push_str("\"\"") } else { bare.push(rest[0]) }
        }
        at += length;
    }
    (code, bare)
}

fn block_comment(rest: &[char]) -> usize {
    let end = rest.windows(2).position(|pair| pair == ['*', '/']);
    end.map_or(rest.len(), |end| end + 2)
}

fn string(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string(rest: &[char]) -> usize {
    let hashes = rest.iter().skip(1).take_while(|c| **c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 1;
    }
    let mut end = vec!['"'];
    end.extend(std::iter::repeat_n('#', hashes));
    let from = 2 + hashes;
    let found = rest[from..].windows(end.len()).position(|window| window == end);
    found.map_or(rest.len(), |found| from + found + end.len())
}
