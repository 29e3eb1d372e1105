//! `/search`: homes that can be booked exactly as asked.

use axum::extract::State;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{Currency, Money, PropertyId, Stay};
use serde::{Deserialize, Serialize};
use store::search::{Area, PriceRange, Sorting, Wanted};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;
use workflows::discovery::{self, Found};
use workflows::{App, Error};

use crate::endpoints::properties::{Photo, neighbourhood};
use crate::page::{Listing, Page, Paging};
use crate::problem::Problem;
use crate::router::Api;
use crate::wire::{MoneyShape, party};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(search))
}

/// What you are looking for. Nothing given, every published home is found.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wish {
    /// The town, whatever the capitals.
    city: Option<String>,
    /// ISO 3166-1, two letters.
    country: Option<String>,
    /// The southern edge of a box, in degrees; all four edges or none.
    south: Option<f64>,
    /// The western edge; east of the eastern one for a box across the date line.
    west: Option<f64>,
    /// The northern edge.
    north: Option<f64>,
    /// The eastern edge.
    east: Option<f64>,
    /// The first night; with `check_out`: only homes that take exactly this stay.
    check_in: Option<NaiveDate>,
    /// The day you leave.
    check_out: Option<NaiveDate>,
    /// How many adults.
    adults: Option<u8>,
    /// How many children.
    children: Option<u8>,
    /// How many infants.
    infants: Option<u8>,
    /// How many pets.
    pets: Option<u8>,
    /// The currency of the price limits.
    #[param(value_type = Option<String>)]
    currency: Option<Currency>,
    /// At least so much a night, in minor units.
    min_price: Option<i64>,
    /// At most so much a night, in minor units.
    max_price: Option<i64>,
    /// Such as `apartment`.
    kind: Option<String>,
    /// Only homes that need no answer by the host.
    #[serde(default)]
    instant_book: bool,
    /// `newest` (when absent) or `cheapest`.
    #[serde(default)]
    #[param(inline)]
    sort: Sort,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Sort {
    #[default]
    Newest,
    Cheapest,
}

/// A home that was found.
#[derive(Serialize, ToSchema)]
#[schema(as = SearchResult)]
struct FoundView {
    /// The home.
    #[schema(value_type = String)]
    property_id: PropertyId,
    /// Its title.
    title: String,
    /// Such as `apartment`.
    kind: String,
    /// The town.
    city: String,
    /// ISO 3166-1.
    country: String,
    /// The neighbourhood, in degrees north.
    latitude: f64,
    /// In degrees east.
    longitude: f64,
    /// How many may come.
    guests: u8,
    /// What the host asks for a plain night, before fees and tax.
    #[schema(value_type = MoneyShape)]
    nightly: Money,
    /// What the stay costs, fees and tax included, when the dates are known.
    #[schema(value_type = Option<MoneyShape>)]
    total: Option<Money>,
    /// Whether a booking needs no answer by the host.
    instant_book: bool,
    /// Its first photograph.
    photo: Option<Photo>,
}

/// Where a home stands in either order, inside a cursor.
#[derive(Serialize, Deserialize)]
struct Standing(i64, Uuid);

impl TryFrom<&Wish> for Wanted {
    type Error = Error;

    fn try_from(wish: &Wish) -> Result<Self, Error> {
        for (name, text) in [("?city", &wish.city), ("?country", &wish.country), ("?kind", &wish.kind)] {
            if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
                return Err(Error::flaw(name, "empty", "leave it out to find every one"));
            }
        }
        let area = match (wish.south, wish.west, wish.north, wish.east) {
            (None, None, None, None) => None,
            (Some(south), Some(west), Some(north), Some(east)) if south <= north => {
                Some(Area { south, west, north, east })
            }
            _ => {
                return Err(Error::flaw(
                    "?south",
                    "not_a_box",
                    "all four edges or none, on this earth, south of north",
                ));
            }
        };
        let stay = match (wish.check_in, wish.check_out) {
            (None, None) => None,
            (Some(check_in), Some(check_out)) => {
                let why =
                    |why: domain::stay::StayError| workflows::Flaw::new("?check_out", "not_a_stay", why.to_string());
                Some(Stay::parse(check_in, check_out).map_err(|error| Error::Invalid(vec![why(error)]))?)
            }
            _ => return Err(Error::flaw("?check_out", "not_a_stay", "check_in and check_out come together")),
        };
        let price = match (wish.currency, wish.min_price, wish.max_price) {
            (_, None, None) => None,
            (Some(currency), from_minor, to_minor) => Some(PriceRange { currency, from_minor, to_minor }),
            (None, ..) => return Err(Error::flaw("?currency", "missing", "needed with a price limit")),
        };
        let guests = party((wish.adults, wish.children), (wish.infants, wish.pets));
        Ok(Self {
            city: wish.city.clone(),
            country: wish.country.clone(),
            area,
            stay,
            guests,
            price,
            kind: wish.kind.clone(),
            instant_book: wish.instant_book,
        })
    }
}

fn sorting(sort: Sort, after: Option<Standing>) -> Sorting {
    match sort {
        Sort::Newest => {
            let instant = |Standing(micros, id)| Some((DateTime::<Utc>::from_timestamp_micros(micros)?, id));
            Sorting::Newest { after: after.and_then(instant) }
        }
        Sort::Cheapest => Sorting::Cheapest { after: after.map(|Standing(minor, id)| (minor, id)) },
    }
}

fn standing(sort: Sort, found: &Found) -> Standing {
    let property = &found.property;
    let key = match sort {
        Sort::Newest => property.created_at.timestamp_micros(),
        Sort::Cheapest => property.listing.asked.nightly.minor,
    };
    Standing(key, property.id.uuid())
}

impl From<Found> for FoundView {
    fn from(Found { property, photograph, total }: Found) -> Self {
        let (latitude, longitude) = neighbourhood(&property.listing.place);
        Self {
            property_id: property.id,
            latitude,
            longitude,
            guests: property.listing.rules.capacity.guests,
            nightly: property.listing.asked.nightly,
            total,
            instant_book: property.listing.instant_book,
            photo: photograph.as_ref().map(Photo::from),
            title: property.listing.title,
            kind: property.listing.kind,
            city: property.listing.place.city,
            country: property.listing.place.country,
        }
    }
}

/// Find a home
///
/// With dates, only homes that take exactly this stay now: free in every night, and welcome by all of the host's rules.
#[utoipa::path(get, path = "/search", tag = "search", params(Paging, Wish), responses((status = 200, body = Listing<FoundView>)))]
async fn search(State(app): State<App>, page: Page<Wish>) -> Result<Listing<FoundView>, Problem> {
    let sort = page.filter.sort;
    let limit = usize::try_from(page.fetch()).unwrap_or(usize::MAX);
    let found = discovery::search(&app, &Wanted::try_from(&page.filter)?, sorting(sort, page.after()?), limit).await?;
    Ok(page.of(found, |found| standing(sort, found), FoundView::from))
}
