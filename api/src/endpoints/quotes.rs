//! `/quotes`: a price in writing, with what becomes of the money if the stay is called off.

use axum::extract::State;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{Guests, Line, Money, PolicySnapshot, PropertyId, QuoteId, RefundSchedule, Stay};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::idempotency::Answer;
use workflows::quoting::{self, Enquiry, Quoted};
use workflows::{App, Error};

use crate::body::Json;
use crate::caller::Guest;
use crate::once::{Answered, Command};
use crate::path::Path;
use crate::problem::Problem;
use crate::router::Api;
use crate::wire::{GuestsShape, MoneyShape};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(ask)).routes(routes!(show))
}

/// What you want to know the price of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Question {
    /// Which home.
    #[schema(value_type = String)]
    property_id: PropertyId,
    /// The first night.
    check_in: NaiveDate,
    /// The day you leave.
    check_out: NaiveDate,
    /// Who comes.
    #[schema(value_type = GuestsShape)]
    guests: Guests,
}

/// The stay between two dates of a body.
pub(super) fn stay(check_in: NaiveDate, check_out: NaiveDate) -> Result<Stay, Error> {
    Stay::parse(check_in, check_out)
        .map_err(|why| Error::Invalid(vec![workflows::Flaw::new("/check_out", "not_a_stay", why.to_string())]))
}

/// A price in writing. Equal quotes have equal hashes.
#[derive(Serialize, ToSchema)]
#[schema(as = Quote)]
pub(crate) struct QuoteView {
    /// Names it.
    #[schema(value_type = String, example = "quo_0192f0c1a2b37c4d8e5f60718293a4b5")]
    id: QuoteId,
    /// Which home.
    #[schema(value_type = String)]
    property_id: PropertyId,
    /// The first night.
    check_in: NaiveDate,
    /// The day you leave.
    check_out: NaiveDate,
    /// The zone of the home's clocks.
    time_zone: String,
    /// Who comes.
    #[schema(value_type = GuestsShape)]
    guests: Guests,
    /// What makes up the price, with the rule behind each line.
    lines: Vec<LineView>,
    /// What you pay, all in all.
    #[schema(value_type = MoneyShape)]
    total: Money,
    /// Whether a booking needs no answer by the host.
    instant_book: bool,
    /// The policy as it would be agreed.
    cancellation: PolicyView,
    /// Until when the price stands.
    expires_at: DateTime<Utc>,
    /// Whether that instant was past when this was answered; nothing can be booked on the quote then.
    expired: bool,
    /// The fingerprint of what is offered.
    hash: String,
}

/// One line of a price.
#[derive(Serialize, ToSchema)]
#[schema(as = PriceLine)]
pub(crate) struct LineView {
    /// Such as `nights`, `cleaning`, `guest_fee`, `tax`.
    kind: &'static str,
    /// How much; negative for a discount.
    #[schema(value_type = MoneyShape)]
    amount: Money,
    /// Which rule put it there.
    source: &'static str,
    /// For rent: how many nights.
    nights: Option<u32>,
    /// For rent: what each of them costs.
    #[schema(value_type = Option<MoneyShape>)]
    each: Option<Money>,
}

/// A cancellation policy, as agreed.
#[derive(Serialize, ToSchema)]
#[schema(as = CancellationPolicy)]
pub(crate) struct PolicyView {
    /// Its name.
    policy: String,
    /// The date of the version that counts.
    effective_from: NaiveDate,
    /// Until when how much goes back, as instants.
    refunds: Vec<RefundView>,
}

/// A stretch of time and what a guest who calls off in it gets back.
#[derive(Serialize, ToSchema)]
#[schema(as = RefundStep)]
struct RefundView {
    /// The last instant of it; absent for the time after check-in, when nights spent are paid for beside it.
    until: Option<DateTime<Utc>>,
    /// What goes back.
    #[schema(value_type = MoneyShape)]
    refund: Money,
}

impl From<&Line> for LineView {
    fn from(line: &Line) -> Self {
        let nights = line.of_nights();
        Self {
            kind: line.label_code(),
            amount: line.amount(),
            source: line.source().as_str(),
            nights: nights.map(|nights| nights.count),
            each: nights.map(|nights| nights.each),
        }
    }
}

impl PolicyView {
    pub(super) fn new(policy: &PolicySnapshot, schedule: &RefundSchedule) -> Self {
        let refunds = schedule.steps.iter().map(|step| RefundView { until: step.until, refund: step.to_guest });
        Self { policy: policy.code.clone(), effective_from: policy.effective_from, refunds: refunds.collect() }
    }
}

impl From<&Quoted> for QuoteView {
    fn from(Quoted { quote, promise, schedule, expired }: &Quoted) -> Self {
        let offer = &promise.offer;
        Self {
            id: quote.id,
            property_id: quote.property,
            check_in: quote.stay.check_in(),
            check_out: quote.stay.check_out(),
            time_zone: offer.house.zone.name().to_owned(),
            guests: quote.guests,
            lines: offer.priced.lines().iter().map(LineView::from).collect(),
            total: quote.total,
            instant_book: promise.instant_book,
            cancellation: PolicyView::new(&offer.policy, schedule),
            expires_at: quote.expires_at,
            expired: *expired,
            hash: quote.hash.clone(),
        }
    }
}

/// Ask for a price in writing
///
/// It stands until it expires, whatever the host changes meanwhile. It holds no nights: `409 dates_unavailable` may still
/// meet who books on it.
#[utoipa::path(post, path = "/quotes", tag = "quotes", security(("bearer" = [])), request_body = Question, responses((status = 201, body = QuoteView)))]
async fn ask(guest: Guest, State(app): State<App>, command: Command<Question>) -> Result<Answered, Problem> {
    let (Question { property_id, check_in, check_out, guests }, once) = command.by(guest.id);
    let enquiry = Enquiry { property: property_id, stay: stay(check_in, check_out)?, guests };
    let quoted = quoting::quote(&app, guest.id, enquiry, once, |quoted| {
        Answer::json(201, &QuoteView::from(quoted)).with("location", format!("/quotes/{}", quoted.quote.id))
    });
    Ok(Answered(quoted.await?))
}

/// One of your quotes
#[utoipa::path(get, path = "/quotes/{id}", tag = "quotes", security(("bearer" = [])), params(("id" = String, Path)), responses((status = 200, body = QuoteView)))]
async fn show(guest: Guest, State(app): State<App>, Path(id): Path<QuoteId>) -> Result<Json<QuoteView>, Problem> {
    Ok(Json(QuoteView::from(&quoting::one(&app, guest.id, id).await?)))
}
