//! The engine's tables, frozen: a released constant is never edited, the next change is another constant and another migration.
//!
//! | table | one row per | kept |
//! |---|---|---|
//! | `workflow_run` | run | by policy |
//! | `workflow_journal` | turn, hash-chained per run | until its run is archived |
//! | `workflow_work` | effect, timer, spawn or tell that is still to be done | until done |
//! | `workflow_try` | try at a piece of work that failed, and death of a process that held it | as long as its run |
//! | `event_log` | fact; the sealer stamps `position` and `hash` after commit | for ever |
//! | `workflow_process` | process that holds leases, with its heartbeat | until it is gone |
//! | `schedule_tick` | instant at which a schedule fired, by itself or by hand | until it is old; the latest always |
//! | `schedule_state` | schedule that is paused or fails | for ever |
//! | `workflow_archive` | input and state of a run that finished long ago; its row in `workflow_run` stays, to refuse its key | by policy |
//! | `workflow_journal_archive` | turn of an archived run, as it was | by policy |
//! | `business_clock` | the one offset of the business clock, and the number of the last change of a brake | – |
//! | `workflow_brake` | queue, workflow or outside party that is or was held back, limited or failing | for ever |
//!
//! All instants are microseconds since the epoch in 64-bit integers, and values are stored as the text that was hashed: both read the
//! same on both backends. `workflow_work.not_before` is the whole life of a piece of work in one indexed column: due, waiting, leased
//! ([`LEASED`]) or parked ([`PARKED`]).

/// `not_before` of work that a process holds: beyond every instant, so the claim passes over it.
pub const LEASED: i64 = i64::MAX - 1;
/// `not_before` of work that waits for a person.
pub const PARKED: i64 = i64::MAX;

/// Kinds of work, as stored.
pub mod kind {
    /// A call to an outside party.
    pub const EFFECT: i16 = 0;
    /// An instant the run waits for.
    pub const TIMER: i16 = 1;
    /// A run to start.
    pub const SPAWN: i16 = 2;
    /// An event for another run.
    pub const TELL: i16 = 3;
}

/// The first shape on PostgreSQL.
pub const POSTGRES_V1: &str = r"
create table workflow_run (
  id uuid primary key, workflow text not null, key text not null, parent uuid,
  input text not null, state text not null, state_name text not null,
  shape int2 not null, seq int4 not null, status int2 not null, unexpected int4 not null,
  head bytea not null, created_at int8 not null, updated_at int8 not null,
  unique (workflow, key)
) with (fillfactor = 75);

create table workflow_journal (
  run uuid not null, key text not null, seq int4 not null, at int8 not null, verdict int2 not null,
  event text not null, from_state text not null, to_state text not null, note text, shape int2 not null,
  attempts int4 not null, last_error text,
  actor text, on_behalf_of text, request_id text, trace text,
  state_digest bytea not null, hash bytea not null,
  primary key (run, key)
);

create table workflow_work (
  run uuid not null, seq int4 not null, n int4 not null, kind int2 not null, scope int2 not null,
  workflow text not null, queue text not null, name text not null, payload text not null, request text, outcome text,
  due int8 not null, not_before int8 not null, attempt int4 not null, failures int4 not null,
  holder uuid, first_claimed_at int8, error_class text, last_error text, trace text,
  primary key (run, seq, n)
) with (fillfactor = 75);
create index workflow_work_due on workflow_work (queue, not_before);

create table event_log (
  run uuid not null, seq int4 not null, n int4 not null, kind text not null, body text not null, at int8 not null,
  position int8 unique, hash bytea,
  primary key (run, seq, n)
);
create index event_log_unsealed on event_log (run, seq, n) where position is null;
create function event_log_is_append_only() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and old.position is null and new.position is not null and new.hash is not null
     and (old.run, old.seq, old.n, old.kind, old.body, old.at) = (new.run, new.seq, new.n, new.kind, new.body, new.at) then
    return new;
  end if;
  raise exception 'event_log is append-only';
end $$;
create trigger event_log_append_only before update or delete on event_log for each row execute function event_log_is_append_only();

create table workflow_process (id uuid primary key, role text not null, started_at int8 not null, beat_at int8 not null);
create table schedule_tick (schedule text not null, instant int8 not null, fired_at int8 not null, primary key (schedule, instant));
create table business_clock (id int2 primary key check (id = 1), offset_us int8 not null);
insert into business_clock values (1, 0);
";

/// The first shape on SQLite.
pub const SQLITE_V1: &str = r"
create table workflow_run (
  id blob primary key, workflow text not null, key text not null, parent blob,
  input text not null, state text not null, state_name text not null,
  shape integer not null, seq integer not null, status integer not null, unexpected integer not null,
  head blob not null, created_at integer not null, updated_at integer not null,
  unique (workflow, key)
) without rowid;

create table workflow_journal (
  run blob not null, key text not null, seq integer not null, at integer not null, verdict integer not null,
  event text not null, from_state text not null, to_state text not null, note text, shape integer not null,
  attempts integer not null, last_error text,
  actor text, on_behalf_of text, request_id text, trace text,
  state_digest blob not null, hash blob not null,
  primary key (run, key)
) without rowid;

create table workflow_work (
  run blob not null, seq integer not null, n integer not null, kind integer not null, scope integer not null,
  workflow text not null, queue text not null, name text not null, payload text not null, request text, outcome text,
  due integer not null, not_before integer not null, attempt integer not null, failures integer not null,
  holder blob, first_claimed_at integer, error_class text, last_error text, trace text,
  primary key (run, seq, n)
) without rowid;
create index workflow_work_due on workflow_work (queue, not_before);

create table event_log (
  run blob not null, seq integer not null, n integer not null, kind text not null, body text not null, at integer not null,
  position integer unique, hash blob,
  primary key (run, seq, n)
) without rowid;
create index event_log_unsealed on event_log (run, seq, n) where position is null;
create trigger event_log_append_only before update on event_log
when old.position is not null or new.position is null or new.hash is null
  or old.run is not new.run or old.seq is not new.seq or old.n is not new.n
  or old.kind is not new.kind or old.body is not new.body or old.at is not new.at
begin select raise(abort, 'event_log is append-only'); end;
create trigger event_log_never_deleted before delete on event_log
begin select raise(abort, 'event_log is append-only'); end;

create table workflow_process (id blob primary key, role text not null, started_at integer not null, beat_at integer not null) without rowid;
create table schedule_tick (schedule text not null, instant integer not null, fired_at integer not null, primary key (schedule, instant)) without rowid;
create table business_clock (id integer primary key check (id = 1), offset_us integer not null);
insert into business_clock values (1, 0);
";

/// Priorities, lanes and brakes, on PostgreSQL.
///
/// `workflow_work_due` is what the ordinary claim reads, by queue and priority, so that a million due rows of a low priority cost
/// the others nothing. Work of a lane is in an index of its own: it is counted there, and a full lane is never in the way.
pub const POSTGRES_V2: &str = r"
alter table workflow_work add column priority int2 not null default 1, add column lane text, add column most int4;
drop index workflow_work_due;
create index workflow_work_due on workflow_work (queue, priority, not_before) where lane is null;
create index workflow_work_lane on workflow_work (queue, lane, not_before) where lane is not null;

create table workflow_brake (
  kind int2 not null, name text not null,
  paused_at int8, paused_by text, paused_why text,
  failures int4 not null default 0, failing_since int8 not null default 0,
  openings int4 not null default 0, open_until int8, probed_at int8,
  tokens float8, filled_at int8,
  primary key (kind, name)
);
alter table business_clock add column brakes int4 not null default 0;
";

/// Priorities, lanes and brakes, on SQLite.
pub const SQLITE_V2: &str = r"
alter table workflow_work add column priority integer not null default 1;
alter table workflow_work add column lane text;
alter table workflow_work add column most integer;
drop index workflow_work_due;
create index workflow_work_due on workflow_work (queue, priority, not_before) where lane is null;
create index workflow_work_lane on workflow_work (queue, lane, not_before) where lane is not null;

create table workflow_brake (
  kind integer not null, name text not null,
  paused_at integer, paused_by text, paused_why text,
  failures integer not null default 0, failing_since integer not null default 0,
  openings integer not null default 0, open_until integer, probed_at integer,
  tokens real, filled_at integer,
  primary key (kind, name)
) without rowid;
alter table business_clock add column brakes integer not null default 0;
";

/// Schedules that operators see, run and pause; and the archive of runs that finished long ago, on PostgreSQL.
///
/// The indexes on `workflow_run` name only columns that a turn leaves alone until a run finishes; since [`KEPT_V8`] not even that.
pub const POSTGRES_V3: &str = r"
alter table schedule_tick add column kind int2 not null default 0;
alter table schedule_tick add column actor text;
create table schedule_state (
  schedule text primary key, paused_at int8, paused_by text, paused_why text,
  failures int4 not null, failed_at int8, failure text
);

create table workflow_archive (
  run uuid primary key, workflow text not null, input text not null, state text not null,
  finished_at int8 not null, archived_at int8 not null
);
create index workflow_archive_finished on workflow_archive (workflow, finished_at);
create table workflow_journal_archive (
  run uuid not null, key text not null, seq int4 not null, at int8 not null, verdict int2 not null,
  event text not null, from_state text not null, to_state text not null, note text, shape int2 not null,
  attempts int4 not null, last_error text,
  actor text, on_behalf_of text, request_id text, trace text,
  state_digest bytea not null, hash bytea not null,
  primary key (run, key)
);

create index workflow_run_live on workflow_run (workflow, id) where status = 0;
create index workflow_run_finished on workflow_run (workflow, created_at) where status = 1 and unexpected = 0;
create index workflow_run_flagged on workflow_run (workflow, id) where unexpected > 0;
create index workflow_work_parked on workflow_work (due) where not_before = 9223372036854775807;
";

/// Schedules that operators see, run and pause; and the archive of runs that finished long ago, on SQLite.
pub const SQLITE_V3: &str = r"
alter table schedule_tick add column kind integer not null default 0;
alter table schedule_tick add column actor text;
create table schedule_state (
  schedule text primary key, paused_at integer, paused_by text, paused_why text,
  failures integer not null, failed_at integer, failure text
) without rowid;

create table workflow_archive (
  run blob primary key, workflow text not null, input text not null, state text not null,
  finished_at integer not null, archived_at integer not null
) without rowid;
create index workflow_archive_finished on workflow_archive (workflow, finished_at);
create table workflow_journal_archive (
  run blob not null, key text not null, seq integer not null, at integer not null, verdict integer not null,
  event text not null, from_state text not null, to_state text not null, note text, shape integer not null,
  attempts integer not null, last_error text,
  actor text, on_behalf_of text, request_id text, trace text,
  state_digest blob not null, hash blob not null,
  primary key (run, key)
) without rowid;

create index workflow_run_live on workflow_run (workflow, id) where status = 0;
create index workflow_run_finished on workflow_run (workflow, created_at) where status = 1 and unexpected = 0;
create index workflow_run_flagged on workflow_run (workflow, id) where unexpected > 0;
create index workflow_work_parked on workflow_work (due) where not_before = 9223372036854775807;
";

/// Deaths, counted as what they are, on PostgreSQL: a claim raises the attempt whatever becomes of it, and a retry, a process that
/// hands over its work or an answer that was lost are nobody's death.
pub const POSTGRES_V4: &str = "alter table workflow_work add column deaths int4 not null default 0";

/// Deaths, counted as what they are, on SQLite.
pub const SQLITE_V4: &str = "alter table workflow_work add column deaths integer not null default 0";

/// An index of leases alone, on both databases: what every process looks through once a second, however much else there is.
pub const LEASES_V5: &str =
    "create index workflow_work_leased on workflow_work (holder) where not_before = 9223372036854775806";

/// What is due alone in its index, on both databases: work that is leased as soon as it is queued is never in it, and a claim takes its
/// work out instead of moving it to the end. A claim says so in its statement, or the planner cannot tell that the index is enough.
pub const DUE_V6: &str = "
drop index workflow_work_due;
create index workflow_work_due on workflow_work (queue, priority, not_before)
  where lane is null and not_before < 9223372036854775806;
";

/// Facts that are sealed, on PostgreSQL: whether a change is a sealing is asked before a function is called for it, as on SQLite.
pub const SEALING_V7: &str = "
drop trigger event_log_append_only on event_log;
create trigger event_log_append_only before update on event_log for each row
  when (old.position is not null or new.position is null or new.hash is null
    or (old.run, old.seq, old.n, old.kind, old.body, old.at) <> (new.run, new.seq, new.n, new.kind, new.body, new.at))
  execute function event_log_is_append_only();
create trigger event_log_never_deleted before delete on event_log for each row execute function event_log_is_append_only();
";

/// The end of a run is as light as its other turns, on PostgreSQL: no index names a column that a turn changes, but for the one of runs
/// that are flagged, so that the row's new version stays in its page and enters no index (a heap-only update). A page is filled by half
/// at first, since all runs of a page may move in one commit, before any of it can be pruned.
///
/// Whatever is archived has an empty input; the archive looks for what is to come among the others.
pub const KEPT_V8: &str = "
drop index workflow_run_live;
drop index workflow_run_finished;
create index workflow_run_kept on workflow_run (workflow, created_at) where input <> '';
alter table workflow_run set (fillfactor = 50);
";

/// The same on SQLite, which has no such pages.
pub const SQLITE_KEPT_V8: &str = "
drop index workflow_run_live;
drop index workflow_run_finished;
create index workflow_run_kept on workflow_run (workflow, created_at) where input <> '';
";

/// What the turn that began a run has left with its one call, for whoever claims it: until when none of the run's timers is due, as long
/// as the run does not move. On both databases.
pub const QUIET_V9: &str = "alter table workflow_work add column quiet_until int8";

/// Every try that failed and every death of whoever held the work, on PostgreSQL.
///
/// The database keeps them by itself: whatever counts a failure or a death, in whichever build, leaves its record in the same
/// transaction. A claim and a commit name none of these columns: it does not run for them.
pub const TRIES_V10: &str = "
create table workflow_try (
  run uuid not null, seq int4 not null, n int4 not null, attempt int4 not null, at int8 not null, class text not null, why text not null,
  primary key (run, seq, n, attempt)
);
create function workflow_try_is_kept() returns trigger language plpgsql as $$
begin
  insert into workflow_try
    select new.run, new.seq, new.n, new.attempt, (extract(epoch from clock_timestamp()) * 1000000)::int8 + o.offset_us,
      case when new.deaths > old.deaths then 'crashed' else coalesce(new.error_class, '') end,
      case when new.deaths > old.deaths then 'its process died while holding it' else coalesce(new.last_error, '') end
    from business_clock o
    on conflict do nothing;
  return null;
end $$;
create trigger workflow_try_is_kept after update of failures, deaths, last_error on workflow_work for each row
  when (new.failures > old.failures or new.deaths > old.deaths
    or (new.not_before = 9223372036854775807 and old.not_before < 9223372036854775807))
  execute function workflow_try_is_kept();
";

/// The same on SQLite.
pub const SQLITE_TRIES_V10: &str = "
create table workflow_try (
  run blob not null, seq integer not null, n integer not null, attempt integer not null, at integer not null, class text not null,
  why text not null,
  primary key (run, seq, n, attempt)
) without rowid;
create trigger workflow_try_is_kept after update of failures, deaths, last_error on workflow_work
when new.failures > old.failures or new.deaths > old.deaths
  or (new.not_before = 9223372036854775807 and old.not_before < 9223372036854775807)
begin
  insert or ignore into workflow_try
    select new.run, new.seq, new.n, new.attempt, cast(round(unixepoch('subsec') * 1000) as integer) * 1000 + o.offset_us,
      iif(new.deaths > old.deaths, 'crashed', coalesce(new.error_class, '')),
      iif(new.deaths > old.deaths, 'its process died while holding it', coalesce(new.last_error, ''))
    from business_clock o;
end;
";

/// How wide a queue may be in the whole cluster, if an operator says so. On both databases.
pub const WIDTH_V11: &str = "alter table workflow_brake add column most int4";
