//! One error type for the whole house. It knows nothing of HTTP, GraphQL or jobs; three translators
//! (`graphql.rs`, `http.rs`, and later the job worker) turn it into what each door speaks.
//!
//! What a caller may read ([`Message`]) and what only the log may see (`internal`) are two things,
//! so that internals cannot be shown by accident.

use std::borrow::Cow;
use std::fmt;

pub mod graphql;
pub mod http;
mod message;

pub use message::{Language, Message, say};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, by what the caller can do about it.
#[derive(Debug)]
pub enum Error {
    /// The thing does not exist for this caller: absent, deleted, of another tenant, or out of scope.
    NotFound {
        message: Message,
        field: Option<Cow<'static, str>>,
    },
    /// The request is right but the present state refuses it (a taken key, an old version, a refused move).
    Conflict {
        message: Message,
        field: Option<Cow<'static, str>>,
        /// The row as it is now, where the conflict is about its version.
        current: Option<Box<serde_json::Value>>,
    },
    /// The request is wrong; `field` names the input path where known.
    Invalid {
        message: Message,
        field: Option<Cow<'static, str>>,
    },
    Unauthenticated {
        message: Message,
    },
    Forbidden {
        message: Message,
        field: Option<Cow<'static, str>>,
    },
    /// A declared bound of `limits.rs` was passed.
    LimitExceeded {
        message: Message,
        field: Option<Cow<'static, str>>,
    },
    RateLimited {
        message: Message,
        retry_after_s: u64,
    },
    Unsupported {
        message: Message,
    },
    /// The server cannot do it now; the same request may succeed later.
    Unavailable {
        message: Message,
        internal: String,
    },
    Internal {
        internal: String,
    },
}

/// The closed list of codes that a client sees in `extensions.code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    NotFound,
    Conflict,
    Invalid,
    Unauthenticated,
    Forbidden,
    LimitExceeded,
    RateLimited,
    Unsupported,
    Unavailable,
    Internal,
}

impl Code {
    pub const ALL: [Self; 10] = [
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::Invalid,
        Self::Conflict,
        Self::LimitExceeded,
        Self::RateLimited,
        Self::Unsupported,
        Self::Unavailable,
        Self::Internal,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "NOT_FOUND",
            Self::Conflict => "CONFLICT",
            Self::Invalid => "INVALID",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::LimitExceeded => "LIMIT_EXCEEDED",
            Self::RateLimited => "RATE_LIMITED",
            Self::Unsupported => "UNSUPPORTED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }
}

impl Error {
    pub fn invalid(message: Message) -> Self {
        Self::Invalid { message, field: None }
    }

    pub fn invalid_field(field: impl Into<Cow<'static, str>>, message: Message) -> Self {
        Self::Invalid { message, field: Some(field.into()) }
    }

    pub fn conflict(message: Message) -> Self {
        Self::Conflict { message, field: None, current: None }
    }

    pub fn conflict_field(field: impl Into<Cow<'static, str>>, message: Message) -> Self {
        Self::Conflict { message, field: Some(field.into()), current: None }
    }

    pub fn forbidden(message: Message) -> Self {
        Self::Forbidden { message, field: None }
    }

    pub fn limit(message: Message) -> Self {
        Self::LimitExceeded { message, field: None }
    }

    pub fn unauthenticated() -> Self {
        Self::Unauthenticated {
            message: say(
                "a valid credential is needed: Authorization: Bearer <token or API key>",
                "é preciso uma credencial válida: Authorization: Bearer <token ou chave de API>",
            ),
        }
    }

    /// `what` is the GraphQL name of the thing, e.g. `Lead`.
    pub fn not_found(what: &str) -> Self {
        Self::NotFound {
            message: say(format!("{what} not found"), format!("{what} não encontrado")),
            field: None,
        }
    }

    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::Internal { internal: cause.to_string() }
    }

    pub fn unavailable(cause: impl fmt::Display) -> Self {
        Self::Unavailable {
            message: say(
                "the server cannot answer now, try again",
                "o servidor não pode responder agora, tente de novo",
            ),
            internal: cause.to_string(),
        }
    }

    /// The same error, blamed on an input field (kept if one is named already).
    #[must_use]
    pub fn at(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        if let Some(field) = self.field_mut()
            && field.is_none()
        {
            *field = Some(name.into());
        }
        self
    }

    /// The same error, seen from one level further out: `name` comes before the field, or stands
    /// alone.
    #[must_use]
    pub fn within(mut self, name: &str) -> Self {
        if let Some(field) = self.field_mut() {
            *field = Some(match field.take() {
                Some(inner) => format!("{name}.{inner}").into(),
                None => name.to_owned().into(),
            });
        }
        self
    }

    fn field_mut(&mut self) -> Option<&mut Option<Cow<'static, str>>> {
        match self {
            Self::NotFound { field, .. }
            | Self::Conflict { field, .. }
            | Self::Invalid { field, .. }
            | Self::Forbidden { field, .. }
            | Self::LimitExceeded { field, .. } => Some(field),
            Self::Unauthenticated { .. }
            | Self::RateLimited { .. }
            | Self::Unsupported { .. }
            | Self::Unavailable { .. }
            | Self::Internal { .. } => None,
        }
    }

    pub fn code(&self) -> Code {
        match self {
            Self::NotFound { .. } => Code::NotFound,
            Self::Conflict { .. } => Code::Conflict,
            Self::Invalid { .. } => Code::Invalid,
            Self::Unauthenticated { .. } => Code::Unauthenticated,
            Self::Forbidden { .. } => Code::Forbidden,
            Self::LimitExceeded { .. } => Code::LimitExceeded,
            Self::RateLimited { .. } => Code::RateLimited,
            Self::Unsupported { .. } => Code::Unsupported,
            Self::Unavailable { .. } => Code::Unavailable,
            Self::Internal { .. } => Code::Internal,
        }
    }

    /// Whether the same request, sent again unchanged, may succeed.
    pub fn retryable(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Unavailable { .. } => true,
            Self::NotFound { .. }
            | Self::Conflict { .. }
            | Self::Invalid { .. }
            | Self::Unauthenticated { .. }
            | Self::Forbidden { .. }
            | Self::LimitExceeded { .. }
            | Self::Unsupported { .. }
            | Self::Internal { .. } => false,
        }
    }

    /// The input path or field the error is about, where known.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::NotFound { field, .. }
            | Self::Conflict { field, .. }
            | Self::Invalid { field, .. }
            | Self::Forbidden { field, .. }
            | Self::LimitExceeded { field, .. } => field.as_deref(),
            Self::Unauthenticated { .. }
            | Self::RateLimited { .. }
            | Self::Unsupported { .. }
            | Self::Unavailable { .. }
            | Self::Internal { .. } => None,
        }
    }

    /// What the caller reads. Internal causes never appear here.
    pub fn message(&self, language: Language) -> &str {
        match self {
            Self::NotFound { message, .. }
            | Self::Conflict { message, .. }
            | Self::Invalid { message, .. }
            | Self::Unauthenticated { message }
            | Self::Forbidden { message, .. }
            | Self::LimitExceeded { message, .. }
            | Self::RateLimited { message, .. }
            | Self::Unsupported { message }
            | Self::Unavailable { message, .. } => message.in_language(language),
            Self::Internal { .. } => match language {
                Language::En => "internal error; the request id names it in the server's log",
                Language::PtBr => {
                    "erro interno; o id da requisição o identifica no log do servidor"
                }
            },
        }
    }

    /// What only the log may see.
    pub fn internal_cause(&self) -> Option<&str> {
        match self {
            Self::Internal { internal } | Self::Unavailable { internal, .. } => Some(internal),
            Self::NotFound { .. }
            | Self::Conflict { .. }
            | Self::Invalid { .. }
            | Self::Unauthenticated { .. }
            | Self::Forbidden { .. }
            | Self::LimitExceeded { .. }
            | Self::RateLimited { .. }
            | Self::Unsupported { .. } => None,
        }
    }
}

impl fmt::Display for Error {
    /// For logs and the command line: English, with the internal cause.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code().as_str(), self.message(Language::En))?;
        if let Some(field) = self.field() {
            write!(f, " (at {field})")?;
        }
        if let Some(cause) = self.internal_cause() {
            write!(f, " [{cause}]")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
