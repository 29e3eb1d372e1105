//! What each policy gives back and keeps, to the minute and to the cent.

use chrono::TimeDelta;
use chrono_tz::Tz;
use proptest::prelude::*;

use super::*;
use crate::rates::tests::{any_rates, any_stay, couple, eur, rates, stay};
use crate::rates::{Rates, price};
use crate::stay::Stay;
use crate::zone::HouseClock;

const EARLY: &str = "2027-01-01T00:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn paris() -> HouseClock {
    let (check_in_time, check_out_time) = ("15:00:00".parse().unwrap(), "11:00:00".parse().unwrap());
    HouseClock { zone: Tz::Europe__Paris, check_in_time, check_out_time }
}

fn offer_for(policy: &PolicySnapshot, stay: Stay, rates: &Rates) -> Offer {
    let priced = price(rates, &stay, &couple()).unwrap();
    Offer { stay, guests: couple(), house: paris(), priced, policy: policy.clone() }
}

/// From 10 June 2027 in Paris, at 100.00 a night, 40.00 for cleaning, 12 % guest fee, 3 % host fee and 10 % tax.
pub(crate) fn offer(policy: &str, nights: u64) -> Offer {
    offer_as_of("2027-01-01", policy, nights)
}

fn offer_as_of(day: &str, policy: &str, nights: u64) -> Offer {
    let row = policy.parse::<PolicyCode>().unwrap().in_force(day.parse().unwrap()).unwrap();
    offer_for(row, stay("2027-06-10", nights), &rates())
}

fn canceled(offer: &Offer, by: Party, when: &str, confirmed_at: &str) -> Refund {
    refund(offer, &Cancellation { by, at: at(when), confirmed_at: Some(at(confirmed_at)) })
}

fn by_guest(offer: &Offer, when: &str) -> Refund {
    canceled(offer, Party::Guest, when, EARLY)
}

/// What the host keeps of the subtotal, before the host fee.
fn kept(refund: Refund) -> i64 {
    refund.kept.host().minor + refund.kept.host_fee().minor
}

fn shown(schedule: &RefundSchedule, zone: Tz) -> String {
    let line = |step: &RefundStep| {
        let until = step.until.map_or("then".into(), |at| at.with_timezone(&zone).to_rfc3339());
        format!("{until} {}", step.to_guest)
    };
    schedule.steps.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_schedule_says_when_the_guest_gets_what() {
    let shown = |policy| shown(&schedule(&offer(policy, 5), at("2027-03-01T12:00:00Z")), Tz::Europe__Paris);
    insta::assert_snapshot!(shown("flexible"), @r"
    2027-06-09T15:00:00+02:00 658.80 EUR
    2027-06-10T15:00:00+02:00 475.20 EUR
    then 475.20 EUR
    ");
    insta::assert_snapshot!(shown("firm"), @r"
    2027-05-11T15:00:00+02:00 658.80 EUR
    2027-06-03T15:00:00+02:00 297.00 EUR
    2027-06-10T15:00:00+02:00 0.00 EUR
    then 0.00 EUR
    ");
    insta::assert_snapshot!(shown("non_refundable"), @r"
    2027-03-02T13:00:00+01:00 658.80 EUR
    2027-06-10T15:00:00+02:00 0.00 EUR
    then 0.00 EUR
    ");
}

#[test]
fn a_late_booking_shows_no_deadline_that_has_passed() {
    let schedule = schedule(&offer("firm", 5), at("2027-06-05T00:00:00Z"));
    insta::assert_snapshot!(shown(&schedule, Tz::Europe__Paris), @r"
    2027-06-10T15:00:00+02:00 0.00 EUR
    then 0.00 EUR
    ");
}

#[test]
fn flexible_keeps_one_night_after_the_last_day() {
    let offer = offer("flexible", 5);
    assert_eq!(by_guest(&offer, "2027-06-09T13:00:00Z"), everything_back(&offer));
    // 540.00 over five nights, cleaning among it.
    assert_eq!(kept(by_guest(&offer, "2027-06-09T13:00:01Z")), 10_800);
    assert_eq!(kept(by_guest(&offer, "2027-06-12T10:00:00Z")), 3 * 10_800);
    assert_eq!(by_guest(&offer, "2027-06-20T10:00:00Z").to_guest, eur(0));
}

#[test]
fn moderate_keeps_one_night_and_half_of_the_others() {
    let offer = offer("moderate", 5);
    assert_eq!(by_guest(&offer, "2027-06-05T13:00:00Z").to_guest, offer.priced.total());
    assert_eq!(kept(by_guest(&offer, "2027-06-05T13:00:01Z")), 10_800 + 21_600);
    assert_eq!(kept(by_guest(&offer, "2027-06-12T10:00:00Z")), 3 * 10_800 + 10_800);
}

#[test]
fn limited_and_firm_keep_half_and_then_all() {
    for (policy, free_until) in [("limited", "2027-05-27T13:00:00Z"), ("firm", "2027-05-11T13:00:00Z")] {
        let offer = offer(policy, 5);
        let later = (at(free_until) + TimeDelta::seconds(1)).to_rfc3339();
        assert_eq!(kept(by_guest(&offer, free_until)), 0, "{policy}");
        assert_eq!(kept(by_guest(&offer, &later)), 27_000, "{policy}");
        assert_eq!(kept(by_guest(&offer, "2027-06-03T13:00:00Z")), 27_000, "{policy}");
        assert_eq!(by_guest(&offer, "2027-06-03T13:00:01Z").to_guest, eur(0), "{policy}");
    }
}

#[test]
fn strict_is_free_for_48_hours_and_only_14_days_before() {
    let offer = offer("strict", 5);
    let booked = "2027-05-26T12:00:00Z";
    let kept_at = |when| kept(canceled(&offer, Party::Guest, when, booked));
    assert_eq!(kept_at("2027-05-27T13:00:00Z"), 0);
    assert_eq!(kept_at("2027-05-27T13:00:01Z"), 27_000);
    assert_eq!(kept_at("2027-06-03T13:00:01Z"), 54_000);
}

#[test]
fn super_strict_never_gives_everything_back() {
    for (policy, until) in [("super_strict_30", "2027-05-11T13:00:00Z"), ("super_strict_60", "2027-04-11T13:00:00Z")] {
        let offer = offer(policy, 5);
        assert_eq!(kept(by_guest(&offer, EARLY)), 27_000, "{policy}");
        assert_eq!(kept(by_guest(&offer, until)), 27_000, "{policy}");
        let later = (at(until) + TimeDelta::seconds(1)).to_rfc3339();
        assert_eq!(kept(by_guest(&offer, &later)), 54_000, "{policy}");
    }
}

#[test]
fn a_long_stay_costs_the_next_thirty_nights() {
    let firm = offer("long_term_firm", 60);
    let per_night = 604_000_i64 / 60;
    assert_eq!(kept(by_guest(&firm, "2027-05-11T13:00:00Z")), 0);
    assert!((kept(by_guest(&firm, "2027-05-11T13:00:01Z")) - 30 * per_night).abs() <= 60);
    assert!((kept(by_guest(&firm, "2027-06-20T10:00:00Z")) - 40 * per_night).abs() <= 60);
    let strict = offer("long_term_strict", 60);
    assert_eq!(kept(by_guest(&strict, "2027-01-03T00:00:00Z")), 0);
    assert!(kept(by_guest(&strict, "2027-01-03T00:00:01Z")) > 0);
}

#[test]
fn v19_grace_ends_with_its_24th_hour_by_the_servers_clock() {
    let offer = offer("non_refundable", 5);
    let booked = "2027-03-01T23:59:59.9Z";
    let to_guest = |when| canceled(&offer, Party::Guest, when, booked).to_guest;
    assert_eq!(to_guest("2027-03-02T23:59:59.9Z"), offer.priced.total());
    assert_eq!(to_guest("2027-03-02T23:59:59.900001Z"), eur(0));
}

#[test]
fn grace_needs_a_booking_seven_days_ahead() {
    let offer = offer("non_refundable", 5);
    let after_an_hour = |booked: &str| {
        let when = (at(booked) + TimeDelta::hours(1)).to_rfc3339();
        canceled(&offer, Party::Guest, &when, booked).to_guest
    };
    assert_eq!(after_an_hour("2027-06-03T13:00:00Z"), offer.priced.total());
    assert_eq!(after_an_hour("2027-06-03T13:00:00.000001Z"), eur(0));
}

#[test]
fn v20_the_deadline_itself_counts_as_before_it() {
    for row in PolicySnapshot::presets() {
        let offer = offer_for(row, stay("2027-06-10", 30), &rates());
        for pair in schedule(&offer, at(EARLY)).steps.windows(2) {
            let until = pair[0].until.unwrap();
            let at_deadline = by_guest(&offer, &until.to_rfc3339());
            let after = by_guest(&offer, &(until + TimeDelta::microseconds(1)).to_rfc3339());
            assert_eq!((at_deadline.to_guest, after.to_guest), (pair[0].to_guest, pair[1].to_guest), "{}", row.code);
        }
    }
}

#[test]
fn before_both_sides_are_bound_everything_goes_back() {
    for by in [Party::Guest, Party::Host, Party::Platform] {
        let offer = offer("non_refundable", 5);
        let back = refund(&offer, &Cancellation { by, at: at("2027-06-10T12:00:00Z"), confirmed_at: None });
        assert_eq!((back.to_guest, back.kept.total()), (offer.priced.total(), eur(0)));
    }
}

#[test]
fn a_host_who_calls_off_costs_the_guest_nothing_but_the_nights_spent() {
    let offer = offer("non_refundable", 5);
    for by in [Party::Host, Party::Platform] {
        assert_eq!(canceled(&offer, by, "2027-06-10T13:00:00Z", EARLY), everything_back(&offer));
        let in_stay = canceled(&offer, by, "2027-06-12T10:00:00Z", EARLY);
        assert_eq!((kept(in_stay), in_stay.kept.guest_fee()), (2 * 10_800, eur(0)));
    }
}

#[test]
fn cleaning_went_back_before_check_in_until_it_became_part_of_the_price() {
    let before = offer_as_of("2025-04-20", "firm", 5);
    let since = offer_as_of("2025-04-21", "firm", 5);
    let late = "2027-06-09T10:00:00Z";
    assert_eq!((kept(by_guest(&before, late)), kept(by_guest(&since, late))), (50_000, 54_000));
    let in_stay = "2027-06-10T13:00:01Z";
    assert_eq!((kept(by_guest(&before, in_stay)), kept(by_guest(&since, in_stay))), (54_000, 54_000));
}

#[test]
fn fees_follow_the_price_and_the_guest_fee_only_a_full_refund() {
    let half = by_guest(&offer("firm", 5), "2027-06-01T00:00:00Z");
    assert_eq!((half.kept.guest_fee(), half.kept.host_fee(), half.kept.tax()), (eur(6_480), eur(810), eur(2_700)));
    let mut fair = offer("firm", 5);
    fair.policy.guest_fee = GuestFeeRule::InProportion;
    assert_eq!(by_guest(&fair, "2027-06-01T00:00:00Z").kept.guest_fee(), eur(3_240));
}

fn any_policy() -> impl Strategy<Value = PolicySnapshot> {
    const FEES: &[GuestFeeRule] = &[GuestFeeRule::KeptUnlessFullRefund, GuestFeeRule::InProportion];
    (prop::sample::select(PolicySnapshot::presets()), prop::sample::select(FEES))
        .prop_map(|(row, guest_fee)| PolicySnapshot { guest_fee, ..row })
}

fn any_offer() -> impl Strategy<Value = Offer> {
    (any_policy(), any_stay(), any_rates()).prop_map(|(policy, stay, rates)| offer_for(&policy, stay, &rates))
}

fn hours_from(stay: &Stay, hours: i64) -> Timestamp {
    paris().check_in_at(stay) + TimeDelta::hours(hours)
}

proptest! {
    #[test]
    fn a_refund_and_what_is_kept_are_the_whole_and_never_more(
        offer in any_offer(), by in prop::sample::select(&[Party::Guest, Party::Host, Party::Platform][..]),
        booked in -2_500..0_i64, waited in 0..9_000_i64, confirmed in any::<bool>(),
    ) {
        let confirmed_at = confirmed.then(|| hours_from(&offer.stay, booked));
        let answer = refund(&offer, &Cancellation { by, at: hours_from(&offer.stay, booked + waited), confirmed_at });
        let total = offer.priced.total();
        prop_assert!(!answer.to_guest.is_negative() && answer.to_guest.minor <= total.minor);
        prop_assert_eq!(answer.to_guest.checked_add(answer.kept.total()).unwrap(), total);
        for (kept, charged) in [
            (answer.kept.host(), offer.priced.host_net()), (answer.kept.guest_fee(), offer.priced.guest_fee()),
            (answer.kept.host_fee(), offer.priced.host_fee()), (answer.kept.tax(), offer.priced.tax()),
        ] {
            prop_assert!(kept.minor <= charged.minor, "{} kept of {}", kept, charged);
        }
    }

    #[test]
    fn who_waits_never_gets_more(offer in any_offer(), booked in -2_500..0_i64, mut hours in prop::collection::vec(0..9_000_i64, 8)) {
        hours.sort_unstable();
        let confirmed_at = Some(hours_from(&offer.stay, booked));
        let back = |waited: &i64| {
            let at = hours_from(&offer.stay, booked + waited);
            refund(&offer, &Cancellation { by: Party::Guest, at, confirmed_at }).to_guest.minor
        };
        prop_assert!(hours.iter().map(back).collect::<Vec<_>>().is_sorted_by(|sooner, later| sooner >= later));
    }

    #[test]
    fn a_schedule_is_in_order_and_has_one_end(offer in any_offer(), booked in -2_500..48_i64) {
        let RefundSchedule { steps } = schedule(&offer, hours_from(&offer.stay, booked));
        let (last, timed) = steps.split_last().unwrap();
        prop_assert_eq!(last.until, None);
        prop_assert!(timed.iter().all(|step| step.until.is_some()));
        prop_assert!(timed.is_sorted_by(|sooner, later| sooner.until < later.until));
        prop_assert!(timed.is_sorted_by(|sooner, later| sooner.to_guest.minor >= later.to_guest.minor));
    }
}

#[test]
fn a_snapshot_keeps_its_word_when_the_presets_change() {
    let old = PolicySnapshot { code: "retired".into(), ..offer("firm", 5).policy };
    let json = serde_json::to_string(&old).unwrap();
    assert_eq!(serde_json::from_str::<PolicySnapshot>(&json).unwrap(), old);
}
