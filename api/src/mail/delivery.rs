//! Sending what waits. Every node looks at the queue; a mail is claimed before it is sent, for as long
//! as the next attempt is away, so that a node that dies leaves it to the others.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::queue::{self, Fate, Waiting};
use super::{Mail, Writer};
use crate::app::App;
use crate::error::{Error, Result};
use crate::limits;

/// How often the queue is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_AGAIN_AFTER_FAILURE: Duration = Duration::from_secs(15);

/// What one look at the queue did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    pub sent: usize,
    /// No longer wanted.
    pub dropped: usize,
    /// To be tried again, or given up.
    pub failed: usize,
}

/// Sends mails as they come due, for as long as the process lives.
pub async fn deliver(app: Arc<App>, writer: Writer) {
    loop {
        let pause = match deliver_due(&app, writer).await {
            Ok(_) => LOOK_EVERY,
            Err(error) => {
                tracing::warn!(%error, "the queue of mails cannot be read");
                LOOK_AGAIN_AFTER_FAILURE
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Sends the mails that are due now.
pub async fn deliver_due(app: &Arc<App>, writer: Writer) -> Result<Delivered> {
    let waiting = {
        let conn = app.db.single_read().await?;
        queue::due(&conn, app.clock.now()).await?
    };
    let mut delivered = Delivered::default();
    for mail in waiting {
        match attempt(app, writer, &mail).await? {
            None => {}
            Some(Fate::Sent) => delivered.sent += 1,
            Some(Fate::Dropped) => delivered.dropped += 1,
            Some(Fate::Again(_) | Fate::GivenUp(_)) => delivered.failed += 1,
        }
    }
    Ok(delivered)
}

/// One attempt at one mail; `None` when another node has it.
async fn attempt(app: &Arc<App>, writer: Writer, mail: &Waiting) -> Result<Option<Fate>> {
    let now = app.clock.now();
    let conn = app.db.transaction().await?;
    if !queue::claim(&conn, mail, (now, now + wait_after(mail.attempts))).await? {
        return Ok(None);
    }
    conn.commit().await?;
    let fate = match write(app, writer, mail).await {
        Ok(None) => Fate::Dropped,
        Ok(Some(written)) => {
            let sent = app.mail.send(&written, (mail.id, app.clock.now())).await;
            sent.map_or_else(|error| failure(mail, &error), |()| Fate::Sent)
        }
        // A mail that cannot be written must not keep the others waiting.
        Err(error) => failure(mail, &error),
    };
    let conn = app.db.transaction().await?;
    queue::note(&conn, mail, &fate, app.clock.now()).await?;
    conn.commit().await?;
    Ok(Some(fate))
}

async fn write(app: &Arc<App>, writer: Writer, mail: &Waiting) -> Result<Option<Mail>> {
    let conn = app.db.transaction().await?;
    let written = writer(app, &conn, mail).await?;
    conn.commit().await?;
    Ok(written)
}

fn failure(mail: &Waiting, error: &Error) -> Fate {
    let attempt = mail.attempts + 1;
    tracing::warn!(
        tenant_id = %mail.tenant_id, mail_id = %mail.id, kind = %mail.kind, attempt, %error,
        "mail not sent"
    );
    let cause = error.internal_cause().unwrap_or("refused").to_owned();
    if attempt >= limits::MAIL_ATTEMPTS_MAX { Fate::GivenUp(cause) } else { Fate::Again(cause) }
}

/// Longer than an attempt may take, then four times as long each time, at most an hour.
fn wait_after(attempts: i64) -> TimeDelta {
    let factor = 1_i64 << (2 * attempts.clamp(0, 4));
    TimeDelta::seconds((limits::MAIL_AGAIN_SECONDS * factor).min(3_600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end_at_an_hour() {
        let waits: Vec<i64> = (0..6).map(|attempts| wait_after(attempts).num_seconds()).collect();
        assert_eq!(waits, [60, 240, 960, 3_600, 3_600, 3_600]);
        let timeout = TimeDelta::milliseconds(limits::MAIL_TIMEOUT_MS.try_into().unwrap());
        assert!(wait_after(0) > timeout);
    }
}
