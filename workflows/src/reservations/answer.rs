//! What a party does with a booking, and what would come of it.

use domain::cancellation::Party;
use domain::{BookingId, Money, Phase, Timestamp};
use engine::{EventKey, Origin, Step, TurnError, Workflow};

use super::view::{self, Asking, Reservation};
use crate::booking::actions::calling_off;
use crate::booking::{Booking, Event, Returned, State, Timer, out_of_turn, run_of};
use crate::idempotency::{Answer, Once};
use crate::mail::{Audience, Letter, Message};
use crate::{App, Error};

/// Something that a party does with a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// The host says yes.
    Accept,
    /// The host says no.
    Decline,
    /// Either side, or an operator, calls it off.
    Cancel,
}

/// What would come of a command at this instant: read off the very step that the command takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// Where the booking would stand.
    pub phase: Phase,
    /// What would go back to the guest.
    pub refund: Money,
    /// Whether the nights would be free again.
    pub frees_nights: bool,
    /// Which letters would be sent, to whom.
    pub letters: Vec<Sent>,
    /// The instants that would be waited for.
    pub timers: Vec<(Timer, Timestamp)>,
    /// The instant for which all this holds.
    pub at: Timestamp,
}

/// A letter that would be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Which one.
    pub letter: Letter,
    /// To which side.
    pub to: Audience,
}

impl Command {
    /// The event that it is, coming from this party.
    ///
    /// # Errors
    /// [`Error::NotFound`] when this party has no such command: only a host answers.
    fn event(self, who: Party) -> Result<Event, Error> {
        match (self, who) {
            (Self::Accept, Party::Host) => Ok(Event::HostAccepted),
            (Self::Decline, Party::Host) => Ok(Event::HostDeclined),
            (Self::Cancel, who) => Ok(calling_off(who)),
            (Self::Accept | Self::Decline, _) => Err(Error::NotFound),
        }
    }
}

/// Does it.
///
/// # Errors
/// [`Error::NotFound`] when the booking is not theirs; what the process refuses, with its code.
pub async fn command(
    app: &App,
    asking: Asking,
    (booking, command): (BookingId, Command),
    (once, origin): (Once, Origin),
    render: impl FnOnce(&Reservation) -> Answer + Send + 'static,
) -> Result<Answer, Error> {
    let key = once.event_key();
    once.carry_out(app, move |_, tx| {
        Box::pin(async move {
            let row = asking.find(&**tx, booking).await?;
            let event = command.event(asking.party(&row))?;
            match tx.send::<Booking>(run_of(booking), &event, key, &origin).await {
                // The same key did it before, and its answer is too old to be kept: the booking is shown as it is.
                Ok(_) | Err(TurnError::Duplicate) => {}
                Err(error) => return Err(error.into()),
            }
            let now = tx.now().await?;
            let reservation = view::within(tx, asking, booking, now).await?;
            Ok(render(&reservation))
        })
    })
    .await
}

/// What would come of it now; nothing is written.
///
/// # Errors
/// Exactly those of [`command`].
pub async fn preview(app: &App, asking: Asking, (booking, command): (BookingId, Command)) -> Result<Outlook, Error> {
    let row = asking.find(app.reader(), booking).await?;
    let event = command.event(asking.party(&row))?;
    let (terms, state, _) = app.engine.read_state::<Booking>(run_of(booking)).await?.ok_or(Error::NotFound)?;
    let now = app.engine.now().await?;
    // A timer that is due fires before any command, so a command that finds one is too late already.
    if state.held_until().is_some_and(|until| until <= now) {
        return Err(out_of_turn(Phase::Expired).into());
    }
    let step = Booking::on(&terms, state.clone(), event, now)?;
    Ok(outlook(&state, terms.total(), step, now))
}

fn outlook(before: &State, total: Money, step: Step<Booking>, at: Timestamp) -> Outlook {
    let Step { state, timers, spawns, .. } = step;
    let after = state.unwrap_or_else(|| before.clone());
    let refund = match &after {
        State::Canceled { refund: Some(Returned { amount, .. }), .. } => *amount,
        _ => Money::zero(total.currency),
    };
    let letters = spawns.iter().filter_map(|spawn| serde_json::from_str::<Message>(&spawn.input).ok());
    Outlook {
        phase: after.phase(),
        refund,
        frees_nights: before.status().holds_nights() && !after.status().holds_nights(),
        letters: letters.map(|Message { letter, audience, .. }| Sent { letter, to: audience }).collect(),
        timers: timers.into_iter().map(|armed| (armed.timer, armed.at)).collect(),
        at,
    }
}

impl Once {
    /// The name of the event that this request is; without a key of the caller's, a name of its own.
    pub(crate) fn event_key(&self) -> EventKey {
        let fresh = || hex::encode(rand::random::<[u8; 16]>());
        EventKey::request(&self.caller, &self.route, &self.key.clone().unwrap_or_else(fresh))
    }
}
