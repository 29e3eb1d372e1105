//! The rows of a payment: what its guest sees of it, and the gateway's name by which its webhooks find it.

use engine::{Changed, Project, ProjectError, Tx};
use sea_orm::DbErr;
use store::payments::{self, Reference};

use super::{Payment, State};

impl Project<Tx> for Payment {
    type Error = DbErr;

    const ROWS: &'static [(&'static str, &'static str)] = &[("payment", "id"), ("payment_reference", "payment_id")];

    async fn project(tx: &Tx, changed: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
        let rows: Vec<payments::Payment> = changed.iter().map(row).collect();
        payments::put(&**tx, &rows).await?;
        let references: Vec<Reference> = changed.iter().filter_map(reference).collect();
        if !references.is_empty() {
            payments::put_references(&**tx, &references).await?;
        }
        Ok(())
    }
}

fn row(changed: &Changed<Payment>) -> payments::Payment {
    let (due, state) = (&changed.input, &changed.state);
    let refunded = state.refunded();
    payments::Payment {
        id: due.payment,
        booking: due.booking,
        guest: due.guest,
        status: state.status(due),
        amount: due.amount,
        captured_minor: refunded.map_or(0, |_| due.amount.minor),
        refunded_minor: refunded.map_or(0, |refunded| refunded.minor),
        provider: due.provider.as_str().to_owned(),
        intent: state.intent().map(str::to_owned),
        action_url: match state {
            State::AwaitingAction { url, .. } => Some(url.clone()),
            _ => None,
        },
        decline_code: match state {
            State::Declined { code, .. } => Some(code.clone()),
            _ => None,
        },
        capture_before: match state {
            State::Authorized { capture_before, .. } => Some(*capture_before),
            _ => None,
        },
        created_at: due.made_at,
        updated_at: changed.at,
    }
}

fn reference(changed: &Changed<Payment>) -> Option<Reference> {
    let due = &changed.input;
    let reference = changed.state.intent()?.to_owned();
    Some(Reference { provider: due.provider.as_str().to_owned(), reference, payment: due.payment })
}
