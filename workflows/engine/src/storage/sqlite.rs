//! The hot statements on SQLite: sets travel as one JSON parameter per table, and only tables that change are written.
//!
//! SQLite has no writable common table expressions, and every statement is a hop to the connection's thread: so few statements, each
//! with just its own rows. `BEGIN IMMEDIATE` is the lock; nothing here waits for a row.
//!
//! A set is taken apart by `jsonb_each`: the parsed form of a row is what its columns are read from. `json_each` would write every row
//! as text again, once for each column.

use super::claimed::quiet;
use super::postgres::scope;
use super::sets::Set;
use super::{Ask, Batch, Claim, Foreseen, LANES_AT_ONCE, Queued, schema::LEASED, statement};
use crate::faults::planted;
use crate::recall::Granted;
use crate::turn::{JournalRow, RunRow};
use crate::{Posted, RunId, WorkId};
use sea_orm::{DbBackend, Statement, Value};
use std::sync::LazyLock;
use uuid::fmt::Simple;

/// One text for all of it, as `Loaded` reads it: a row is dearer than what stands in it.
const LOAD: &str = r"
with c as (select o.offset_us, o.brakes, cast(unixepoch('subsec') * 1000 as integer) * 1000 as real from business_clock o)
select json_array(
  c.brakes, c.real + c.offset_us, c.real,
  (select json_group_array(json_array(hex(r.id), r.workflow, r.key, iif(r.parent is null, null, hex(r.parent)), r.input, r.state,
     r.state_name, r.shape, r.seq, r.status, r.unexpected, hex(r.head), r.created_at))
   from json_each($1) k join workflow_run r on r.id = unhex(k.value)),
  (select json_group_array(json_array(json_array(hex(w.run), w.seq, w.n), json_array(w.attempt, w.last_error)))
   from jsonb_each($2) k join workflow_work w on w.run = unhex(k.value ->> 0) and w.seq = k.value ->> 1 and w.n = k.value ->> 2),
  (select json_group_array(json_array(json_array(hex(w.run), w.seq, w.n), w.payload, w.due, w.scope))
   from json_each($1) k cross join workflow_work w on w.run = unhex(k.value)
   where w.kind = 1 and w.not_before < 9223372036854775807 and w.due <= c.real + c.offset_us),
  (select json_group_array(json_array(hex(j.run), j.key))
   from jsonb_each($3) k join workflow_journal j on j.run = unhex(k.value ->> 0) and j.key = k.value ->> 1))
from c";

const BORN: &str = r"
insert into workflow_run
select unhex(value ->> 0), value ->> 7, value ->> 8, unhex(value ->> 9), value ->> 10, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
  value ->> 5, value ->> 6, unhex(value ->> 11), $1, $1 from jsonb_each($rows)";

const MOVED: &str = r"
update workflow_run set state = v ->> 1, state_name = v ->> 2, shape = v ->> 3, seq = v ->> 4, status = v ->> 5, unexpected = v ->> 6,
  head = unhex(v ->> 11), updated_at = $1
from (select value as v from jsonb_each($rows)) where id = unhex(v ->> 0)";

const DONE: &str = r"
delete from workflow_work where (run, seq, n) in (select unhex(value ->> 0), value ->> 1, value ->> 2 from jsonb_each($rows))";

const DISARMED: &str = r"
delete from workflow_work where kind = 1 and run in (select unhex(value ->> 0) from jsonb_each($rows))
  and (scope = 0 or run in (select unhex(value ->> 0) from jsonb_each($rows) where value ->> 1))";

const REPLACED: &str = r"
delete from workflow_work where kind = 1 and (run, name) in (select unhex(value ->> 0), value ->> 1 from jsonb_each($rows))";

const WITHDRAWN: &str = r"
delete from workflow_work where kind = 0 and attempt = 0
  and (run, payload) in (select unhex(value ->> 0), value ->> 1 from jsonb_each($rows))";

/// The columns are named, so that a schema with more of them is no obstacle to this build.
const QUEUED: &str = r"
insert into workflow_work (run, seq, n, kind, scope, workflow, queue, name, payload, request, outcome, due, not_before, attempt, failures,
  holder, first_claimed_at, error_class, last_error, trace, priority, lane, most, quiet_until)
select unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
  value ->> 9, null, value ->> 10, iif(value ->> 11, $2, value ->> 10), value ->> 11, 0, iif(value ->> 11, $3, null),
  iif(value ->> 11, $4, null), null, null, value ->> 12, value ->> 13, value ->> 14, value ->> 15, value ->> 16
from jsonb_each($rows)";

const FACTS: &str = r"
insert into event_log
select unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, null, null from jsonb_each($rows)";

const JOURNAL: &str = r"
insert into workflow_journal
select unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
  value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->> 15, unhex(value ->> 16), unhex(value ->> 17)
from jsonb_each($rows)";

/// What a claim may take: queues and workflows that nothing holds back.
const OPEN: &str = r"
c as materialized (select o.offset_us, cast(unixepoch('subsec') * 1000 as integer) * 1000 as real from business_clock o),
q as materialized (
  select q.key as nth, q.value ->> 0 as queue, q.value ->> 2 as room from json_each($1) q
  where not exists (
    select 1 from workflow_brake b where ((b.kind = 0 and b.name = q.value ->> 0) or (b.kind = 2 and b.name = q.value ->> 1))
      and (b.paused_at is not null or ((b.open_until is not null or b.most is not null) and not q.value ->> 3)))),
k as materialized (
  select k.value ->> 0 as workflow, k.value ->> 1 as shape from json_each($2) k
  where not exists (select 1 from workflow_brake b where b.kind = 1 and b.name = k.value ->> 0 and b.paused_at is not null))";

/// Leases what was taken, and returns all that its execution needs, as `ClaimedRow` has it.
const LEASE: &str = r"
update workflow_work
set attempt = attempt + 1, holder = $3, not_before = $4,
  first_claimed_at = coalesce(first_claimed_at, cast(unixepoch('subsec') * 1000 as integer) * 1000)
where (run, seq, n) in (select run, seq, n from taken)
returning json_array(json_array(hex(run), seq, n), kind, workflow, queue, priority, payload, request, outcome, attempt, failures, deaths,
  first_claimed_at, error_class, trace,
  (select json_array(r.input, r.key, iif(r.parent is null, null, hex(r.parent)), r.state, r.state_name, r.shape, r.seq, r.unexpected,
     hex(r.head), r.created_at,
     case when kind <> 0 or attempt <> 1 or r.status <> 0 then null when r.seq = workflow_work.seq and quiet_until is not null then quiet_until else (
       select iif(count(*) filter (where o.kind = 0) = 1, coalesce(min(o.due) filter (where o.kind = 1), $4), null)
       from workflow_work o where o.run = workflow_work.run) end)
   from workflow_run r where r.id = workflow_work.run),
  cast(unixepoch('subsec') * 1000 as integer) * 1000 + (select offset_us from business_clock),
  cast(unixepoch('subsec') * 1000 as integer) * 1000, due)";

/// Takes due work, queue by queue and priority by priority, oldest first.
///
/// SQLite has no lateral joins and takes no column for a limit, so there is a part for every queue and priority. A part reads no more
/// of the index than its queue has room for: what the index is searched by are scalars and the joins are fixed in their order, or the
/// planner would read all that is due and sort it.
fn taking(claim: &Claim) -> String {
    let class = |queue: usize, nth: usize, room: &str| {
        format!(
            "select * from (select w.run, w.seq, w.n from workflow_work w
              cross join k on k.workflow = w.workflow cross join workflow_run r on r.id = w.run and r.shape <= k.shape
              where w.queue = (select q.queue from q where q.nth = {queue}) and w.priority = $5 ->> {nth} and w.lane is null
                and w.not_before < {LEASED} and w.not_before <= (select c.real + c.offset_us from c)
              order by w.not_before limit {room})"
        )
    };
    let queue = |nth: usize| {
        let room = format!("($1 ->> '$[{nth}][2]')");
        let share = format!("({room} + $6 - 1) / $6");
        let parts = [class(nth, 0, &share), class(nth, 1, &share), class(nth, 2, &room)];
        format!("select * from ({} limit {room})", parts.join(" union all "))
    };
    let queues: Vec<_> = (0..claim.takes.len()).map(queue).collect();
    format!("with {OPEN}, taken as ({}) {LEASE}", queues.join(" union all "))
}

/// Takes due work of lanes, from every lane as much as it has room for. `l` goes from lane to lane by the index, and `until` bounds what
/// is read of a long one: it counts only what this claim may take, or a paused workflow's work would hide what stands behind it.
const LANES: &str = r"
l(queue, lane, n) as (
  select q.queue, (select min(w.lane) from workflow_work w where w.queue = q.queue and w.lane > $5), 1 from q
  union all
  select l.queue, (select min(w.lane) from workflow_work w where w.queue = l.queue and w.lane > l.lane), l.n + 1
  from l where l.lane is not null and l.n < $6),
busy as materialized (
  select l.queue, l.lane,
    (select count(*) from workflow_work b where b.queue = l.queue and b.lane = l.lane and b.not_before = $4) as leased,
    coalesce(
      (select b.not_before from workflow_work b
       cross join k on k.workflow = b.workflow cross join workflow_run r on r.id = b.run and r.shape <= k.shape
       where b.queue = l.queue and b.lane = l.lane and b.not_before <= c.real + c.offset_us
       order by b.not_before limit 1 offset ($1 ->> '$[0][2]') - 1),
      c.real + c.offset_us) as until
  from c, l where l.lane is not null),
taken as (
  select run, seq, n from (
    select w.run, w.seq, w.n, w.priority, w.not_before, w.most, busy.leased,
      row_number() over (partition by busy.lane order by w.not_before) as nth
    from busy join workflow_work w on w.queue = busy.queue and w.lane = busy.lane and w.not_before <= busy.until
    join k on k.workflow = w.workflow join workflow_run r on r.id = w.run and r.shape <= k.shape)
  where leased + nth <= most and nth <= ($1 ->> '$[0][2]') order by priority, not_before limit ($1 ->> '$[0][2]'))";

fn id(run: RunId) -> Simple {
    run.uuid().simple()
}

fn work(set: &mut Set, work: &WorkId) {
    set.row(&[&id(work.run), &work.seq, &work.n]);
}

/// A run and a text of it: the key of an event, the name of a timer.
fn pair(set: &mut Set, (run, text): &(RunId, String)) {
    set.row(&[&id(*run), text]);
}

fn asked(sql: &str, sets: impl IntoIterator<Item = Set>, more: impl IntoIterator<Item = Value>) -> Statement {
    statement(DbBackend::Sqlite, sql, sets.into_iter().map(|set| set.text().into()).chain(more).collect::<Vec<_>>())
}

pub(super) fn load(ask: &Ask) -> Statement {
    let runs = Set::of(&ask.runs, |set, run| set.cell(&id(*run)));
    asked(LOAD, [runs, Set::of(&ask.fences, work), Set::of(&ask.keys, pair)], [])
}

fn run(set: &mut Set, row: &RunRow) {
    set.row(&[
        &id(row.id),
        &row.state,
        &row.state_name,
        &row.shape,
        &row.seq,
        &i16::from(row.finished),
        &row.unexpected,
        &row.workflow,
        &row.key,
        &row.parent.map(id),
        &row.input,
        &hex::encode(&row.head),
    ]);
}

/// A commit, deletions before insertions: a replaced timer goes before its successor comes. All of it is one hop to the connection's
/// thread, and as much text as there are tables to change: the driver carries out the statements of a text one after the other, and
/// each finds its parameters by their numbers.
pub(super) fn write(batch: &Batch) -> Statement {
    let shared = vec![batch.now.into(), LEASED.into(), batch.holder.into(), batch.real.into()];
    let mut script = Script { sql: vec![], values: shared };
    script.add(BORN, Set::of(&batch.born, run));
    script.add(MOVED, Set::of(&batch.moved, run));
    script.add(DONE, Set::of(&batch.done, work));
    script.add(DISARMED, Set::of(&batch.left, |set, run| set.row(&[&id(*run), &i16::from(batch.ended.contains(run))])));
    script.add(REPLACED, Set::of(&batch.replaced, pair));
    script.add(WITHDRAWN, Set::of(&batch.withdrawn, pair));
    script.add(QUEUED, Set::of(&batch.queued, queued));
    script.add(FACTS, Set::of(&batch.facts, fact));
    script.add(JOURNAL, Set::of(&batch.journal, journal));
    statement(DbBackend::Sqlite, &script.sql.join(";"), script.values)
}

/// Whether everything is as it was granted: nothing can change it before the write, in the one transaction that writes.
pub(super) fn still(batch: &Batch, granted: &Granted) -> Statement {
    let was = |run: &RunRow| granted.heads.get(&run.id).map(hex::encode).unwrap_or_default();
    let runs = Set::of(&batch.moved, |set, run| set.row(&[&id(run.id), &was(run), &run.shape]));
    let mut values: Vec<Value> = granted.clock.values().into();
    values.extend([runs.text(), Set::of(&batch.done, work).text()].map(Value::from));
    values.extend([batch.moved.len(), batch.done.len()].map(|rows| i64::try_from(rows).unwrap_or(i64::MAX).into()));
    let same =
        if planted("no_recall_check") { "" } else { " and r.head = unhex(k.value ->> 1) and r.shape <= k.value ->> 2" };
    let first = if planted("no_fencing") { "" } else { " and w.attempt = 1 and w.last_error is null" };
    let clock = Foreseen::is_true(DbBackend::Sqlite, ["$1", "$2", "$3"]);
    let sql = format!(
        "select exists ({clock})
  and (select count(*) from jsonb_each($4) k cross join workflow_run r on r.id = unhex(k.value ->> 0){same}) = $6
  and (select count(*) from jsonb_each($5) k cross join workflow_work w
    on w.run = unhex(k.value ->> 0) and w.seq = k.value ->> 1 and w.n = k.value ->> 2{first}) = $7"
    );
    statement(DbBackend::Sqlite, &sql, values)
}

/// The same of a single start, if everything is as it was foreseen: each statement asks whether the one before it did anything.
pub(super) fn write_foreseen(batch: &Batch, foreseen: Foreseen) -> Statement {
    let mut values = vec![batch.now.into(), LEASED.into(), batch.holder.into(), batch.real.into()];
    values.extend(foreseen.values());
    if let ([born], [work], [], [turn]) = (&batch.born[..], &batch.queued[..], &batch.facts[..], &batch.journal[..]) {
        values.extend(Set::cells(born, run));
        values.extend(Set::cells(work, queued));
        values.extend(Set::cells(turn, journal));
        return statement(DbBackend::Sqlite, &SINGLE, values);
    }
    let mut script = Script { sql: vec![], values };
    script.add(&BEGUN, Set::of(&batch.born, run));
    script.add(&followed(QUEUED), Set::of(&batch.queued, queued));
    script.add(&followed(FACTS), Set::of(&batch.facts, fact));
    script.add(&followed(JOURNAL), Set::of(&batch.journal, journal));
    statement(DbBackend::Sqlite, &script.sql.join(";"), script.values)
}

/// A run that is inserted if everything is as it was foreseen.
static BEGUN: LazyLock<String> = LazyLock::new(|| {
    let seen = Foreseen::is_true(DbBackend::Sqlite, ["$5", "$6", "$7"]);
    format!("{} where exists ({seen})", BORN.replace("insert into", "insert or ignore into"))
});

/// A start with one piece of work, the usual one: its cells are parameters, and there is no JSON to take apart.
static SINGLE: LazyLock<String> = LazyLock::new(|| {
    let mut first = 8;
    let statements = [(BEGUN.clone(), 12), (followed(QUEUED), 17), (followed(JOURNAL), 18)].map(|(sql, cells)| {
        first += cells;
        of_cells(&sql, first - cells, cells)
    });
    statements.join(";")
});

/// A statement that is carried out if the one before it did something.
fn followed(sql: &str) -> String {
    format!("{sql} where changes() > 0")
}

/// A statement for a single row, whose cells are the parameters from `first` on.
fn of_cells(sql: &str, first: usize, cells: usize) -> String {
    let sql = sql.replace("from jsonb_each($rows)", "");
    // From behind: the last ones begin like the first.
    (0..cells).rev().fold(sql, |sql, nth| sql.replace(&format!("value ->> {nth}"), &format!("${}", first + nth)))
}

/// Statements that travel together, each with a set of rows of its own (`$rows`).
struct Script {
    sql: Vec<String>,
    values: Vec<Value>,
}

impl Script {
    fn add(&mut self, sql: &str, rows: Set) {
        if !rows.is_empty() {
            self.values.push(rows.text().into());
            self.sql.push(sql.replace("$rows", &format!("${}", self.values.len())));
        }
    }
}

fn queued(set: &mut Set, queued: &Queued) {
    let w = &queued.work;
    set.row(&[
        &id(w.work.run),
        &w.work.seq,
        &w.work.n,
        &w.kind,
        &scope(w.scope),
        &w.workflow,
        &w.queue,
        &w.name,
        &w.payload,
        &w.request,
        &w.due.timestamp_micros(),
        &i16::from(queued.leased),
        &w.trace,
        &w.priority.class(),
        &w.lane.as_ref().map(|lane| &lane.key),
        &w.lane.as_ref().map(|lane| lane.most),
        &queued.quiet_until.map(quiet),
    ]);
}

fn fact(set: &mut Set, fact: &Posted) {
    set.row(&[&id(fact.run), &fact.seq, &fact.n, &fact.kind, &fact.body, &fact.at.timestamp_micros()]);
}

fn journal(set: &mut Set, row: &JournalRow) {
    set.row(&[
        &id(row.run),
        &row.key,
        &row.seq,
        &row.at.timestamp_micros(),
        &(row.mark as i16),
        &row.event,
        &row.from,
        &row.to,
        &row.note,
        &row.shape,
        &row.attempts,
        &row.last_error,
        &row.origin.actor,
        &row.origin.on_behalf_of,
        &row.origin.request_id,
        &row.origin.trace,
        &hex::encode(&row.state_digest),
        &hex::encode(&row.hash),
    ]);
}

pub(super) fn claim(claim: &Claim) -> Statement {
    let order = Set::of(claim.order.classes, |set, class| set.cell(&class)).text();
    claiming(&taking(claim), claim, [order.into(), claim.order.parts.into()])
}

pub(super) fn claim_lanes(claim: &Claim, after: &str) -> Statement {
    let sql = format!("with recursive {OPEN}, {LANES} {LEASE}");
    claiming(&sql, claim, [after.into(), LANES_AT_ONCE.into()])
}

fn claiming(sql: &str, claim: &Claim, [first, second]: [Value; 2]) -> Statement {
    let takes = Set::of(&claim.takes, |set, t| set.row(&[&t.queue, &t.party, &t.room, &i16::from(t.probe)]));
    let known = Set::of(claim.workflows.iter().zip(&claim.shapes), |set, (name, shape)| set.row(&[name, shape]));
    asked(sql, [takes, known], [claim.holder.into(), LEASED.into(), first, second])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::schema::{DUE_V6, LEASES_V5, QUIET_V9, SQLITE_V1, SQLITE_V2, SQLITE_V3, SQLITE_V4, WIDTH_V11};
    use crate::storage::{Order, Take, instant};
    use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr};
    use uuid::Uuid;

    async fn database() -> Result<DatabaseConnection, DbErr> {
        let mut one = ConnectOptions::new("sqlite::memory:");
        one.max_connections(1);
        let db = Database::connect(one).await?;
        for schema in [SQLITE_V1, SQLITE_V2, SQLITE_V3, SQLITE_V4, LEASES_V5, DUE_V6, QUIET_V9, WIDTH_V11] {
            db.execute_unprepared(schema).await?;
        }
        Ok(db)
    }

    /// How SQLite means to carry a statement out, line by line.
    async fn plan(db: &DatabaseConnection, sql: &str) -> Result<Vec<String>, DbErr> {
        let sql = format!("explain query plan {}", sql.replace("$rows", "$9"));
        let rows = db.query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await?;
        rows.iter().map(|row| row.try_get_by_index(3)).collect()
    }

    /// Whether a line walks through a table of ours, or indexes it for this one time: `w`, `r`, `b` and `j` stand for them.
    fn reads_a_whole_table(line: &str) -> bool {
        let [verb, name, rest @ ..] = &line.split(' ').collect::<Vec<_>>()[..] else { return false };
        let ours = name.starts_with("workflow_") || name.starts_with("event_") || ["w", "r", "b", "j"].contains(name);
        ours && (*verb == "SCAN" || rest.contains(&"AUTOMATIC"))
    }

    /// SQLite orders joins by what it believes of tables that nobody has counted. A part of the load once read all the work that there
    /// was, with every commit.
    #[tokio::test]
    async fn no_hot_statement_reads_a_whole_table() -> Result<(), DbErr> {
        let takes = vec![Take { queue: "default", party: "", room: 64, probe: false }; 2];
        let (order, holder, workflows) = (Order::of(0), Uuid::nil(), vec!["stay"]);
        let claim = Claim { takes, order, holder, workflows, shapes: vec![1] };
        let clock = Foreseen { real: 0, offset_us: 0, brakes: 0 };
        let granted = Granted { clock, heads: std::collections::HashMap::new() };
        let claims = [super::claim(&claim).sql, claim_lanes(&claim, "").sql, still(&Batch::default(), &granted).sql];
        let writes = [BORN, MOVED, DONE, DISARMED, REPLACED, WITHDRAWN, QUEUED, FACTS, JOURNAL, LOAD];
        let db = database().await?;
        for sql in writes.into_iter().chain(claims.iter().map(String::as_str)) {
            let plan = plan(&db, sql).await?;
            assert!(!plan.iter().any(|line| reads_a_whole_table(line)), "{sql}\n{}", plan.join("\n"));
        }
        Ok(())
    }

    fn begun(n: u128, now: i64) -> Batch {
        let id = RunId::from_uuid(Uuid::from_u128(n));
        let [workflow, state, name] = ["stay", "\"Held\"", "Held"].map(str::to_owned);
        let (at, head, origin) = (crate::storage::instant(now), vec![7; 32], crate::Origin::default());
        let (key, event, note) = ("start".to_owned(), "\"start\"".to_owned(), None);
        let turn = JournalRow {
            run: id,
            key,
            seq: 0,
            at,
            mark: crate::turn::Mark::Moved,
            event,
            from: String::new(),
            to: name.clone(),
            note,
            shape: 1,
            attempts: 0,
            last_error: None,
            origin,
            state_digest: vec![7; 16],
            hash: head.clone(),
        };
        let run = RunRow {
            id,
            workflow,
            key: n.to_string(),
            parent: None,
            input: "{}".to_owned(),
            state,
            state_name: name,
            shape: 1,
            seq: 0,
            finished: false,
            unexpected: 0,
            head,
            begun: instant(now),
        };
        Batch { now, real: now, born: vec![run], journal: vec![turn], ..Batch::default() }
    }

    /// Whether a start is written whose clock is foreseen as that of the database and so many seconds more.
    async fn is_written(db: &DatabaseConnection, n: u128, seconds: i64, foreseen: Foreseen) -> Result<bool, DbErr> {
        let sql = format!("select {}", crate::storage::real_clock(DbBackend::Sqlite));
        let row = db.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await?;
        let real = row.map_or(Ok(0), |row| row.try_get_by_index::<i64>(0))? + seconds * 1_000_000;
        let statement = super::write_foreseen(&begun(n, real), Foreseen { real, ..foreseen });
        Ok(db.execute_raw(statement).await?.rows_affected() > 0)
    }

    /// A machine whose clock has jumped must not date a run by it.
    #[tokio::test]
    async fn a_start_is_written_only_where_the_clock_is_as_it_was_foreseen() -> Result<(), DbErr> {
        let db = database().await?;
        let true_one = Foreseen { real: 0, offset_us: 0, brakes: 0 };
        let moved = Foreseen { offset_us: 1, ..true_one };
        let braked = Foreseen { brakes: 1, ..true_one };
        for (n, (seconds, foreseen)) in (1..).zip([(1, true_one), (-1, true_one), (0, moved), (0, braked)]) {
            assert!(!is_written(&db, n, seconds, foreseen).await?, "{seconds} s, {foreseen:?}");
        }
        // A busy machine may take longer over it than the clock may be behind.
        for _ in 0..100 {
            if is_written(&db, 9, 0, true_one).await? {
                return Ok(());
            }
        }
        panic!("nothing is foreseen");
    }
}
