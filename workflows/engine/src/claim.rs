//! Claiming: what is due and nothing holds back, as far as there is room, on its way to a worker.
//!
//! Queues without limits share one statement. A queue that has one (a width, a rate, lanes, a circuit that is not closed) is claimed by itself,
//! in a transaction that holds what the limit counts with.

use crate::brake::{Allowance, Bucket, Known};
use crate::engine::{Core, Engine, detached};
use crate::hands::{Hands, Room};
use crate::storage::{self, Claim, ClaimedRow, Order, Take, brakes};
use crate::{Party, Target, faults};
use sea_orm::DbErr;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

/// What a claim brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Leases that are on their way to whoever calls [`Hands::next`].
    pub count: usize,
    /// Queues whose room was used up: there may be more waiting in them.
    pub more: BTreeSet<&'static str>,
    /// Queues in which something is counted that a piece of work gives back when it is done: their width, or their lanes'. There may be
    /// more for us as soon as one of theirs is.
    pub counted: BTreeSet<&'static str>,
}

/// The places that a claim may fill, taken before it asks: it must never find them gone to a commit that came in between.
struct Places(Vec<(&'static str, Vec<Room>)>);

impl Places {
    fn of(hands: &Hands) -> Self {
        let taken = |(queue, free)| (queue, (0..free).map_while(|_| hands.room(queue)).collect());
        Self(hands.rooms().into_iter().map(taken).collect())
    }

    fn free(&self, queue: &str) -> i32 {
        let place = self.0.iter().find(|(name, _)| *name == queue);
        place.map_or(0, |(_, rooms)| i32::try_from(rooms.len()).unwrap_or(i32::MAX))
    }

    fn take(&mut self, queue: &str) -> Option<Room> {
        self.0.iter_mut().find(|(name, _)| *name == queue)?.1.pop()
    }
}

impl Engine {
    /// Claims what is due, as far as there is room, and puts it on its way to whoever calls [`Hands::next`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(&self) -> Result<usize, DbErr> {
        Ok(self.claim_due().await?.count)
    }

    /// As [`Engine::claim`], and says which queues may have more than there was room for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_due(&self) -> Result<Claimed, DbErr> {
        let core = Arc::clone(&self.core);
        let places = Places::of(&core.hands);
        if places.0.is_empty() {
            let more = core.hands.queues().map(|(queue, _)| queue).collect();
            return Ok(Claimed { count: 0, more, counted: BTreeSet::new() });
        }
        // What a claim has leased whose answer was lost is reclaimed.
        detached(async move {
            faults::point("before_claim");
            core.look_at_brakes().await?;
            core.claim_into(places).await
        })
        .await
    }
}

impl Core {
    /// Reads the brakes, unless they were read a moment ago and nobody has said since that they changed.
    async fn look_at_brakes(&self) -> Result<(), DbErr> {
        if !self.brakes.must_read() {
            return Ok(());
        }
        let (db, at) = (&self.db.read, Instant::now());
        let queues: Vec<_> = self.hands.queues().map(|(queue, _)| queue).collect();
        let seen = async { Ok::<_, DbErr>((brakes::read(db).await?, brakes::laned(db, &queues).await?)) }.await;
        let (read, laned) = seen.inspect_err(|_| self.brakes.outdated())?;
        self.brakes.learn(Known::of(read, laned, at));
        Ok(())
    }

    async fn claim_into(&self, mut places: Places) -> Result<Claimed, DbErr> {
        let order = Order::of(self.claims.fetch_add(1, Ordering::Relaxed));
        let (known, began) = (self.brakes.known(), Instant::now());
        let offered: Vec<(&'static str, i32)> =
            places.0.iter().filter(|(_, rooms)| !rooms.is_empty()).map(|(q, _)| (*q, places.free(q))).collect();
        let (limited, plain): (Vec<_>, Vec<_>) = offered.iter().partition(|(queue, _)| self.is_limited(queue, &known));
        let mut rows = vec![];
        if !plain.is_empty() {
            let takes = plain.iter().map(|(queue, room)| self.take(queue, *room, false)).collect();
            rows = storage::claim(&self.db.write, &self.asking(takes, order)).await?;
            self.hear_of(&rows);
        }
        let mut failed = None;
        for (queue, room) in limited {
            match self.claim_limited(queue, room, order, &known).await {
                Ok(more) => {
                    self.hear_of(&more);
                    rows.extend(more);
                }
                // What the other queues gave is leased already: it is carried out.
                Err(error) => failed = Some(error),
            }
        }
        self.recent.keep(rows.iter_mut().filter_map(|row| row.seen.take()));
        if !rows.is_empty() {
            self.observer.claimed(rows.len(), began.elapsed());
            faults::point("after_claim");
        }
        let mut claimed = self.hand_out(rows, &mut places, &offered, order);
        claimed.counted = offered.iter().map(|(queue, _)| *queue).filter(|queue| known.counts(queue)).collect();
        failed.map_or(Ok(claimed), Err)
    }

    /// Notes what time the database has told with a claim: before anybody can make use of what came with it, and at once, or its answer
    /// would seem to have been long on its way.
    fn hear_of(&self, claimed: &[ClaimedRow]) {
        if let Some(row) = claimed.last() {
            self.clock.note(row.now.timestamp_micros(), row.real);
        }
    }

    /// Whether a queue has to be claimed by itself.
    fn is_limited(&self, queue: &str, known: &Known) -> bool {
        let party = self.registry.party_of(queue);
        known.is_limited(queue)
            || known.has_lanes(queue)
            || party.is_some_and(|p| p.limits.rate.is_some() || known.is_open(p.name))
    }

    fn take(&self, queue: &'static str, room: i32, probe: bool) -> Take {
        Take { queue, party: self.registry.party_of(queue).map_or("", |party| party.name), room, probe }
    }

    fn asking(&self, takes: Vec<Take>, order: Order) -> Claim {
        let (workflows, shapes) = self.registry.known();
        Claim { takes, order, holder: self.hands.process, workflows, shapes }
    }

    /// Claims from one queue under what its limits count with: its width, its party's bucket and circuit, and its lanes.
    async fn claim_limited(
        &self,
        queue: &'static str,
        room: i32,
        order: Order,
        known: &Known,
    ) -> Result<Vec<ClaimedRow>, DbErr> {
        let tx = self.db.write.begin().await?;
        let room = brakes::left(&tx, queue).await?.map_or(room, |left| room.min(left));
        let party = self.registry.party_of(queue);
        let mut brake = match party {
            Some(party) => Some(brakes::lock(&tx, &Target::Party(party.name.to_owned())).await?),
            None => None,
        };
        let allowed = match (&mut brake, party) {
            (Some((row, now)), Some(party)) => allowed(party, row, *now).min(room),
            _ => room,
        };
        let mut rows = vec![];
        if allowed > 0 && known.has_lanes(queue) {
            storage::lock_lanes(&tx, queue).await?;
            let after = self.lanes_seen(queue);
            let last = storage::last_lane(&tx, queue, &after).await?;
            let claim = self.asking(vec![self.take(queue, lanes_share(allowed), true)], order);
            rows = storage::claim_lanes(&tx, &claim, &after).await?;
            self.lanes.lock().unwrap_or_else(PoisonError::into_inner).insert(queue, last.unwrap_or_default());
        }
        let left = allowed - i32::try_from(rows.len()).unwrap_or(i32::MAX);
        if left > 0 {
            let claim = self.asking(vec![self.take(queue, left, true)], order);
            rows.extend(storage::claim(&tx, &claim).await?);
        }
        if let (Some((row, now)), false) = (&mut brake, rows.is_empty()) {
            taken(row, rows.len(), *now);
            brakes::keep(&tx, row).await?;
        }
        tx.commit().await?;
        Ok(rows)
    }

    /// The lane that the last claim ended at.
    fn lanes_seen(&self, queue: &str) -> String {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).get(queue).cloned().unwrap_or_default()
    }

    fn hand_out(
        &self,
        rows: Vec<ClaimedRow>,
        places: &mut Places,
        offered: &[(&'static str, i32)],
        order: Order,
    ) -> Claimed {
        let count = rows.len();
        let mut last = vec![None; offered.len()];
        for row in rows {
            if let Some(nth) = offered.iter().position(|(queue, _)| *queue == row.queue) {
                last[nth] = last[nth].max(Some(row.priority));
            }
            // No place can only mean that the database handed out more than was asked for; it is reclaimed.
            if let Some(place) = places.take(&row.queue) {
                self.hands.deliver(self.hands.lease(row, place));
            }
        }
        let mut more: BTreeSet<_> = self.hands.queues().map(|(queue, _)| queue).collect();
        for ((queue, _), last) in offered.iter().zip(last) {
            let full = places.free(queue) == 0;
            // Only the usual order tells by its last row what may be left.
            let left = (full && order.is_usual()).then_some(last).flatten();
            self.hands.left_behind(queue, left);
            // A place that was not needed: the queue has no more for us, unless not everybody was offered all of the room.
            if !full && (order.is_usual() || last.is_none()) {
                more.remove(queue);
            }
        }
        Claimed { count, more, counted: BTreeSet::new() }
    }
}

/// How much of a queue's room its lanes are asked for, before the rest of the queue: that gets the other half and what they leave.
pub(crate) const fn lanes_share(room: i32) -> i32 {
    (room + 1) / 2
}

/// How much a party may be called now; its bucket is filled up on the way.
pub(crate) fn allowed(party: &Party, row: &mut brakes::BrakeRow, now: i64) -> i32 {
    let circuit = match row.breaker.allows(now) {
        Allowance::All => i32::MAX,
        Allowance::One => 1,
        Allowance::None => 0,
    };
    row.bucket = party.limits.rate.map(|rate| row.bucket.unwrap_or_else(|| Bucket::full(&rate, now)).at(&rate, now));
    row.bucket.map_or(circuit, |bucket| bucket.whole().min(circuit))
}

/// Notes calls that were claimed of a party.
pub(crate) fn taken(row: &mut brakes::BrakeRow, calls: usize, now: i64) {
    if let Some(bucket) = row.bucket.as_mut().filter(|_| !faults::planted("no_rate_limit")) {
        bucket.take(calls);
    }
    if row.breaker.allows(now) == Allowance::One {
        row.breaker.probe(now);
    }
}
