//! Why a sign-in came to nothing: a word for the trail, and one that the browser carries back.

/// What was wrong. The browser learns the least: whoever tries must not find out who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The provider sent the browser back without a code.
    ByProvider,
    /// The answer came from another issuer.
    OtherIssuer,
    Code,
    Token,
    EmailNotVerified,
    EmailDomain,
    NobodyKnown,
    /// The account may not act.
    Inactive,
    /// The account is somebody else's at this issuer.
    OtherSubject,
}

impl Refusal {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::ByProvider => "refused by the provider",
            Self::OtherIssuer => "answer of another issuer",
            Self::Code => "code refused",
            Self::Token => "ID token refused",
            Self::EmailNotVerified => "e-mail not verified",
            Self::EmailDomain => "e-mail of another domain",
            Self::NobodyKnown => "no such user",
            Self::Inactive => "user may not act",
            Self::OtherSubject => "user has another identity",
        }
    }
}
