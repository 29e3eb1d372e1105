//! `/properties/{id}/availability`: which nights are free, and the host's own blocks.

use axum::extract::State;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{BookingId, Money, PropertyId, Stay};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::hosting::{self, Blocks, Calendar, Changed, Night, NightOwner};
use workflows::{App, Flaw};

use crate::body::Json;
use crate::caller::{Host, MaybeCaller};
use crate::path::{Path, Query};
use crate::problem::{Problem, catalogue};
use crate::router::Api;
use crate::wire::MoneyShape;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(show, set))
}

/// Which stretch to show.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Stretch {
    /// From this night on; today at the home when absent.
    from: Option<NaiveDate>,
    /// To this date, which is not part of it; 90 days later when absent, two years at most.
    to: Option<NaiveDate>,
}

/// A stretch of a home's calendar.
#[derive(Serialize, ToSchema)]
#[schema(as = Calendar)]
struct CalendarView {
    /// The home.
    #[schema(value_type = String)]
    property_id: PropertyId,
    /// The first night.
    from: NaiveDate,
    /// The date after the last night.
    to: NaiveDate,
    /// Every night in between.
    nights: Vec<NightView>,
}

/// One night.
#[derive(Serialize, ToSchema)]
#[schema(as = Night)]
struct NightView {
    /// The date on which it begins.
    date: NaiveDate,
    /// Whether a unit is free.
    available: bool,
    /// How many units are free.
    units_free: usize,
    /// What the host asks for it, before fees and tax.
    #[schema(value_type = MoneyShape)]
    price: Money,
    /// Who has the other units; only the host is told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    taken: Vec<TakenView>,
}

/// What has a unit for a night.
#[derive(Serialize, ToSchema)]
#[schema(as = TakenNight)]
struct TakenView {
    /// `booking` or `block`.
    by: &'static str,
    /// Which booking.
    #[schema(value_type = Option<String>)]
    booking_id: Option<BookingId>,
    /// When it is free again unless it is confirmed.
    hold_expires_at: Option<DateTime<Utc>>,
}

/// Nights to take off the market and to put back on it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Blocks)]
struct BlocksBody {
    /// Off the market, all units.
    #[serde(default)]
    block: Vec<Range>,
    /// Back on it.
    #[serde(default)]
    open: Vec<Range>,
}

/// Nights from one date to another, which is not part of it.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NightRange)]
struct Range {
    /// The first night.
    from: NaiveDate,
    /// The date after the last night.
    to: NaiveDate,
}

/// What changed, night by night.
#[derive(Serialize, ToSchema)]
#[schema(as = CalendarChange)]
struct ChangeView {
    /// Newly off the market.
    blocked: Vec<NaiveDate>,
    /// Newly back on it.
    opened: Vec<NaiveDate>,
    /// As they were already.
    unchanged: Vec<NaiveDate>,
}

impl From<Calendar> for CalendarView {
    fn from(Calendar { property, from, to, nights }: Calendar) -> Self {
        Self { property_id: property, from, to, nights: nights.into_iter().map(NightView::from).collect() }
    }
}

impl From<Night> for NightView {
    fn from(Night { date, free, price, taken }: Night) -> Self {
        let view = |NightOwner { kind, booking, hold_expires_at }| TakenView {
            by: kind.as_str(),
            booking_id: booking,
            hold_expires_at,
        };
        Self { date, available: free > 0, units_free: free, price, taken: taken.into_iter().map(view).collect() }
    }
}

fn nights(name: &'static str, ranges: &[Range]) -> Result<Vec<Stay>, Problem> {
    let read = |(index, range): (usize, &Range)| {
        let flaw =
            |why: domain::stay::StayError| Flaw::new(format!("/{name}/{index}/to"), "not_a_range", why.to_string());
        Stay::parse(range.from, range.to).map_err(|why| Problem::new(&catalogue::INVALID_BODY).at([flaw(why)]))
    };
    ranges.iter().enumerate().map(read).collect()
}

/// Which nights are free
#[utoipa::path(get, path = "/properties/{id}/availability", tag = "properties", security((), ("bearer" = [])), params(("id" = String, Path), Stretch), responses((status = 200, body = CalendarView)))]
async fn show(
    MaybeCaller(caller): MaybeCaller,
    State(app): State<App>,
    Path(id): Path<PropertyId>,
    Query(Stretch { from, to }): Query<Stretch>,
) -> Result<Json<CalendarView>, Problem> {
    let calendar = hosting::availability(&app, caller.map(|caller| caller.id), id, (from, to)).await?;
    Ok(Json(calendar.into()))
}

/// Block nights, or open them again
///
/// Answers with what changed. Nights in the past and nights that are booked are refused, and then nothing changes.
#[utoipa::path(put, path = "/properties/{id}/availability", tag = "properties", security(("bearer" = [])), params(("id" = String, Path)),
    request_body = BlocksBody, responses((status = 200, body = ChangeView)))]
async fn set(
    host: Host,
    State(app): State<App>,
    Path(id): Path<PropertyId>,
    Json(BlocksBody { block, open }): Json<BlocksBody>,
) -> Result<Json<ChangeView>, Problem> {
    let wanted = Blocks { block: nights("block", &block)?, open: nights("open", &open)? };
    let Changed { blocked, opened, unchanged } = hosting::set_blocks(&app, host.id, id, wanted).await?;
    Ok(Json(ChangeView { blocked, opened, unchanged }))
}
