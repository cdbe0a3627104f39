//! Every sentence a caller may read exists in English and in Portuguese, side by side, so that
//! neither can be forgotten.

use std::borrow::Cow;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    #[default]
    En,
    PtBr,
}

impl Language {
    /// Reads an `Accept-Language` header: the first of `pt…` or `en…` by quality wins, English when
    /// neither is named.
    pub fn from_accept_language(header: &str) -> Self {
        let mut best: Option<(f32, Self)> = None;
        for part in header.split(',') {
            let mut pieces = part.split(';').map(str::trim);
            let tag = pieces.next().unwrap_or_default().to_ascii_lowercase();
            let quality = pieces
                .find_map(|piece| piece.strip_prefix("q="))
                .and_then(|q| q.parse::<f32>().ok())
                .unwrap_or(1.0);
            let language = if tag == "pt" || tag.starts_with("pt-") {
                Self::PtBr
            } else if tag == "en" || tag.starts_with("en-") || tag == "*" {
                Self::En
            } else {
                continue;
            };
            if quality > 0.0 && best.is_none_or(|(known, _)| quality > known) {
                best = Some((quality, language));
            }
        }
        best.map_or(Self::En, |(_, language)| language)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub en: Cow<'static, str>,
    pub pt: Cow<'static, str>,
}

/// A sentence in both languages: `say("not found", "não encontrado")`.
pub fn say(en: impl Into<Cow<'static, str>>, pt: impl Into<Cow<'static, str>>) -> Message {
    Message { en: en.into(), pt: pt.into() }
}

impl Message {
    pub fn in_language(&self, language: Language) -> &str {
        match language {
            Language::En => &self.en,
            Language::PtBr => &self.pt,
        }
    }
}
