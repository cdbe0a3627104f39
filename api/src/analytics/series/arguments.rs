//! Arguments that several questions about numbers take, and say in the same words.

type Argument = (&'static str, &'static str, &'static str);

pub(super) const FROM: Argument = ("from", "DateTime!", "");
pub(super) const TO: Argument = ("to", "DateTime", "Now by default; not included.");
pub(super) const GRANULARITY: Argument = ("granularity", "Granularity", "DAILY by default.");
pub(super) const TIME_ZONE: Argument =
    ("timeZone", "String", "IANA name; the tenant's by default.");
pub(super) const BY: Argument = ("by", "[String!]", "Dimensions that make a row each.");
pub(super) const ONLY: Argument =
    ("only", "JSON", "Values that count, by dimension: {channel: [\"whatsapp\"]}.");
