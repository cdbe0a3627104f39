//! Root fields that no declaration describes, one line each: how they are asked for, and what each of
//! the four gets. The selection is made from the schema, so that a new field of an answer is asked for
//! by all of them without a line of its own.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use pulso::ctx::Origin;
use pulso::graphql::{Write, catalogue};
use pulso::identity::session::service::login;
use pulso::limits;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::shape::Shape;
use super::{ask, betrays, code, everywhere, marks, one_of_each, reading_all, words};
use crate::support::seed::PASSWORD;
use crate::support::{TestApp, both_databases};

/// What the calls aim at: rows of one tenant that belong to one person, and what else is theirs.
pub struct Target {
    records: BTreeMap<&'static str, Uuid>,
    email: String,
    session: Uuid,
    refresh_token: String,
    api_key: Uuid,
    role: Uuid,
    operation: Uuid,
    provider: Uuid,
    invited: Uuid,
    notification: Uuid,
    /// A text that nobody has used yet.
    fresh: String,
}

/// What a caller gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Gets {
    /// A refusal of this code, in the words for what never was; nothing is changed.
    Refused(&'static str),
    /// A refusal of this code for what they know is there; nothing is changed.
    Denied(&'static str),
    /// An answer without anything of the target's; nothing of the target's tenant is changed.
    Own,
    /// Null.
    Null,
    /// An answer: it may be asked for.
    Answer,
}

use Gets::{Answer, Denied, Null, Own, Refused};

/// A root field, and what becomes of it.
pub struct Case {
    pub name: &'static str,
    /// The arguments, aimed at a target.
    pub with: fn(&Target) -> String,
    /// Nobody; an admin of another tenant; a role without any grant; a role with every grant for own
    /// rows, where the target is somebody else's; and the admin of the target's tenant.
    pub gets: [Gets; 5],
}

const WHO: [&str; 5] =
    ["nobody", "another tenant", "a wrong role", "an own-scope user", "the admin"];

/// Without a credential nobody; without the grant nobody either; what is not theirs is not there.
const GUARDED: [Gets; 5] = [
    Refused("UNAUTHENTICATED"),
    Refused("NOT_FOUND"),
    Refused("FORBIDDEN"),
    Refused("NOT_FOUND"),
    Answer,
];
/// The tenant's own business: each sees their own tenant's, if their role says so.
const OF_THE_TENANT: [Gets; 5] =
    [Refused("UNAUTHENTICATED"), Own, Refused("FORBIDDEN"), Answer, Answer];
/// One person's, whatever the roles of others, the admin's too.
const OF_ONE_PERSON: [Gets; 5] = [
    Refused("UNAUTHENTICATED"),
    Refused("NOT_FOUND"),
    Refused("NOT_FOUND"),
    Refused("NOT_FOUND"),
    Refused("NOT_FOUND"),
];
/// A door that is open by design: what it asks for says by itself whose it is.
const OPEN: [Gets; 5] = [Answer; 5];
/// Whoever names a provider decides who everybody is: nobody does who may not do everything.
const PROVIDERS: [Gets; 5] =
    [Refused("UNAUTHENTICATED"), Own, Refused("FORBIDDEN"), Refused("FORBIDDEN"), Answer];
/// Events that were not let in belong to nobody: they are for whoever reaches all.
const QUARANTINE: [Gets; 5] = [
    Refused("UNAUTHENTICATED"),
    Refused("NOT_FOUND"),
    Refused("FORBIDDEN"),
    Refused("FORBIDDEN"),
    Answer,
];
/// Snapshots are the whole tenant's: they are for whoever reaches all.
const WHOLE: [Gets; 5] =
    [Refused("UNAUTHENTICATED"), Own, Refused("FORBIDDEN"), Refused("FORBIDDEN"), Answer];
const NEVER: [Gets; 5] = [Refused("INVALID"); 5];

/// One line for every root field that no declaration describes. In this order, because the last caller
/// does what is asked.
pub const CASES: &[Case] = &[
    // ---- Queries -----------------------------------------------------------------------------
    Case { name: "me", with: |_| String::new(), gets: [Null, Own, Answer, Answer, Answer] },
    Case {
        name: "enums",
        with: |_| String::new(),
        gets: [Refused("UNAUTHENTICATED"), Own, Answer, Answer, Answer],
    },
    Case { name: "rateLimit", with: |_| String::new(), gets: OPEN },
    Case {
        name: "sessions",
        with: |target| format!("(userId: \"{}\")", target.records["User"]),
        gets: GUARDED,
    },
    Case { name: "roles", with: |_| String::new(), gets: OF_THE_TENANT },
    Case {
        name: "accessExplain",
        with: |target| {
            format!(
                "(resource: \"leads\", action: \"update\", id: \"{}\", userId: \"{}\")",
                target.records["Lead"], target.records["User"]
            )
        },
        gets: GUARDED,
    },
    Case { name: "apiKeys", with: |_| String::new(), gets: OF_THE_TENANT },
    Case { name: "tenant", with: |_| String::new(), gets: OF_THE_TENANT },
    Case { name: "identityProviders", with: |_| String::new(), gets: OF_THE_TENANT },
    Case { name: "persistedOperations", with: |_| String::new(), gets: OF_THE_TENANT },
    Case {
        name: "notifications",
        with: |_| String::new(),
        gets: [Refused("UNAUTHENTICATED"), Own, Own, Own, Answer],
    },
    Case {
        name: "notificationAdded",
        with: |_| String::new(),
        // Not over a plain request; over the others: tests/subscriptions.rs, everybody_hears_their_own.
        gets: [Refused("UNSUPPORTED"); 5],
    },
    Case {
        name: "metricLive",
        with: |_| "(input: { metrics: [\"tickets_created\"] })".to_owned(),
        // Not over a plain request; over the others: tests/metric_live.rs, numbers_are_of_whom_a_role_reaches.
        gets: [Refused("UNSUPPORTED"); 5],
    },
    // ---- Doors that are open -----------------------------------------------------------------
    Case {
        name: "login",
        with: |target| {
            format!("(tenant: \"alpha\", email: \"{}\", password: \"{PASSWORD}\")", target.email)
        },
        gets: OPEN,
    },
    Case {
        name: "signInProviders",
        with: |_| "(tenant: \"alpha\")".to_owned(),
        // A sign-in page asks for anybody; slug and name of what is offered are no secret.
        gets: OPEN,
    },
    Case {
        name: "signInRedeem",
        with: |target| format!("(code: \"{}\", verifier: \"x\")", target.session),
        gets: [Refused("UNAUTHENTICATED"); 5],
    },
    Case {
        name: "sessionRefresh",
        with: |target| format!("(refreshToken: \"{}\")", target.refresh_token),
        gets: OPEN,
    },
    Case {
        name: "passwordResetRequest",
        with: |target| format!("(tenant: \"alpha\", email: \"{}\")", target.email),
        gets: OPEN,
    },
    Case {
        name: "passwordReset",
        with: |target| format!("(token: \"{}\", newPassword: \"{PASSWORD}\")", target.session),
        gets: NEVER,
    },
    Case {
        name: "invitationAccept",
        with: |target| format!("(token: \"{}\", password: \"{PASSWORD}\")", target.session),
        gets: NEVER,
    },
    // ---- One's own account -------------------------------------------------------------------
    Case {
        name: "passwordChange",
        with: |_| format!("(current: \"{PASSWORD}\", new: \"{PASSWORD} 2\")"),
        // All of these callers hold API keys, and a key changes no password.
        gets: [
            Refused("UNAUTHENTICATED"),
            Refused("FORBIDDEN"),
            Refused("FORBIDDEN"),
            Refused("FORBIDDEN"),
            Refused("FORBIDDEN"),
        ],
    },
    Case {
        name: "logout",
        with: |_| String::new(),
        gets: [
            Refused("UNAUTHENTICATED"),
            Refused("UNSUPPORTED"),
            Refused("UNSUPPORTED"),
            Refused("UNSUPPORTED"),
            Refused("UNSUPPORTED"),
        ],
    },
    Case {
        name: "signOut",
        with: |_| String::new(),
        gets: [
            Refused("UNAUTHENTICATED"),
            Refused("UNSUPPORTED"),
            Refused("UNSUPPORTED"),
            Refused("UNSUPPORTED"),
            Refused("UNSUPPORTED"),
        ],
    },
    Case {
        name: "sessionRevoke",
        with: |target| format!("(id: \"{}\")", target.session),
        // Anybody's own sessions are theirs to end, whatever their role.
        gets: [
            Refused("UNAUTHENTICATED"),
            Refused("NOT_FOUND"),
            Refused("NOT_FOUND"),
            Refused("NOT_FOUND"),
            Answer,
        ],
    },
    Case {
        name: "sessionRevokeAll",
        with: |target| format!("(userId: \"{}\")", target.records["User"]),
        gets: GUARDED,
    },
    Case {
        name: "eventsIngest",
        with: |target| {
            format!(
                "(events: [{{ id: \"{}\", module: \"tickets\", eventType: \"ticket.created\", \
                 occurredAt: \"2026-03-10T11:00:00Z\" }}])",
                target.fresh
            )
        },
        gets: OF_THE_TENANT,
    },
    Case {
        name: "quarantineReplay",
        with: |target| format!("(ids: [\"{}\"])", target.records["QuarantinedEvent"]),
        gets: QUARANTINE,
    },
    Case {
        name: "quarantineDiscard",
        with: |target| format!("(ids: [\"{}\"])", target.records["QuarantinedEvent"]),
        gets: QUARANTINE,
    },
    Case {
        name: "eventSchemaPut",
        with: |_| {
            "(module: \"people\", eventType: \"person.left\", schemaVersion: 1, \
             schema: { type: \"object\" })"
                .to_owned()
        },
        gets: PROVIDERS,
    },
    Case {
        name: "eventSchemaDelete",
        with: |target| format!("(id: \"{}\")", target.records["EventSchema"]),
        gets: QUARANTINE,
    },
    Case {
        name: "snapshotRecalc",
        with: |_| "(from: \"2026-03-09T03:00:00Z\", to: \"2026-03-10T03:00:00Z\")".to_owned(),
        gets: WHOLE,
    },
    Case { name: "snapshotRebuild", with: |_| String::new(), gets: WHOLE },
    Case { name: "snapshotVerify", with: |_| String::new(), gets: WHOLE },
    Case { name: "eventsRetry", with: |_| "(filter: {})".to_owned(), gets: WHOLE },
    Case {
        name: "jobCancel",
        with: |target| format!("(id: \"{}\")", target.records["Job"]),
        gets: GUARDED,
    },
    Case {
        name: "notificationMarkRead",
        with: |target| format!("(ids: [\"{}\"])", target.notification),
        gets: OF_ONE_PERSON,
    },
    Case {
        name: "notificationMarkAllRead",
        with: |_| String::new(),
        gets: [Refused("UNAUTHENTICATED"), Own, Answer, Answer, Answer],
    },
    Case {
        name: "notificationDelete",
        with: |target| format!("(ids: [\"{}\"])", target.notification),
        gets: OF_ONE_PERSON,
    },
    // ---- Roles, keys, the tenant -------------------------------------------------------------
    Case {
        name: "roleCreate",
        with: |target| {
            format!(
                "(input: {{ name: \"{}\", permissions: {{ leads: {{ read: \"own\" }} }} }})",
                target.fresh
            )
        },
        gets: OF_THE_TENANT,
    },
    Case {
        name: "roleUpdate",
        with: |target| format!("(id: \"{}\", input: {{ label: \"Outro\" }})", target.role),
        // Roles are the tenant's, and the role that is tried allows more than the own-scope user may.
        gets: [
            Refused("UNAUTHENTICATED"),
            Refused("NOT_FOUND"),
            Refused("FORBIDDEN"),
            Denied("FORBIDDEN"),
            Answer,
        ],
    },
    Case {
        name: "roleDelete",
        with: |target| format!("(id: \"{}\")", target.role),
        // The target's role allows more than an own-scope user may do.
        gets: [
            Refused("UNAUTHENTICATED"),
            Refused("NOT_FOUND"),
            Refused("FORBIDDEN"),
            Denied("FORBIDDEN"),
            Answer,
        ],
    },
    Case {
        name: "apiKeyCreate",
        with: |target| {
            format!(
                "(input: {{ name: \"{}\", role: \"diretor\", scopes: [\"leads:read\"] }})",
                target.fresh
            )
        },
        // An own-scope user's key may not read what its maker may not.
        gets: [Refused("UNAUTHENTICATED"), Own, Refused("FORBIDDEN"), Refused("FORBIDDEN"), Answer],
    },
    Case {
        name: "apiKeySetPersistedOnly",
        with: |target| format!("(id: \"{}\", persistedOnly: true)", target.api_key),
        gets: GUARDED,
    },
    Case {
        name: "apiKeySetErrorsAsStatus",
        with: |target| format!("(id: \"{}\", errorsAsStatus: true)", target.api_key),
        gets: GUARDED,
    },
    Case {
        name: "apiKeyRotate",
        with: |target| format!("(id: \"{}\")", target.api_key),
        gets: GUARDED,
    },
    Case {
        name: "apiKeyRevoke",
        with: |target| format!("(id: \"{}\")", target.api_key),
        gets: GUARDED,
    },
    Case {
        name: "tenantUpdate",
        with: |target| format!("(input: {{ name: \"{}\" }})", target.fresh),
        gets: OF_THE_TENANT,
    },
    Case {
        name: "persistedOperationRegister",
        with: |target| format!("(document: \"{{ a: __typename }}\", name: \"{}\")", target.fresh),
        // Operations are the whole tenant's.
        gets: [Refused("UNAUTHENTICATED"), Own, Refused("FORBIDDEN"), Refused("FORBIDDEN"), Answer],
    },
    Case {
        name: "persistedOperationRemove",
        with: |target| format!("(id: \"{}\")", target.operation),
        // Operations are the whole tenant's.
        gets: [
            Refused("UNAUTHENTICATED"),
            Refused("NOT_FOUND"),
            Refused("FORBIDDEN"),
            Refused("FORBIDDEN"),
            Answer,
        ],
    },
    Case {
        name: "identityProviderCreate",
        with: |target| {
            format!(
                "(input: {{ slug: \"{}\", name: \"P\", issuer: \"https://accounts.google.com\", \
                 clientId: \"c\" }})",
                target.fresh
            )
        },
        gets: PROVIDERS,
    },
    Case {
        name: "identityProviderUpdate",
        with: |target| format!("(id: \"{}\", input: {{ name: \"Outro\" }})", target.provider),
        gets: [
            Refused("UNAUTHENTICATED"),
            Refused("NOT_FOUND"),
            Refused("FORBIDDEN"),
            Refused("FORBIDDEN"),
            Answer,
        ],
    },
    Case {
        name: "identityProviderDelete",
        with: |target| format!("(id: \"{}\")", target.provider),
        gets: [
            Refused("UNAUTHENTICATED"),
            Refused("NOT_FOUND"),
            Refused("FORBIDDEN"),
            Refused("FORBIDDEN"),
            Answer,
        ],
    },
    // ---- Verbs of records --------------------------------------------------------------------
    Case {
        name: "leadAssign",
        with: |target| {
            format!(
                "(id: \"{}\", assigneeId: \"{}\")",
                target.records["Lead"], target.records["User"]
            )
        },
        gets: GUARDED,
    },
    Case {
        name: "leadScore",
        with: |target| format!("(id: \"{}\", score: 7)", target.records["Lead"]),
        gets: GUARDED,
    },
    Case {
        name: "leadConvert",
        with: |target| format!("(id: \"{}\")", target.records["Lead"]),
        // A new lead has to be qualified first.
        gets: [
            Refused("UNAUTHENTICATED"),
            Refused("NOT_FOUND"),
            Refused("FORBIDDEN"),
            Refused("NOT_FOUND"),
            Denied("CONFLICT"),
        ],
    },
    Case {
        name: "dealMoveStage",
        with: |target| {
            format!(
                "(id: \"{}\", stageId: \"{}\")",
                target.records["Deal"], target.records["PipelineStage"]
            )
        },
        gets: GUARDED,
    },
    Case {
        name: "saleRegister",
        with: |target| {
            format!(
                "(input: {{ orderId: \"{}\", amount: \"1.00\", customerId: \"{}\", \
                 sellerId: \"{}\" }})",
                target.fresh, target.records["Company"], target.records["User"]
            )
        },
        gets: GUARDED,
    },
    Case {
        name: "saleCancel",
        with: |target| format!("(id: \"{}\")", target.records["Sale"]),
        gets: GUARDED,
    },
    Case { name: "goalsPropose", with: |_| "(year: 2026)".to_owned(), gets: OF_THE_TENANT },
    Case { name: "goalsClassify", with: |_| "(year: 2026)".to_owned(), gets: OF_THE_TENANT },
    Case {
        name: "dealAssign",
        with: |target| {
            format!("(id: \"{}\", ownerId: \"{}\")", target.records["Deal"], target.records["User"])
        },
        gets: GUARDED,
    },
    Case {
        name: "userInvite",
        with: |target| {
            format!(
                "(input: {{ email: \"a.{}@b.example\", name: \"A\", roles: [], managerId: \"{}\" }})",
                target.fresh, target.records["User"]
            )
        },
        gets: GUARDED,
    },
    Case {
        name: "invitationResend",
        with: |target| format!("(userId: \"{}\")", target.invited),
        gets: GUARDED,
    },
    Case {
        name: "invitationRevoke",
        with: |target| format!("(userId: \"{}\")", target.invited),
        gets: GUARDED,
    },
    Case {
        name: "userRolesSet",
        with: |target| format!("(userId: \"{}\", roles: [\"diretor\"])", target.records["User"]),
        gets: GUARDED,
    },
];

impl Target {
    /// What belongs to the director of the first tenant.
    pub async fn of(app: &TestApp) -> Self {
        let (alpha, admin) = (&app.alpha, &app.alpha.admin.key);
        let records = one_of_each(app, alpha, &alpha.diretor).await;
        let email = alpha.diretor.email.clone();
        let origin = Origin::internal("test");
        let session = login(&app.app, alpha.slug, &email, PASSWORD, &origin).await.unwrap();
        let listed =
            app.data(&session.access_token, "{ sessions { id isCurrent } }", json!({})).await;
        let current = &listed["sessions"][0];
        assert_eq!(current["isCurrent"], true, "{listed}");
        let actor = app.app.identity.authenticate(&app.app, &alpha.diretor.key).await.unwrap();
        let fresh = app.app.clock.new_id().simple().to_string();
        let made = format!(
            "mutation {{ \
             role: roleCreate(input: {{ name: \"alvo-{fresh}\", permissions: {{ leads: {{ read: \"all\" }} }} }}) {{ id }} \
             operation: persistedOperationRegister(document: \"{{ me {{ roles }} }}\", name: \"{fresh}\") {{ id }} \
             provider: identityProviderCreate(input: {{ slug: \"{fresh}\", name: \"P\", issuer: \"https://accounts.google.com\", clientId: \"c\" }}) {{ id }} \
             invited: userInvite(input: {{ email: \"c.{fresh}@b.example\", name: \"C\", roles: [] }}) {{ id }} }}"
        );
        let made = app.data(admin, &made, json!({})).await;
        // Of what the admin made for them.
        let told = "{ notifications(first: 1) { nodes { id } } }";
        let told = app.data(&alpha.diretor.key, told, json!({})).await;
        // Another invitation may be sent by now.
        app.app.clock.advance(TimeDelta::seconds(limits::INVITATION_AGAIN_SECONDS + 1));
        let id = |of: &Json| of["id"].as_str().unwrap().parse().unwrap();
        Self {
            records,
            email,
            session: id(current),
            refresh_token: session.refresh_token,
            api_key: actor.api_key_id.unwrap(),
            role: id(&made["role"]),
            operation: id(&made["operation"]),
            provider: id(&made["provider"]),
            invited: id(&made["invited"]),
            notification: id(&told["notifications"]["nodes"][0]),
            fresh,
        }
    }

    /// The same, where nothing ever was.
    fn never(&self, app: &TestApp) -> Self {
        let id = || app.app.clock.new_id();
        Self {
            records: self.records.keys().map(|name| (*name, id())).collect(),
            email: self.email.clone(),
            session: id(),
            refresh_token: self.refresh_token.clone(),
            api_key: id(),
            role: id(),
            operation: id(),
            provider: id(),
            invited: id(),
            notification: id(),
            fresh: id().simple().to_string(),
        }
    }

    fn renewed(mut self, app: &TestApp) -> Self {
        self.fresh = format!("p{}", app.app.clock.new_id().simple());
        self
    }

    /// What would give it away.
    fn marks(&self, app: &TestApp) -> Vec<String> {
        let mut marks = marks(&app.alpha, &self.records);
        let own = [
            self.session,
            self.api_key,
            self.role,
            self.operation,
            self.provider,
            self.invited,
            self.notification,
        ];
        marks.extend(own.iter().map(Uuid::to_string));
        marks
    }
}

impl Case {
    fn query(&self, shape: &Shape, target: &Target) -> String {
        let root = shape.root_of(self.name).unwrap_or("query");
        let field = shape.root(root).into_iter().find(|field| field.name == self.name).unwrap();
        format!(
            "{root} {{ r: {}{} {} }}",
            self.name,
            (self.with)(target),
            shape.selection(&field.of, 2)
        )
    }

    /// Asks as one of the five; what is wrong with the answer.
    async fn wrong(
        &self,
        app: &TestApp,
        shape: &Shape,
        (target, who, credential): (&Target, usize, Option<&str>),
    ) -> Option<String> {
        let query = self.query(shape, target);
        let answer = ask(app, credential, &query).await;
        let gets = self.gets[who];
        let shown =
            || Some(format!("{}, {}, {gets:?}: {query}\n    {answer}", self.name, WHO[who]));
        let right = match gets {
            Refused(expected) | Denied(expected) => code(&answer) == Some(expected),
            Own | Answer => answer.get("errors").is_none() && !answer["data"]["r"].is_null(),
            Null => answer.get("errors").is_none() && answer["data"]["r"].is_null(),
        };
        // What may be null for everybody.
        let right = right || (self.name == "rateLimit" && answer.get("errors").is_none());
        if !right {
            return shown();
        }
        let text = answer.to_string();
        if gets != Answer && betrays(&text, &query, &target.marks(app)).is_some() {
            return shown();
        }
        if let Refused(_) = gets {
            let never = ask(app, credential, &self.query(shape, &target.never(app))).await;
            let same = words(&answer) == words(&never);
            let cost = |answer: &Json| answer["extensions"]["cost"]["statements"].clone();
            if !same || cost(&answer) != cost(&never) {
                return shown().map(|shown| format!("{shown}\n    and for what never was {never}"));
            }
        }
        None
    }
}

#[track_caller]
fn none(problems: &[String]) {
    assert!(problems.is_empty(), "{} answers are wrong:\n{}", problems.len(), problems.join("\n"));
}

both_databases! {
    /// Nobody and another tenant: refused or shown their own, and nothing of the target is touched.
    async fn fields_by_hand_for_nobody_and_strangers(app: TestApp) {
        let shape = Shape::of(&app).await;
        let target = Target::of(&app).await;
        let before = app.whole(&app.alpha).await;
        assert!(before.rows() > 100);
        let mut problems = Vec::new();
        let callers = [None, Some(app.beta.admin.key.as_str())];
        let mut target = target;
        for open in [false, true] {
            for case in CASES {
                for (who, credential) in callers.into_iter().enumerate() {
                    if (case.gets[who] == Answer) == open {
                        target = target.renewed(&app);
                        problems.extend(case.wrong(&app, &shape, (&target, who, credential)).await);
                    }
                }
            }
            if !open {
                let changed = app.whole(&app.alpha).await.changed_since(&before);
                problems.extend(changed.into_iter().map(|table| format!("changed: {table}")));
            }
        }
        none(&problems);
    }

    /// A role without the grant, a role for own rows, and in the end whoever may: the questions were
    /// the right ones.
    async fn fields_by_hand_for_roles(app: TestApp) {
        let shape = Shape::of(&app).await;
        let alpha = &app.alpha;
        let mut target = Target::of(&app).await;
        let nothing = app.key_with(alpha, alpha.comercial.id, json!({})).await;
        let own = app.key_with(alpha, alpha.comercial.id, everywhere("own")).await;
        let before = app.whole(alpha).await;
        let mut problems = Vec::new();
        let callers = [(2, &nothing), (3, &own), (4, &alpha.admin.key)];
        for refused in [true, false] {
            for case in CASES {
                for (who, credential) in callers {
                    if matches!(case.gets[who], Refused(_) | Denied(_)) == refused && (refused || who != 4) {
                        target = target.renewed(&app);
                        let credential = Some(credential.as_str());
                        problems.extend(case.wrong(&app, &shape, (&target, who, credential)).await);
                    }
                }
            }
            if refused {
                let changed = app.whole(alpha).await.changed_since(&before);
                problems.extend(changed.into_iter().map(|table| format!("changed: {table}")));
            }
        }
        // What the others took away is there again.
        target = Target::of(&app).await;
        for case in CASES.iter().filter(|case| !matches!(case.gets[4], Refused(_) | Denied(_))) {
            target = target.renewed(&app);
            let credential = Some(alpha.admin.key.as_str());
            problems.extend(case.wrong(&app, &shape, (&target, 4, credential)).await);
        }
        none(&problems);
    }

    /// Who sees a row that is not theirs is told that it is not theirs to change.
    async fn verbs_on_rows_that_are_seen(app: TestApp) {
        let shape = Shape::of(&app).await;
        let alpha = &app.alpha;
        let target = Target::of(&app).await;
        let seeing = app.key_with(alpha, alpha.comercial.id, reading_all("own")).await;
        let before = app.whole(alpha).await;
        // Verbs over all of one's own rows find nothing to do.
        let aimed = CASES.iter().filter(|case| case.gets != OF_THE_TENANT);
        for case in aimed {
            if let Some(Write::Verb(_)) = catalogue().write(case.name) {
                let query = case.query(&shape, &target);
                let answer = ask(&app, Some(&seeing), &query).await;
                assert_eq!(code(&answer), Some("FORBIDDEN"), "{query}\n{answer:#}");
            }
        }
        assert_eq!(app.whole(alpha).await.changed_since(&before), Vec::<String>::new());
    }
}
