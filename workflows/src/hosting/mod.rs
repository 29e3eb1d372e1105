//! Offering a home: from a draft that lacks everything to a listing that guests can book, its photographs and its calendar.
//!
//! What a host changes here touches no booking and no quote: both carry a copy of what was agreed.

mod calendar;
mod photographs;
mod sketch;

pub use calendar::{Blocks, Calendar, Changed, Night, NightOwner, availability, set_blocks};
pub use photographs::{Announced, Object, add_photograph, complete_upload, photograph};
pub use sketch::{KINDS, Sketch};

use chrono_tz::Tz;
use domain::{PropertyId, Timestamp, UserId};
use engine::detached;
use store::images::Image;
use store::properties::{self, Edit, Property};
use store::{Page, PropertyStatus, images, nights, users};

use crate::idempotency::{Answer, Once};
use crate::{App, Error, Expected, Flaw};

/// How many units of one kind a home may have.
const MAX_UNITS: u16 = 100;

/// A home as somebody sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Home {
    /// The home.
    pub property: Property,
    /// How many units of this kind there are.
    pub units: usize,
    /// Its photographs: the ready ones for everybody, all for its host.
    pub photographs: Vec<Image>,
    /// Whether its host looks at it.
    pub own: bool,
}

/// What a host begins with.
#[derive(Debug, Clone, PartialEq)]
pub struct Beginning {
    /// What is known already.
    pub sketch: Sketch,
    /// How many units of this kind there are.
    pub units: u16,
}

/// Begins a draft.
///
/// # Errors
/// What in it can never be right.
pub async fn begin(
    app: &App,
    host: UserId,
    beginning: Beginning,
    once: Once,
    render: impl FnOnce(&Home) -> Answer + Send + 'static,
) -> Result<Answer, Error> {
    let Beginning { sketch, units } = beginning;
    if !(1..=MAX_UNITS).contains(&units) {
        return Err(Error::flaw("/units", "out_of_range", "from 1 to 100"));
    }
    once.carry_out(app, move |_, tx| {
        Box::pin(async move {
            let now = tx.now().await?;
            let currency = users::by_id(&**tx, host).await?.ok_or(Error::NotFound)?.profile.currency;
            let property = Property {
                id: PropertyId::mint(now, rand::random()),
                host,
                listing: sketch.listing(currency).map_err(Error::Invalid)?,
                status: PropertyStatus::Draft,
                version: 1,
                created_at: now,
                updated_at: now,
            };
            properties::create(&**tx, &property).await?;
            for _ in 1..units {
                properties::add_unit(&**tx, property.id).await?;
            }
            let home = Home { property, units: units.into(), photographs: vec![], own: true };
            Ok(render(&home))
        })
    })
    .await
}

/// A home as this person may see it: their own in any status, anybody's once it is published.
///
/// # Errors
/// [`Error::NotFound`] for everything else.
pub async fn home(app: &App, viewer: Option<UserId>, id: PropertyId) -> Result<Home, Error> {
    let own = match viewer {
        Some(host) => properties::of_host(app.reader(), host, id).await?,
        None => None,
    };
    if let (Some(property), Some(host)) = (own, viewer) {
        let photographs = images::list_of_host(app.reader(), host, id).await?;
        let units = properties::units(app.reader(), id).await?.len();
        return Ok(Home { property, units, photographs, own: true });
    }
    let property = properties::published(app.reader(), id).await?.ok_or(Error::NotFound)?;
    let photographs = images::ready(app.reader(), &[id]).await?.remove(&id).unwrap_or_default();
    let units = properties::units(app.reader(), id).await?.len();
    Ok(Home { property, units, photographs, own: false })
}

/// A host's own homes, newest first.
///
/// # Errors
/// When the database fails.
pub async fn homes_of(app: &App, host: UserId, page: Page) -> Result<Vec<Home>, Error> {
    let mut homes = Vec::new();
    for property in properties::list_of_host(app.reader(), host, &page).await? {
        let photographs = images::list_of_host(app.reader(), host, property.id).await?;
        let units = properties::units(app.reader(), property.id).await?.len();
        homes.push(Home { property, units, photographs, own: true });
    }
    Ok(homes)
}

/// What a host wants changed.
pub struct Wish<F> {
    /// The version that the host has read.
    pub expected: Expected,
    /// The sketch as it shall be, from what it is.
    pub change: F,
    /// Whether it shall be found from now on.
    pub status: Option<PropertyStatus>,
    /// How many units there shall be.
    pub units: Option<u16>,
}

/// Changes what a host says about a home, and whether it can be found.
///
/// # Errors
/// What can never be right; everything that is missing when it is, or shall be, published; [`Error::Stale`].
pub async fn edit<F>(app: &App, host: UserId, id: PropertyId, wish: Wish<F>) -> Result<Home, Error>
where
    F: FnOnce(Sketch) -> Result<Sketch, Error> + Send + 'static,
{
    let app = app.clone();
    detached(async move {
        let tx = app.engine.begin().await?;
        let present = properties::of_host(&*tx, host, id).await?.ok_or(Error::NotFound)?;
        let Wish { expected, change, status, units } = wish;
        expected.check(present.version)?;
        let listing = change(Sketch::from(&present.listing))?
            .listing(present.listing.asked.currency())
            .map_err(Error::Invalid)?;
        let status = next_status(present.status, status)?;
        let photographs = images::list_of_host(&*tx, host, id).await?;
        if status != PropertyStatus::Draft {
            let shown = photographs.iter().any(|image| image.status == store::ImageStatus::Ready);
            let missing = sketch::missing(&listing, shown, app.market.shares);
            if !missing.is_empty() {
                return Err(Error::Invalid(missing));
            }
        }
        let now = tx.now().await?;
        if listing.house.zone != present.listing.house.zone {
            no_bookings_ahead(&tx, id, present.listing.house.zone, now).await?;
        }
        let edit = Edit { based_on: present.version, listing: &listing, status, at: now };
        if !properties::edit(&*tx, host, id, &edit).await? {
            return Err(Error::Stale);
        }
        let units = grow(&tx, id, units).await?;
        tx.commit().await?;
        let property = Property { listing, status, version: present.version + 1, updated_at: now, ..present };
        Ok(Home { property, units, photographs, own: true })
    })
    .await
}

/// A home that was shown once is paused, never a draft again.
fn next_status(present: PropertyStatus, wanted: Option<PropertyStatus>) -> Result<PropertyStatus, Error> {
    use PropertyStatus::{Draft, Paused, Published};
    match (present, wanted.unwrap_or(present)) {
        (present, wanted) if present == wanted => Ok(present),
        (Draft | Paused, Published) => Ok(Published),
        (Published, Paused) => Ok(Paused),
        (Draft, Paused) => Err(Error::flaw("/status", "not_published", "a draft is not shown, so it cannot be paused")),
        _ => Err(Error::flaw("/status", "was_published", "a home that was published can be paused, not drafted")),
    }
}

/// The deadlines of a stay are instants already; moving the clocks under it would only confuse host and guest.
async fn no_bookings_ahead(tx: &engine::Tx, id: PropertyId, zone: Tz, now: Timestamp) -> Result<(), Error> {
    let today = domain::zone::date_at(zone, now);
    let ahead =
        nights::of_property(&**tx, id, today, chrono::NaiveDate::from_ymd_opt(2999, 12, 31).expect("a date")).await?;
    if ahead.iter().any(|taken| taken.booking.is_some()) {
        return Err(Error::refused("zone_in_use", "there are stays ahead that were booked in the present time zone"));
    }
    Ok(())
}

async fn grow(tx: &engine::Tx, id: PropertyId, wanted: Option<u16>) -> Result<usize, Error> {
    let present = properties::units(&**tx, id).await?.len();
    let wanted = wanted.map_or(present, usize::from);
    if wanted < present || wanted > MAX_UNITS.into() {
        let flaw = Flaw::new("/units", "out_of_range", "units can be added, up to 100, and not be taken away");
        return Err(Error::Invalid(vec![flaw]));
    }
    for _ in present..wanted {
        properties::add_unit(&**tx, id).await?;
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_published_is_paused_never_drafted() {
        use PropertyStatus::{Draft, Paused, Published};
        assert_eq!(next_status(Draft, None).unwrap(), Draft);
        assert_eq!(next_status(Draft, Some(Published)).unwrap(), Published);
        assert_eq!(next_status(Published, Some(Paused)).unwrap(), Paused);
        assert_eq!(next_status(Paused, Some(Published)).unwrap(), Published);
        assert!(next_status(Draft, Some(Paused)).is_err());
        assert!(next_status(Published, Some(Draft)).is_err());
    }
}
