//! A booking as JSON.

use chrono::{DateTime, NaiveDate, Utc};
use domain::cancellation::Party;
use domain::{BookingId, Guests, Money, PaymentId, Phase, PropertyId, QuoteId, UserId};
use serde::Serialize;
use store::bookings::Booking as Row;
use utoipa::ToSchema;
use workflows::booking::actions::Action;
use workflows::reservations::{Entry, Inside, Outlook, Reservation, Sent};

use crate::endpoints::quotes::{LineView, PolicyView};
use crate::wire::{GuestsShape, MoneyShape};

/// A booking, in lists.
#[derive(Serialize, ToSchema)]
#[schema(as = BookingSummary)]
pub(super) struct Summary {
    /// Names it.
    #[schema(value_type = String, example = "bkg_0192f0c1a2b37c4d8e5f60718293a4b5")]
    id: BookingId,
    /// `pending`, `confirmed`, `canceled` or `completed`.
    status: &'static str,
    /// More precisely: such as `awaiting_payment`, `awaiting_host`, `in_stay`, `expired`, `canceled_by_guest`.
    phase: &'static str,
    /// Why it came to nothing: a stable word.
    reason: Option<String>,
    /// Which home.
    #[schema(value_type = String)]
    property_id: PropertyId,
    /// Who comes.
    #[schema(value_type = String)]
    guest_id: UserId,
    /// Who receives them.
    #[schema(value_type = String)]
    host_id: UserId,
    /// The first night.
    check_in: NaiveDate,
    /// The day the guests leave.
    check_out: NaiveDate,
    /// How many come.
    #[schema(value_type = GuestsShape)]
    guests: Guests,
    /// What the guest pays.
    #[schema(value_type = MoneyShape)]
    total: Money,
    /// What has gone back.
    #[schema(value_type = MoneyShape)]
    refunded: Money,
    /// Until when the nights are held for the payment.
    hold_expires_at: Option<DateTime<Utc>>,
    /// Until when the host may answer.
    host_deadline: Option<DateTime<Utc>>,
    /// What the guest's own system calls it; only the guest sees it.
    client_reference: Option<String>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// The last change.
    updated_at: DateTime<Utc>,
}

/// A booking, with what you may do now.
#[derive(Serialize, ToSchema)]
#[schema(as = Booking)]
pub(super) struct BookingView {
    #[serde(flatten)]
    summary: Summary,
    /// The home's title.
    property_title: String,
    /// The zone of the home's clocks.
    time_zone: String,
    /// From when on the guest may come.
    check_in_at: DateTime<Utc>,
    /// By when the guest must leave.
    check_out_at: DateTime<Utc>,
    /// The quote that it was made on.
    #[schema(value_type = String)]
    quote_id: QuoteId,
    /// What makes up the price.
    lines: Vec<LineView>,
    /// What was agreed about calling it off.
    cancellation: PolicyView,
    /// What the guest wrote to the host.
    message: Option<String>,
    /// How it is paid; not shown to the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<BookingPayment>,
    /// What you can do, until when, or why not.
    actions: Vec<ActionView>,
}

/// The payment that counts for a booking.
#[derive(Serialize, ToSchema)]
struct BookingPayment {
    /// Names it.
    #[schema(value_type = String)]
    id: PaymentId,
    /// As `/payments/{id}` says; `processing` until the gateway was asked.
    status: &'static str,
    /// Where the guest confirms with the bank.
    action_url: Option<String>,
    /// Why the card said no.
    decline_code: Option<String>,
}

/// Something that you may want to do.
#[derive(Serialize, ToSchema)]
#[schema(as = BookingAction)]
struct ActionView {
    /// `accept`, `decline`, `cancel` or `offer_card`.
    name: &'static str,
    /// The HTTP method.
    method: &'static str,
    /// The path.
    href: String,
    /// Whether it is possible now.
    possible: bool,
    /// Until when, as far as that is known.
    deadline: Option<DateTime<Utc>>,
    /// Why it is not possible: the code that the command would be refused with.
    refusal: Option<String>,
}

/// What would come of a command.
#[derive(Serialize, ToSchema)]
#[schema(as = Outlook)]
pub(super) struct OutlookView {
    /// Always true: nothing was done.
    dry_run: bool,
    /// The status that would follow.
    status: &'static str,
    /// The phase that would follow.
    phase: &'static str,
    /// What would go back to the guest.
    #[schema(value_type = MoneyShape)]
    refund: Money,
    /// Whether the nights would be free again.
    frees_nights: bool,
    /// Which letters would be sent.
    letters: Vec<LetterView>,
    /// What would be waited for, until when.
    timers: Vec<TimerView>,
    /// The instant for which this holds.
    at: DateTime<Utc>,
}

/// A letter that would be sent.
#[derive(Serialize, ToSchema)]
#[schema(as = OutlookLetter)]
struct LetterView {
    /// Which one.
    letter: String,
    /// `guest` or `host`.
    to: String,
}

/// An instant that would be waited for.
#[derive(Serialize, ToSchema)]
#[schema(as = OutlookTimer)]
struct TimerView {
    /// Which one.
    timer: String,
    /// When.
    at: DateTime<Utc>,
}

/// Something that happened to a booking.
#[derive(Serialize, ToSchema)]
#[schema(as = TimelineEntry)]
pub(super) struct EntryView {
    /// When.
    at: DateTime<Utc>,
    /// Its number among the turns of the booking.
    turn: i32,
    /// What: a stable word.
    what: &'static str,
    /// Where the booking stood afterwards, as far as it is known.
    phase: Option<&'static str>,
    /// `guest`, `host`, `operator`, `gateway` or `time`.
    by: &'static str,
    /// How much, where money is spoken of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneyShape>)]
    amount: Option<Money>,
    /// For operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    inside: Option<InsideView>,
}

/// What only operators are shown of a turn.
#[derive(Serialize, ToSchema)]
#[schema(as = TimelineInside)]
struct InsideView {
    /// Who exactly.
    actor: Option<String>,
    /// In which request.
    request_id: Option<String>,
    /// `moved`, `ignored` or `unexpected`.
    verdict: &'static str,
    /// Why it was ignored or unexpected.
    note: Option<String>,
}

impl From<Row> for Summary {
    fn from(row: Row) -> Self {
        let (status, phase) = (row.status().as_str(), row.phase.as_str());
        Self {
            id: row.id,
            status,
            phase,
            reason: row.reason,
            property_id: row.property,
            guest_id: row.guest,
            host_id: row.host,
            check_in: row.stay.check_in(),
            check_out: row.stay.check_out(),
            guests: row.guests,
            total: row.total,
            refunded: row.refunded,
            hold_expires_at: row.hold_expires_at,
            host_deadline: row.host_deadline,
            client_reference: row.client_reference,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl Summary {
    /// As one of the parties sees it.
    pub(super) fn seen_by(viewer: UserId, row: Row) -> Self {
        let is_guest = row.guest == viewer;
        let mut summary = Self::from(row);
        summary.client_reference = summary.client_reference.filter(|_| is_guest);
        summary
    }
}

impl From<&Reservation> for BookingView {
    fn from(reservation: &Reservation) -> Self {
        let Reservation { row, terms, state, who, title, actions, schedule, payment, now: _ } = reservation;
        let windows = &terms.windows;
        let mut summary = Summary::from(row.clone());
        summary.client_reference = summary.client_reference.filter(|_| *who != Party::Host);
        let paying = BookingPayment {
            id: state.payment(),
            status: payment.as_ref().map_or("processing", |payment| payment.status.as_str()),
            action_url: payment.as_ref().and_then(|payment| payment.action_url.clone()),
            decline_code: payment.as_ref().and_then(|payment| payment.decline_code.clone()),
        };
        Self {
            summary,
            property_title: title.clone(),
            time_zone: terms.offer.house.zone.name().to_owned(),
            check_in_at: windows.check_in_at,
            check_out_at: windows.check_out_at,
            quote_id: terms.quote,
            lines: terms.offer.priced.lines().iter().map(LineView::from).collect(),
            cancellation: PolicyView::new(&terms.offer.policy, schedule),
            message: row.message.clone(),
            payment: (*who != Party::Host).then_some(paying),
            actions: actions.iter().map(|action| ActionView::new(row.id, action)).collect(),
        }
    }
}

impl ActionView {
    fn new(booking: BookingId, Action { name, possible }: &Action) -> Self {
        let href = match *name {
            "offer_card" => "/payments".to_owned(),
            name => format!("/bookings/{booking}/{name}"),
        };
        Self {
            name,
            method: "POST",
            href,
            possible: possible.is_ok(),
            deadline: possible.as_ref().ok().copied().flatten(),
            refusal: possible.as_ref().err().map(|refusal| refusal.code.to_string()),
        }
    }
}

/// The word that an enum without data is written as.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

impl From<Outlook> for OutlookView {
    fn from(Outlook { phase, refund, frees_nights, letters, timers, at }: Outlook) -> Self {
        let letter = |Sent { letter, to }: &Sent| LetterView { letter: word(letter), to: word(to) };
        Self {
            dry_run: true,
            status: phase.status().as_str(),
            phase: phase.as_str(),
            refund,
            frees_nights,
            letters: letters.iter().map(letter).collect(),
            timers: timers.iter().map(|(timer, at)| TimerView { timer: word(timer), at: *at }).collect(),
            at,
        }
    }
}

impl From<Entry> for EntryView {
    fn from(Entry { at, turn, what, phase, by, amount, inside }: Entry) -> Self {
        use workflows::reservations::Actor;
        let by = match by {
            Actor::Guest => "guest",
            Actor::Host => "host",
            Actor::Operator => "operator",
            Actor::Gateway => "gateway",
            Actor::Time => "time",
        };
        let view = |Inside { actor, request_id, verdict, note }| InsideView { actor, request_id, verdict, note };
        Self { at, turn, what, phase: phase.map(Phase::as_str), by, amount, inside: inside.map(view) }
    }
}
