//! Reading what can be read: what is damaged is named with the reason, and what stands beside it is shown.

use crate::operate::run_view;
use crate::storage::{instant, work_id};
use crate::{RunId, RunView};
use sea_orm::{DbErr, QueryResult, TryGetable};
use std::fmt::Display;
use uuid::Uuid;

/// What cannot be read, or contradicts what can.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Damaged {
    /// As much of its name as can be read.
    pub what: String,
    /// What is wrong with it.
    pub why: String,
}

/// What can be read of something.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Readable<T> {
    /// What can be read.
    pub rows: Vec<T>,
    /// What cannot.
    pub damaged: Vec<Damaged>,
}

/// What is found damaged while something is read.
#[derive(Default)]
pub(crate) struct Salvage(pub(crate) Vec<Damaged>);

impl Salvage {
    pub(crate) fn note(&mut self, what: impl Display, why: impl Display) {
        self.0.push(Damaged { what: what.to_string(), why: why.to_string() });
    }

    /// Whether something of this name was found damaged.
    pub(crate) fn names(&self, what: impl Display) -> bool {
        let what = what.to_string();
        self.0.iter().any(|damaged| damaged.what == what)
    }

    /// The rows that can be read.
    pub(crate) fn rows<T>(
        &mut self,
        rows: &[QueryResult],
        name: impl Fn(&QueryResult) -> String,
        read: impl Fn(&QueryResult) -> Result<T, DbErr>,
    ) -> Vec<T> {
        let read = |row| read(row).map_err(|why| self.note(name(row), why)).ok();
        rows.iter().filter_map(read).collect()
    }

    /// A run, column by column; nothing stands where nothing can be read, and the number of its latest turn is then the highest.
    pub(crate) fn run(&mut self, run: RunId, row: &QueryResult) -> RunView {
        if let Ok(view) = run_view(row) {
            return view;
        }
        RunView {
            run,
            workflow: self.cell(row, 1, "workflow").unwrap_or_default(),
            key: self.cell(row, 2, "key").unwrap_or_default(),
            parent: self.cell(row, 3, "parent").and_then(|parent: Option<Uuid>| parent).map(RunId::from_uuid),
            input: self.cell(row, 4, "input").unwrap_or_default(),
            state: self.cell(row, 5, "state").unwrap_or_default(),
            state_name: self.cell(row, 6, "state_name").unwrap_or_default(),
            seq: self.cell(row, 7, "seq").unwrap_or(i32::MAX),
            finished: self.cell(row, 8, "status").is_some_and(|status: i32| status != 0),
            unexpected: self.cell(row, 9, "unexpected").unwrap_or_default(),
            archived: self.cell(row, 10, "archived_at").and_then(|at: Option<i64>| at).map(instant),
            shape: self.cell(row, 11, "shape").unwrap_or_default(),
            created_at: instant(self.cell(row, 12, "created_at").unwrap_or_default()),
            updated_at: instant(self.cell(row, 13, "updated_at").unwrap_or_default()),
        }
    }

    fn cell<T: TryGetable>(&mut self, row: &QueryResult, at: usize, column: &str) -> Option<T> {
        row.try_get_by_index(at).map_err(|why| self.note(format!("the run's {column}"), why)).ok()
    }
}

/// The name of a row that begins with the number of a turn.
pub(crate) fn of_turn(what: &'static str) -> impl Fn(&QueryResult) -> String {
    move |row| match row.try_get_by_index::<i32>(0) {
        Ok(seq) => format!("{what} {seq}"),
        Err(_) => format!("{what} whose number cannot be read"),
    }
}

/// The name of a row that begins with the name of a piece of work.
pub(crate) fn of_work(what: &'static str) -> impl Fn(&QueryResult) -> String {
    move |row| match work_id(row, 0) {
        Ok(work) => format!("{what} {work}"),
        Err(_) => format!("{what} whose name cannot be read"),
    }
}

/// The text or the bytes of a name.
pub(crate) fn spelled(row: &QueryResult, at: usize) -> String {
    let bytes = || row.try_get_by_index::<Vec<u8>>(at).map(hex::encode);
    row.try_get_by_index::<String>(at).or_else(|_| bytes()).unwrap_or_else(|_| "a name that cannot be read".to_owned())
}
