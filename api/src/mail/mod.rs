//! Mail: a queue that is written in the transaction of a mail's cause, and the way out. A mail leaves
//! over SMTP or, so that nothing has to be set up, into a folder, one `.eml` file each.
//!
//! Invariants:
//! - No mail is sent inside a transaction of its cause; none is lost by a crash, though one that fell
//!   between sending and noting it is sent again.
//! - A row of the queue holds neither address nor text: a room writes the mail when it is sent
//!   ([`Writer`]), so that no secret of a link waits in the database.
//!
//! Not here: what mails say. The rooms know that.

mod delivery;
mod message;
mod post;
mod queue;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use delivery::{Delivered, deliver, deliver_due};
pub use message::check_sender;
pub use post::Post;
pub use queue::{Queued, Waiting, append, forget};

use crate::app::App;
use crate::db::Conn;
use crate::error::{Language, Result};

/// A mail as it leaves: plain text to one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub to_name: String,
    pub to_address: String,
    pub subject: String,
    pub text: String,
    pub language: Language,
}

/// Writes what a waiting mail says, in a transaction that ends before it is sent; `None` when it is no longer
/// wanted. Given to [`deliver`] where the parts are put together.
pub type Writer = for<'a> fn(
    &'a Arc<App>,
    &'a Conn,
    &'a Waiting,
) -> Pin<Box<dyn Future<Output = Result<Option<Mail>>> + Send + 'a>>;
