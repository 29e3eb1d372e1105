//! A booking as one of its parties sees it.

use domain::cancellation::{Party, schedule};
use domain::{BookingId, BookingStatus, Phase, RefundSchedule, Timestamp, UserId};
use engine::Tx;
use sea_orm::ConnectionTrait;
use store::bookings::{self, Booking as Row};
use store::payments::{self, Payment};
use store::{Page, properties};

use crate::booking::actions::{Action, actions};
use crate::booking::{Booking, State, Terms, run_of};
use crate::{App, Error};

/// Who asks about a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// Somebody who may be its guest or its host.
    Person(UserId),
    /// An operator, who sees all of them.
    Operator(UserId),
}

/// Which lists of bookings there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Those that I made.
    Guest,
    /// Those of my homes.
    Host,
    /// Both.
    Either,
}

/// A booking as one party sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reservation {
    /// The row, its phase by the calendar.
    pub row: Row,
    /// What was agreed.
    pub terms: Terms,
    /// Where its process stands.
    pub state: State,
    /// As whom it is looked at.
    pub who: Party,
    /// The home's title.
    pub title: String,
    /// What this party may do now.
    pub actions: Vec<Action>,
    /// Until when how much goes back.
    pub schedule: RefundSchedule,
    /// The payment that counts; only its guest and operators see it, and only once the gateway was asked.
    pub payment: Option<Payment>,
    /// The instant of all this.
    pub now: Timestamp,
}

impl Asking {
    /// Who it is.
    #[must_use]
    pub const fn user(self) -> UserId {
        match self {
            Self::Person(user) | Self::Operator(user) => user,
        }
    }

    /// As which party they meet this booking.
    pub(super) fn party(self, row: &Row) -> Party {
        match self {
            Self::Person(user) if user == row.guest => Party::Guest,
            Self::Person(_) => Party::Host,
            Self::Operator(_) => Party::Platform,
        }
    }

    /// The booking, if it is theirs to know about.
    pub(super) async fn find(self, conn: &impl ConnectionTrait, id: BookingId) -> Result<Row, Error> {
        let row = match self {
            Self::Person(user) => bookings::of_party(conn, user, id).await?,
            Self::Operator(_) => bookings::of_anybody(conn, id).await?,
        };
        row.ok_or(Error::NotFound)
    }
}

/// One booking.
///
/// # Errors
/// [`Error::NotFound`] when it is not theirs.
pub async fn one(app: &App, asking: Asking, id: BookingId) -> Result<Reservation, Error> {
    let row = asking.find(app.reader(), id).await?;
    let (terms, state, _) = app.engine.read_state::<Booking>(run_of(id)).await?.ok_or(Error::NotFound)?;
    let now = app.engine.now().await?;
    complete(app.reader(), asking, (row, terms, state), now).await
}

/// One booking as a transaction sees it, the turn that it just made included.
pub(super) async fn within(tx: &Tx, asking: Asking, id: BookingId, now: Timestamp) -> Result<Reservation, Error> {
    let row = asking.find(&**tx, id).await?;
    let (terms, state, _) = tx.read_state::<Booking>(run_of(id)).await?.ok_or(Error::NotFound)?;
    complete(&**tx, asking, (row, terms, state), now).await
}

async fn complete(
    conn: &impl ConnectionTrait,
    asking: Asking,
    (row, terms, state): (Row, Terms, State),
    now: Timestamp,
) -> Result<Reservation, Error> {
    let who = asking.party(&row);
    let payment = match who {
        Party::Host => None,
        Party::Guest | Party::Platform => payments::of_anybody(conn, state.payment()).await?,
    };
    let property = properties::of_anybody(conn, row.property).await?;
    let confirmed_at = match state {
        State::Confirmed { since, .. } => since,
        _ => terms.made_at,
    };
    Ok(Reservation {
        actions: actions(&terms, &state, who, now),
        schedule: schedule(&terms.offer, confirmed_at),
        title: property.map(|property| property.listing.title).unwrap_or_default(),
        row: dated(row, &terms, now),
        terms,
        state,
        who,
        payment,
        now,
    })
}

/// The booking with its phase as the calendar refines it, which the row does not follow: how a booking is shown everywhere.
fn dated(row: Row, terms: &Terms, now: Timestamp) -> Row {
    let Terms { windows, .. } = terms;
    Row { phase: row.phase.on_dates(windows.check_in_at, windows.check_out_at, now), ..row }
}

/// The same for a whole page: only stays that are agreed go by the calendar.
async fn all_dated(app: &App, mut rows: Vec<Row>) -> Result<Vec<Row>, Error> {
    let agreed: Vec<_> = rows.iter().filter(|row| row.phase == Phase::Confirmed).map(|row| run_of(row.id)).collect();
    if agreed.is_empty() {
        return Ok(rows);
    }
    let (terms, now) = (app.engine.inputs::<Booking>(&agreed).await?, app.engine.now().await?);
    for row in &mut rows {
        if let Some(terms) = terms.get(&run_of(row.id)) {
            *row = dated(row.clone(), terms, now);
        }
    }
    Ok(rows)
}

/// A person's bookings, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    app: &App,
    person: UserId,
    (side, status): (Side, Option<BookingStatus>),
    page: Page,
) -> Result<Vec<Row>, Error> {
    let rows = match side {
        Side::Guest => bookings::list_of_guest(app.reader(), person, status, &page).await?,
        Side::Host => bookings::list_of_host(app.reader(), person, status, &page).await?,
        Side::Either => bookings::list_of_party(app.reader(), person, status, &page).await?,
    };
    all_dated(app, rows).await
}

/// The booking that a guest's own system calls so, if there is one.
///
/// # Errors
/// When the database fails.
pub async fn called(app: &App, guest: UserId, reference: &str) -> Result<Vec<Row>, Error> {
    let row = bookings::by_client_reference(app.reader(), guest, reference).await?;
    all_dated(app, row.into_iter().collect()).await
}
