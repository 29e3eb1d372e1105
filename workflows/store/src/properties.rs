//! Homes: what a host offers, its units, and who may see what of it.

use std::collections::BTreeMap;

use domain::{
    BasisPoints, BookingRules, Capacity, Currency, HouseClock, Money, PolicyCode, PropertyId, Rates, Timestamp, UnitId,
    UserId,
};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, Select};
use serde::{Deserialize, Serialize};

use crate::entity::{property, property_calendar, unit};
use crate::error::{Result, Unreadable};
use crate::page::Page;
use crate::read;
use crate::words::PropertyStatus;

/// A home with its host.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    /// Which home.
    pub id: PropertyId,
    /// Who offers it.
    pub host: UserId,
    /// What is offered.
    pub listing: Listing,
    /// Whether it can be found.
    pub status: PropertyStatus,
    /// Counts the changes; an edit names the one it was based on.
    pub version: i64,
    /// Since when.
    pub created_at: Timestamp,
    /// The last change.
    pub updated_at: Timestamp,
}

/// What a host says about a home and may change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// One line.
    pub title: String,
    /// As long as it takes.
    pub description: String,
    /// What sort of home, such as `apartment`.
    pub kind: String,
    /// Where it is.
    pub place: Place,
    /// When its doors open and close.
    pub house: HouseClock,
    /// What it costs.
    pub asked: Asked,
    /// What becomes of the money if a stay is called off.
    pub policy: PolicyCode,
    /// The same for stays of four weeks and more.
    pub long_policy: PolicyCode,
    /// Whether a booking needs no answer by the host.
    pub instant_book: bool,
    /// Who may come, and for which stays.
    pub rules: BookingRules,
}

/// Where a home is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The town.
    pub city: String,
    /// ISO 3166-1, two letters.
    pub country: String,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

/// The host's part of the rates; the platform's shares are added when a stay is priced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// For one night.
    pub nightly: Money,
    /// For the nights that begin on a Friday or Saturday.
    #[serde(default)]
    pub weekend: Option<Money>,
    /// For cleaning, once a stay.
    pub cleaning: Money,
    /// For bringing pets, once a stay.
    #[serde(default)]
    pub pets: Option<Money>,
    /// Off the rent of a week and more.
    #[serde(default)]
    pub weekly_discount: BasisPoints,
    /// Off the rent of four weeks and more.
    #[serde(default)]
    pub monthly_discount: BasisPoints,
}

impl Asked {
    /// The currency of every amount.
    pub const fn currency(&self) -> Currency {
        self.nightly.currency
    }

    /// What a stay is priced from: what the host asks and what the platform adds.
    pub const fn with(&self, platform: PlatformShares) -> Rates {
        let Self { nightly, weekend, cleaning, pets, weekly_discount, monthly_discount } = *self;
        let PlatformShares { guest_fee, host_fee, tax } = platform;
        Rates { nightly, weekend, cleaning, pets, guest_fee, host_fee, tax, weekly_discount, monthly_discount }
    }
}

/// What the platform adds to a host's rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlatformShares {
    /// On top, paid by the guest.
    pub guest_fee: BasisPoints,
    /// Off what the host would get.
    pub host_fee: BasisPoints,
    /// On top, paid by the guest.
    pub tax: BasisPoints,
}

impl TryFrom<property::Model> for Property {
    type Error = Unreadable;

    fn try_from(row: property::Model) -> std::result::Result<Self, Unreadable> {
        Ok(Self {
            id: PropertyId::from_uuid(row.id),
            host: UserId::from_uuid(row.host_id),
            status: read::word("status", &row.status)?,
            version: row.version,
            created_at: row.created_at.try_into()?,
            updated_at: row.updated_at.try_into()?,
            listing: read_listing(row)?,
        })
    }
}

fn read_listing(row: property::Model) -> std::result::Result<Listing, Unreadable> {
    Ok(Listing {
        house: HouseClock {
            zone: read::word("time_zone", &row.time_zone)?,
            check_in_time: read::clock("check_in_time", &row.check_in_time)?,
            check_out_time: read::clock("check_out_time", &row.check_out_time)?,
        },
        asked: read_asked(&row)?,
        rules: read_rules(&row)?,
        place: Place { city: row.city, country: row.country, latitude: row.latitude, longitude: row.longitude },
        title: row.title,
        description: row.description,
        kind: row.kind,
        policy: read::word("policy", &row.policy)?,
        long_policy: read::word("long_policy", &row.long_policy)?,
        instant_book: row.instant_book,
    })
}

fn read_rules(row: &property::Model) -> std::result::Result<BookingRules, Unreadable> {
    Ok(BookingRules {
        min_nights: read::count("min_nights", row.min_nights)?,
        max_nights: read::count("max_nights", row.max_nights)?,
        advance_notice_days: read::count("advance_days", row.advance_days)?,
        booking_window_days: read::count("window_days", row.window_days)?,
        capacity: Capacity {
            guests: read::count("capacity", row.capacity)?,
            infants: read::count("infants_max", row.infants_max)?,
            pets: read::count("pets_max", row.pets_max)?,
        },
        preparation_nights: read::count("prep_nights", row.prep_nights)?,
    })
}

fn read_asked(row: &property::Model) -> std::result::Result<Asked, Unreadable> {
    let amount = |minor| read::money(minor, &row.currency);
    Ok(Asked {
        nightly: amount(row.nightly_minor)?,
        weekend: row.weekend_minor.map(amount).transpose()?,
        cleaning: amount(row.cleaning_minor)?,
        pets: row.pets_minor.map(amount).transpose()?,
        weekly_discount: read::share("weekly_discount_bp", row.weekly_discount_bp)?,
        monthly_discount: read::share("monthly_discount_bp", row.monthly_discount_bp)?,
    })
}

pub(crate) fn read_property(row: property::Model) -> Result<Property> {
    Property::try_from(row).map_err(|why| why.of("property"))
}

fn columns(listing: &Listing) -> property::ActiveModel {
    let Listing { title, description, kind, place, house, asked, policy, long_policy, instant_book, rules } =
        listing.clone();
    let Place { city, country, latitude, longitude } = place;
    let Asked { nightly, weekend, cleaning, pets, weekly_discount, monthly_discount } = asked;
    let HouseClock { zone, check_in_time, check_out_time } = house;
    let BookingRules { min_nights, max_nights, advance_notice_days, booking_window_days, .. } = rules;
    let BookingRules { capacity, preparation_nights, .. } = rules;
    property::ActiveModel {
        title: Set(title),
        description: Set(description),
        kind: Set(kind),
        city: Set(city),
        country: Set(country),
        latitude: Set(latitude),
        longitude: Set(longitude),
        time_zone: Set(zone.name().to_owned()),
        check_in_time: Set(read::to_clock(check_in_time)),
        check_out_time: Set(read::to_clock(check_out_time)),
        capacity: Set(capacity.guests.into()),
        infants_max: Set(capacity.infants.into()),
        pets_max: Set(capacity.pets.into()),
        currency: Set(nightly.currency.to_string()),
        nightly_minor: Set(nightly.minor),
        weekend_minor: Set(weekend.map(|weekend| weekend.minor)),
        cleaning_minor: Set(cleaning.minor),
        pets_minor: Set(pets.map(|pets| pets.minor)),
        weekly_discount_bp: Set(weekly_discount.get().into()),
        monthly_discount_bp: Set(monthly_discount.get().into()),
        policy: Set(policy.to_string()),
        long_policy: Set(long_policy.to_string()),
        instant_book: Set(instant_book),
        min_nights: Set(min_nights.into()),
        max_nights: Set(max_nights.into()),
        advance_days: Set(advance_notice_days.into()),
        window_days: Set(booking_window_days.into()),
        prep_nights: Set(preparation_nights.into()),
        ..Default::default()
    }
}

/// Adds a home with its calendar and one unit, and says which unit.
pub async fn create(conn: &impl ConnectionTrait, property: &Property) -> std::result::Result<UnitId, DbErr> {
    let Property { id, host, listing, status, version, created_at, updated_at } = property;
    let row = property::ActiveModel {
        id: Set(id.uuid()),
        host_id: Set(host.uuid()),
        status: Set(status.to_string()),
        version: Set(*version),
        created_at: Set((*created_at).into()),
        updated_at: Set((*updated_at).into()),
        ..columns(listing)
    };
    property::Entity::insert(row).exec_without_returning(conn).await?;
    let calendar = property_calendar::ActiveModel { property_id: Set(id.uuid()) };
    property_calendar::Entity::insert(calendar).exec_without_returning(conn).await?;
    add_unit(conn, *id).await
}

/// Adds a unit to a home, such as a second room of the same kind.
pub async fn add_unit(conn: &impl ConnectionTrait, property: PropertyId) -> std::result::Result<UnitId, DbErr> {
    let row = unit::ActiveModel { property_id: Set(property.uuid()), ..Default::default() };
    Ok(UnitId(unit::Entity::insert(row).exec(conn).await?.last_insert_id))
}

/// The units of a home, in ascending order.
pub async fn units(conn: &impl ConnectionTrait, property: PropertyId) -> std::result::Result<Vec<UnitId>, DbErr> {
    let rows = unit::Entity::find().filter(unit::Column::PropertyId.eq(property.uuid())).order_by_asc(unit::Column::Id);
    Ok(rows.all(conn).await?.into_iter().map(|unit| UnitId(unit.id)).collect())
}

/// The units of several homes, in ascending order.
pub async fn units_of(
    conn: &impl ConnectionTrait,
    properties: &[PropertyId],
) -> std::result::Result<BTreeMap<PropertyId, Vec<UnitId>>, DbErr> {
    let rows = unit::Entity::find()
        .filter(unit::Column::PropertyId.is_in(properties.iter().map(|property| property.uuid())))
        .order_by_asc(unit::Column::Id);
    let mut units: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for unit in rows.all(conn).await? {
        units.entry(PropertyId::from_uuid(unit.property_id)).or_default().push(UnitId(unit.id));
    }
    Ok(units)
}

/// What an edit does to a home.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit<'a> {
    /// The version it was based on.
    pub based_on: i64,
    /// What is offered from now on.
    pub listing: &'a Listing,
    /// Whether it can be found from now on.
    pub status: PropertyStatus,
    /// When.
    pub at: Timestamp,
}

/// Replaces what a host says about one of their homes; false when it is not theirs or has changed since.
pub async fn edit(
    conn: &impl ConnectionTrait,
    host: UserId,
    id: PropertyId,
    edit: &Edit<'_>,
) -> std::result::Result<bool, DbErr> {
    let Edit { based_on, listing, status, at } = edit;
    let changes =
        property::ActiveModel { status: Set(status.to_string()), updated_at: Set((*at).into()), ..columns(listing) };
    let update = property::Entity::update_many()
        .set(changes)
        .col_expr(property::Column::Version, Expr::col(property::Column::Version).add(1))
        .filter(property::Column::Id.eq(id.uuid()))
        .filter(property::Column::HostId.eq(host.uuid()))
        .filter(property::Column::Version.eq(*based_on));
    Ok(update.exec(conn).await?.rows_affected == 1)
}

async fn one(conn: &impl ConnectionTrait, rows: Select<property::Entity>) -> Result<Option<Property>> {
    rows.one(conn).await?.map(read_property).transpose()
}

/// One of a host's homes, in any status.
pub async fn of_host(conn: &impl ConnectionTrait, host: UserId, id: PropertyId) -> Result<Option<Property>> {
    one(conn, property::Entity::find_by_id(id.uuid()).filter(property::Column::HostId.eq(host.uuid()))).await
}

/// A home that everybody may see.
pub async fn published(conn: &impl ConnectionTrait, id: PropertyId) -> Result<Option<Property>> {
    let status = PropertyStatus::Published.as_str();
    one(conn, property::Entity::find_by_id(id.uuid()).filter(property::Column::Status.eq(status))).await
}

/// A home whoever asks, in any status: for operators and for the product's own work.
pub async fn of_anybody(conn: &impl ConnectionTrait, id: PropertyId) -> Result<Option<Property>> {
    one(conn, property::Entity::find_by_id(id.uuid())).await
}

/// Several homes whoever asks, in no order: to name them beside bookings that were read owner-first.
pub async fn of_anybody_among(conn: &impl ConnectionTrait, ids: &[PropertyId]) -> Result<Vec<Property>> {
    let rows = property::Entity::find().filter(property::Column::Id.is_in(ids.iter().map(|id| id.uuid())));
    rows.all(conn).await?.into_iter().map(read_property).collect()
}

/// A host's homes, newest first.
pub async fn list_of_host(conn: &impl ConnectionTrait, host: UserId, page: &Page) -> Result<Vec<Property>> {
    let rows = property::Entity::find().filter(property::Column::HostId.eq(host.uuid()));
    let rows = page.of(rows, property::Column::CreatedAt, property::Column::Id).all(conn).await?;
    rows.into_iter().map(read_property).collect()
}
