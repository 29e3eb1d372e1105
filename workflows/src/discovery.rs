//! Finding a home: exact and current, asked of the database.

use std::collections::BTreeMap;

use domain::{PropertyId, Stay};
use store::images::{self, Image};
use store::properties::Property;
use store::search::{self, Slice, Sorting, Wanted};

use crate::{App, Error};

/// A home that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The home.
    pub property: Property,
    /// Its first photograph.
    pub photograph: Option<Image>,
    /// What the stay would cost, fees and tax included, when the dates are known.
    pub total: Option<domain::Money>,
}

/// The homes that are wanted, in this order.
///
/// # Errors
/// When the database fails.
pub async fn search(app: &App, wanted: &Wanted, sorting: Sorting, limit: usize) -> Result<Vec<Found>, Error> {
    let now = app.engine.now().await?;
    let homes = search::find(app.reader(), wanted, sorting, Slice { limit, now }).await?;
    let ids: Vec<PropertyId> = homes.iter().map(|home| home.id).collect();
    let mut photographs: BTreeMap<_, _> = images::ready(app.reader(), &ids).await?;
    let mut first = |id| photographs.remove(&id).and_then(|images| images.into_iter().next());
    let total = |home: &Property, stay: Stay| {
        let guests = wanted.guests.unwrap_or_else(|| domain::Guests::parse(1, 0, 0, 0).expect("one adult is a party"));
        domain::price(&home.listing.asked.with(app.market.shares), &stay, &guests).ok().map(|priced| priced.total())
    };
    let show = |property: Property| Found {
        photograph: first(property.id),
        total: wanted.stay.and_then(|stay| total(&property, stay)),
        property,
    };
    Ok(homes.into_iter().map(show).collect())
}
