//! The hot statements on SQLite: sets travel as one JSON parameter per table, and only tables that change are written.
//!
//! SQLite has no writable common table expressions, and every statement is a hop to the connection's thread: so few statements, each
//! with just its own rows. `BEGIN IMMEDIATE` is the lock; nothing here waits for a row.

use super::postgres::{hex, scope};
use super::{Ask, Batch, Claim, schema::LEASED, statement};
use crate::turn::{JournalRow, RunRow};
use crate::{RunId, WorkId};
use sea_orm::{DbBackend, Statement, Value};
use serde_json::{Value as Json, json};

const LOAD: &str = r"
with c as (select o.offset_us, cast(unixepoch('subsec') * 1000 as integer) * 1000 as real from business_clock o)
select 1 as tag, r.id, r.seq, r.status, r.workflow, r.key, r.input, r.state, r.state_name, r.shape, r.unexpected, r.head, r.parent
  from json_each($1) k join workflow_run r on r.id = unhex(k.value)
union all select 0, null, null, null, null, null, null, null, null, c.real + c.offset_us, c.real, null, null from c
union all select 2, w.run, w.seq, w.n, w.last_error, null, null, null, null, w.attempt, w.failures, null, null
  from json_each($2) k join workflow_work w on w.run = unhex(k.value ->> 0) and w.seq = k.value ->> 1 and w.n = k.value ->> 2
union all select 3, w.run, w.seq, w.n, w.payload, null, null, null, null, w.due, w.scope, null, null
  from c, json_each($1) k join workflow_work w on w.run = unhex(k.value)
  where w.kind = 1 and w.not_before < 9223372036854775807 and w.due <= c.real + c.offset_us
union all select 4, j.run, null, null, j.key, null, null, null, null, null, null, null, null
  from json_each($3) k join workflow_journal j on j.run = unhex(k.value ->> 0) and j.key = k.value ->> 1";

const BORN: &str = r"
insert into workflow_run
select unhex(value ->> 0), value ->> 7, value ->> 8, unhex(value ->> 9), value ->> 10, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
  value ->> 5, value ->> 6, unhex(value ->> 11), $2, $2 from json_each($1)";

const MOVED: &str = r"
update workflow_run set state = v ->> 1, state_name = v ->> 2, shape = v ->> 3, seq = v ->> 4, status = v ->> 5, unexpected = v ->> 6,
  head = unhex(v ->> 11), updated_at = $2
from (select value as v from json_each($1)) where id = unhex(v ->> 0)";

const DONE: &str = r"
delete from workflow_work where (run, seq, n) in (select unhex(value ->> 0), value ->> 1, value ->> 2 from json_each($1))";

const DISARMED: &str = r"
delete from workflow_work where kind = 1 and run in (select unhex(value) from json_each($1))
  and (scope = 0 or run in (select unhex(value) from json_each($2)))";

const REPLACED: &str = r"
delete from workflow_work where kind = 1 and (run, name) in (select unhex(value ->> 0), value ->> 1 from json_each($1))";

const WITHDRAWN: &str = r"
delete from workflow_work where kind = 0 and attempt = 0
  and (run, payload) in (select unhex(value ->> 0), value ->> 1 from json_each($1))";

const QUEUED: &str = r"
insert into workflow_work
select unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
  value ->> 9, null, value ->> 10, iif(value ->> 11, $2, value ->> 10), value ->> 11, 0, iif(value ->> 11, $3, null),
  iif(value ->> 11, $4, null), null, null, value ->> 12
from json_each($1)";

const FACTS: &str = r"
insert into event_log
select unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, null, null from json_each($1)";

const JOURNAL: &str = r"
insert into workflow_journal
select unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
  value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->> 15, unhex(value ->> 16), unhex(value ->> 17)
from json_each($1)";

/// `rank` keeps each queue within its room; the index gives the rows in the order they became due.
const CLAIM: &str = r"
with c as (select o.offset_us, cast(unixepoch('subsec') * 1000 as integer) * 1000 as real from business_clock o),
taken as (
  select run, seq, n from (
    select w.run, w.seq, w.n, q.value ->> 1 as room, row_number() over (partition by w.queue order by w.not_before) as rank
    from c, json_each($1) q join workflow_work w on w.queue = q.value ->> 0
    join workflow_run r on r.id = w.run
    join json_each($2) k on k.value ->> 0 = r.workflow and r.shape <= k.value ->> 1
    where w.not_before <= c.real + c.offset_us)
  where rank <= room)
update workflow_work
set attempt = attempt + 1, holder = $3, not_before = $4,
  first_claimed_at = coalesce(first_claimed_at, cast(unixepoch('subsec') * 1000 as integer) * 1000)
where (run, seq, n) in (select run, seq, n from taken)
returning run, seq, n, kind, workflow, queue, payload, request, outcome, attempt, failures, first_claimed_at, error_class, trace,
  (select input from workflow_run r where r.id = workflow_work.run),
  cast(unixepoch('subsec') * 1000 as integer) * 1000 + (select offset_us from business_clock),
  cast(unixepoch('subsec') * 1000 as integer) * 1000, due";

fn id(run: RunId) -> String {
    run.uuid().simple().to_string()
}

fn work(work: &WorkId) -> Json {
    json!([id(work.run), work.seq, work.n])
}

fn sets(sql: &str, rows: &[Json], more: impl IntoIterator<Item = Value>) -> Statement {
    let mut values = vec![Json::from(rows.to_vec()).to_string().into()];
    values.extend(more);
    statement(DbBackend::Sqlite, sql, values)
}

pub(super) fn load(ask: &Ask) -> Statement {
    let runs: Vec<Json> = ask.runs.iter().map(|r| id(*r).into()).collect();
    let fences: Vec<Json> = ask.fences.iter().map(work).collect();
    let keys: Vec<Json> = ask.keys.iter().map(|(run, key)| json!([id(*run), key])).collect();
    sets(LOAD, &runs, [fences, keys].map(|rows| Json::from(rows).to_string().into()))
}

fn run(row: &RunRow) -> Json {
    json!([
        id(row.id),
        row.state,
        row.state_name,
        row.shape,
        row.seq,
        i16::from(row.finished),
        row.unexpected,
        row.workflow,
        row.key,
        row.parent.map(id),
        row.input,
        hex(&row.head)
    ])
}

/// The statements of a commit, deletions before insertions: a replaced timer goes before its successor comes.
pub(super) fn write(batch: &Batch) -> Vec<Statement> {
    let mut statements = vec![];
    let mut add = |sql: &str, rows: Vec<Json>, more: Vec<Value>| {
        if !rows.is_empty() {
            statements.push(sets(sql, &rows, more));
        }
    };
    let ids = |runs: &[RunId]| runs.iter().map(|r| Json::from(id(*r))).collect::<Vec<_>>();
    let pairs = |pairs: &[(RunId, String)]| pairs.iter().map(|(run, text)| json!([id(*run), text])).collect::<Vec<_>>();
    add(BORN, batch.born.iter().map(run).collect(), vec![batch.now.into()]);
    add(MOVED, batch.moved.iter().map(run).collect(), vec![batch.now.into()]);
    add(DONE, batch.done.iter().map(work).collect(), vec![]);
    add(DISARMED, ids(&batch.left), vec![Json::from(ids(&batch.ended)).to_string().into()]);
    add(REPLACED, pairs(&batch.replaced), vec![]);
    add(WITHDRAWN, pairs(&batch.withdrawn), vec![]);
    add(QUEUED, queued(batch), vec![LEASED.into(), batch.holder.into(), batch.real.into()]);
    add(FACTS, facts(batch), vec![]);
    add(JOURNAL, batch.journal.iter().map(journal).collect(), vec![]);
    statements
}

fn queued(batch: &Batch) -> Vec<Json> {
    let row = |q: &super::Queued| {
        let w = &q.work;
        json!([
            id(w.work.run),
            w.work.seq,
            w.work.n,
            w.kind,
            scope(w.scope),
            w.workflow,
            w.queue,
            w.name,
            w.payload,
            w.request,
            w.due.timestamp_micros(),
            i16::from(q.leased),
            w.trace
        ])
    };
    batch.queued.iter().map(row).collect()
}

fn facts(batch: &Batch) -> Vec<Json> {
    batch.facts.iter().map(|f| json!([id(f.run), f.seq, f.n, f.kind, f.body, f.at.timestamp_micros()])).collect()
}

fn journal(row: &JournalRow) -> Json {
    json!([
        id(row.run),
        row.key,
        row.seq,
        row.at.timestamp_micros(),
        row.mark as i16,
        row.event,
        row.from,
        row.to,
        row.note,
        row.shape,
        row.attempts,
        row.last_error,
        row.origin.actor,
        row.origin.on_behalf_of,
        row.origin.request_id,
        row.origin.trace,
        hex(&row.state_digest),
        hex(&row.hash)
    ])
}

pub(super) fn claim(claim: &Claim) -> Statement {
    let rooms: Vec<Json> = claim.rooms.iter().map(|(queue, room)| json!([queue, room])).collect();
    let known: Vec<Json> = claim.workflows.iter().zip(&claim.shapes).map(|(w, s)| json!([w, s])).collect();
    sets(CLAIM, &rooms, [Json::from(known).to_string().into(), claim.holder.into(), LEASED.into()])
}
