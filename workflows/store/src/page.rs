//! Pages by key: a page starts after the last row of the one before, so rows that arrive meanwhile shift nothing.

use domain::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use crate::instant::Micros;

/// A page of a list that is sorted from the newest to the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// At most how many rows; ask for one more than is shown to learn whether there are more.
    pub limit: u64,
    /// The last row of the page before; `None` for the first page.
    pub after: Option<Position>,
}

/// Where a row stands in such a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// When the row was made.
    pub created_at: Timestamp,
    /// Its id, which decides among rows of one instant.
    pub id: Uuid,
}

impl Page {
    /// The first page.
    pub const fn first(limit: u64) -> Self {
        Self { limit, after: None }
    }

    pub(crate) fn of<E: EntityTrait>(&self, rows: Select<E>, created_at: E::Column, id: E::Column) -> Select<E> {
        let keys = || [Expr::col(created_at.as_column_ref()), Expr::col(id.as_column_ref())];
        let rows = match self.after {
            Some(Position { created_at, id }) => {
                let last = Expr::tuple([Expr::val(Micros::from(created_at).0), Expr::val(id)]);
                rows.filter(Expr::tuple(keys()).lt(last))
            }
            None => rows,
        };
        rows.order_by(created_at, Order::Desc).order_by(id, Order::Desc).limit(self.limit)
    }
}
