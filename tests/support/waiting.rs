//! Waiting for what happens beside a test: asked again until it is so, and never longer than said.

use std::future::Future;
use std::time::Duration;

const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Asks again until it is so.
#[track_caller]
pub fn until<Asked: Future<Output = bool>>(
    what: &str,
    within: Duration,
    is_so: impl Fn() -> Asked,
) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let asking = async {
            while !is_so().await {
                tokio::time::sleep(LOOK_AGAIN_AFTER).await;
            }
        };
        let felt = tokio::time::timeout(within, asking).await;
        assert!(felt.is_ok(), "{caller}: not within {within:?}: {what}");
    }
}
