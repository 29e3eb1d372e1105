//! Claiming on PostgreSQL: one statement for all plain queues, one for the lanes of a queue.

use super::super::{Claim, LANES_AT_ONCE, schema::LEASED, statement};
use super::array;
use crate::faults::planted;
use sea_orm::{DbBackend, Statement, Value};
use std::sync::LazyLock;

/// What a claim may take: queues and workflows that nothing holds back.
///
/// `workflow_brake` has a row for each of a handful of things, or none; it is read here and not in the process, so that a pause holds
/// from its commit on.
const OPEN: &str = r"
c as materialized (
  select o.offset_us, (extract(epoch from clock_timestamp()) * 1000000)::int8 as real from business_clock o),
q as materialized (
  select q.queue, q.room from unnest($1::text[], $2::text[], $3::int4[], $4::bool[]) q(queue, party, room, probe)
  where not exists (
    select 1 from workflow_brake b where ((b.kind = 0 and b.name = q.queue) or (b.kind = 2 and b.name = q.party))
      and (b.paused_at is not null or ((b.open_until is not null or b.most is not null) and not q.probe)))),
k as materialized (
  select k.workflow, k.shape from unnest($5::text[], $6::int2[]) k(workflow, shape)
  where not exists (select 1 from workflow_brake b where b.kind = 1 and b.name = k.workflow and b.paused_at is not null))";

/// Leases what was taken, and returns all that its execution needs.
///
/// Rows are found again by their place: joined by their key, the planner believes that a claim may take a tenth of the table, and reads
/// all of it for a hash (318 ms for 64 of 1,000,000 rows, against 3). A row that somebody moved in between is left for the next claim.
///
/// The run comes with it, and until when none of its timers is due (beyond every instant when it has none), where that spares whoever
/// completes the work a load: at a first try, and where no other work is under way that may move the run meanwhile. The turn that
/// began the run has left that with its work; once the run has moved, what there is has to be looked at.
const LEASE: &str = r"
update workflow_work w
set attempt = w.attempt + 1, holder = $7, not_before = $8, first_claimed_at = coalesce(w.first_claimed_at, c.real)
from c, workflow_run r
where w.ctid = any(array(select t.place from taken t)) and w.not_before <= c.real + c.offset_us and r.id = w.run
returning w.run, w.seq, w.n, w.kind, w.workflow, w.queue, w.payload, w.request, w.outcome, w.attempt, w.failures, w.first_claimed_at,
  w.error_class, w.trace, r.input, c.real + c.offset_us, c.real, w.due, w.priority, w.deaths,
  r.key, r.parent, r.state, r.state_name, r.shape, r.seq, r.unexpected, r.head, r.created_at,
  case when w.kind <> 0 or w.attempt <> 1 or r.status <> 0 then null when r.seq = w.seq and w.quiet_until is not null then w.quiet_until else (
    select case when count(*) filter (where o.kind = 0) = 1 then coalesce(min(o.due) filter (where o.kind = 1), $8) end
    from workflow_work o where o.run = w.run) end";

/// Takes due work, queue by queue and priority by priority, oldest first; rows that somebody else is taking are passed over, never
/// waited for.
///
/// The members of the union are run in their order, and only until the room is used up: a priority below a full one is not looked at.
static CLAIM: LazyLock<String> = LazyLock::new(|| {
    let class = |nth: u8, room: &str| {
        format!(
            "select * from (
              select w.ctid as place from workflow_work w
              join k on k.workflow = w.workflow
              join workflow_run r on r.id = w.run and r.shape <= k.shape
              where w.queue = q.queue and w.priority = ($9::int2[])[{nth}] and w.lane is null
                and w.not_before < {LEASED} and w.not_before <= c.real + c.offset_us
              order by w.not_before limit {room} for update of w skip locked) c{nth}"
        )
    };
    let share = "(q.room + $10::int4 - 1) / $10::int4";
    let [first, second, last] = [class(1, share), class(2, share), class(3, "q.room")];
    format!(
        "with {OPEN},
        taken as materialized (
          select t.place from c, q
          cross join lateral ({first} union all {second} union all {last} limit q.room) t)
        {LEASE}"
    )
});

/// Whoever holds this is the only one who claims work of lanes in a queue.
pub(in super::super) const LOCK_LANES: &str =
    "select pg_advisory_xact_lock(hashtextextended('lanes of ' || $1::text, 4826711904))";

/// Takes due work of lanes, from every lane as much as it has room for. `l` goes from lane to lane by the index, so that neither a
/// full lane nor a long one is walked through.
///
/// Whoever claims work of lanes holds the queue's lock, so nobody else takes what is picked here; but a turn may be withdrawing it. Such
/// a row is passed over, never waited for: it takes up its place in its lane and none of the room. Rows are locked one by one in the
/// order in which they were picked, and only until the room is used up.
static CLAIM_LANES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "with recursive {OPEN},
        l(queue, room, lane, n) as (
          select q.queue, q.room, (select min(w.lane) from workflow_work w where w.queue = q.queue and w.lane > $9), 1 from q
          union all
          select l.queue, l.room, (select min(w.lane) from workflow_work w where w.queue = l.queue and w.lane > l.lane), l.n + 1
          from l where l.lane is not null and l.n < {LANES_AT_ONCE}),
        picked as materialized (
          select d.place from c, l
          cross join lateral (
            select count(*) as busy from workflow_work b where b.queue = l.queue and b.lane = l.lane and b.not_before = $8) b
          cross join lateral (
            select w.place, w.priority, w.not_before, w.most, row_number() over (order by w.not_before) as nth from (
              select w.ctid as place, w.priority, w.not_before, w.most from workflow_work w
              join k on k.workflow = w.workflow
              join workflow_run r on r.id = w.run and r.shape <= k.shape
              where w.queue = l.queue and w.lane = l.lane and w.not_before <= c.real + c.offset_us
              order by w.not_before limit l.room) w) d
          where l.lane is not null and b.busy + d.nth <= d.most
          order by d.priority, d.not_before),
        taken as materialized (
          select t.place from picked p
          cross join lateral (select w.ctid as place from workflow_work w where w.ctid = p.place for update of w skip locked) t
          limit (select room from q))
        {LEASE}"
    )
});

pub(in super::super) fn claim(claim: &Claim) -> Statement {
    let mut values = asked(claim);
    values.extend([claim.order.classes.to_vec().into(), claim.order.parts.into()]);
    skipping(&CLAIM, values)
}

/// Rows that are locked are passed over, unless a bug is planted.
fn skipping(sql: &str, values: Vec<Value>) -> Statement {
    match planted("no_skip_locked") {
        true => statement(DbBackend::Postgres, &sql.replace(" for update of w skip locked", ""), values),
        false => statement(DbBackend::Postgres, sql, values),
    }
}

pub(in super::super) fn claim_lanes(claim: &Claim, after: &str) -> Statement {
    let mut values = asked(claim);
    values.push(after.into());
    skipping(&CLAIM_LANES, values)
}

fn asked(claim: &Claim) -> Vec<Value> {
    let takes = || claim.takes.iter();
    vec![
        array(takes().map(|t| t.queue.to_owned())),
        array(takes().map(|t| t.party.to_owned())),
        array(takes().map(|t| t.room)),
        array(takes().map(|t| t.probe)),
        array(claim.workflows.iter().map(|name| (*name).to_owned())),
        claim.shapes.clone().into(),
        claim.holder.into(),
        LEASED.into(),
    ]
}
