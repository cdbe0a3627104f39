//! The closed list of what people are told, and what each says. `docs/notifications.md` shows it.

use crate::error::{Message, say};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    LeadAssigned,
    DealAssigned,
    DealWon,
    DealLost,
    InvitationAccepted,
    PasswordChanged,
    SessionReused,
    ApiKeyRotated,
    ApiKeyRevoked,
    ApiKeyExpires,
    ApiKeyLastDay,
}

/// How it is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Info,
    Success,
    Warning,
    ActionRequired,
}

impl Kind {
    pub const ALL: [Self; 11] = [
        Self::LeadAssigned,
        Self::DealAssigned,
        Self::DealWon,
        Self::DealLost,
        Self::InvitationAccepted,
        Self::PasswordChanged,
        Self::SessionReused,
        Self::ApiKeyRotated,
        Self::ApiKeyRevoked,
        Self::ApiKeyExpires,
        Self::ApiKeyLastDay,
    ];

    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LeadAssigned => "lead_assigned",
            Self::DealAssigned => "deal_assigned",
            Self::DealWon => "deal_won",
            Self::DealLost => "deal_lost",
            Self::InvitationAccepted => "invitation_accepted",
            Self::PasswordChanged => "password_changed",
            Self::SessionReused => "session_reused",
            Self::ApiKeyRotated => "api_key_rotated",
            Self::ApiKeyRevoked => "api_key_revoked",
            Self::ApiKeyExpires => "api_key_expires",
            Self::ApiKeyLastDay => "api_key_last_day",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    pub fn level(self) -> Level {
        match self {
            Self::LeadAssigned
            | Self::DealAssigned
            | Self::PasswordChanged
            | Self::ApiKeyRotated => Level::Info,
            Self::DealWon | Self::InvitationAccepted => Level::Success,
            Self::DealLost | Self::ApiKeyRevoked | Self::ApiKeyExpires => Level::Warning,
            Self::SessionReused | Self::ApiKeyLastDay => Level::ActionRequired,
        }
    }

    /// What it says in a line.
    pub fn title(self, count: i64) -> Message {
        let many = count > 1;
        match self {
            Self::LeadAssigned if many => say(
                format!("{count} leads were given to you"),
                format!("{count} leads foram atribuídos a você"),
            ),
            Self::LeadAssigned => say("A lead was given to you", "Um lead foi atribuído a você"),
            Self::DealAssigned if many => say(
                format!("{count} deals were given to you"),
                format!("{count} negócios foram atribuídos a você"),
            ),
            Self::DealAssigned => say("A deal was given to you", "Um negócio foi atribuído a você"),
            Self::DealWon if many => {
                say(format!("{count} deals were won"), format!("{count} negócios foram ganhos"))
            }
            Self::DealWon => say("A deal was won", "Um negócio foi ganho"),
            Self::DealLost if many => {
                say(format!("{count} deals were lost"), format!("{count} negócios foram perdidos"))
            }
            Self::DealLost => say("A deal was lost", "Um negócio foi perdido"),
            Self::InvitationAccepted => {
                say("Your invitation was accepted", "Seu convite foi aceito")
            }
            Self::PasswordChanged => say("Your password was changed", "Sua senha foi alterada"),
            Self::SessionReused => {
                say("One of your sessions was ended", "Uma de suas sessões foi encerrada")
            }
            Self::ApiKeyRotated => say(
                "An API key that you made has a new secret",
                "Uma chave de API que você criou tem um novo segredo",
            ),
            Self::ApiKeyRevoked => say(
                "An API key that you made was revoked",
                "Uma chave de API que você criou foi revogada",
            ),
            Self::ApiKeyExpires if many => say(
                format!("{count} API keys end soon"),
                format!("{count} chaves de API terminam em breve"),
            ),
            Self::ApiKeyExpires => say("An API key ends soon", "Uma chave de API termina em breve"),
            Self::ApiKeyLastDay if many => say(
                format!("{count} API keys end within a day"),
                format!("{count} chaves de API terminam em até um dia"),
            ),
            Self::ApiKeyLastDay => {
                say("An API key ends within a day", "Uma chave de API termina em até um dia")
            }
        }
    }

    /// What it means, and what may be done.
    pub fn body(self) -> Message {
        match self {
            Self::LeadAssigned => {
                say("You work on it from now on.", "A partir de agora ele está com você.")
            }
            Self::DealAssigned => say("It is yours from now on.", "A partir de agora ele é seu."),
            Self::DealWon | Self::DealLost => say(
                "It is yours, or belongs to somebody of your team.",
                "Ele é seu ou de alguém da sua equipe.",
            ),
            Self::InvitationAccepted => say(
                "Who you invited has opened the account and can sign in.",
                "Quem você convidou abriu a conta e já pode entrar.",
            ),
            Self::PasswordChanged => say(
                "Your other sessions were ended. If it was not you, ask for a new password.",
                "Suas outras sessões foram encerradas. Se não foi você, peça uma nova senha.",
            ),
            Self::SessionReused => say(
                "A token of it was used twice, so that somebody else may have had it: change your \
                 password.",
                "Um token dela foi usado duas vezes e pode ter estado com outra pessoa: altere a \
                 sua senha.",
            ),
            Self::ApiKeyRotated => say(
                "The old secret works until the end that was set for it.",
                "O segredo anterior funciona até o prazo definido para ele.",
            ),
            Self::ApiKeyRevoked => say("It opens nothing any more.", "Ela não abre mais nada."),
            Self::ApiKeyExpires | Self::ApiKeyLastDay => say(
                "Make another, and give it to the program that uses this one before it ends.",
                "Crie outra e passe-a ao programa que usa esta antes do término.",
            ),
        }
    }
}
