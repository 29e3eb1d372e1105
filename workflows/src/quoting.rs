//! Quotes: a price in writing that stands for a while, with what becomes of the money if the stay is called off.
//!
//! The same home, stay and guests under the same terms give the same bytes, and the fingerprint of a quote says so. What a
//! quote promised is what a booking made on it costs, whatever the host changes meanwhile.

use domain::cancellation::schedule;
use domain::{
    BookingRules, Guests, HostPolicies, Money, Offer, Priced, PropertyId, QuoteId, RefundSchedule, Request, Stay,
    Timestamp, UserId, price,
};
use engine::detached;
use serde::{Deserialize, Serialize};
use store::properties::{self, Property};
use store::quotes::{self, Quote};

use crate::idempotency::{self, Answer, Once};
use crate::market::Market;
use crate::reservations::nights;
use crate::{App, Error, Flaw};

/// What somebody asks the price of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enquiry {
    /// Which home.
    pub property: PropertyId,
    /// Which nights.
    pub stay: Stay,
    /// Who comes.
    pub guests: Guests,
}

/// What a quote keeps, word for word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// Stay, price and policy.
    pub offer: Offer,
    /// Whether a booking made on it needs no answer by the host.
    pub instant_book: bool,
}

/// A quote as its guest sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted {
    /// The row.
    pub quote: Quote,
    /// What was promised.
    pub promise: Promise,
    /// Until when how much would go back, if it were confirmed at the instant of the quote.
    pub schedule: RefundSchedule,
    /// Whether the price stood no more when it was read.
    pub expired: bool,
}

/// What a home asks for a stay now, in writing; says nothing about whether the nights are free.
///
/// # Errors
/// Everything that speaks against the request.
pub(crate) fn promise(
    property: &Property,
    market: &Market,
    (guest, enquiry): (UserId, &Enquiry),
    now: Timestamp,
) -> Result<Promise, Error> {
    let listing = &property.listing;
    let Enquiry { stay, guests, .. } = *enquiry;
    welcome(&listing.rules, &Request { guest, host: property.host, stay, guests }, listing.house.today(now))?;
    let rates = listing.asked.with(market.shares);
    let priced = price(&rates, &stay, &guests).map_err(|why| Error::Broken(why.to_string().into()))?;
    let policies = HostPolicies::try_new(listing.policy, listing.long_policy);
    let policies = policies.map_err(|why| Error::Broken(why.to_string().into()))?;
    let today = domain::zone::date_at(listing.house.zone, now);
    let policy = policies.in_force(&stay, today).ok_or(Error::Broken("no policy is in force".into()))?.clone();
    let offer = Offer { stay, guests, house: listing.house, priced, policy };
    Ok(Promise { offer, instant_book: listing.instant_book })
}

/// Whether the home takes such a stay and such guests.
fn welcome(rules: &BookingRules, request: &Request, today: chrono::NaiveDate) -> Result<(), Error> {
    let place = |code: &str| match code {
        "own_property" => "/property_id",
        "stay_too_short" | "stay_too_long" | "beyond_booking_window" => "/check_out",
        "too_many_guests" => "/guests/adults",
        "too_many_infants" => "/guests/infants",
        "too_many_pets" => "/guests/pets",
        _ => "/check_in",
    };
    let refusals = rules.refusals(request, today);
    let flaws: Vec<Flaw> =
        refusals.iter().map(|why| Flaw::new(place(why.code()), why.code(), why.to_string())).collect();
    if flaws.is_empty() { Ok(()) } else { Err(Error::Invalid(flaws)) }
}

/// The row that keeps a promise.
pub(crate) fn row(
    guest: UserId,
    property: PropertyId,
    promise: &Promise,
    (now, until): (Timestamp, Timestamp),
) -> Quote {
    let Offer { stay, guests, priced, .. } = &promise.offer;
    Quote {
        id: QuoteId::mint(now, rand::random()),
        guest,
        property,
        stay: *stay,
        guests: *guests,
        total: priced.total(),
        body: serde_json::to_string(promise).expect("a promise is plain data with text keys"),
        hash: promise.offer.fingerprint(),
        expires_at: until,
        created_at: now,
    }
}

/// Reads what a quote promised.
pub(crate) fn read(quote: &Quote) -> Result<Promise, Error> {
    serde_json::from_str(&quote.body).map_err(|why| Error::Broken(format!("{} cannot be read: {why}", quote.id).into()))
}

/// The price of a stay whose quote was too old, anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requoted {
    /// What the old quote said.
    pub before: Priced,
    /// The new one.
    pub now: Quoted,
}

/// A price that is not what its guest expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceChange {
    /// What the guest expects to pay.
    pub expected: Money,
    /// What the guest was told when that was the price, if it was in writing.
    pub before: Option<Priced>,
    /// What it costs.
    pub now: Priced,
}

/// Refuses when the price is not the one that the guest has been shown.
///
/// # Errors
/// [`Error::PriceChanged`], with the lines that changed where the old price was in writing.
pub(crate) async fn as_expected(
    app: &App,
    (guest, property): (UserId, PropertyId),
    expected: Option<Money>,
    promise: &Promise,
) -> Result<(), Error> {
    let Some(expected) = expected.filter(|expected| *expected != promise.offer.priced.total()) else { return Ok(()) };
    let stay = promise.offer.stay;
    let told = quotes::latest_of_guest(app.reader(), guest, (property, stay), expected).await?;
    let before = told.as_ref().map(read).transpose()?.map(|promise| promise.offer.priced);
    Err(Error::PriceChanged(Box::new(PriceChange { expected, before, now: promise.offer.priced.clone() })))
}

/// Why a quote that is too old cannot be booked: with a fresh one for the same stay, if it can still be had.
pub(crate) async fn expired(app: &App, old: &Quote) -> Error {
    match requote(app, old).await {
        Ok(fresh) => Error::QuoteExpired(Some(Box::new(fresh))),
        Err(Error::Storage(why)) => Error::Storage(why),
        // Whatever else speaks against the stay now, the old price is gone; asking anew will say why.
        Err(_) => Error::QuoteExpired(None),
    }
}

async fn requote(app: &App, old: &Quote) -> Result<Requoted, Error> {
    let Quote { guest, property, stay, guests, .. } = *old;
    let home = properties::published(app.reader(), property).await?.ok_or(Error::NotFound)?;
    let enquiry = Enquiry { property, stay, guests };
    let promise = promise(&home, &app.market, (guest, &enquiry), app.engine.now().await?)?;
    nights::look(app, guest, (&home, &stay)).await?;
    let before = read(old)?.offer.priced;
    let app = app.clone();
    detached(async move {
        let tx = app.engine.begin().await?;
        let now = tx.now().await?;
        let quote = row(guest, property, &promise, (now, app.market.timers.quote_until(now)));
        quotes::create(&*tx, &quote).await?;
        tx.commit().await?;
        Ok(Requoted { before, now: Quoted::at(now, quote)? })
    })
    .await
}

impl Quoted {
    fn at(now: Timestamp, quote: Quote) -> Result<Self, Error> {
        let promise = read(&quote)?;
        let schedule = schedule(&promise.offer, quote.created_at);
        Ok(Self { expired: quote.expires_at <= now, quote, promise, schedule })
    }
}

/// Puts a price in writing.
///
/// # Errors
/// [`Error::NotFound`] for a home that cannot be seen; everything that speaks against the stay; nights that are taken.
pub async fn quote(
    app: &App,
    guest: UserId,
    enquiry: Enquiry,
    once: Once,
    render: impl FnOnce(&Quoted) -> Answer + Send + 'static,
) -> Result<Answer, Error> {
    if let Some(answer) = idempotency::replay(app.reader(), &once).await? {
        return Ok(answer);
    }
    let property = properties::published(app.reader(), enquiry.property).await?.ok_or(Error::NotFound)?;
    let promise = promise(&property, &app.market, (guest, &enquiry), app.engine.now().await?)?;
    nights::look(app, guest, (&property, &enquiry.stay)).await?;
    once.carry_out(app, move |app, tx| {
        Box::pin(async move {
            let now = tx.now().await?;
            let quote = row(guest, property.id, &promise, (now, app.market.timers.quote_until(now)));
            quotes::create(&**tx, &quote).await?;
            Ok(render(&Quoted::at(now, quote)?))
        })
    })
    .await
}

/// One of a guest's quotes, whether it still stands or not.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn one(app: &App, guest: UserId, id: QuoteId) -> Result<Quoted, Error> {
    let quote = quotes::of_guest(app.reader(), guest, id).await?.ok_or(Error::NotFound)?;
    Quoted::at(app.engine.now().await?, quote)
}
