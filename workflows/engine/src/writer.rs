//! The group writer: one task that owns its transaction from BEGIN to COMMIT and takes along whatever is waiting.
//!
//! While one commit syncs, the next group gathers by itself; after waking the writer yields until nothing new comes ("boarding"),
//! which catches outcomes that finish together. Callers only await an answer: whoever hangs up leaves no open transaction.
//!
//! A group that gets no answer from the database is not waited for without end: its connection is thrown away, and whether it was
//! committed is found out by its keys, as after a wire that was cut.

use crate::apply::{Failure, apply};
use crate::databases::{Trouble, trouble};
use crate::engine::Core;
use crate::event::{Input, Verdict};
use crate::link::Link;
use crate::storage::lease;
use crate::tx::{TurnError, Tx};
use crate::{RunId, faults};
use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Yields that bring nothing new before the group leaves.
const BOARDING_YIELDS: u32 = 3;
/// Inputs that may wait before callers wait too.
const BACKLOG: usize = 4096;

struct Item {
    input: Input,
    /// A unique key was broken once: whoever broke it first is visible to the next look.
    rival: bool,
    answer: oneshot::Sender<Result<Verdict, TurnError>>,
}

/// The callers' end of the writer.
#[derive(Clone)]
pub(crate) struct Writer(mpsc::Sender<Item>);

impl Writer {
    pub(crate) async fn submit(&self, input: Input) -> Result<Verdict, TurnError> {
        let (answer, verdict) = oneshot::channel();
        let gone = || TurnError::Storage(DbErr::Custom("the writer has stopped".to_owned()));
        self.0.send(Item { input, rival: false, answer }).await.map_err(|_| gone())?;
        verdict.await.map_err(|_| gone())?
    }
}

/// Starts the writer; it ends when the last caller is gone.
pub(crate) fn writer(core: Arc<Core>) -> Writer {
    let (send, mut receive) = mpsc::channel(BACKLOG);
    tokio::spawn(async move {
        let (mut group, mut ahead) = (Vec::with_capacity(core.group), Ahead::default());
        while next(&mut receive, &mut group, core.group, &mut ahead).await > 0 {
            board(&mut receive, &mut group, core.group).await;
            commit(&core, std::mem::take(&mut group), false, &mut ahead).await;
        }
    });
    Writer(send)
}

/// Waits for the first of a group; a transaction that was begun for it does not wait for long.
async fn next(receive: &mut mpsc::Receiver<Item>, group: &mut Vec<Item>, most: usize, ahead: &mut Ahead) -> usize {
    if ahead.is_begun() {
        if let Ok(came) = tokio::time::timeout(Ahead::PATIENCE, receive.recv_many(group, most)).await {
            return came;
        }
        ahead.let_go();
    }
    receive.recv_many(group, most).await
}

/// The next group's transaction, begun while the commit before it syncs: to begin is a round trip.
///
/// Only where many turns come together and more is in hand, so that the next group is near. On PostgreSQL a transaction that has asked
/// nothing yet holds nothing: no lock, no snapshot, no time. On SQLite it would hold the one lock that there is.
#[derive(Default)]
struct Ahead(Option<JoinHandle<Result<Link<DatabaseTransaction>, DbErr>>>);

impl Ahead {
    /// How long it waits for its group.
    const PATIENCE: Duration = Duration::from_millis(20);

    const fn is_begun(&self) -> bool {
        self.0.is_some()
    }

    fn begin(&mut self, link: &Link) {
        if self.0.is_none() && link.get_database_backend() == DbBackend::Postgres {
            let link = link.clone();
            self.0 = Some(tokio::spawn(async move { link.begin().await }));
        }
    }

    /// The transaction that was begun, or one that is begun now.
    async fn begun(&mut self, link: &Link) -> Result<Link<DatabaseTransaction>, DbErr> {
        match self.0.take() {
            Some(begun) => begun.await.map_err(|gone| DbErr::Custom(gone.to_string()))?,
            None => link.begin().await,
        }
    }

    /// Nobody came: it is rolled back.
    fn let_go(&mut self) {
        if let Some(begun) = self.0.take() {
            tokio::spawn(async move { drop(begun.await) });
        }
    }
}

async fn board(receive: &mut mpsc::Receiver<Item>, group: &mut Vec<Item>, most: usize) {
    let mut idle = 0;
    while idle < BOARDING_YIELDS && group.len() < most {
        tokio::task::yield_now().await;
        let before = group.len();
        while group.len() < most {
            match receive.try_recv() {
                Ok(item) => group.push(item),
                Err(_) => break,
            }
        }
        idle = if group.len() > before { 0 } else { idle + 1 };
    }
}

/// Commits a group; splits it when one of its turns spoils it; tries again when the database is away.
fn commit<'a>(core: &'a Arc<Core>, mut group: Vec<Item>, mut again: bool, ahead: &'a mut Ahead) -> BoxFuture<'a, ()> {
    async move {
        let mut pause = Duration::from_millis(20);
        let mut link = core.db.writer.clone();
        while !group.is_empty() {
            let inputs: Vec<Input> = group.iter().map(|item| item.input.clone()).collect();
            let failure = match attempt(core, ahead, &link, &inputs, again).await {
                Ok(verdicts) => return answer(group, verdicts),
                Err(failure) => failure,
            };
            match meet(core, ahead, failure, group, &mut again).await {
                Next::Again(rest) => group = rest,
                Next::Wait(rest) => {
                    group = rest;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                    // A server may be slow rather than gone: one day it is waited for long enough.
                    link = link.more_patient();
                }
            }
        }
    }
    .boxed()
}

/// What to do with the rest of a group after a failure.
enum Next {
    Again(Vec<Item>),
    Wait(Vec<Item>),
}

async fn meet(core: &Arc<Core>, ahead: &mut Ahead, failure: Failure, group: Vec<Item>, again: &mut bool) -> Next {
    match failure {
        Failure::Storage(error) if trouble(&error) == Trouble::Passing => {
            tracing::warn!(error = %error, turns = group.len(), "the database is away, the group waits");
            // The commit may have gone through without its answer.
            *again = true;
            Next::Wait(group)
        }
        Failure::NotAlone(run) => Next::Again(alone(core, ahead, run, group, *again).await),
        Failure::Spoiled(spoiled) if spoiled.timer.is_some() => {
            park_timer(core, &spoiled).await;
            Next::Again(group)
        }
        _ if group.len() > 1 => {
            core.observer.split();
            let mut first = group;
            let second = first.split_off(first.len() / 2);
            commit(core, first, *again, ahead).await;
            Next::Again(second)
        }
        failure => Next::Again(single(failure, group)),
    }
}

/// Commits the inputs of a run that takes something scarce one by one, and leaves the others.
async fn alone(core: &Arc<Core>, ahead: &mut Ahead, run: RunId, group: Vec<Item>, again: bool) -> Vec<Item> {
    let (his, others): (Vec<_>, Vec<_>) = group.into_iter().partition(|item| item.input.run == run);
    for item in his {
        commit(core, vec![item], again, ahead).await;
    }
    others
}

/// A failure of an input that is by itself: it is answered, or tried again.
fn single(failure: Failure, mut group: Vec<Item>) -> Vec<Item> {
    let Some(Item { mut input, mut rival, answer }) = group.pop() else { return vec![] };
    match failure.alone(&mut input, &mut rival) {
        None => vec![Item { input, rival, answer }],
        Some(verdict) => {
            let _ = answer.send(verdict);
            vec![]
        }
    }
}

async fn park_timer(core: &Arc<Core>, spoiled: &crate::turn::Spoiled) {
    let Some(work) = spoiled.timer else { return };
    tracing::error!(run.id = %spoiled.run, work = %work, error = %spoiled.why, "a timer's turn failed in the workflow's code; it is parked");
    if let Err(error) = lease::park(&core.db.writer, work, "poison", &spoiled.why).await {
        tracing::warn!(error = %error, "a failing timer could not be parked yet");
    }
}

async fn attempt(
    core: &Arc<Core>,
    ahead: &mut Ahead,
    link: &Link,
    inputs: &[Input],
    again: bool,
) -> Result<Vec<Verdict>, Failure> {
    let began = Instant::now();
    faults::point("writer_before_begin");
    let tx = Tx::new(ahead.begun(link).await?, Arc::clone(core));
    faults::point("writer_after_begin");
    let applied = apply(core, &tx, inputs, again).await?;
    let verdicts = tx.remember(applied);
    faults::point("writer_applied");
    if inputs.len() > 1 && core.hands.holding() > inputs.len() {
        ahead.begin(link);
    }
    tx.commit().await?;
    faults::point("writer_before_answer");
    core.observer.committed(inputs.len(), began.elapsed());
    Ok(verdicts)
}

fn answer(group: Vec<Item>, verdicts: Vec<Verdict>) {
    for (item, verdict) in group.into_iter().zip(verdicts) {
        let _ = item.answer.send(Ok(verdict));
    }
}
