//! The event types that every tenant has: of which module they are, and what their payloads may say.
//! What a metric takes is among it. Fields are optional, and an event may say more.

/// A type of events, version 1.
#[derive(Debug, Clone, Copy)]
pub struct EventType {
    pub module: &'static str,
    pub name: &'static str,
    pub fields: &'static [Field],
}

/// A field of the payload.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub name: &'static str,
    pub kind: Kind,
    pub about: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number, or a text that is one.
    Number,
    /// As [`Kind::Number`], not below zero.
    Seconds,
    Text,
    /// A text, or a number that names something.
    Name,
}

const fn number(name: &'static str, about: &'static str) -> Field {
    Field { name, kind: Kind::Number, about }
}

const fn seconds(name: &'static str, about: &'static str) -> Field {
    Field { name, kind: Kind::Seconds, about }
}

const fn text(name: &'static str, about: &'static str) -> Field {
    Field { name, kind: Kind::Text, about }
}

const fn name(name: &'static str, about: &'static str) -> Field {
    Field { name, kind: Kind::Name, about }
}

const AGENT: Field = name("agentId", "who did it");
const PRIORITY: Field = name("priority", "how urgent it is");
const ERROR: Field = text("error", "what went wrong");
const OUTCOME: Field = text("outcome", "`resolved`, `failed`, or what else came of it");

macro_rules! types {
    ($($module:literal { $($name:literal [$($field:expr),*];)* })*) => {
        &[$($(EventType { module: $module, name: $name, fields: &[$($field),*] },)*)*]
    };
}

/// All of them, module by module.
pub static TYPES: &[EventType] = types! {
    "tickets" {
        "ticket.created" [PRIORITY];
        "ticket.first_reply" [seconds("responseSec", "from its creation to the first reply"), AGENT];
        "ticket.resolved" [seconds("handleSec", "time that it was worked on"), AGENT];
        "ticket.reopened" [text("reason", "why")];
        "sla.breached" [text("target", "what was promised: `first_reply`, `resolution`"),
            seconds("exceededSec", "by how much")];
    }
    "messaging" {
        "conversation.created" [];
        "conversation.closed" [AGENT, seconds("durationSec", "from its beginning to its end")];
        "message.received" [];
        "message.sent" [AGENT];
        "message.failed" [ERROR];
        "csat.answered" [number("score", "the grade that was given"), AGENT];
        "quick_reply.used" [name("quickReplyId", "which one"), AGENT];
    }
    "channels" {
        "channel.disconnected" [ERROR];
    }
    "automation" {
        "automation.ran" [OUTCOME, seconds("durationSec", "how long it took")];
        "automation.failed" [ERROR];
    }
    "knowledge" {
        "article.viewed" [];
        "article.rated" [number("score", "the grade that was given")];
    }
    "internal_chat" {
        "internal_message.sent" [AGENT];
    }
};
