//! Making a booking: nights, booking and answer in one commit, or none of it.

use std::sync::Arc;

use domain::{BookingId, Jurisdiction, Money, Offer, PaymentId, Provider, QuoteId, Timestamp, UnitId, UserId};
use engine::{Conflict, Origin, TurnError, Tx, faults};
use store::bookings::{self, Note};
use store::properties::{self, Property};
use store::quotes::{self, Quote};
use store::{Class, PropertyStatus, classify};

use super::nights;
use super::view::{self, Asking, Reservation};
use crate::booking::{Booking, Mode, Paying, Terms, run_of};
use crate::idempotency::{self, Answer, Once};
use crate::quoting::{self, Enquiry, PriceChange, Promise};
use crate::sandbox::Scenario;
use crate::{App, Error};

/// How often nights that were taken under our hands are followed by another look: each time somebody else has got a unit, so
/// a home with more units than this may refuse a guest whom it could just have taken.
const TRIES: usize = 25;
const MAX_REFERENCE: usize = 100;
const MAX_MESSAGE: usize = 5_000;
const MAX_METHOD: usize = 200;

/// On what a booking is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// On a quote that was asked for before.
    Quote(QuoteId),
    /// On what the home asks now; the quote is made in the same commit.
    Now(Enquiry),
}

/// What a guest wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// On what.
    pub basis: Basis,
    /// The gateway's token for the card.
    pub method: String,
    /// What the guest has been shown: another price is refused.
    pub expected_total: Option<Money>,
    /// What the guest's own system calls it; unique for ever.
    pub client_reference: Option<String>,
    /// What the guest writes to the host.
    pub message: Option<String>,
    /// In a sandbox: what is to go wrong.
    pub scenario: Option<Scenario>,
}

/// What a booking is made on, found before anything is written.
struct Found {
    property: Property,
    promise: Promise,
    quote: Option<Quote>,
    /// A free unit, where the key of its nights is all that a rival is kept off by; `None` where the calendar must be locked
    /// for a look that counts.
    unit: Option<UnitId>,
}

/// Makes a booking.
///
/// # Errors
/// [`Error::DatesUnavailable`] when a night is taken; [`Error::QuoteExpired`] when the quote is too old; everything that speaks against the stay.
pub async fn make(
    app: &App,
    guest: UserId,
    wish: Wish,
    (once, origin): (Once, Origin),
    render: impl Fn(&Reservation) -> Answer + Send + Sync + 'static,
) -> Result<Answer, Error> {
    if let Some(answer) = idempotency::replay(app.reader(), &once).await? {
        return Ok(answer);
    }
    wish.check()?;
    let asked = Arc::new((wish, origin, render));
    let mut refused = Error::Taken(Conflict::over("nights", "these nights are being taken at this moment"));
    for _ in 0..TRIES {
        let found = match look(app, guest, &asked.0).await {
            Ok(found) => found,
            Err(refusal) => return unless_answered(app, once, refusal).await,
        };
        let asked = Arc::clone(&asked);
        let tried = once.clone().carry_out(app, move |app, tx| {
            Box::pin(async move {
                let (wish, origin, render) = &*asked;
                Ok(render(&book((app, tx), guest, found, (wish, origin)).await?))
            })
        });
        match tried.await {
            // On a look of its own: another unit may be free, or the refusal can say until when.
            Err(Error::Taken(conflict)) => refused = Error::Taken(conflict),
            Err(taken @ Error::DatesUnavailable { .. }) => refused = taken,
            Ok(answer) => {
                faults::point("booking_committed");
                return Ok(answer);
            }
            refused => return refused,
        }
    }
    Err(refused)
}

/// Finds everything, without a lock and without a write.
async fn look(app: &App, guest: UserId, wish: &Wish) -> Result<Found, Error> {
    let found = find(app, guest, wish).await?;
    rehearse(app, guest, wish.scenario, &found).await?;
    let free = nights::look(app, guest, (&found.property, &found.promise.offer.stay)).await?;
    Ok(Found { unit: free.units.first().copied().filter(|_| !free.distance_matters), ..found })
}

/// Lets happen what a sandbox's client wants to see, as far as no card can bring it about.
async fn rehearse(app: &App, guest: UserId, scenario: Option<Scenario>, found: &Found) -> Result<(), Error> {
    match scenario {
        Some(Scenario::SoldOut) => Err(Scenario::sold_out()),
        Some(Scenario::PriceChanged) => {
            let Offer { stay, guests, priced, .. } = &found.promise.offer;
            let home = Scenario::dearer(found.property.clone());
            let enquiry = Enquiry { property: home.id, stay: *stay, guests: *guests };
            let now = quoting::promise(&home, &app.market, (guest, &enquiry), app.engine.now().await?)?.offer.priced;
            Err(Error::PriceChanged(Box::new(PriceChange {
                expected: priced.total(),
                before: Some(priced.clone()),
                now,
            })))
        }
        _ => Ok(()),
    }
}

/// What stands in the way may be the guest's own booking: an earlier try of the same request, given up by a client that heard no
/// answer, commits while the repeat is looking. So a refusal counts only if the key has no answer and none is under way.
async fn unless_answered(app: &App, once: Once, refusal: Error) -> Result<Answer, Error> {
    once.carry_out(app, |_, _| Box::pin(async { Err(refusal) })).await
}

impl Wish {
    /// The card, or the one that brings the wanted trouble about.
    fn card(&self) -> &str {
        self.scenario.and_then(Scenario::card).unwrap_or(&self.method)
    }

    fn check(&self) -> Result<(), Error> {
        let Self { method, client_reference, message, .. } = self;
        check_method(method)?;
        let reference = client_reference.as_ref().map(|text| text.chars().count());
        if reference.is_some_and(|length| !(1..=MAX_REFERENCE).contains(&length)) {
            return Err(Error::flaw("/client_reference", "out_of_range", "1 to 100 characters"));
        }
        if message.as_ref().is_some_and(|text| text.chars().count() > MAX_MESSAGE) {
            return Err(Error::flaw("/message", "out_of_range", "at most 5000 characters"));
        }
        Ok(())
    }
}

/// Whether this can be a gateway's token for a card.
pub(crate) fn check_method(method: &str) -> Result<(), Error> {
    if method.is_empty() || method.len() > MAX_METHOD || !method.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::flaw("/payment_method", "invalid_value", "a token of the payment gateway"));
    }
    if may_be_a_card(method) {
        return Err(Error::flaw(
            "/payment_method",
            "card_number",
            "a token of the payment gateway, never a card's number",
        ));
    }
    Ok(())
}

/// Whether a card's number may stand in it: 12 to 19 digits in a row (ISO/IEC 7812), separators or not, that pass the check of
/// Luhn; or nothing but digits. Such a number must never reach a row of ours (PCI DSS 3.5).
fn may_be_a_card(text: &str) -> bool {
    let is_digit = |c: char| c.is_ascii_digit();
    let in_a_row = text.split(|c| !is_digit(c) && !matches!(c, '-' | '.' | '_'));
    let runs = in_a_row.map(|run| run.chars().filter_map(|c| c.to_digit(10)).collect::<Vec<_>>());
    let is_number = |run: &Vec<u32>| (12..=19).contains(&run.len()) && passes_luhn(run);
    text.chars().all(is_digit) || runs.into_iter().any(|run| is_number(&run))
}

fn passes_luhn(digits: &[u32]) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let weighed = |(place, digit): (usize, &u32)| if place % 2 == 1 { doubled(*digit) } else { *digit };
    digits.iter().rev().enumerate().map(weighed).sum::<u32>().is_multiple_of(10)
}

async fn find(app: &App, guest: UserId, wish: &Wish) -> Result<Found, Error> {
    let now = app.engine.now().await?;
    let found = match wish.basis {
        Basis::Quote(id) => {
            let quote = quotes::of_guest(app.reader(), guest, id).await?.ok_or(Error::NotFound)?;
            let property = properties::of_anybody(app.reader(), quote.property).await?.ok_or(Error::NotFound)?;
            if property.status != PropertyStatus::Published {
                return Err(Error::refused("not_bookable", "the host takes no bookings at present"));
            }
            if now >= quote.expires_at {
                return Err(quoting::expired(app, &quote).await);
            }
            Found { promise: quoting::read(&quote)?, property, quote: Some(quote), unit: None }
        }
        Basis::Now(enquiry) => {
            let property = properties::published(app.reader(), enquiry.property).await?.ok_or(Error::NotFound)?;
            let promise = quoting::promise(&property, &app.market, (guest, &enquiry), now)?;
            Found { promise, property, quote: None, unit: None }
        }
    };
    quoting::as_expected(app, (guest, found.property.id), wish.expected_total, &found.promise).await?;
    Ok(found)
}

/// Takes the nights and begins the booking's run.
async fn book(
    (app, tx): (&App, &Tx),
    guest: UserId,
    Found { property, promise, quote, unit }: Found,
    (wish, origin): (&Wish, &Origin),
) -> Result<Reservation, Error> {
    faults::point("booking_claimed");
    let now = tx.now().await?;
    let unit = match unit {
        Some(unit) => unit,
        None => nights::choose(tx, guest, (&property, &promise.offer.stay)).await?,
    };
    let quote = match quote {
        Some(quote) => {
            // It ran out between the look and now; the next look says so in full.
            if now >= quote.expires_at {
                return Err(Error::QuoteExpired(None));
            }
            quote.id
        }
        None => {
            let quote = quoting::row(guest, property.id, &promise, (now, app.market.timers.quote_until(now)));
            quotes::create(&**tx, &quote).await?;
            quote.id
        }
    };
    let provider =
        app.ports.gateway.provider().parse().map_err(|_| Error::Broken("the gateway has no name of ours".into()))?;
    let terms = terms(app, guest, (&property, promise, quote), (unit, provider, wish.card()), now)?;
    let booking = terms.booking;
    match tx.start::<Booking>(run_of(booking), &booking.to_string(), &terms, origin).await {
        Err(TurnError::Taken(conflict)) => return Err(Error::Taken(conflict)),
        moved => moved?,
    };
    faults::point("booking_started");
    annotate(tx, guest, booking, wish).await?;
    view::within(tx, Asking::Person(guest), booking, now).await
}

fn terms(
    app: &App,
    guest: UserId,
    (property, promise, quote): (&Property, Promise, QuoteId),
    (unit, provider, method): (UnitId, Provider, &str),
    now: Timestamp,
) -> Result<Terms, Error> {
    let Promise { offer, instant_book } = promise;
    let tax = Jurisdiction::parse(&property.listing.place.country);
    let windows = app.market.timers.windows(&offer, now);
    Ok(Terms {
        booking: BookingId::mint(now, rand::random()),
        property: property.id,
        units: vec![unit],
        guest,
        host: property.host,
        quote,
        mode: if instant_book { Mode::Instant } else { Mode::Request },
        prep_nights: property.listing.rules.preparation_nights,
        tax: tax.map_err(|_| Error::Broken("a published home has a country".into()))?,
        paying: Paying { payment: PaymentId::mint(now, rand::random()), provider, method: method.to_owned() },
        windows,
        made_at: now,
        offer,
    })
}

/// The guest's own words are kept beside the run, which never learns them.
async fn annotate(tx: &Tx, guest: UserId, booking: BookingId, wish: &Wish) -> Result<(), Error> {
    let Wish { client_reference, message, .. } = wish.clone();
    if client_reference.is_none() && message.is_none() {
        return Ok(());
    }
    let note = Note { client_reference, message };
    match bookings::annotate(&**tx, guest, booking, note).await {
        Ok(_) => Ok(()),
        Err(error) if classify(&error) == Class::Taken => {
            Err(Error::refused("client_reference_used", "another booking of yours has this client_reference"))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_a_token_is_one() {
        assert!(check_method("pm_card_ok").is_ok());
        for wrong in ["", "4242 4242", "pm_\u{1}", &"x".repeat(201)] {
            assert!(matches!(check_method(wrong), Err(Error::Invalid(_))), "{wrong}");
        }
        for card in
            ["4242424242424242", "4242-4242-4242-4242", "card:5555.5555.5555.4444", "pm_378282246310005", "1234"]
        {
            assert!(matches!(check_method(card), Err(Error::Invalid(_))), "{card}");
        }
        // The gateways' own tokens have digits too.
        assert!(check_method("pm_1NirD82eZvKYlo2CIvbtLWuY").is_ok());
        assert!(check_method("8AC96375X42424217").is_ok());
    }
}
