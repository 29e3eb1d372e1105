//! Finding homes by asking the database: exact, current and simple, with what an index would cost left out.
//!
//! The database narrows down to homes that are published, large enough, within the price and free for every night of the stay;
//! the host's own rules (notice, window, shortest and longest stay) are then asked of each home in its own calendar. Pages go on
//! by key.

use domain::{Currency, Guests, PropertyId, Request, Stay, Timestamp, UserId};
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, Select,
};
use uuid::Uuid;

use crate::entity::property::{self, Column};
use crate::entity::{unit, unit_night};
use crate::error::Result;
use crate::instant::Micros;
use crate::nights;
use crate::properties::{self, Property, read_property};
use crate::words::PropertyStatus;

/// What somebody looks for. Nothing given, every published home is found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Wanted {
    /// In this town, whatever the capitals.
    pub city: Option<String>,
    /// In this country.
    pub country: Option<String>,
    /// Within this rectangle.
    pub area: Option<Area>,
    /// Free in exactly these nights.
    pub stay: Option<Stay>,
    /// With room for these.
    pub guests: Option<Guests>,
    /// At most, and at least, so much for a night.
    pub price: Option<PriceRange>,
    /// Of this sort.
    pub kind: Option<String>,
    /// Only those that need no answer by the host.
    pub instant_book: bool,
}

/// A rectangle of the earth. One that crosses the date line has its west east of its east.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// The southern edge, in degrees.
    pub south: f64,
    /// The western edge.
    pub west: f64,
    /// The northern edge.
    pub north: f64,
    /// The eastern edge.
    pub east: f64,
}

/// What a night may cost. Homes that ask in other currencies are not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceRange {
    /// In which currency.
    pub currency: Currency,
    /// At least, in minor units.
    pub from_minor: Option<i64>,
    /// At most, in minor units.
    pub to_minor: Option<i64>,
}

/// In which order homes are listed, and after which one the page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sorting {
    /// The newest first.
    Newest {
        /// The last home of the page before.
        after: Option<(Timestamp, Uuid)>,
    },
    /// The cheapest night first; amounts of different currencies are compared by their numbers only.
    Cheapest {
        /// The last home of the page before, with its price in minor units.
        after: Option<(i64, Uuid)>,
    },
}

impl Sorting {
    /// The same order, from the home after this one on.
    pub fn after(self, home: &Property) -> Self {
        match self {
            Self::Newest { .. } => Self::Newest { after: Some((home.created_at, home.id.uuid())) },
            Self::Cheapest { .. } => Self::Cheapest { after: Some((home.listing.asked.nightly.minor, home.id.uuid())) },
        }
    }
}

/// How many homes are asked for, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// At most so many; ask for one more than is shown to learn whether there are more.
    pub limit: usize,
    /// The instant at which they must be bookable.
    pub now: Timestamp,
}

/// Rows asked for at once while homes that their hosts' rules exclude are passed over.
const BATCH: u64 = 100;

/// The homes that somebody looks for, as bookable as they are at this instant.
pub async fn find(
    conn: &impl ConnectionTrait,
    wanted: &Wanted,
    mut sorting: Sorting,
    slice: Slice,
) -> Result<Vec<Property>> {
    let Slice { limit, now } = slice;
    let mut found = vec![];
    loop {
        let rows = sorted(candidates(wanted), sorting).limit(BATCH).all(conn).await?;
        let is_last = (rows.len() as u64) < BATCH;
        let homes: Vec<Property> = rows.into_iter().map(read_property).collect::<Result<_>>()?;
        let Some(last) = homes.last() else { return Ok(found) };
        sorting = sorting.after(last);
        found.extend(bookable(conn, homes, wanted, now).await?);
        if is_last || found.len() >= limit {
            found.truncate(limit);
            return Ok(found);
        }
    }
}

fn candidates(wanted: &Wanted) -> Select<property::Entity> {
    let Wanted { city, country, area, stay, guests, price, kind, instant_book } = wanted;
    let lower = |text: &str| Func::lower(Expr::val(text));
    let mut homes = property::Entity::find().filter(Column::Status.eq(PropertyStatus::Published.as_str()));
    if let Some(city) = city {
        homes = homes.filter(Expr::expr(Func::lower(Expr::col(Column::City))).eq(lower(city)));
    }
    if let Some(country) = country {
        homes = homes.filter(Column::Country.eq(country.as_str()));
    }
    if let Some(kind) = kind {
        homes = homes.filter(Column::Kind.eq(kind.as_str()));
    }
    if let Some(area) = area {
        homes = homes.filter(within(area));
    }
    if let Some(guests) = guests {
        homes = homes
            .filter(Column::Capacity.gte(i32::from(guests.in_beds())))
            .filter(Column::InfantsMax.gte(i32::from(guests.infants())))
            .filter(Column::PetsMax.gte(i32::from(guests.pets())));
    }
    if let Some(price) = price {
        homes = homes.filter(at_a_price(price));
    }
    if let Some(stay) = stay {
        homes = homes.filter(Expr::exists(free_unit(stay)));
    }
    if *instant_book { homes.filter(Column::InstantBook.eq(true)) } else { homes }
}

fn within(Area { south, west, north, east }: &Area) -> Condition {
    let (after_west, before_east) = (Column::Longitude.gte(*west), Column::Longitude.lte(*east));
    let across = if west <= east {
        Condition::all().add(after_west).add(before_east)
    } else {
        Condition::any().add(after_west).add(before_east)
    };
    Condition::all().add(Column::Latitude.gte(*south)).add(Column::Latitude.lte(*north)).add(across)
}

fn at_a_price(PriceRange { currency, from_minor, to_minor }: &PriceRange) -> Condition {
    Condition::all()
        .add(Column::Currency.eq(currency.to_string()))
        .add_option(from_minor.map(|from| Column::NightlyMinor.gte(from)))
        .add_option(to_minor.map(|to| Column::NightlyMinor.lte(to)))
}

/// A unit of the home in the outer query that nobody has in any night of the stay.
fn free_unit(stay: &Stay) -> SelectStatement {
    let of_unit = Expr::col((unit_night::Entity, unit_night::Column::UnitId)).equals((unit::Entity, unit::Column::Id));
    let taken = Query::select()
        .expr(Expr::val(1))
        .from(unit_night::Entity)
        .and_where(of_unit)
        .and_where(unit_night::Column::Night.gte(stay.check_in()))
        .and_where(unit_night::Column::Night.lt(stay.check_out()))
        .to_owned();
    let of_home = Expr::col((unit::Entity, unit::Column::PropertyId)).equals((property::Entity, Column::Id));
    Query::select()
        .expr(Expr::val(1))
        .from(unit::Entity)
        .and_where(of_home)
        .and_where(Expr::exists(taken).not())
        .to_owned()
}

fn sorted(homes: Select<property::Entity>, sorting: Sorting) -> Select<property::Entity> {
    let last = |key: i64, id: Uuid| Expr::tuple([Expr::val(key), Expr::val(id)]);
    let key = |first: Column| Expr::tuple([Expr::col(first.as_column_ref()), Expr::col(Column::Id.as_column_ref())]);
    match sorting {
        Sorting::Newest { after } => {
            let rest = after.map(|(at, id)| key(Column::CreatedAt).lt(last(Micros::from(at).0, id)));
            homes
                .filter(Condition::all().add_option(rest))
                .order_by(Column::CreatedAt, Order::Desc)
                .order_by(Column::Id, Order::Desc)
        }
        Sorting::Cheapest { after } => {
            let rest = after.map(|(minor, id)| key(Column::NightlyMinor).gt(last(minor, id)));
            homes
                .filter(Condition::all().add_option(rest))
                .order_by(Column::NightlyMinor, Order::Asc)
                .order_by(Column::Id, Order::Asc)
        }
    }
}

/// Leaves the homes whose hosts would take the stay, in their order.
async fn bookable(
    conn: &impl ConnectionTrait,
    homes: Vec<Property>,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<Vec<Property>> {
    let Some(stay) = wanted.stay else { return Ok(homes) };
    let ids: Vec<PropertyId> = homes.iter().map(|home| home.id).collect();
    let units = properties::units_of(conn, &ids).await?;
    let all_units: Vec<_> = units.values().flatten().copied().collect();
    let neighbours = nights::neighbours(conn, &all_units, &stay).await?;
    let fits = |home: &Property, unit| {
        let around = neighbours.get(unit).map_or(&[][..], Vec::as_slice);
        home.listing.rules.fits_between(&stay, around).is_ok()
    };
    let has_unit = |home: &Property| units.get(&home.id).is_some_and(|units| units.iter().any(|unit| fits(home, unit)));
    Ok(homes.into_iter().filter(|home| is_welcome(home, &stay, wanted, now) && has_unit(home)).collect())
}

fn is_welcome(home: &Property, stay: &Stay, wanted: &Wanted, now: Timestamp) -> bool {
    let rules = home.listing.rules;
    let alone = || Guests::parse(1, 0, 0, 0).expect("one adult is a party");
    // Whoever searches is not known, hence nobody's host.
    let anybody = UserId::from_uuid(Uuid::nil());
    let request = Request { guest: anybody, host: home.host, stay: *stay, guests: wanted.guests.unwrap_or_else(alone) };
    rules.refusals(&request, home.listing.house.today(now)).is_empty()
}
