//! `/bookings`: made, answered, called off and looked at.

mod view;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use chrono::NaiveDate;
use domain::{BookingId, BookingStatus, Guests, Money, PropertyId, QuoteId};
use serde::{Deserialize, Serialize};
use store::bookings::Booking as Row;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::idempotency::Answer;
use workflows::quoting::Enquiry;
use workflows::reservations::{self, Asking, Basis, Command as Verb, Reservation, Side, Wish};
use workflows::{App, Error, Flaw};

use self::view::{BookingView, EntryView, OutlookView, Summary};
use crate::body::{Json, Nothing};
use crate::caller::{Caller, Guest};
use crate::endpoints::quotes::stay;
use crate::once::{Answered, Command, MustKey};
use crate::openapi::IdempotencyKey;
use crate::page::{Listing, Page, Paging};
use crate::path::{Path, Query};
use crate::problem::Problem;
use crate::router::Api;
use crate::scenario::{Rehearsed, TestScenario};
use crate::wire::{self, GuestsShape, MoneyShape, Place};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(make, list))
        .routes(routes!(show))
        .routes(routes!(accept))
        .routes(routes!(decline))
        .routes(routes!(cancel))
        .routes(routes!(timeline))
}

/// A booking to make: on a quote, or on a home, dates and guests.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Order {
    /// The quote to book on; then say neither home nor dates nor guests.
    #[schema(value_type = Option<String>)]
    quote_id: Option<QuoteId>,
    /// Which home.
    #[schema(value_type = Option<String>)]
    property_id: Option<PropertyId>,
    /// The first night.
    check_in: Option<NaiveDate>,
    /// The day you leave.
    check_out: Option<NaiveDate>,
    /// Who comes.
    #[schema(value_type = Option<GuestsShape>)]
    guests: Option<Guests>,
    /// The gateway's token for your card.
    #[schema(max_length = 200, example = "pm_card_ok")]
    payment_method: String,
    /// What you were shown: any other price is refused with `price_changed`.
    #[schema(value_type = Option<MoneyShape>)]
    expected_total: Option<Money>,
    /// What your own system calls it; unique for you, for ever.
    #[schema(max_length = 100)]
    client_reference: Option<String>,
    /// A word to the host.
    #[schema(max_length = 5000)]
    message: Option<String>,
}

impl TryFrom<Order> for Wish {
    type Error = Error;

    fn try_from(order: Order) -> Result<Self, Error> {
        let Order { quote_id, property_id, check_in, check_out, guests, payment_method, .. } = order;
        let Order { expected_total, client_reference, message, .. } = order;
        let given = [
            ("/property_id", property_id.is_some()),
            ("/check_in", check_in.is_some()),
            ("/check_out", check_out.is_some()),
            ("/guests", guests.is_some()),
        ];
        let wrong = given.iter().filter(|(_, is_given)| *is_given == quote_id.is_some());
        let flaw = |(place, _): &(&'static str, bool)| match quote_id {
            Some(_) => Flaw::new(*place, "contradiction", "the quote says it already"),
            None => Flaw::new(*place, "missing", "needed when there is no quote_id"),
        };
        let flaws: Vec<Flaw> = wrong.map(flaw).collect();
        let basis = match (quote_id, property_id, check_in, check_out, guests) {
            _ if !flaws.is_empty() => return Err(Error::Invalid(flaws)),
            (Some(quote), ..) => Basis::Quote(quote),
            (None, Some(property), Some(check_in), Some(check_out), Some(guests)) => {
                Basis::Now(Enquiry { property, stay: stay(check_in, check_out)?, guests })
            }
            (None, ..) => return Err(Error::flaw("/quote_id", "missing", "a quote, or a home with dates and guests")),
        };
        Ok(Self { basis, method: payment_method, expected_total, client_reference, message, scenario: None })
    }
}

/// Which bookings to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// As whom: `guest` for those you made, `host` for those of your homes; both when absent.
    #[serde(rename = "as")]
    #[param(rename = "as", inline)]
    side: Option<As>,
    /// Only those of this status.
    #[param(value_type = Option<String>)]
    status: Option<BookingStatus>,
    /// Only the one that your own system calls so.
    client_reference: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum As {
    Guest,
    Host,
}

/// Whether to do it or only to say what would come of it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Manner {
    /// Do nothing, and answer with what would come of it at this instant.
    #[serde(default)]
    dry_run: bool,
}

/// The story of a booking.
#[derive(Serialize, ToSchema)]
struct Timeline {
    /// What happened, first to last, as far as it concerns you.
    data: Vec<EntryView>,
}

/// What a command answers.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only described: the answer is one or the other")]
enum Done {
    /// The booking as it is now.
    Booking(Box<BookingView>),
    /// With `dry_run`: what would come of it.
    Outlook(OutlookView),
}

fn asking(caller: &Caller) -> Asking {
    match caller.signed_in.role {
        Some(store::Role::Operator) => Asking::Operator(caller.id),
        None => Asking::Person(caller.id),
    }
}

/// Book
///
/// The nights are held from this moment: until the payment is reserved, and then until the host answers. Money is only
/// taken once the booking is accepted.
#[utoipa::path(post, path = "/bookings", tag = "bookings", security(("bearer" = [])), params(IdempotencyKey, TestScenario), request_body = Order,
    responses((status = 201, body = BookingView)))]
async fn make(
    guest: Guest,
    State(app): State<App>,
    Rehearsed(scenario): Rehearsed,
    command: Command<Order, MustKey>,
) -> Result<Answered, Problem> {
    let (order, once) = command.by(guest.id);
    let wish = Wish { scenario, ..order.try_into()? };
    let made = reservations::make(&app, guest.id, wish, (once, guest.origin()), |reservation| {
        shown(201, reservation).with("location", format!("/bookings/{}", reservation.row.id))
    });
    Ok(Answered(made.await?))
}

fn shown(status: u16, reservation: &Reservation) -> Answer {
    Answer::json(status, &BookingView::from(reservation))
}

/// Your bookings
#[utoipa::path(get, path = "/bookings", tag = "bookings", security(("bearer" = [])), params(Paging, Which), responses((status = 200, body = Listing<Summary>)))]
async fn list(caller: Caller, State(app): State<App>, page: Page<Which>) -> Result<Listing<Summary>, Problem> {
    let side = match page.filter.side {
        Some(As::Guest) => Side::Guest,
        Some(As::Host) => Side::Host,
        None => Side::Either,
    };
    let rows = match &page.filter.client_reference {
        Some(reference) => reservations::called(&app, caller.id, reference).await?,
        None => reservations::list(&app, caller.id, (side, page.filter.status), wire::rows(&page)?).await?,
    };
    let place = |row: &Row| Place::new(row.created_at, row.id.uuid());
    Ok(page.of(rows, place, |row| Summary::seen_by(caller.id, row)))
}

/// A booking
#[utoipa::path(get, path = "/bookings/{id}", tag = "bookings", security(("bearer" = [])), params(("id" = String, Path)), responses((status = 200, body = BookingView)))]
async fn show(caller: Caller, State(app): State<App>, Path(id): Path<BookingId>) -> Result<Json<BookingView>, Problem> {
    Ok(Json(BookingView::from(&reservations::one(&app, asking(&caller), id).await?)))
}

/// Accept a request
#[utoipa::path(post, path = "/bookings/{id}/accept", tag = "bookings", security(("bearer" = [])), params(("id" = String, Path), Manner, IdempotencyKey),
    responses((status = 200, body = Done)))]
async fn accept(to: Addressed, State(app): State<App>, command: Command<Nothing>) -> Result<Answered, Problem> {
    to.send(&app, Verb::Accept, command).await
}

/// Decline a request
#[utoipa::path(post, path = "/bookings/{id}/decline", tag = "bookings", security(("bearer" = [])), params(("id" = String, Path), Manner, IdempotencyKey),
    responses((status = 200, body = Done)))]
async fn decline(to: Addressed, State(app): State<App>, command: Command<Nothing>) -> Result<Answered, Problem> {
    to.send(&app, Verb::Decline, command).await
}

/// Call a booking off
///
/// What goes back follows from the policy that was agreed, who calls it off, and this instant; `dry_run` says it beforehand.
#[utoipa::path(post, path = "/bookings/{id}/cancel", tag = "bookings", security(("bearer" = [])), params(("id" = String, Path), Manner, IdempotencyKey),
    responses((status = 200, body = Done)))]
async fn cancel(to: Addressed, State(app): State<App>, command: Command<Nothing>) -> Result<Answered, Problem> {
    to.send(&app, Verb::Cancel, command).await
}

/// What happened to a booking
#[utoipa::path(get, path = "/bookings/{id}/timeline", tag = "bookings", security(("bearer" = [])), params(("id" = String, Path)), responses((status = 200, body = Timeline)))]
async fn timeline(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<BookingId>,
) -> Result<Json<Timeline>, Problem> {
    let entries = reservations::timeline(&app, asking(&caller), id).await?;
    Ok(Json(Timeline { data: entries.into_iter().map(EntryView::from).collect() }))
}

/// Whose command it is, and to which booking.
struct Addressed {
    caller: Caller,
    booking: BookingId,
    dry_run: bool,
}

impl FromRequestParts<Api> for Addressed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Api) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let Path(booking) = Path::from_request_parts(parts, state).await?;
        let Query(Manner { dry_run }) = Query::from_request_parts(parts, state).await?;
        Ok(Self { caller, booking, dry_run })
    }
}

impl Addressed {
    async fn send(self, app: &App, verb: Verb, command: Command<Nothing>) -> Result<Answered, Problem> {
        let Self { caller, booking, dry_run } = self;
        let (Nothing {}, once) = command.by(caller.id);
        if dry_run {
            let outlook = reservations::preview(app, asking(&caller), (booking, verb)).await?;
            return Ok(Answered(Answer::json(200, &OutlookView::from(outlook))));
        }
        if once.key.is_none() {
            return Err(Error::KeyMissing.into());
        }
        let with = (once, caller.origin());
        let done = reservations::command(app, asking(&caller), (booking, verb), with, |now| shown(200, now));
        Ok(Answered(done.await?))
    }
}
