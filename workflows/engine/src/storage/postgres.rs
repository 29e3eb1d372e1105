//! The hot statements on PostgreSQL: sets travel as arrays, and a commit reads once and writes once.
//!
//! Text that may be absent travels as the empty string and identifiers as the nil UUID: arrays hold no nulls here, and neither value
//! means anything else in these columns.

use super::{Ask, Batch, Claim, LANES_AT_ONCE, schema::LEASED, statement};
use crate::faults::planted;
use crate::turn::{JournalRow, RunRow};
use crate::{RunId, Scope, WorkId};
use sea_orm::{DbBackend, Statement, Value};
use std::sync::LazyLock;
use uuid::Uuid;

/// Locks runs in id order, then reads the clocks, then locks fences and due timers.
///
/// `g` makes every later part wait for the run locks: whoever waits for a run sees its timers and fences as they are after the wait
/// (row locks re-read their rows), and all waiting for work rows happens while holding their run, so groups cannot deadlock.
const LOAD: &str = r"
with r as materialized (
  select id, workflow, key, parent, input, state, state_name, shape, seq, status, unexpected, head
  from workflow_run where id = any($1) order by id for update),
g as materialized (select count(*) as locked from r),
c as materialized (
  select o.offset_us, o.brakes, (extract(epoch from clock_timestamp()) * 1000000)::int8 as real
  from business_clock o, g where g.locked >= 0),
f as materialized (
  select w.run, w.seq, w.n, w.attempt, w.failures, w.last_error
  from g, unnest($2::uuid[], $3::int4[], $4::int4[]) k(run, seq, n)
  join workflow_work w on w.run = k.run and w.seq = k.seq and w.n = k.n
  where g.locked >= 0 order by w.run, w.seq, w.n for update of w),
t as materialized (
  select w.run, w.seq, w.n, w.payload, w.due, w.scope from c, workflow_work w
  where w.run = any($1) and w.kind = 1 and w.not_before < 9223372036854775807 and w.due <= c.real + c.offset_us
  order by w.run, w.seq, w.n for update of w)
select 1 as tag, id, seq, status::int4, workflow, key, input, state, state_name, shape::int8, unexpected::int8, head, parent from r
union all select 0, null, c.brakes, null, null, null, null, null, null, c.real + c.offset_us, c.real, null, null from c
union all select 2, run, seq, n, last_error, null, null, null, null, attempt::int8, failures::int8, null, null from f
union all select 3, run, seq, n, payload, null, null, null, null, due, scope::int8, null, null from t
union all select 4, j.run, null, null, j.key, null, null, null, null, null, null, null, null
  from unnest($5::uuid[], $6::text[]) k(run, key) join workflow_journal j on j.run = k.run and j.key = k.key";

/// Everything that a group may write, in one statement: [`write()`] leaves out the parts that it has no rows for. An idle part still
/// has its plan set up and its indexes opened, and for a single start eight idle parts cost more than the three inserts.
///
/// The parts share a snapshot, so a timer that is replaced is deleted as it was and inserted as it will be.
const BORN: &str = r"
born as (
  insert into workflow_run
  select id, workflow, key, nullif(parent, '00000000-0000-0000-0000-000000000000'), input, state, name, shape, seq, status, unexpected,
    head, $1, $1
  from unnest($2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::int2[], $10::int4[], $11::int2[],
    $12::int4[], $13::bytea[]) b(id, workflow, key, parent, input, state, name, shape, seq, status, unexpected, head))";

const MOVED: &str = r"
moved as (
  update workflow_run r set state = m.state, state_name = m.name, shape = m.shape, seq = m.seq, status = m.status,
    unexpected = m.unexpected, head = m.head, updated_at = $1
  from unnest($14::uuid[], $15::text[], $16::text[], $17::int2[], $18::int4[], $19::int2[], $20::int4[], $21::bytea[])
    m(id, state, name, shape, seq, status, unexpected, head) where r.id = m.id)";

const DONE: &str = r"
done as (
  delete from workflow_work w using unnest($22::uuid[], $23::int4[], $24::int4[]) d(run, seq, n)
  where w.run = d.run and w.seq = d.seq and w.n = d.n)";

const DISARMED: &str = r"
disarmed as (
  delete from workflow_work w where w.run = any($25) and w.kind = 1 and (w.scope = 0 or w.run = any($26)))";

const REPLACED: &str = r"
replaced as (
  delete from workflow_work w using unnest($27::uuid[], $28::text[]) d(run, name)
  where w.run = d.run and w.kind = 1 and w.name = d.name)";

const WITHDRAWN: &str = r"
withdrawn as (
  delete from workflow_work w using unnest($29::uuid[], $30::text[]) d(run, payload)
  where w.run = d.run and w.kind = 0 and w.attempt = 0 and w.payload = d.payload)";

const QUEUED: &str = r"
queued as (
  insert into workflow_work
  select run, seq, n, kind, scope, workflow, queue, name, payload, nullif(request, ''), null, due,
    case when leased then $31::int8 else due end, leased::int4, 0,
    case when leased then $32::uuid end, case when leased then $33::int8 end, null, null, nullif(trace, ''),
    priority, nullif(lane, ''), case when lane <> '' then most end
  from unnest($34::uuid[], $35::int4[], $36::int4[], $37::int2[], $38::int2[], $39::text[], $40::text[], $41::text[], $42::text[],
    $43::text[], $44::int8[], $45::bool[], $46::text[], $71::int2[], $72::text[], $73::int4[])
    q(run, seq, n, kind, scope, workflow, queue, name, payload, request, due, leased, trace, priority, lane, most))";

const FACTS: &str = r"
facts as (
  insert into event_log select run, seq, n, kind, body, at, null, null
  from unnest($47::uuid[], $48::int4[], $49::int4[], $50::text[], $51::text[], $52::int8[]) f(run, seq, n, kind, body, at))";

const JOURNAL: &str = r"
insert into workflow_journal
select run, key, seq, at, verdict, event, from_state, to_state, nullif(note, ''), shape, attempts, nullif(last_error, ''),
  nullif(actor, ''), nullif(behalf, ''), nullif(request, ''), nullif(trace, ''), digest, hash
from unnest($53::uuid[], $54::text[], $55::int4[], $56::int8[], $57::int2[], $58::text[], $59::text[], $60::text[], $61::text[],
  $62::int2[], $63::int4[], $64::text[], $65::text[], $66::text[], $67::text[], $68::text[], $69::bytea[], $70::bytea[])
  j(run, key, seq, at, verdict, event, from_state, to_state, note, shape, attempts, last_error, actor, behalf, request, trace, digest, hash)";

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
      and (b.paused_at is not null or (b.open_until is not null and not q.probe)))),
k as materialized (
  select k.workflow, k.shape from unnest($5::text[], $6::int2[]) k(workflow, shape)
  where not exists (select 1 from workflow_brake b where b.kind = 1 and b.name = k.workflow and b.paused_at is not null))";

/// Leases what was taken, and returns all that its execution needs.
///
/// Rows are found again by their place: joined by their key, the planner believes that a claim may take a tenth of the table, and reads
/// all of it for a hash (318 ms for 64 of 1,000,000 rows, against 3). A row that somebody moved in between is left for the next claim.
const LEASE: &str = r"
update workflow_work w
set attempt = w.attempt + 1, holder = $7, not_before = $8, first_claimed_at = coalesce(w.first_claimed_at, c.real)
from c, workflow_run r
where w.ctid = any(array(select t.place from taken t)) and w.not_before <= c.real + c.offset_us and r.id = w.run
returning w.run, w.seq, w.n, w.kind, w.workflow, w.queue, w.payload, w.request, w.outcome, w.attempt, w.failures, w.first_claimed_at,
  w.error_class, w.trace, r.input, c.real + c.offset_us, c.real, w.due, w.priority::int4, w.deaths";

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
              where w.queue = q.queue and w.priority = ($9::int2[])[{nth}] and w.lane is null and w.not_before <= c.real + c.offset_us
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
pub(super) const LOCK_LANES: &str =
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

fn uuids(runs: impl Iterator<Item = RunId>) -> Value {
    runs.map(RunId::uuid).collect::<Vec<_>>().into()
}

fn list<T>(values: impl Iterator<Item = T>) -> Value
where
    Vec<T>: Into<Value>,
{
    values.collect::<Vec<T>>().into()
}

fn text(values: impl Iterator<Item = Option<String>>) -> Value {
    list(values.map(Option::unwrap_or_default))
}

fn works<'a>(works: impl Iterator<Item = &'a WorkId> + Clone) -> [Value; 3] {
    [uuids(works.clone().map(|w| w.run)), list(works.clone().map(|w| w.seq)), list(works.map(|w| w.n))]
}

pub(super) fn scope(scope: Scope) -> i16 {
    match scope {
        Scope::State => 0,
        Scope::Run => 1,
    }
}

pub(super) fn load(ask: &Ask) -> Statement {
    let [fence_run, fence_seq, fence_n] = works(ask.fences.iter());
    let values = vec![
        uuids(ask.runs.iter().copied()),
        fence_run,
        fence_seq,
        fence_n,
        uuids(ask.keys.iter().map(|k| k.0)),
        list(ask.keys.iter().map(|k| k.1.clone())),
    ];
    statement(DbBackend::Postgres, LOAD, values)
}

pub(super) fn write(batch: &Batch) -> Statement {
    let mut values = vec![batch.now.into()];
    let born = || batch.born.iter();
    values.extend([
        uuids(born().map(|r| r.id)),
        list(born().map(|r| r.workflow.clone())),
        list(born().map(|r| r.key.clone())),
        list(born().map(|r| r.parent.map_or(Uuid::nil(), RunId::uuid))),
        list(born().map(|r| r.input.clone())),
    ]);
    values.extend(changing(&batch.born));
    values.push(uuids(batch.moved.iter().map(|r| r.id)));
    values.extend(changing(&batch.moved));
    values.extend(works(batch.done.iter()));
    values.extend([uuids(batch.left.iter().copied()), uuids(batch.ended.iter().copied())]);
    for pairs in [&batch.replaced, &batch.withdrawn] {
        values.extend([uuids(pairs.iter().map(|p| p.0)), list(pairs.iter().map(|p| p.1.clone()))]);
    }
    values.extend(queued(batch));
    values.extend(facts(batch));
    values.extend(journal(&batch.journal));
    values.extend(standing(batch));
    statement(DbBackend::Postgres, &parts(batch), values)
}

/// The parts of the statement that have rows. Their parameters keep their numbers: a set that nobody reads travels empty.
fn parts(batch: &Batch) -> String {
    let parts = [
        (BORN, batch.born.is_empty()),
        (MOVED, batch.moved.is_empty()),
        (DONE, batch.done.is_empty()),
        (DISARMED, batch.left.is_empty()),
        (REPLACED, batch.replaced.is_empty()),
        (WITHDRAWN, batch.withdrawn.is_empty()),
        (QUEUED, batch.queued.is_empty()),
        (FACTS, batch.facts.is_empty()),
    ];
    let needed: Vec<&str> = parts.into_iter().filter(|(_, idle)| !idle).map(|(sql, _)| sql).collect();
    let journal = if batch.journal.is_empty() { "select" } else { JOURNAL };
    match needed.is_empty() {
        true => journal.to_owned(),
        false => format!("with {}\n{journal}", needed.join(",")),
    }
}

/// The columns of a run that a turn may change.
fn changing(runs: &[RunRow]) -> [Value; 7] {
    [
        list(runs.iter().map(|r| r.state.clone())),
        list(runs.iter().map(|r| r.state_name.clone())),
        list(runs.iter().map(|r| r.shape)),
        list(runs.iter().map(|r| r.seq)),
        list(runs.iter().map(|r| i16::from(r.finished))),
        list(runs.iter().map(|r| r.unexpected)),
        list(runs.iter().map(|r| r.head.to_vec())),
    ]
}

fn queued(batch: &Batch) -> Vec<Value> {
    let rows = || batch.queued.iter();
    let mut values = vec![LEASED.into(), batch.holder.into(), batch.real.into()];
    values.extend(works(batch.queued.iter().map(|q| &q.work.work)));
    values.extend([
        list(rows().map(|q| q.work.kind)),
        list(rows().map(|q| scope(q.work.scope))),
        list(rows().map(|q| q.work.workflow.clone())),
        list(rows().map(|q| q.work.queue.to_owned())),
        list(rows().map(|q| q.work.name.clone())),
        list(rows().map(|q| q.work.payload.clone())),
        text(rows().map(|q| q.work.request.clone())),
        list(rows().map(|q| q.work.due.timestamp_micros())),
        list(rows().map(|q| q.leased)),
        text(rows().map(|q| q.work.trace.clone())),
    ]);
    values
}

/// Where new work stands in its queue.
fn standing(batch: &Batch) -> [Value; 3] {
    let rows = || batch.queued.iter().map(|q| &q.work);
    [
        list(rows().map(|w| w.priority.class())),
        text(rows().map(|w| w.lane.as_ref().map(|lane| lane.key.clone()))),
        list(rows().map(|w| w.lane.as_ref().map_or(0, |lane| lane.most))),
    ]
}

fn facts(batch: &Batch) -> [Value; 6] {
    let rows = || batch.facts.iter();
    [
        uuids(rows().map(|f| f.run)),
        list(rows().map(|f| f.seq)),
        list(rows().map(|f| f.n)),
        list(rows().map(|f| f.kind.clone())),
        list(rows().map(|f| f.body.clone())),
        list(rows().map(|f| f.at.timestamp_micros())),
    ]
}

fn journal(rows: &[JournalRow]) -> Vec<Value> {
    let rows = || rows.iter();
    vec![
        uuids(rows().map(|j| j.run)),
        list(rows().map(|j| j.key.clone())),
        list(rows().map(|j| j.seq)),
        list(rows().map(|j| j.at.timestamp_micros())),
        list(rows().map(|j| j.mark as i16)),
        list(rows().map(|j| j.event.clone())),
        list(rows().map(|j| j.from.clone())),
        list(rows().map(|j| j.to.clone())),
        text(rows().map(|j| j.note.clone())),
        list(rows().map(|j| j.shape)),
        list(rows().map(|j| j.attempts)),
        text(rows().map(|j| j.last_error.clone())),
        text(rows().map(|j| j.origin.actor.clone())),
        text(rows().map(|j| j.origin.on_behalf_of.clone())),
        text(rows().map(|j| j.origin.request_id.clone())),
        text(rows().map(|j| j.origin.trace.clone())),
        list(rows().map(|j| j.state_digest.to_vec())),
        list(rows().map(|j| j.hash.to_vec())),
    ]
}

pub(super) fn claim(claim: &Claim) -> Statement {
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

pub(super) fn claim_lanes(claim: &Claim, after: &str) -> Statement {
    let mut values = asked(claim);
    values.push(after.into());
    skipping(&CLAIM_LANES, values)
}

fn asked(claim: &Claim) -> Vec<Value> {
    let takes = || claim.takes.iter();
    vec![
        list(takes().map(|t| t.queue.to_owned())),
        list(takes().map(|t| t.party.to_owned())),
        list(takes().map(|t| t.room)),
        list(takes().map(|t| t.probe)),
        claim.workflows.clone().into(),
        claim.shapes.clone().into(),
        claim.holder.into(),
        LEASED.into(),
    ]
}
