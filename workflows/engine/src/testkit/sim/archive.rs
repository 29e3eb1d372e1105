//! How the simulation's storage puts finished runs away, brings back whom a late fact calls for, and forgets.
//!
//! As in the databases, a run that was put away leaves a stub in its place: it keeps its key and its head, and is what a turn locks.

use super::conform::turn as in_words;
use super::memory::Memory;
use crate::storage::{Ask, Loaded};
use crate::turn::{JournalRow, RunRow};
use crate::{RunId, WorkId};

/// Runs put away in one transaction.
const BATCH: usize = 200;

/// What a run leaves in the archive.
#[derive(Clone, Debug)]
pub(super) struct Archived {
    workflow: String,
    /// When it took something in last.
    finished_at: i64,
    input: String,
    state: String,
    turns: Vec<JournalRow>,
}

impl Memory {
    /// Locks finished runs of a workflow that nobody has touched since, passing over those that somebody else has.
    pub(super) fn begin_archive(&mut self, workflow: &str, since: i64, now: i64) -> Option<u64> {
        let old = |row: &&RunRow| row.finished && row.workflow == workflow && self.touched[&row.id] < since;
        let over = self.runs.values().filter(old).filter(|row| self.is_over(row)).map(|row| row.id);
        let runs: Vec<RunId> = over.filter(|run| !self.is_run_locked(*run)).take(BATCH).collect();
        (!runs.is_empty()).then(|| self.open(now, runs, vec![]))
    }

    /// Whether nothing is left to do for a run, nor for an operator.
    fn is_over(&self, row: &RunRow) -> bool {
        row.finished && row.unexpected == 0 && self.work_of(row.id).next().is_none()
    }

    /// Puts away what this transaction has locked, and commits; `None` when the server has ended it.
    pub(super) fn put_away(&mut self, tx: u64) -> Option<Vec<RunId>> {
        let runs = self.close(tx)?;
        for run in &runs {
            self.stash(*run);
        }
        Some(runs)
    }

    pub(super) fn stash(&mut self, run: RunId) {
        let Some(row) = self.runs.get_mut(&run) else { return };
        let (input, state) = (std::mem::take(&mut row.input), std::mem::take(&mut row.state));
        row.finished = false;
        let (workflow, finished_at) = (row.workflow.clone(), self.touched[&run]);
        let turns = self.journal.remove(&run).unwrap_or_default();
        self.archive.insert(run, Archived { workflow, finished_at, input, state, turns });
    }

    /// Brings runs back within a transaction that has locked them, and loads again what it asks for.
    pub(super) fn restore(&mut self, tx: u64, runs: &[RunId], ask: &Ask, now: i64) -> Loaded {
        for run in runs {
            self.unstash(*run);
        }
        self.restored(tx, runs);
        let glimpse = self.glimpse(ask);
        self.load(ask, glimpse, now)
    }

    fn unstash(&mut self, run: RunId) {
        let (Some(row), Some(archived)) = (self.runs.get_mut(&run), self.archive.remove(&run)) else { return };
        let Archived { input, state, turns, .. } = archived;
        (row.input, row.state, row.finished) = (input, state, true);
        self.journal.insert(run, turns);
    }

    /// Forgets archived runs of a workflow that nobody has touched since; says what they were.
    pub(super) fn purge(&mut self, workflow: &str, since: i64) -> Vec<(RunRow, Vec<JournalRow>)> {
        let old = |(_, it): &(&RunId, &Archived)| it.finished_at < since && it.workflow == workflow;
        let runs = self.archive.iter().filter(old).map(|(run, _)| *run);
        let posted = |run: RunId| self.facts.iter().any(|fact| fact.run == run);
        let runs: Vec<RunId> = runs.filter(|run| !self.is_run_locked(*run) && !posted(*run)).collect();
        let forget = |run| {
            self.unstash(run);
            let row = self.runs.remove(&run)?;
            self.forget_name(&row);
            Some((row, self.journal.remove(&run).unwrap_or_default()))
        };
        runs.into_iter().filter_map(forget).collect()
    }

    /// Whether a run of a workflow can be put away.
    pub(super) fn has_over(&self, workflow: &str) -> bool {
        self.runs.values().any(|row| row.workflow == workflow && self.is_over(row))
    }

    /// Whether a run of a workflow is in the archive.
    pub(super) fn has_archived(&self, workflow: &str) -> bool {
        self.archive.values().any(|it| it.workflow == workflow)
    }

    /// What a run has taken in, here or in the archive.
    pub(super) fn turns(&self, run: RunId) -> &[JournalRow] {
        let archived = self.archive.get(&run).map(|it| &it.turns);
        self.journal.get(&run).or(archived).map_or(&[], Vec::as_slice)
    }

    /// The archive, row by row, in words.
    pub(super) fn archive_in_words(&self) -> impl Iterator<Item = String> + '_ {
        self.archive.iter().flat_map(|(run, Archived { workflow, finished_at, input, state, turns })| {
            let whole = format!("archived {run} {workflow} {input} {state} {finished_at}");
            turns.iter().map(|turn| format!("archived {}", in_words(turn))).chain([whole])
        })
    }

    /// Everything that was put away or forgotten, back in its place: whoever judges a world reads it whole.
    pub(super) fn unfold(&mut self, forgotten: Vec<(RunRow, Vec<JournalRow>)>) {
        let runs: Vec<RunId> = self.archive.keys().copied().collect();
        runs.into_iter().for_each(|run| self.unstash(run));
        for (row, turns) in forgotten {
            self.journal.insert(row.id, turns);
            self.runs.insert(row.id, row);
        }
    }

    /// Whether a run is in the archive, where it must not be if it has work.
    pub(super) fn is_archived(&self, work: WorkId) -> bool {
        self.archive.contains_key(&work.run)
    }
}
