//! Mutations of users beyond the engine's: inviting them, and saying what they may do.

use async_graphql_value::{ConstValue, Name, indexmap::IndexMap};

use super::{invitation, roles};
use crate::error::{Error, Result};
use crate::identity::user::record::record;
use crate::identity::user::service;
use crate::record::change::verb::{Answer, InputType, Verb, id, missing, optional_text};
use crate::record::input;
use crate::record::selection::Selected;

static INVITE_INPUTS: [InputType; 1] = [InputType {
    name: "UserInviteInput",
    fields: &[
        ("email", "String!", "Where the invitation goes, and what they sign in with."),
        ("name", "String!", "Full name."),
        ("roles", "[String!]!", "Names of roles; none may allow more than the caller may do."),
        ("orgUnitId", "ID", ""),
        ("managerId", "ID", ""),
        ("language", "String", "Of the mail: pt-BR or en. The tenant's by default."),
    ],
}];

pub(crate) static VERBS: [Verb; 4] = [
    Verb {
        name: "userInvite",
        about: "Makes a user and sends them an invitation by mail, which works once, for 7 days.",
        arguments: &[("input", "UserInviteInput!", "")],
        inputs: &INVITE_INPUTS,
        answer: record,
        run: |session, selected| {
            Box::pin(async move {
                let given = read_invitation(selected).map_err(|error| error.within("input"))?;
                let invited = invitation::invite(session, given).await;
                let user_id = invited.map_err(|error| error.within("input"))?;
                Ok(Answer::Record(user_id))
            })
        },
    },
    Verb {
        name: "invitationResend",
        about: "Sends somebody who has no password yet another invitation; earlier ones end.",
        arguments: &[
            ("userId", "ID!", ""),
            ("language", "String", "Of the mail: pt-BR or en. The tenant's by default."),
        ],
        inputs: &[],
        answer: record,
        run: |session, selected| {
            Box::pin(async move {
                let user_id = id(selected, "userId")?;
                let language = optional_text(selected, "language")?;
                invitation::resend(session, user_id, language.as_deref()).await?;
                Ok(Answer::Record(user_id))
            })
        },
    },
    Verb {
        name: "invitationRevoke",
        about: "Ends somebody's open invitation. The user stays, and cannot sign in.",
        arguments: &[("userId", "ID!", "")],
        inputs: &[],
        answer: record,
        run: |session, selected| {
            Box::pin(async move {
                let user_id = id(selected, "userId")?;
                invitation::revoke(session, user_id).await?;
                Ok(Answer::Record(user_id))
            })
        },
    },
    Verb {
        name: "userRolesSet",
        about: "Gives a user these roles and no others. Neither the roles nor the user may allow \
                more than the caller may do; nobody changes their own.",
        arguments: &[("userId", "ID!", ""), ("roles", "[String!]!", "Names of roles.")],
        inputs: &[],
        answer: record,
        run: |session, selected| {
            Box::pin(async move {
                let user_id = id(selected, "userId")?;
                let given = selected.argument("roles").ok_or_else(|| missing("roles"))?;
                roles::set(session, user_id, &texts(given, "roles")?).await?;
                Ok(Answer::Record(user_id))
            })
        },
    },
];

fn read_invitation(selected: &Selected) -> Result<invitation::Invitation> {
    let Some(ConstValue::Object(given)) = selected.argument("input") else {
        return Err(missing("input"));
    };
    let present = |name: &str| given.get(name).filter(|value| !matches!(value, ConstValue::Null));
    let text = |name: &'static str| {
        let given = present(name).ok_or_else(|| missing(name))?;
        input::read_text(given).map_err(|error| error.at(name))
    };
    let name = service::checked_name(text("name")?, "name")?;
    let mut user = IndexMap::from([
        (Name::new("email"), ConstValue::String(text("email")?.to_owned())),
        (Name::new("fullName"), ConstValue::String(name)),
    ]);
    for name in ["orgUnitId", "managerId"] {
        if let Some(value) = present(name) {
            user.insert(Name::new(name), value.clone());
        }
    }
    let language = present("language").map(|given| {
        input::read_text(given).map(str::to_owned).map_err(|error| error.at("language"))
    });
    Ok(invitation::Invitation {
        user,
        roles: texts(present("roles").ok_or_else(|| missing("roles"))?, "roles")?,
        language: language.transpose()?,
    })
}

fn texts(given: &ConstValue, name: &'static str) -> Result<Vec<String>> {
    let read = |one| input::read_text(one).map(str::to_owned);
    let texts: Result<Vec<String>> = input::read_list(given).iter().map(read).collect();
    texts.map_err(|error: Error| error.at(name))
}
