//! The group writer: one task that owns its transaction from BEGIN to COMMIT and takes along whatever is waiting.
//!
//! While one commit syncs, the next group gathers by itself; after waking the writer yields until nothing new comes ("boarding"),
//! which catches outcomes that finish together. Callers only await an answer: whoever hangs up leaves no open transaction.
//!
//! A group that this process remembers all of is not asked about, and decided before its transaction begins: on SQLite, where only one
//! begins at a time, the claim beside it goes on meanwhile. If it is not as it is remembered any more, the group is decided once more
//! from what is loaded.
//!
//! A group that gets no answer from the database is not waited for without end: its connection is thrown away, and whether it was
//! committed is found out by its keys, as after a wire that was cut.

mod ahead;

use crate::apply::{Failure, Remembered, apply};
use crate::databases::{Trouble, trouble};
use crate::engine::Core;
use crate::event::{Input, Verdict};
use crate::link::Link;
use crate::storage::lease;
use crate::tx::{TurnError, Tx};
use crate::{RunId, faults};
use ahead::Ahead;
use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::DbErr;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Yields that bring nothing new before the group leaves.
const BOARDING_YIELDS: u32 = 3;
/// Inputs that may wait before callers wait too.
const BACKLOG: usize = 4096;

struct Item {
    input: Input,
    caller: Caller,
}

/// Who waits for what becomes of an input.
struct Caller {
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
        self.0.send(Item { input, caller: Caller { rival: false, answer } }).await.map_err(|_| gone())?;
        verdict.await.map_err(|_| gone())?
    }
}

/// Starts the writer; it ends when the last caller is gone.
pub(crate) fn writer(core: Arc<Core>) -> Writer {
    let (send, mut receive) = mpsc::channel(BACKLOG);
    tokio::spawn(async move {
        let (mut group, mut ahead) = (Vec::with_capacity(core.group), Ahead::default());
        while next(&mut receive, &mut group, core.group, &mut ahead).await > 0 {
            ahead.came();
            board(&mut receive, &mut group, core.group).await;
            commit(&core, std::mem::take(&mut group), Trust::Memory, &mut ahead).await;
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

/// What a group may be decided from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// What this process remembers, if that is all of it.
    Memory,
    /// What is loaded.
    Rows,
    /// What is loaded, and an earlier commit of the same may have gone through: what is there already was ours.
    Again,
}

/// Commits a group; splits it when one of its turns spoils it; tries again when the database is away.
fn commit<'a>(core: &'a Arc<Core>, mut group: Vec<Item>, mut trust: Trust, ahead: &'a mut Ahead) -> BoxFuture<'a, ()> {
    async move {
        let mut pause = Duration::from_millis(20);
        let mut link = core.db.writer.clone();
        while !group.is_empty() {
            let (inputs, callers): (Vec<_>, Vec<_>) = group.into_iter().map(|item| (item.input, item.caller)).unzip();
            let failure = match attempt(core, ahead, &link, &inputs, trust).await {
                Ok(verdicts) => return answer(callers, verdicts),
                Err(failure) => failure,
            };
            group = inputs.into_iter().zip(callers).map(|(input, caller)| Item { input, caller }).collect();
            match meet(core, ahead, failure, group, &mut trust).await {
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

async fn meet(core: &Arc<Core>, ahead: &mut Ahead, failure: Failure, group: Vec<Item>, trust: &mut Trust) -> Next {
    match failure {
        Failure::Storage(error) if trouble(&error) == Trouble::Passing => {
            tracing::warn!(error = %error, turns = group.len(), "the database is away, the group waits");
            // The commit may have gone through without its answer.
            *trust = Trust::Again;
            Next::Wait(group)
        }
        Failure::Outdated => {
            *trust = Trust::Rows;
            Next::Again(group)
        }
        Failure::NotAlone(takers) => {
            core.observer.split();
            Next::Again(alone(core, ahead, &takers, group, *trust).await)
        }
        Failure::Spoiled(spoiled) if spoiled.timer.is_some() => {
            park_timer(core, &spoiled).await;
            Next::Again(group)
        }
        _ if group.len() > 1 => {
            core.observer.split();
            let mut first = group;
            let second = first.split_off(first.len() / 2);
            commit(core, first, *trust, ahead).await;
            Next::Again(second)
        }
        failure => Next::Again(single(failure, group)),
    }
}

/// Commits the inputs of runs that take something scarce one by one, and leaves the others.
async fn alone(
    core: &Arc<Core>,
    ahead: &mut Ahead,
    takers: &BTreeSet<RunId>,
    group: Vec<Item>,
    trust: Trust,
) -> Vec<Item> {
    let (theirs, others): (Vec<_>, Vec<_>) = group.into_iter().partition(|item| takers.contains(&item.input.run));
    for item in theirs {
        commit(core, vec![item], trust, ahead).await;
    }
    others
}

/// A failure of an input that is by itself: it is answered, or tried again.
fn single(failure: Failure, mut group: Vec<Item>) -> Vec<Item> {
    let Some(Item { mut input, mut caller }) = group.pop() else { return vec![] };
    match failure.alone(&mut input, &mut caller.rival) {
        None => vec![Item { input, caller }],
        Some(verdict) => {
            let _ = caller.answer.send(verdict);
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
    trust: Trust,
) -> Result<Vec<Verdict>, Failure> {
    let began = Instant::now();
    faults::point("writer_before_begin");
    let remembered = (trust == Trust::Memory).then(|| Remembered::decide(core, inputs)).flatten();
    let tx = Tx::new(ahead.begun(link).await?, Arc::clone(core));
    faults::point("writer_after_begin");
    let applied = match remembered {
        Some(remembered) => remembered.apply(core, &tx).await?,
        None => apply(core, &tx, inputs, trust == Trust::Again).await?,
    };
    let verdicts = tx.remember(applied);
    faults::point("writer_applied");
    let is_more_in_hand = core.hands.holding() > inputs.iter().filter(|input| input.fence.is_some()).count();
    if is_more_in_hand {
        ahead.begin(link);
    }
    tx.commit().await?;
    if is_more_in_hand {
        ahead.expect();
    }
    faults::point("writer_before_answer");
    core.observer.committed(inputs.len(), began.elapsed());
    Ok(verdicts)
}

fn answer(callers: Vec<Caller>, verdicts: Vec<Verdict>) {
    for (caller, verdict) in callers.into_iter().zip(verdicts) {
        let _ = caller.answer.send(Ok(verdict));
    }
}
