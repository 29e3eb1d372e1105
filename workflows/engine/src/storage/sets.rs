//! Sets of rows as one text parameter: a JSON array of arrays, written cell by cell, since nothing is read from it on this side.

use sea_orm::Value;
use serde::Serialize;

/// A set of rows.
#[derive(Debug)]
pub(super) struct Set {
    text: Vec<u8>,
    /// The cells by themselves, where they are not to be written.
    cells: Option<Vec<Value>>,
}

/// What can stand in a row.
pub(super) trait Cell {
    fn write(&self, text: &mut Vec<u8>);
    /// The cell as a parameter of its own: a text, a number or nothing.
    fn value(&self) -> Value;
}

impl<T: Serialize> Cell for T {
    fn write(&self, text: &mut Vec<u8>) {
        serde_json::to_writer(text, self).expect("texts, numbers and nothing can be written to memory");
    }

    fn value(&self) -> Value {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(text)) => text.into(),
            Ok(serde_json::Value::Number(number)) => number.as_i64().into(),
            _ => Value::String(None),
        }
    }
}

impl Set {
    /// A set with a row of cells for each item.
    pub(super) fn of<T>(items: impl IntoIterator<Item = T>, row: impl Fn(&mut Self, T)) -> Self {
        let mut set = Self { text: vec![b'['], cells: None };
        for item in items {
            set.part();
            row(&mut set, item);
        }
        set.text.push(b']');
        set
    }

    /// The cells of a single row.
    pub(super) fn cells<T>(item: T, row: impl Fn(&mut Self, T)) -> Vec<Value> {
        let mut set = Self { text: vec![], cells: Some(vec![]) };
        row(&mut set, item);
        set.cells.unwrap_or_default()
    }

    /// An item that is one cell.
    pub(super) fn cell(&mut self, cell: &dyn Cell) {
        cell.write(&mut self.text);
    }

    /// An item that is a row of cells.
    pub(super) fn row(&mut self, cells: &[&dyn Cell]) {
        if let Some(values) = &mut self.cells {
            values.extend(cells.iter().map(|cell| cell.value()));
            return;
        }
        self.text.push(b'[');
        for cell in cells {
            self.part();
            cell.write(&mut self.text);
        }
        self.text.push(b']');
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text == b"[]"
    }

    pub(super) fn text(self) -> String {
        String::from_utf8(self.text).expect("JSON is text")
    }

    /// Parts what comes next from what stands before it.
    fn part(&mut self) {
        if self.text.last() != Some(&b'[') {
            self.text.push(b',');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_an_array_of_rows() {
        let rows = [("a \"b\"", Some(1)), ("", None)];
        let set = Set::of(rows, |set, (text, number)| set.row(&[&text, &number, &"["]));
        assert_eq!(set.text(), r#"[["a \"b\"",1,"["],["",null,"["]]"#);
        assert_eq!(Set::of(["x", "["], |set, text| set.cell(&text)).text(), r#"["x","["]"#);
        assert!(Set::of([], |set, (): ()| set.row(&[])).is_empty());
    }

    #[test]
    fn the_cells_of_a_single_row_are_values() {
        let cells =
            Set::cells(("a", None::<&str>, 3_i16), |set, (text, nothing, number)| set.row(&[&text, &nothing, &number]));
        assert_eq!(cells, ["a".into(), Value::String(None), 3_i64.into()]);
    }
}
