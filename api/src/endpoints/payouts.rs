//! `/payouts`: what a host is sent.

use axum::extract::State;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{Money, PayoutId};
use serde::Serialize;
use store::payouts::Payout;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::{App, till};

use crate::body::Json;
use crate::caller::Host;
use crate::page::{Listing, NoFilter, Page, Paging};
use crate::path::Path;
use crate::problem::Problem;
use crate::router::Api;
use crate::wire::{self, MoneyShape, Place};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(show))
}

/// Money on its way to a host: everything in one currency that was released up to a date.
#[derive(Serialize, ToSchema)]
#[schema(as = Payout)]
struct PayoutView {
    /// Names it.
    #[schema(value_type = String, example = "pot_0192f0c1a2b37c4d8e5f60718293a4b5")]
    id: PayoutId,
    /// The date of the payout run.
    date: NaiveDate,
    /// How much.
    #[schema(value_type = MoneyShape)]
    amount: Money,
    /// `pending`, `paid` or `failed`.
    status: &'static str,
    /// Why it failed; the money is on the host's balance again.
    reason: Option<String>,
    /// The bank's name for it.
    transfer: Option<String>,
    /// Since when.
    created_at: DateTime<Utc>,
    /// The last change.
    updated_at: DateTime<Utc>,
}

impl From<Payout> for PayoutView {
    fn from(payout: Payout) -> Self {
        let Payout { id, host: _, date, amount, status, reason, transfer, created_at, updated_at } = payout;
        Self { id, date, amount, status: status.as_str(), reason, transfer, created_at, updated_at }
    }
}

/// Your payouts
#[utoipa::path(get, path = "/payouts", tag = "payouts", security(("bearer" = [])), params(Paging), responses((status = 200, body = Listing<PayoutView>)))]
async fn list(host: Host, State(app): State<App>, page: Page<NoFilter>) -> Result<Listing<PayoutView>, Problem> {
    let payouts = till::payouts_of(&app, host.id, wire::rows(&page)?).await?;
    Ok(page.of(payouts, |payout| Place::new(payout.created_at, payout.id.uuid()), PayoutView::from))
}

/// One of your payouts
#[utoipa::path(get, path = "/payouts/{id}", tag = "payouts", security(("bearer" = [])), params(("id" = String, Path)), responses((status = 200, body = PayoutView)))]
async fn show(host: Host, State(app): State<App>, Path(id): Path<PayoutId>) -> Result<Json<PayoutView>, Problem> {
    Ok(Json(till::payout(&app, host.id, id).await?.into()))
}
