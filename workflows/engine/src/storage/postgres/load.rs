//! The one statement that a commit reads with.

use super::super::{Ask, statement};
use super::{Sets, each, ids, uuids, works};
use sea_orm::{DbBackend, Statement};

/// Locks runs in id order, then reads the clocks, then locks due timers.
///
/// `g` makes every later part wait for the run locks: whoever waits for a run sees its timers and fences as they are after the wait
/// (row locks re-read their rows), and all waiting for work rows happens while holding their run, so groups cannot deadlock.
const RUNS: &str = r"with r as materialized (
  select id, workflow, key, parent, input, state, state_name, shape, seq, status, unexpected, head, created_at
  from workflow_run where id = any($1) order by id for update),
g as materialized (select count(*) as locked from r),
c as materialized (
  select o.offset_us, o.brakes, (extract(epoch from clock_timestamp()) * 1000000)::int8 as real
  from business_clock o, g where g.locked >= 0),
t as materialized (
  select w.run, w.seq, w.n, w.payload, w.due, w.scope from c, workflow_work w
  where w.run = any($1) and w.kind = 1 and w.not_before < 9223372036854775807 and w.due <= c.real + c.offset_us
  order by w.run, w.seq, w.n for update of w)";

/// What was loaded, under the tags that [`Loaded::of_rows`](super::super::Loaded::of_rows) reads.
const ROWS: &str = r"
select 1 as tag, id, seq, status::int4, workflow, key, input, state, state_name, shape::int8, unexpected::int8, head, parent, created_at from r
union all select 0, null, c.brakes, null, null, null, null, null, null, c.real + c.offset_us, c.real, null, null, null from c
union all select 3, run, seq, n, payload, null, null, null, null, due, scope::int8, null, null, null from t";

/// What is asked about: parts that nothing is asked of are left out, as in what is written.
pub(in super::super) fn load(ask: &Ask) -> Statement {
    let mut sets = Sets { lone: ask.fences.len() <= 1 && ask.keys.len() <= 1, ..Sets::default() };
    sets.value(uuids(ask.runs.iter().copied()));
    let (mut parts, mut rows) = (RUNS.to_owned(), ROWS.to_owned());
    if !ask.fences.is_empty() {
        parts.push_str(&fences(ask, &mut sets));
        rows.push_str("\nunion all select 2, run, seq, n, last_error, null, null, null, null, attempt::int8, failures::int8, null, null, null from f");
    }
    if !ask.keys.is_empty() {
        rows.push_str(&keys(ask, &mut sets));
    }
    statement(DbBackend::Postgres, &(parts + &rows), sets.values)
}

/// Locks the work that inputs complete, once their runs are locked.
fn fences(ask: &Ask, sets: &mut Sets) -> String {
    let asked = sets.of(works(ask.fences.iter()).into());
    format!(
        ",
f as materialized (
  select w.run, w.seq, w.n, w.attempt, w.failures, w.last_error
  from g, {asked} k join workflow_work w on w.run = k.run and w.seq = k.seq and w.n = k.n
  where g.locked >= 0 order by w.run, w.seq, w.n for update of w)"
    )
}

/// Events that were taken in before.
fn keys(ask: &Ask, sets: &mut Sets) -> String {
    let keys = || ask.keys.iter();
    let asked = sets.of(vec![("run", ids(keys().map(|k| k.0))), ("key", each(keys().map(|k| k.1.clone())))]);
    format!(
        "
union all select 4, j.run, null, null, j.key, null, null, null, null, null, null, null, null, null
  from {asked} k join workflow_journal j on j.run = k.run and j.key = k.key"
    )
}
