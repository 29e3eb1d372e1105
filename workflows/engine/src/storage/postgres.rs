//! The hot statements on PostgreSQL: sets travel as arrays, and a commit reads once and writes once.
//!
//! Text that may be absent travels as the empty string and identifiers as the nil UUID: arrays hold no nulls here, and neither value
//! means anything else in these columns.

mod claim;
mod load;
mod write;

pub(super) use claim::{LOCK_LANES, claim, claim_lanes};
pub(super) use load::load;
pub(super) use write::{write, write_foreseen, write_granted};

use crate::{RunId, Scope, WorkId};
use sea_orm::Value;
use std::fmt::Write as _;

/// A column of a set, by its name.
type Column = (&'static str, Cells);

/// What stands in a column.
enum Cells {
    /// An array with a value for each row; and the value by itself, if there is only one.
    Each(Value, Option<Value>),
    /// Nothing in any row: there is nothing to send.
    Absent,
}

/// The parameters of a statement in the making.
#[derive(Default)]
struct Sets {
    values: Vec<Value>,
    /// No set has more than one row: then none of them needs arrays. That is decided for all of them, or a statement would have as many
    /// texts as there are ways to mix the two.
    lone: bool,
}

impl Sets {
    /// A parameter by its number.
    fn value(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    /// A set of rows, to be read from.
    ///
    /// Its arrays are unnested side by side in the list of a select. In a `from`, each of them would be put into a store of its own
    /// first: for a single row of eighteen columns that costs 15 to 20 us more, for thirty-two 40.
    fn of(&mut self, columns: Vec<Column>) -> String {
        let mut sql = String::with_capacity(columns.len() * 28);
        for (name, cells) in columns {
            sql.push_str(if sql.is_empty() { "(select " } else { ", " });
            let _ = match cells {
                Cells::Each(_, Some(value)) if self.lone => write!(sql, "{} as {name}", self.value(value)),
                Cells::Each(values, _) => write!(sql, "unnest({}) as {name}", self.value(values)),
                Cells::Absent => write!(sql, "null::text as {name}"),
            };
        }
        sql + ")"
    }
}

fn array<T>(values: impl Iterator<Item = T>) -> Value
where
    Vec<T>: Into<Value>,
{
    values.collect::<Vec<T>>().into()
}

fn uuids(runs: impl Iterator<Item = RunId>) -> Value {
    array(runs.map(RunId::uuid))
}

fn each<T>(values: impl Iterator<Item = T>) -> Cells
where
    T: Clone + Into<Value>,
    Vec<T>: Into<Value>,
{
    let values: Vec<T> = values.collect();
    let lone = if let [value] = &values[..] { Some(value.clone().into()) } else { None };
    Cells::Each(values.into(), lone)
}

fn ids(runs: impl Iterator<Item = RunId>) -> Cells {
    each(runs.map(RunId::uuid))
}

/// Texts that may be absent, as they mostly all are.
fn text(values: impl Iterator<Item = Option<String>> + Clone) -> Cells {
    match values.clone().all(|text| text.is_none()) {
        true => Cells::Absent,
        false => each(values.map(Option::unwrap_or_default)),
    }
}

fn works<'a>(works: impl Iterator<Item = &'a WorkId> + Clone) -> [Column; 3] {
    [
        ("run", ids(works.clone().map(|w| w.run))),
        ("seq", each(works.clone().map(|w| w.seq))),
        ("n", each(works.map(|w| w.n))),
    ]
}

pub(super) const fn scope(scope: Scope) -> i16 {
    match scope {
        Scope::State => 0,
        Scope::Run => 1,
    }
}
