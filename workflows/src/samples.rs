//! Values that the tests of several processes share: one booking of two nights, its payment, its letters.

use chrono_tz::Europe::Paris;
use domain::{
    BasisPoints, BookingId, Currency, Guests, HouseClock, ImageId, Jurisdiction, Money, Offer, PaymentId, PolicyCode,
    PropertyId, Provider, QuoteId, Rates, Stay, Timestamp, UnitId, UserId, price,
};
use uuid::Uuid;

use crate::booking::{Mode, Paying, Terms};
use crate::payment::Due;
use crate::payout::Payable;
use crate::timers::Timers;

pub(crate) fn noon() -> Timestamp {
    "2026-05-01T12:00:00Z".parse().unwrap()
}

const fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(0x0196_8b2e_0000_7000_8000_0000_0000_0000 + n)
}

pub(crate) const BOOKING: BookingId = BookingId::from_uuid(uuid(0xb0));
pub(crate) const FIRST_CARD: PaymentId = PaymentId::from_uuid(uuid(0xa1));
pub(crate) const SECOND_CARD: PaymentId = PaymentId::from_uuid(uuid(0xa2));
pub(crate) const HOST: UserId = UserId::from_uuid(uuid(0x05));
pub(crate) const GUEST: UserId = UserId::from_uuid(uuid(0x06));
pub(crate) const IMAGE: ImageId = ImageId::from_uuid(uuid(0x11));
pub(crate) const HOME: PropertyId = PropertyId::from_uuid(uuid(0x40));

pub(crate) const fn euros(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn share(points: u16) -> BasisPoints {
    BasisPoints::try_new(points).unwrap()
}

/// Two nights in Paris for two: rent 200, cleaning 30, fees and tax on top.
fn offer() -> Offer {
    let date = |text: &str| text.parse().unwrap();
    let stay = Stay::parse(date("2026-06-10"), date("2026-06-12")).unwrap();
    let guests = Guests::parse(2, 0, 0, 0).unwrap();
    let rates = Rates {
        nightly: euros(10_000),
        weekend: None,
        cleaning: euros(3_000),
        pets: None,
        guest_fee: share(1_000),
        host_fee: share(300),
        tax: share(500),
        weekly_discount: BasisPoints::ZERO,
        monthly_discount: BasisPoints::ZERO,
    };
    let time = |text: &str| text.parse().unwrap();
    let house = HouseClock { zone: Paris, check_in_time: time("15:00:00"), check_out_time: time("11:00:00") };
    let policy = "flexible".parse::<PolicyCode>().unwrap().in_force(date("2026-05-01")).unwrap().clone();
    Offer { stay, guests, house, priced: price(&rates, &stay, &guests).unwrap(), policy }
}

pub(crate) fn request() -> Terms {
    let offer = offer();
    Terms {
        booking: BOOKING,
        property: HOME,
        units: vec![UnitId(7)],
        guest: GUEST,
        host: HOST,
        quote: QuoteId::from_uuid(uuid(0x9e)),
        windows: Timers::default().windows(&offer, noon()),
        offer,
        mode: Mode::Request,
        prep_nights: 0,
        tax: Jurisdiction::parse("FR").unwrap(),
        paying: Paying { payment: FIRST_CARD, provider: Provider::Sandbox, method: "pm_card_ok".to_owned() },
        made_at: noon(),
    }
}

pub(crate) fn instant_book() -> Terms {
    Terms { mode: Mode::Instant, ..request() }
}

pub(crate) fn due() -> Due {
    let terms = request();
    Due {
        payment: FIRST_CARD,
        booking: BOOKING,
        guest: GUEST,
        amount: terms.total(),
        provider: Provider::Sandbox,
        method: "pm_card_ok".to_owned(),
        hold_until: terms.windows.hold_until,
        made_at: noon(),
    }
}

pub(crate) fn payable() -> Payable {
    let date = "2026-06-12".parse().unwrap();
    let amount = euros(22_310);
    Payable {
        payout: Payable::id(HOST, amount, date),
        host: HOST,
        amount,
        netted: euros(0),
        date,
        provider: Provider::Sandbox,
        account: "acct_ok".to_owned(),
        made_at: noon(),
    }
}
