//! The text of every letter. One source for both forms: plain text and simple HTML cannot say different things.

use std::fmt::Write;

use super::reading::{Facts, StayFacts};
use super::{About, Audience, Letter, Message};

/// A letter ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// Where letters can lead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'a> {
    /// Our own API, which has a page for every link that only it can honour.
    pub(super) api: &'a str,
    /// The client that people use in a browser, if there is one: without it there is nothing to lead to.
    pub(super) web: Option<&'a str>,
}

impl Places<'_> {
    fn leads(&self, path: &str, label: &'static str) -> Option<Part> {
        self.web.map(|web| Leads { to: format!("{web}{path}"), label })
    }
}

/// A piece of a letter.
enum Part {
    Says(String),
    Leads { to: String, label: &'static str },
}

use Part::{Leads, Says};

/// Writes a letter. `token` is the secret of the link that proves an address; only that letter shows it.
pub(super) fn render(message: &Message, facts: &Facts, places: Places<'_>, token: &str) -> Written {
    let (subject, mut parts) = match (&facts.stay, &facts.payout) {
        (Some(stay), _) => of_a_stay(message, stay, facts, places),
        (None, Some((payout, amount, date))) => {
            let says =
                format!("{amount} for your stays is on its way to your bank, as of {}.", date.format("%-d %B %Y"));
            let leads = places.leads(&format!("/payouts/{payout}"), "See the payout");
            (format!("{amount} is on its way to you"), [Says(says)].into_iter().chain(leads).collect())
        }
        (None, None) => of_an_account(message.letter, places, token),
    };
    parts.insert(0, Says(format!("Hello {},", facts.reader.name)));
    parts.push(Says("Innkeeper".to_owned()));
    Written { text: plain(&parts), html: html(&parts), subject }
}

fn of_an_account(letter: Letter, places: Places<'_>, token: &str) -> (String, Vec<Part>) {
    match letter {
        Letter::VerifyEmail => {
            let says = "Please confirm that this address is yours. The link works once. If you did not ask for it, do nothing.";
            let leads =
                Leads { to: format!("{}/verify-email?token={token}", places.api), label: "Confirm the address" };
            ("Please confirm your address".to_owned(), vec![Says(says.to_owned()), leads])
        }
        Letter::AddressInUse => {
            let says = "Somebody, perhaps you, wanted to make an account with this address. It has one already: just log in. If it was not you, do nothing.";
            let leads = places.leads("/login", "Log in");
            ("You have an account already".to_owned(), [Says(says.to_owned())].into_iter().chain(leads).collect())
        }
        _ => {
            let says = "Your account is ready: look for a place to stay, or offer your own.";
            let leads = places.leads("", "Begin");
            ("Welcome to Innkeeper".to_owned(), [Says(says.to_owned())].into_iter().chain(leads).collect())
        }
    }
}

fn of_a_stay(message: &Message, stay: &StayFacts, facts: &Facts, places: Places<'_>) -> (String, Vec<Part>) {
    let StayFacts { id, title, other, total, .. } = stay;
    let host = message.audience == Audience::Host;
    let (subject, says) = match message.letter {
        Letter::BookingRequested => (
            format!("{other} would like to stay at {title}"),
            format!(
                "{other} asks for {}. Please answer{}; nobody else can book these nights until then.",
                nights(stay),
                by(stay)
            ),
        ),
        Letter::AnswerHalf => (
            format!("{other} is waiting for your answer"),
            format!("{other} asked for {}. Please answer{}.", nights(stay), by(stay)),
        ),
        Letter::AnswerLast => (
            format!("Last call: {other} is waiting for your answer"),
            format!(
                "Without an answer{} the request for {} ends and the nights are free again.",
                by(stay),
                nights(stay)
            ),
        ),
        Letter::PaymentActionNeeded => (
            format!("Your booking of {title} needs you"),
            format!(
                "Your bank wants you to confirm the payment of {total} for {}. We hold the nights{}.",
                nights(stay),
                until(stay)
            ),
        ),
        Letter::CardDeclined => (
            format!("Your booking of {title} needs another card"),
            format!(
                "Your card was not accepted for {}. We hold the nights{}: please offer another card.",
                nights(stay),
                until(stay)
            ),
        ),
        Letter::BookingConfirmed if host => {
            (format!("Confirmed: {other} stays at {title}"), format!("{other} comes for {}.", nights(stay)))
        }
        Letter::BookingConfirmed => (
            format!("Confirmed: your stay at {title}"),
            format!("{other} expects you: {}. You paid {total}.", nights(stay)),
        ),
        Letter::Declined => (
            format!("{other} cannot host you"),
            format!("{other} declined your request for {}. Nothing was taken from your card.", nights(stay)),
        ),
        Letter::Expired => (format!("Your booking of {title} has ended"), expired(stay)),
        Letter::PaymentReturned => (
            format!("Your payment for {title} came too late"),
            format!("By then somebody else had taken {}. Whatever your card paid is on its way back.", nights(stay)),
        ),
        _ => (format!("Canceled: {title}"), canceled(message, stay, host)),
    };
    let mut parts = vec![Says(says)];
    let bank = facts.action_url.iter().filter(|_| message.letter == Letter::PaymentActionNeeded);
    parts.extend(bank.map(|url| Leads { to: url.clone(), label: "Confirm with your bank" }));
    parts.extend(places.leads(&format!("/bookings/{id}"), "See the booking"));
    (subject, parts)
}

fn expired(stay: &StayFacts) -> String {
    let why = match stay.reason.as_deref() {
        Some("host_silent") => "The host did not answer in time",
        _ => "The payment was not completed in time",
    };
    format!("{why}, so {} are free again. Nothing was taken from your card.", nights(stay))
}

fn canceled(message: &Message, stay: &StayFacts, host: bool) -> String {
    let says = format!("The booking of {} was called off.", nights(stay));
    let About::Booking { refund: Some(refund), .. } = &message.about else {
        return if host { says } else { format!("{says} Nothing was taken from your card.") };
    };
    match (refund.is_zero(), host) {
        (true, _) => format!("{says} By the agreed policy nothing goes back."),
        (false, true) => format!("{says} By the agreed policy {refund} go back to the guest."),
        (false, false) => format!("{says} By the agreed policy {refund} go back to your card; banks take a few days."),
    }
}

fn nights(stay: &StayFacts) -> String {
    let StayFacts { title, city, stay: dates, people, .. } = stay;
    let (from, to) = (dates.check_in().format("%-d %B %Y"), dates.check_out().format("%-d %B %Y"));
    let nights = if dates.len() == 1 { "1 night".to_owned() } else { format!("{} nights", dates.len()) };
    let people = if *people == 1 { "1 person".to_owned() } else { format!("{people} people") };
    format!("{title} in {city}, {from} to {to} ({nights}, {people})")
}

fn by(stay: &StayFacts) -> String {
    stay.deadline.map(|(at, zone)| format!(" by {}", clock(at, zone))).unwrap_or_default()
}

fn until(stay: &StayFacts) -> String {
    stay.deadline.map(|(at, zone)| format!(" until {}", clock(at, zone))).unwrap_or_default()
}

/// By the home's own clock, with the zone's name: two people may read it in two other zones.
fn clock(at: domain::Timestamp, zone: chrono_tz::Tz) -> String {
    format!("{} ({zone})", at.with_timezone(&zone).format("%-d %B %Y, %H:%M"))
}

fn plain(parts: &[Part]) -> String {
    let line = |part: &Part| match part {
        Says(text) => text.clone(),
        Leads { to, label } => format!("{label}: {to}"),
    };
    parts.iter().map(line).collect::<Vec<_>>().join("\n\n") + "\n"
}

fn html(parts: &[Part]) -> String {
    let mut html = "<!doctype html>\n<meta charset=\"utf-8\">\n".to_owned();
    for part in parts {
        let written = match part {
            Says(text) => writeln!(html, "<p>{}</p>", escaped(text)),
            Leads { to, label } => writeln!(html, "<p><a href=\"{}\">{label}</a></p>", escaped(to)),
        };
        written.expect("writing to a string does not fail");
    }
    html
}

/// What a person wrote stays text.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_leads_only_where_there_is_something() {
        let letter = |web| of_an_account(Letter::AddressInUse, Places { api: "https://api.example", web }, "").1;
        assert!(letter(None).iter().all(|part| matches!(part, Says(_))));
        let to_web = |part: &Part| matches!(part, Leads { to, .. } if to == "https://www.example/login");
        assert!(letter(Some("https://www.example")).iter().any(to_web));
        let proof = of_an_account(Letter::VerifyEmail, Places { api: "https://api.example", web: None }, "abc").1;
        assert!(
            proof
                .iter()
                .any(|part| matches!(part, Leads { to, .. } if to == "https://api.example/verify-email?token=abc"))
        );
    }
}
