//! Calls into a service, from which nothing can get out but an answer.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use crucible_services::service_traits::ServiceError;
use crucible_services::tasks::panic_message;
use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;

/// How a call failed. Messages read after "failed to ..: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    #[error("{0}")]
    Failed(String),
    #[error("it did not end within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    #[error("it panicked: {0}")]
    Panicked(String),
    #[error("it was interrupted")]
    Interrupted,
}

/// Makes and polls the future of `call`: a panic, a hang or an error becomes a [`CallError`].
pub(crate) async fn guarded<T, F>(
    deadline: Duration,
    token: &CancellationToken,
    call: impl FnOnce() -> F,
) -> Result<T, CallError>
where
    F: Future<Output = Result<T, ServiceError>>,
{
    let attempt = async {
        let work = async { call().await };
        tokio::select! {
            biased;
            () = token.cancelled() => Err(CallError::Interrupted),
            result = tokio::time::timeout(deadline, work) => match result {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(error)) => Err(CallError::Failed(error.to_string())),
                Err(_elapsed) => Err(CallError::TimedOut(deadline)),
            },
        }
    };
    // Around everything, since dropping a future that hangs can panic as well.
    match AssertUnwindSafe(attempt).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => Err(CallError::Panicked(
            panic_message(panic.as_ref()).to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn errors_hangs_and_panics_become_answers() {
        let token = CancellationToken::new();
        let ok = guarded(DEADLINE, &token, || async { Ok(7) }).await;
        assert_eq!(ok, Ok(7));
        let failed = guarded::<(), _>(DEADLINE, &token, || async {
            Err(ServiceError::Failed("no disk".to_owned()))
        });
        assert_eq!(failed.await, Err(CallError::Failed("no disk".to_owned())));
        let hung = guarded::<(), _>(DEADLINE, &token, std::future::pending);
        assert_eq!(hung.await, Err(CallError::TimedOut(DEADLINE)));
        let early = guarded::<(), std::future::Ready<_>>(DEADLINE, &token, || panic!("early"));
        assert_eq!(early.await, Err(CallError::Panicked("early".to_owned())));
        let late = guarded::<(), _>(DEADLINE, &token, || async {
            tokio::task::yield_now().await;
            panic!("late")
        });
        assert_eq!(late.await, Err(CallError::Panicked("late".to_owned())));
        token.cancel();
        let interrupted = guarded::<(), _>(DEADLINE, &token, std::future::pending);
        assert_eq!(interrupted.await, Err(CallError::Interrupted));
    }
}
