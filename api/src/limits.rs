//! Every bound of the system, on one page. Passing one is an error with code `LIMIT_EXCEEDED` (or
//! `INVALID` for an argument out of its range), never a silently shorter answer.

/// Rows of a page when `first`/`last` is not given.
pub const PAGE_ROWS_DEFAULT: u64 = 50;
/// Largest `first`/`last`.
pub const PAGE_ROWS_MAX: u64 = 1_000;
/// Rows of an answer that is a chart's, and comes whole or not at all.
pub const CHART_ROWS_MAX: u64 = 50_000;
/// Rows that one operation may be estimated to return (pages multiply down the tree).
pub const OPERATION_ROWS_MAX: u64 = 500_000;
/// Records in one `…CreateMany`, `…UpdateMany`, `…DeleteMany`.
pub const BATCH_ROWS_MAX: usize = 1_000;
/// Records that one `…Destroy` removes with the one that it names.
pub const DESTROY_ROWS_MAX: usize = 10_000;
/// Keys in one `orderBy`.
pub const ORDER_KEYS_MAX: usize = 5;
/// To-one relations that one key of an `orderBy` may go through.
pub const ORDER_DEPTH_MAX: usize = 4;
/// Tables that one statement may join (SQLite stops at 64).
pub const LEVEL_TABLES_MAX: usize = 40;
/// Fields in one `by` of a group query.
pub const GROUP_KEYS_MAX: usize = 5;
/// Nesting of `and`/`or`/`not` and relations in one filter.
pub const FILTER_DEPTH_MAX: usize = 12;
/// Comparisons in one filter.
pub const FILTER_TERMS_MAX: usize = 200;
/// Values in one `in`/`notIn`.
pub const FILTER_VALUES_MAX: usize = 10_000;
/// Largest `limit` of `countUpTo`.
pub const COUNT_UP_TO_MAX: u64 = 100_000;
/// Length of `search`, in characters.
pub const SEARCH_CHARS_MAX: usize = 200;

/// Selection depth of an operation, introspection aside.
pub const QUERY_DEPTH_MAX: usize = 15;
/// Fields of one operation under a name that is not their own.
pub const QUERY_ALIASES_MAX: usize = 100;
/// Fields at the root of one operation.
pub const QUERY_ROOT_FIELDS_MAX: usize = 50;
/// Fields of one operation after fragments are expanded.
pub const QUERY_FIELDS_MAX: usize = 5_000;
/// Directives on one field.
pub const QUERY_DIRECTIVES_MAX: usize = 8;
/// Fragments of one document.
pub const QUERY_FRAGMENTS_MAX: usize = 200;
/// Fields of one introspection.
pub const INTROSPECTION_FIELDS_MAX: usize = 1_000;
/// Tokens of one document.
pub const QUERY_TOKENS_MAX: usize = 15_000;
/// Nesting of braces, brackets and parentheses in one document.
pub const QUERY_NESTING_MAX: usize = 60;
/// Operations in one HTTP batch.
pub const HTTP_BATCH_MAX: usize = 20;
/// Bytes of a GraphQL request body.
pub const HTTP_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Milliseconds before an operation is given up.
pub const OPERATION_TIMEOUT_MS: u64 = 30_000;
/// Milliseconds between two looks of a node at what its subscribers wait for.
pub const NEWS_POLL_MS: u64 = 500;
/// Milliseconds between two looks of a subscription at numbers.
pub const LIVE_POLL_MS: u64 = 1_000;
/// Buckets that a subscription to numbers shows.
pub const LIVE_BUCKETS_MAX: usize = 1_000;
/// Points that it remembers to have told.
pub const LIVE_POINTS_MAX: usize = 5_000;
/// Notifications that a subscription reads at once when it catches up.
pub const NEWS_ROWS_AT_ONCE: usize = 100;
/// Subscriptions of one user at the same time on one node.
pub const SUBSCRIPTIONS_PER_USER_MAX: usize = 20;
/// Notifications of one kind that one transaction leaves one by one for somebody; more become one.
pub const NOTICES_ALONE_MAX: usize = 10;
/// Days that notifications are kept.
pub const NOTIFICATION_DAYS: i64 = 90;
/// Operations at the same time on one WebSocket connection.
pub const WS_OPERATIONS_MAX: usize = 100;
/// Milliseconds that a WebSocket client may take for its `connection_init`.
pub const WS_INIT_TIMEOUT_MS: u64 = 10_000;
/// Milliseconds between the pings that keep a WebSocket connection open; a client that stays silent
/// for three of them is let go.
pub const WS_PING_EVERY_MS: u64 = 20_000;
/// Bytes of persisted documents kept in memory.
pub const PERSISTED_DOCUMENT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Parsed documents kept in memory.
pub const DOCUMENT_CACHE_ENTRIES: u64 = 2_000;
/// Sets of variables per document that are known to be valid.
pub const VALIDATIONS_KEPT: usize = 64;

/// Plans of operations that somebody asked for a moment ago.
pub const PLANS_KEPT: u64 = 500;

/// Bytes of one JSON value (`metadata`).
pub const JSON_BYTES_MAX: usize = 64 * 1024;
/// Characters of a long text (`notes`).
pub const TEXT_CHARS_MAX: usize = 100_000;

/// Milliseconds that a resolved credential is trusted: how long a revocation may take to be felt.
pub const CREDENTIAL_CACHE_MS: u64 = 900;
/// Resolved credentials kept in memory.
pub const CREDENTIAL_CACHE_ENTRIES: u64 = 10_000;
/// Bytes of a token or API key.
pub const CREDENTIAL_BYTES_MAX: usize = 4 * 1024;
/// Seconds that an access token lives.
pub const ACCESS_TOKEN_SECONDS: i64 = 15 * 60;
/// Seconds after a refresh in which the token that was used gives the same answer again.
pub const REFRESH_GRACE_SECONDS: i64 = 30;
/// Sessions of one user at the same time; one more ends the one that was longest unused.
pub const SESSIONS_PER_USER_MAX: u64 = 100;
/// Days that an ended session is kept.
pub const ENDED_SESSION_DAYS: i64 = 7;
/// Seconds by which the clocks of two nodes may differ when a token is judged.
pub const TOKEN_LEEWAY_SECONDS: i64 = 30;
/// Seconds between two notes of when an API key was last used.
pub const KEY_USE_WRITTEN_SECONDS: i64 = 60;
/// Seconds that the old secret of an API key works on beside the new one, unless asked otherwise.
pub const KEY_OVERLAP_SECONDS: i64 = 24 * 60 * 60;
/// The longest that may be asked for.
pub const KEY_OVERLAP_SECONDS_MAX: i64 = 30 * 24 * 60 * 60;
/// Days before an API key ends by itself at which people are told of it: first and last.
pub const KEY_EXPIRY_NOTICE_DAYS: i64 = 14;
pub const KEY_EXPIRY_LAST_NOTICE_DAYS: i64 = 1;
/// Password hashes computed at the same time (each takes 19 MiB).
pub const PASSWORD_HASHES_AT_ONCE: usize = 2;
/// Milliseconds that a sign-in waits for its turn to hash.
pub const PASSWORD_WAIT_MS: u64 = 10_000;
/// Length of a new password: characters at least (NIST SP 800-63B), bytes at most.
pub const PASSWORD_CHARS_MIN: usize = 8;
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// Characters of the name of a tenant, user or key.
pub const NAME_CHARS_MAX: usize = 255;
/// Hours that an idempotency key is remembered.
pub const IDEMPOTENCY_HOURS: i64 = 72;
/// Rows that an operation may return for one point of its cost.
pub const RATE_ROWS_PER_POINT: u64 = 100;
/// Points that a mutation costs beside its rows.
pub const RATE_MUTATION_POINTS: u64 = 5;
/// Points that starting a subscription costs beside the operation itself.
pub const RATE_SUBSCRIPTION_POINTS: u64 = 5;
/// Operations that a tenant registers.
pub const PERSISTED_OPERATIONS_MAX: u64 = 1_000;
/// Identity providers of a tenant.
pub const IDENTITY_PROVIDERS_MAX: u64 = 20;
/// Minutes that somebody may take at an identity provider.
pub const SIGN_IN_MINUTES: i64 = 10;
/// Seconds in which an app exchanges the code of a sign-in for its session.
pub const SIGN_IN_CODE_SECONDS: i64 = 60;
/// Characters of the address that a sign-in leads back to.
pub const RETURN_TO_CHARS_MAX: usize = 2_000;
/// Characters of the `state` that a sign-out brings back.
pub const SIGN_OUT_STATE_CHARS_MAX: usize = 500;
/// Milliseconds that an identity provider may take for one answer.
pub const PROVIDER_TIMEOUT_MS: u64 = 10_000;
/// Bytes of one answer of an identity provider.
pub const PROVIDER_ANSWER_BYTES_MAX: usize = 512 * 1024;
/// Minutes that an identity provider's description and keys are kept.
pub const PROVIDER_CACHE_MINUTES: i64 = 60;
/// Hours for which they are believed while the provider does not answer.
pub const PROVIDER_STALE_HOURS: i64 = 24;
/// Seconds between two questions for a provider's keys because of one that is not known.
pub const PROVIDER_KEYS_AGAIN_SECONDS: i64 = 60;
/// Issuers of whom description and keys are kept in memory.
pub const PROVIDER_CACHE_ENTRIES: u64 = 1_000;
/// Operations of one tenant that may wait for their turn.
pub const TENANT_WAITING_MAX: usize = 1_000;
/// Milliseconds that an SMTP server may take for one mail.
pub const MAIL_TIMEOUT_MS: u64 = 30_000;
/// Seconds before a mail that was not sent is tried again; four times as long each time.
pub const MAIL_AGAIN_SECONDS: i64 = 60;
/// Attempts after which a mail is given up.
pub const MAIL_ATTEMPTS_MAX: i64 = 12;
/// Days that mails which are done with, and links which ended, are kept.
pub const MAIL_KEPT_DAYS: i64 = 30;
/// Days that an invitation stays open.
pub const INVITATION_DAYS: i64 = 7;
/// Minutes that the link of a password reset works.
pub const PASSWORD_RESET_MINUTES: i64 = 60;
/// Seconds between two invitations to the same person.
pub const INVITATION_AGAIN_SECONDS: i64 = 60;
/// Milliseconds that the answer to a request for a password reset takes, whether there is such an
/// account or not.
pub const PASSWORD_RESET_ANSWER_MS: u64 = 250;
/// Wrong passwords for one account before each further guess has to wait, a second at first and
/// twice as long each time.
pub const GUESSES_PER_ACCOUNT: i64 = 5;
/// Wrong passwords from one address, whatever the accounts, before each further guess has to wait.
pub const GUESSES_PER_ADDRESS: i64 = 20;
/// Longest wait between two guesses, in seconds.
pub const GUESS_WAIT_SECONDS_MAX: i64 = 15 * 60;
/// Hours without a guess after which the count for an account begins anew.
pub const GUESSES_KEPT_HOURS: i64 = 24;
/// Days that an address from which somebody signed in is known for theirs.
pub const KNOWN_ADDRESS_DAYS: i64 = 90;
/// Password resets asked for from one address before each further one has to wait.
pub const PASSWORD_RESETS_PER_ADDRESS: i64 = 10;
/// Password resets of one account before no further mail is sent for a while.
pub const PASSWORD_RESETS_PER_ACCOUNT: i64 = 3;
/// Longest wait between two password resets, in seconds.
pub const PASSWORD_RESET_WAIT_SECONDS_MAX: i64 = 60 * 60;
/// Audit entries that one transaction seals, and that verification holds in memory.
pub const AUDIT_ENTRIES_PER_SEAL: usize = 2_000;
/// Places that do not agree which verification tells one by one.
pub const AUDIT_FINDINGS_SHOWN: usize = 20;
/// Exports of whole tenants that one node makes at the same time.
pub const TENANT_EXPORTS_AT_ONCE: usize = 1;
/// Rows of a tenant's export that are read at once.
pub const EXPORT_PAGE_ROWS: usize = 500;
/// Bytes after which a file of a tenant's export ends and the next begins.
pub const EXPORT_FILE_BYTES: usize = 4 * 1024 * 1024;
/// Rows of a removed tenant that one transaction removes.
pub const PURGE_ROWS_AT_ONCE: usize = 1_000;
/// Reads that wait in memory to be written to the log of reads; more are dropped, and said so.
pub const READ_LOG_ENTRIES_MAX: usize = 50_000;
/// Waiting reads that are written at once instead of within a second.
pub const READ_LOG_FLUSH_ENTRIES: usize = 1_000;

/// Bytes of metrics' buckets that one process keeps, about.
pub const SNAPSHOTS_KEPT_BYTES: u64 = 64 * 1024 * 1024;
/// Rows of goals and of sales by customer that one process keeps, each.
pub const GOALS_KEPT_ROWS: u64 = 500_000;
/// Sets of sellers that are being read, and users who refreshed, that one process remembers.
pub const GOALS_WAITING_KEPT: u64 = 100_000;
/// Seconds between two refreshes that one user forces.
pub const GOALS_REFRESH_SECONDS: i64 = 10;

/// Events of one request.
pub const EVENTS_PER_REQUEST_MAX: usize = 1_000;
/// Bytes of one request that brings events, after it is unpacked.
pub const EVENTS_BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Bytes of one event.
pub const EVENT_BYTES_MAX: usize = 64 * 1024;
/// Dimensions of one event.
pub const EVENT_DIMENSIONS_MAX: usize = 20;
/// Minutes by which the clock of an event's source may be ahead.
pub const EVENT_CLOCK_SKEW_MINUTES: i64 = 5;
/// Hours after which an event that comes is history, and waits behind those that are not.
pub const EVENT_BACKFILL_HOURS: i64 = 48;
/// Events that wait on one node to be written.
pub const EVENTS_WAITING_MAX: usize = 20_000;
/// Events that one transaction writes.
pub const EVENTS_PER_INSERT_MAX: usize = 5_000;
/// Transactions of events that one node writes at the same time.
pub const EVENT_WRITERS: usize = 2;
/// Bytes of one JSON Schema of an event type.
pub const EVENT_SCHEMA_BYTES_MAX: usize = 32 * 1024;
/// Versions of event types that a tenant declares, all types together.
pub const EVENT_SCHEMAS_MAX: i64 = 500;
/// Bytes of such a schema with its references written out, each as often as it is referred to.
pub const EVENT_SCHEMA_EXPANDED_BYTES_MAX: usize = 64 * 1024;
/// Schemas within one another in such a schema.
pub const EVENT_SCHEMA_DEPTH_MAX: usize = 32;
/// Faults of an upload that its refusal names.
pub const EVENT_SCHEMA_PROBLEMS_SHOWN: usize = 20;
/// Bytes of tenants' schemas that a node keeps ready for use.
pub const EVENT_SCHEMAS_KEPT_BYTES: u64 = 64 * 1024 * 1024;
/// Events that a node looks at before it lets others have their turn.
pub const EVENTS_PER_TURN: usize = 50;
/// Events of the quarantine that one request decides.
pub const QUARANTINED_AT_ONCE_MAX: usize = 1_000;
/// Events that one transaction folds, unless one batch has more.
pub const EVENTS_PER_FOLD: i64 = 10_000;
/// Events that one step of a recount reads, unless one day has more.
pub const RECOUNT_EVENTS: i64 = 20_000;
/// Rows of snapshots that one step of a recount reads, about, unless one day has more.
pub const RECOUNT_ROWS: i64 = 20_000;
/// Events of one bucket that the auditor counts again.
pub const AUDITED_EVENTS: i64 = 5_000;
/// Events that failed and that one request tries again.
pub const RETRIED_AT_ONCE_MAX: usize = 1_000;
/// Jobs that one process runs at the same time.
pub const JOBS_AT_ONCE: usize = 2;
/// Jobs of a tenant that wait or run.
pub const JOBS_WAITING_MAX: i64 = 100;
/// Days that a job is kept after it is over.
pub const JOB_KEPT_DAYS: i64 = 90;
/// Metrics that a tenant may have of its own.
pub const CUSTOM_METRICS_MAX: usize = 200;
/// Metrics of one question.
pub const SERIES_METRICS_MAX: usize = 20;
/// Buckets of time of one question.
pub const SERIES_BUCKETS_MAX: usize = 10_000;
/// Events that are listed as those behind one point.
pub const LINEAGE_EVENTS_MAX: usize = 10_000;
/// Events of the log that are looked at for them.
pub const LINEAGE_SCANNED_MAX: usize = 200_000;
/// Series that one question may name as its limit.
pub const SERIES_MAX: usize = 1_000;
