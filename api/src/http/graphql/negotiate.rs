//! What the client sends and what it wants back: `Content-Type` and `Accept`.

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};

/// What `/graphql` can answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    Json,
    GraphqlResponse,
    EventStream,
    Html,
}

impl Media {
    fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::Json => ("application", "json"),
            Self::GraphqlResponse => ("application", "graphql-response+json"),
            Self::EventStream => ("text", "event-stream"),
            Self::Html => ("text", "html"),
        }
    }
}

/// One range of an `Accept` header.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    quality: f32,
    position: usize,
}

impl Range<'_> {
    /// 2 for the very type, 1 for `type/*`, 0 for `*/*`.
    fn specificity(&self, media: Media) -> Option<u8> {
        let (kind, subtype) = media.parts();
        if self.kind == "*" && self.subtype == "*" {
            Some(0)
        } else if !self.kind.eq_ignore_ascii_case(kind) {
            None
        } else if self.subtype == "*" {
            Some(1)
        } else {
            self.subtype.eq_ignore_ascii_case(subtype).then_some(2)
        }
    }
}

/// The offer that suits the client best. Without an `Accept` header, and for `*/*`, it is the first
/// offer; between equals, what the client lists first.
pub(super) fn choose(headers: &HeaderMap, offers: &[Media]) -> Option<Media> {
    let texts: Vec<&str> =
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    if texts.iter().all(|text| text.trim().is_empty()) {
        return offers.first().copied();
    }
    let ranges: Vec<Range<'_>> = texts
        .iter()
        .flat_map(|text| text.split(','))
        .enumerate()
        .filter_map(|(position, text)| read_range(text, position))
        .collect();
    let mut best: Option<(f32, u8, usize, Media)> = None;
    for &offer in offers {
        // The most specific range decides the quality of an offer.
        let Some((specificity, range)) = ranges
            .iter()
            .filter_map(|range| range.specificity(offer).map(|how| (how, range)))
            .max_by_key(|(how, range)| (*how, std::cmp::Reverse(range.position)))
        else {
            continue;
        };
        let better = best.is_none_or(|(quality, known, position, _)| {
            (range.quality, specificity, std::cmp::Reverse(range.position))
                > (quality, known, std::cmp::Reverse(position))
        });
        if range.quality > 0.0 && better {
            best = Some((range.quality, specificity, range.position, offer));
        }
    }
    best.map(|(_, _, _, offer)| offer)
}

fn read_range(text: &str, position: usize) -> Option<Range<'_>> {
    let mut pieces = text.split(';').map(str::trim);
    let (kind, subtype) = pieces.next()?.split_once('/')?;
    let mut quality = 1.0;
    for piece in pieces {
        let (name, value) = piece.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("q") {
            quality = value.trim().parse().ok()?;
        } else if name.trim().eq_ignore_ascii_case("charset") && !is_utf8(value) {
            return None;
        }
    }
    Some(Range { kind: kind.trim(), subtype: subtype.trim(), quality, position })
}

fn is_utf8(charset: &str) -> bool {
    let charset = charset.trim().trim_matches('"');
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

/// Whether the body is declared as JSON in UTF-8. Forms, multipart and plain text are refused also
/// because a browser sends them across origins without asking first.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let Some(text) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let encoded = headers
        .get(CONTENT_ENCODING)
        .is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    let mut pieces = text.split(';').map(str::trim);
    let json = pieces.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let charset = pieces
        .filter_map(|piece| piece.split_once('='))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .all(|(_, value)| is_utf8(value));
    json && charset && !encoded
}
