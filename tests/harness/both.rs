//! One test body, two tests: `on_both!(a_turn_is_atomic)` makes `a_turn_is_atomic::postgres` and `a_turn_is_atomic::sqlite`.

use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};

use futures::FutureExt;

use crate::{Backend, TestDatabase};

/// Makes two tests of each named `async fn(TestDatabase)`, one on Postgres and one on SQLite.
///
/// The function stays an ordinary function, so that it is formatted, linted and found as one; it may return `()` or a `Result`.
#[macro_export]
macro_rules! on_both {
    ($($body:ident),+ $(,)?) => {$(
        mod $body {
            #[test]
            fn postgres() -> impl ::std::process::Termination {
                $crate::both::run($crate::Backend::Postgres, super::$body)
            }

            #[test]
            fn sqlite() -> impl ::std::process::Termination {
                $crate::both::run($crate::Backend::Sqlite, super::$body)
            }
        }
    )+};
}

/// Runs one test body on a fresh database, and removes the database whatever came of it.
pub fn run<T, F: Future<Output = T>>(backend: Backend, body: impl FnOnce(TestDatabase) -> F) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("threads can be started").block_on(async {
        let database = TestDatabase::fresh(backend).await.expect("a fresh database");
        let outcome = AssertUnwindSafe(body(database.clone())).catch_unwind().await;
        let proven = if outcome.is_ok() { database.prove().await } else { Ok(()) };
        database.remove().await.expect("a test's database can be removed");
        let outcome = outcome.unwrap_or_else(|panic| resume_unwind(panic));
        proven.expect("every run that a test makes replays");
        outcome
    })
}
