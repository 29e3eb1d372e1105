//! The row of a payout, as its host reads it.

use engine::{Changed, Project, ProjectError, Tx};
use sea_orm::DbErr;
use store::payouts;

use super::{Payout, State};

impl Project<Tx> for Payout {
    type Error = DbErr;

    const ROWS: &'static [(&'static str, &'static str)] = &[("payout", "id")];

    async fn project(tx: &Tx, changed: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
        let rows: Vec<payouts::Payout> = changed.iter().map(row).collect();
        Ok(payouts::put(&**tx, &rows).await?)
    }
}

fn row(changed: &Changed<Payout>) -> payouts::Payout {
    let (payable, state) = (&changed.input, &changed.state);
    let (reason, transfer) = match state.clone() {
        State::Sending => (None, None),
        State::Paid { transfer } => (None, Some(transfer)),
        State::Failed { code } => (Some(code), None),
    };
    payouts::Payout {
        id: payable.payout,
        host: payable.host,
        date: payable.date,
        amount: payable.amount,
        status: state.status(),
        reason,
        transfer,
        created_at: payable.made_at,
        updated_at: changed.at,
    }
}
