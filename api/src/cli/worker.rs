//! `pulso worker`: folds events and runs jobs, apart from the servers, until it is asked to stop. It
//! listens nowhere.

use std::time::Duration;

use super::serve::signals;
use super::{CommandFlags, Done, Failure, open, print};

/// What is not done then is taken up by another: nothing that is half done stays.
const ENDING: Duration = Duration::from_secs(10);

pub(super) async fn run(flags: CommandFlags) -> Done {
    let app = open(flags).await?;
    let (first, second) = signals()?;
    app.start_upkeep();
    app.start_workers();
    tracing::info!(database = %app.config.database.url, "working");
    print("Pulso is working")?;
    first.await;
    tokio::select! {
        () = app.stop(ENDING) => Ok(()),
        () = second => Err(Failure::Failed("stopped at once by a second signal".to_owned())),
    }
}
