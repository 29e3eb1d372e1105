//! A link to the database: no answer on it is waited for without end, and whoever begins a transaction on it leaves none behind.
//!
//! Everything that the engine and the product ask goes over one: a link hands out neither its pool's connections nor its transaction.

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult};
use sea_orm::{RuntimeErr, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// How long an answer may take on PostgreSQL before its connection is taken for dead.
///
/// A wire may stay half-open: nothing arrives, and nobody is told. Keepalives and `TCP_USER_TIMEOUT` would not do: sqlx gives no hand
/// on its sockets, and both speak of the wire only. A pooler, a proxy or a stopped server that acknowledges bytes and never answers is
/// alive to them. How long an answer takes is what its caller waits for, so that is what is measured, for one statement at a time: who
/// reads a lot does so by the page, or says so ([`Link::patient`]).
///
/// It is more than PostgreSQL waits for a transaction that has fallen silent (`idle_in_transaction_session_timeout`): whoever tries
/// again finds nothing locked by a question that never arrived.
pub(crate) const SILENCE: Duration = Duration::from_secs(20);
/// The longest that the most patient wait for one answer.
const LONGEST_SILENCE: Duration = Duration::from_secs(300);

/// How long a connection that comes back may take to say that it is done with what it was asked.
const GOODBYE: Duration = Duration::from_secs(5);
/// How long after an unanswered BEGIN a connection that comes back may be in its transaction. It comes back at once; the rest is for a
/// machine that is busy.
const DOUBT: Duration = Duration::from_secs(60);

/// Hears how long somebody waited for a connection.
pub(crate) type Listener = Box<dyn Fn(Duration) + Send + Sync>;

/// What is known of the wires of a pool.
#[derive(Default)]
pub(crate) struct Wires {
    silences: AtomicU64,
    doubted_until: Mutex<Option<Instant>>,
    listener: OnceLock<Listener>,
}

impl std::fmt::Debug for Wires {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wires").field("silences", &self.silences).finish_non_exhaustive()
    }
}

impl Wires {
    fn waited(&self, since: Instant) {
        if let Some(listener) = self.listener.get() {
            listener(since.elapsed());
        }
    }

    fn silent(&self) -> DbErr {
        self.silences.fetch_add(1, Ordering::Relaxed);
        DbErr::Conn(RuntimeErr::Internal("the database does not answer".to_owned()))
    }

    fn doubt(&self) {
        *self.doubted_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + DOUBT);
    }

    fn are_doubted(&self) -> bool {
        let until = *self.doubted_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    /// Takes a connection back that is done with what it was asked and in no transaction; any other is closed.
    ///
    /// The driver would wait for it without end. And it forgets a transaction when it is not let wait for the answer to BEGIN
    /// (sqlx 0.9.0, upstream issue transact-rs/sqlx#4385); the next borrower's acknowledged write would be lost with it. To roll back
    /// whatever comes back costs one message more a transaction and a line each in the server's log, so that is for times of doubt.
    pub(crate) async fn take_back(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let doubted = self.are_doubted();
        let farewell = async {
            if doubted {
                connection.execute("ROLLBACK").await?;
            }
            connection.ping().await
        };
        let silent = |_| sqlx::Error::Protocol("a connection that came back does not answer".to_owned());
        tokio::time::timeout(GOODBYE, farewell).await.map_err(silent)??;
        Ok(true)
    }
}

/// How long an answer is waited for.
#[derive(Clone, Debug)]
struct Patience {
    wires: Arc<Wires>,
    /// As long as it takes where no wire lies between.
    silence: Option<Duration>,
}

impl Patience {
    async fn with<T>(&self, answer: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        self.within(answer).await.unwrap_or_else(|| Err(self.wires.silent()))
    }

    /// The answer, if it comes in time.
    async fn within<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        match self.silence {
            Some(silence) => tokio::time::timeout(silence, answer).await.ok(),
            None => Some(answer.await),
        }
    }
}

/// A pool of connections, or the one connection that a transaction is on.
///
/// What has no answer in time fails like a wire that is cut: its connection is thrown away, and whether it was done is open.
#[derive(Clone, Debug)]
pub struct Link<C = DatabaseConnection> {
    inner: C,
    patience: Patience,
}

impl Link {
    pub(crate) const fn new(inner: DatabaseConnection, wires: Arc<Wires>, silence: Option<Duration>) -> Self {
        Self { inner, patience: Patience { wires, silence } }
    }

    /// The pool itself, for what may take any time: a change of the schema, a copy of everything.
    ///
    /// Whoever begins a transaction there and may be dropped meanwhile leaves it open to the next borrower.
    #[must_use]
    pub const fn pool(&self) -> &DatabaseConnection {
        &self.inner
    }

    /// Answers that did not come in time.
    #[must_use]
    pub fn silences(&self) -> u64 {
        self.patience.wires.silences.load(Ordering::Relaxed)
    }

    /// From here on this listener hears how long everybody waits; the first one stays.
    pub(crate) fn heard_by(&self, listener: Listener) {
        let _ = self.patience.wires.listener.set(listener);
    }

    /// The same link for somebody who asks for much in one statement.
    #[must_use]
    pub fn patient(&self) -> Self {
        let mut link = self.clone();
        link.patience.silence = link.patience.silence.map(|_| LONGEST_SILENCE);
        link
    }

    /// The same link for somebody who waits twice as long: a server may be slow rather than gone.
    pub(crate) fn more_patient(mut self) -> Self {
        let silence = &mut self.patience.silence;
        *silence = silence.map(|silence| (silence * 2).min(LONGEST_SILENCE));
        self
    }

    /// Begins a transaction that can write: on SQLite it takes the write lock at once, so it never fails half-way for a rival's sake.
    ///
    /// Whoever is dropped while it begins leaves it to begin and to be rolled back: see [`Wires::take_back`].
    pub(crate) async fn begin(&self) -> Result<Link<DatabaseTransaction>, DbErr> {
        let link = self.clone();
        Unbroken(Some(async move { link.begin_in_time().await }.boxed())).await
    }

    async fn begin_in_time(self) -> Result<Link<DatabaseTransaction>, DbErr> {
        let Self { inner: pool, patience } = self;
        let immediate = Some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode: immediate, ..Default::default() };
        #[expect(clippy::disallowed_methods, reason = "this is how everybody else begins, and nobody drops it unasked")]
        let mut begin = pin!(pool.begin_with_options(options));
        let since = Instant::now();
        let begun = patience.within(&mut begin).await.unwrap_or_else(|| {
            // Its connection goes back at the end of this function: by then it is doubted.
            patience.wires.doubt();
            Err(patience.wires.silent())
        });
        patience.wires.waited(since);
        Ok(Link { inner: begun?, patience })
    }
}

impl Link<DatabaseTransaction> {
    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        let Self { inner, patience } = self;
        patience.with(inner.commit()).await
    }

    #[cfg(any(test, feature = "testkit"))]
    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        let Self { inner, patience } = self;
        patience.with(inner.rollback()).await
    }
}

#[async_trait::async_trait]
impl<C: ConnectionTrait> ConnectionTrait for Link<C> {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.patience.with(self.inner.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.patience.with(self.inner.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.patience.with(self.inner.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.patience.with(self.inner.query_all_raw(statement)).await
    }
}

/// A future that goes on by itself when whoever awaits it is dropped.
struct Unbroken<T: Send + 'static>(Option<BoxFuture<'static, T>>);

impl<T: Send + 'static> Future for Unbroken<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(rest) = &mut self.0 else { return Poll::Pending };
        let ready = rest.poll_unpin(cx);
        if ready.is_ready() {
            self.0 = None;
        }
        ready
    }
}

impl<T: Send + 'static> Drop for Unbroken<T> {
    fn drop(&mut self) {
        // Without a runtime there is nobody left who could borrow the connection.
        if let (Some(rest), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(rest.map(drop));
        }
    }
}
