//! The one statement that a commit writes with.

use super::super::claimed::quiet;
use super::super::{Batch, Foreseen, Queued, schema::LEASED, statement};
use super::{Column, Sets, each, ids, scope, text, uuids, works};
use crate::faults::planted;
use crate::recall::Granted;
use crate::turn::{JournalRow, RunRow};
use crate::{Posted, RunId, WorkId};
use sea_orm::{DbBackend, Statement};
use uuid::Uuid;

/// Everything that a group writes, in one statement, whose parts share a snapshot: a timer that is replaced is deleted as it was and
/// inserted as it will be.
///
/// A part without rows is left out: it would still have its plan set up and its indexes opened, and for a single start eight idle parts
/// cost more than the three inserts.
pub(in super::super) fn write(batch: &Batch) -> Statement {
    let mut sets = shared(batch);
    let parts: [Option<String>; 8] = [
        some(&batch.born).map(|runs| born(runs, &mut sets)).map(|insert| part("born", &insert)),
        some(&batch.moved).map(|runs| moved(runs, &mut sets)).map(|update| part("moved", &update)),
        some(&batch.done).map(|works| done(works, &mut sets)).map(|delete| part("done", &delete)),
        some(&batch.left).map(|runs| disarmed(runs, &batch.ended, &mut sets)).map(|delete| part("disarmed", &delete)),
        some(&batch.replaced).map(|names| replaced(names, &mut sets)).map(|delete| part("replaced", &delete)),
        some(&batch.withdrawn).map(|payloads| withdrawn(payloads, &mut sets)).map(|delete| part("withdrawn", &delete)),
        some(&batch.queued).map(|works| queued(works, &mut sets)).map(|insert| part("queued", &insert)),
        some(&batch.facts).map(|facts| posted(facts, &mut sets)).map(|insert| part("posted", &insert)),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let last = some(&batch.journal).map_or_else(|| "select".to_owned(), |rows| journal(rows, &mut sets));
    let sql = if parts.is_empty() { last } else { format!("with {}\n{last}", parts.join(",\n")) };
    statement(DbBackend::Postgres, &sql, sets.values)
}

/// The same of a single start, if everything is as it was foreseen: what comes with the run is inserted if the run is.
pub(in super::super) fn write_foreseen(batch: &Batch, foreseen: Foreseen) -> Statement {
    let mut sets = shared(batch);
    let expected = foreseen.values().map(|value| sets.value(value));
    let seen = Foreseen::is_true(DbBackend::Postgres, expected.each_ref().map(String::as_str));
    let run = born(&batch.born, &mut sets);
    let mut parts = vec![format!("born as ({run} where exists ({seen}) on conflict do nothing returning 1)")];
    let mut follow = |name, insert: String| parts.push(part(name, &format!("{insert}, born")));
    if !batch.queued.is_empty() {
        follow("queued", queued(&batch.queued, &mut sets));
    }
    if !batch.facts.is_empty() {
        follow("posted", posted(&batch.facts, &mut sets));
    }
    let sql = format!("with {}\n{}, born", parts.join(",\n"), journal(&batch.journal, &mut sets));
    statement(DbBackend::Postgres, &sql, sets.values)
}

/// What the parts refer to by number.
fn shared(batch: &Batch) -> Sets {
    let values = vec![batch.now.into(), LEASED.into(), batch.holder.into(), batch.real.into()];
    Sets { values, lone: batch.is_lone() }
}

/// The same of a group that was decided from memory: what follows is written if every run still has the head that is remembered, every
/// completion is of a first claim, and the clock is as it was foreseen. What begins and is there already breaks its key.
///
/// Runs are locked before anything else, in the order of their ids as by a load; the time is looked at last, after whatever was waited
/// for. The offset and the brakes are those of the statement's snapshot, as in a load.
pub(in super::super) fn write_granted(batch: &Batch, granted: &Granted) -> Statement {
    let mut sets = shared(batch);
    let (mut parts, mut counts) = (vec![], vec![]);
    if let Some(runs) = some(&batch.moved) {
        parts.push(part("moved", &format!("{} returning 1", still(runs, granted, &mut sets))));
        counts.push(counted("moved", runs.len(), &mut sets));
    }
    if let Some(works) = some(&batch.done) {
        let so_far = counts.iter().map(|count| format!(" and {count}")).collect::<String>();
        parts.push(part("done", &format!("{}{}{so_far} returning 1", done(works, &mut sets), first())));
        counts.push(counted("done", works.len(), &mut sets));
    }
    if let Some(runs) = some(&batch.born) {
        parts.push(part("born", &format!("{} returning 1", born(runs, &mut sets))));
        counts.push(counted("born", runs.len(), &mut sets));
    }
    let clock = seen(granted.clock, &mut sets);
    parts.push(part("granted", &format!("select where case when {} then {clock} end", counts.join(" and "))));
    let now = |sql: String| format!("{sql}, granted");
    let then = |sql: String| format!("{sql} and exists (select from granted)");
    let freely = [
        some(&batch.left).map(|runs| part("disarmed", &then(disarmed(runs, &batch.ended, &mut sets)))),
        some(&batch.replaced).map(|names| part("replaced", &then(replaced(names, &mut sets)))),
        some(&batch.withdrawn).map(|payloads| part("withdrawn", &then(withdrawn(payloads, &mut sets)))),
        some(&batch.queued).map(|works| part("queued", &now(queued(works, &mut sets)))),
        some(&batch.facts).map(|facts| part("posted", &now(posted(facts, &mut sets)))),
    ];
    parts.extend(freely.into_iter().flatten());
    let sql = format!("with {}\n{}", parts.join(",\n"), now(journal(&batch.journal, &mut sets)));
    statement(DbBackend::Postgres, &sql, sets.values)
}

/// Whether a part has as many rows as it must.
fn counted(name: &str, rows: usize, sets: &mut Sets) -> String {
    format!("(select count(*) from {name}) = {}", sets.value(i64::try_from(rows).unwrap_or(i64::MAX).into()))
}

/// Whether the clock and the brakes are as they were foreseen.
fn seen(foreseen: Foreseen, sets: &mut Sets) -> String {
    let expected = foreseen.values().map(|value| sets.value(value));
    format!("exists ({})", Foreseen::is_true(DbBackend::Postgres, expected.each_ref().map(String::as_str)))
}

fn part(name: &str, sql: &str) -> String {
    format!("{name} as ({sql})")
}

fn some<T>(rows: &[T]) -> Option<&[T]> {
    Some(rows).filter(|rows| !rows.is_empty())
}

fn born(runs: &[RunRow], sets: &mut Sets) -> String {
    let rows = || runs.iter();
    let mut columns = vec![
        ("id", ids(rows().map(|r| r.id))),
        ("workflow", each(rows().map(|r| r.workflow.clone()))),
        ("key", each(rows().map(|r| r.key.clone()))),
        ("parent", each(rows().map(|r| r.parent.map_or(Uuid::nil(), RunId::uuid)))),
        ("input", each(rows().map(|r| r.input.clone()))),
    ];
    columns.extend(changing(runs));
    let runs = sets.of(columns);
    format!(
        "insert into workflow_run
  select id, workflow, key, nullif(parent, '00000000-0000-0000-0000-000000000000'), input, state, name, shape, seq, status, unexpected,
    head, $1, $1 from {runs} b"
    )
}

fn moved(runs: &[RunRow], sets: &mut Sets) -> String {
    let runs = sets.of(moving(runs));
    format!("{MOVED} from {runs} m where r.id = m.id")
}

const MOVED: &str =
    "update workflow_run r set state = m.state, state_name = m.name, shape = m.shape, seq = m.seq, status = m.status,
    unexpected = m.unexpected, head = m.head, updated_at = $1";

fn moving(runs: &[RunRow]) -> Vec<Column> {
    let mut columns = vec![("id", ids(runs.iter().map(|r| r.id)))];
    columns.extend(changing(runs));
    columns
}

/// Moves the runs that are remembered, as long as they have the head that they had and are of no newer build.
///
/// They come in the order of their ids, one by one through the index of these: so they are locked in that order.
fn still(runs: &[RunRow], granted: &Granted, sets: &mut Sets) -> String {
    let was = |run: &RunRow| granted.heads.get(&run.id).cloned().unwrap_or_default();
    let mut columns = moving(runs);
    columns.push(("was", each(runs.iter().map(was))));
    let runs = sets.of(columns);
    let same = if planted("no_recall_check") { "" } else { " and r.head = m.was and r.shape <= m.shape" };
    format!("{MOVED} from {runs} m where r.id = m.id{same}")
}

/// The columns of a run that a turn may change.
fn changing(runs: &[RunRow]) -> [Column; 7] {
    [
        ("state", each(runs.iter().map(|r| r.state.clone()))),
        ("name", each(runs.iter().map(|r| r.state_name.clone()))),
        ("shape", each(runs.iter().map(|r| r.shape))),
        ("seq", each(runs.iter().map(|r| r.seq))),
        ("status", each(runs.iter().map(|r| i16::from(r.finished)))),
        ("unexpected", each(runs.iter().map(|r| r.unexpected))),
        ("head", each(runs.iter().map(|r| r.head.clone()))),
    ]
}

fn done(done: &[WorkId], sets: &mut Sets) -> String {
    let done = sets.of(Vec::from(works(done.iter())));
    format!("delete from workflow_work w using {done} d where w.run = d.run and w.seq = d.seq and w.n = d.n")
}

/// Of what is completed: it is by its first claim, which no failure came before.
fn first() -> &'static str {
    if planted("no_fencing") { "" } else { " and w.attempt = 1 and w.last_error is null" }
}

fn disarmed(left: &[RunId], ended: &[RunId], sets: &mut Sets) -> String {
    let (left, ended) = (sets.value(uuids(left.iter().copied())), sets.value(uuids(ended.iter().copied())));
    format!(
        "delete from workflow_work w where w.run = any({left}) and w.kind = 1 and (w.scope = 0 or w.run = any({ended}))"
    )
}

fn replaced(names: &[(RunId, String)], sets: &mut Sets) -> String {
    let names = pairs(names, "name", sets);
    format!("delete from workflow_work w using {names} d where w.run = d.run and w.kind = 1 and w.name = d.name")
}

fn withdrawn(payloads: &[(RunId, String)], sets: &mut Sets) -> String {
    let payloads = pairs(payloads, "payload", sets);
    format!(
        "delete from workflow_work w using {payloads} d
  where w.run = d.run and w.kind = 0 and w.attempt = 0 and w.payload = d.payload"
    )
}

fn pairs(pairs: &[(RunId, String)], name: &'static str, sets: &mut Sets) -> String {
    sets.of(vec![("run", ids(pairs.iter().map(|p| p.0))), (name, each(pairs.iter().map(|p| p.1.clone())))])
}

fn queued(queued: &[Queued], sets: &mut Sets) -> String {
    let rows = || queued.iter().map(|q| &q.work);
    let mut columns = Vec::from(works(rows().map(|w| &w.work)));
    columns.extend([
        ("kind", each(rows().map(|w| w.kind))),
        ("scope", each(rows().map(|w| scope(w.scope)))),
        ("workflow", each(rows().map(|w| w.workflow.clone()))),
        ("queue", each(rows().map(|w| w.queue.to_owned()))),
        ("name", each(rows().map(|w| w.name.clone()))),
        ("payload", each(rows().map(|w| w.payload.clone()))),
        ("request", text(rows().map(|w| w.request.clone()))),
        ("due", each(rows().map(|w| w.due.timestamp_micros()))),
        ("leased", each(queued.iter().map(|q| q.leased))),
        ("trace", text(rows().map(|w| w.trace.clone()))),
        ("priority", each(rows().map(|w| w.priority.class()))),
        ("lane", text(rows().map(|w| w.lane.as_ref().map(|lane| lane.key.clone())))),
        ("most", each(rows().map(|w| w.lane.as_ref().map_or(0, |lane| lane.most)))),
        ("quiet", each(queued.iter().map(|q| q.quiet_until.map_or(0, quiet)))),
    ]);
    let works = sets.of(columns);
    format!(
        "insert into workflow_work
  select run, seq, n, kind, scope, workflow, queue, name, payload, nullif(request, ''), null, due,
    case when leased then $2 else due end, leased::int4, 0,
    case when leased then $3 end, case when leased then $4 end, null, null, nullif(trace, ''),
    priority, nullif(lane, ''), case when lane <> '' then most end, 0, nullif(quiet, 0) from {works} q"
    )
}

fn posted(facts: &[Posted], sets: &mut Sets) -> String {
    let rows = || facts.iter();
    let facts = sets.of(vec![
        ("run", ids(rows().map(|f| f.run))),
        ("seq", each(rows().map(|f| f.seq))),
        ("n", each(rows().map(|f| f.n))),
        ("kind", each(rows().map(|f| f.kind.clone()))),
        ("body", each(rows().map(|f| f.body.clone()))),
        ("at", each(rows().map(|f| f.at.timestamp_micros()))),
    ]);
    format!("insert into event_log select run, seq, n, kind, body, at, null, null from {facts} f")
}

fn journal(rows: &[JournalRow], sets: &mut Sets) -> String {
    let rows = || rows.iter();
    let turns = sets.of(vec![
        ("run", ids(rows().map(|j| j.run))),
        ("key", each(rows().map(|j| j.key.clone()))),
        ("seq", each(rows().map(|j| j.seq))),
        ("at", each(rows().map(|j| j.at.timestamp_micros()))),
        ("verdict", each(rows().map(|j| j.mark as i16))),
        ("event", each(rows().map(|j| j.event.clone()))),
        ("from_state", each(rows().map(|j| j.from.clone()))),
        ("to_state", each(rows().map(|j| j.to.clone()))),
        ("note", text(rows().map(|j| j.note.clone()))),
        ("shape", each(rows().map(|j| j.shape))),
        ("attempts", each(rows().map(|j| j.attempts))),
        ("last_error", text(rows().map(|j| j.last_error.clone()))),
        ("actor", text(rows().map(|j| j.origin.actor.clone()))),
        ("behalf", text(rows().map(|j| j.origin.on_behalf_of.clone()))),
        ("request", text(rows().map(|j| j.origin.request_id.clone()))),
        ("trace", text(rows().map(|j| j.origin.trace.clone()))),
        ("digest", each(rows().map(|j| j.state_digest.clone()))),
        ("hash", each(rows().map(|j| j.hash.clone()))),
    ]);
    format!(
        "insert into workflow_journal
select run, key, seq, at, verdict, event, from_state, to_state, nullif(note, ''), shape, attempts, nullif(last_error, ''),
  nullif(actor, ''), nullif(behalf, ''), nullif(request, ''), nullif(trace, ''), digest, hash from {turns} j"
    )
}
