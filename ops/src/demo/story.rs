//! The story itself, step by step over HTTP; a step whose result is not what it should be ends it.

use super::client::{Client, Person, text};
use super::telling::Telling;
use super::{Stage, letters, seed};
use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Days, NaiveDate, Utc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// The stay: so many days from now, so many nights.
const AHEAD: u64 = 40;
const NIGHTS: u64 = 3;
/// Past the stay: check-out, the payout and the letters about it.
const AFTERWARDS: u64 = 4;

/// What is left to tell at the end.
pub(crate) struct Told {
    /// The booking's timeline, a line per entry.
    pub(crate) timeline: Vec<String>,
}

/// Who and what the story is about.
struct Cast<'a> {
    stage: &'a Stage,
    host: Person,
    guest: Person,
    rival: Person,
    home: String,
    today: NaiveDate,
}

/// Plays it.
pub(crate) async fn play(stage: &Stage, telling: &mut Telling, homes: usize) -> Result<Told> {
    telling.chapter("A marketplace comes to be");
    let host = seed::person(stage, 0).await?;
    telling.did(&format!("{} registered, proved the address by the letter's link, and logged in", host.name));
    let home = seed::home(&stage.client, &host, 0, false).await?;
    telling.did("published a loft in Lisbon, its photograph processed into six files without its metadata");
    let others = seed::people(stage, 1).await?;
    telling.did(&format!("{} more people registered", others.len()));
    let count = seed::homes(&stage.client, &others[..6], 1..homes.max(3)).await?;
    telling.did(&format!("{count} more homes were published in twelve cities"));

    let now = clock(&stage.client).await?;
    let [.., guest, rival] = others.as_slice() else { anyhow::bail!("the story needs a guest and a rival") };
    let cast = Cast { stage, host, guest: guest.clone(), rival: rival.clone(), home, today: now.date_naive() };
    let booking = cast.booked(telling).await?;
    cast.refused(telling).await?;
    cast.silent_host(telling).await?;
    cast.called_off(telling).await?;
    cast.stays(telling, &booking).await?;
    Ok(Told { timeline: cast.timeline(&booking).await? })
}

impl Cast<'_> {
    fn client(&self) -> &Client {
        &self.stage.client
    }

    fn enquiry(&self, days: u64, nights: u64) -> Value {
        let check_in = self.today + Days::new(days);
        json!({
            "property_id": self.home,
            "check_in": check_in,
            "check_out": check_in + Days::new(nights),
            "guests": { "adults": 2 },
        })
    }

    /// Quote, booking, authorisation, the host's yes, capture, letters.
    async fn booked(&self, telling: &mut Telling) -> Result<String> {
        telling.chapter("Somebody books a night");
        let found = self.client().get(None, "/search?city=Lisbon").await?;
        ensure!(
            found["data"].as_array().is_some_and(|d| d.iter().any(|h| h["property_id"] == *self.home)),
            "the search finds the loft: {found}"
        );
        telling.did("searched Lisbon and found the loft");
        let quote = self.client().post(Some(&self.guest), "/quotes", &self.enquiry(AHEAD, NIGHTS)).await?;
        telling.did(&format!(
            "{} asked for a quote: {} for {NIGHTS} nights, with its refund schedule",
            self.guest.name,
            money(&quote["total"])?
        ));
        let wish = json!({ "quote_id": text(&quote, "id")?, "payment_method": "pm_card_ok", "message": "We arrive by the evening train." });
        let booking = self.client().post(Some(&self.guest), "/bookings", &wish).await?;
        ensure!(booking["status"] == "pending", "a request waits: {booking}");
        let id = text(&booking, "id")?.to_owned();
        telling.did("booked: the nights are held from this commit on");
        let path = format!("/bookings/{id}");
        self.client().until(&self.guest, &path, "the authorisation", |b| b["phase"] == "awaiting_host").await?;
        telling.did("the card was authorised; the host is asked");
        self.client().post(Some(&self.host), &format!("{path}/accept"), &json!({})).await?;
        let seen = self.client().until(&self.guest, &path, "the confirmation", |b| b["status"] == "confirmed").await?;
        telling.did(&format!(
            "{} accepted, {} was captured, the booking is confirmed",
            self.host.name,
            money(&seen["total"])?
        ));
        letters::wait(&self.stage.letters, "anna@example.org", "expects you").await?;
        telling.did("both got their letters");
        Ok(id)
    }

    /// The same nights again, by somebody else.
    async fn refused(&self, telling: &mut Telling) -> Result<()> {
        telling.chapter("Beside it: a refusal, a silent host, a change of mind");
        let mut wish = self.enquiry(AHEAD + 1, NIGHTS);
        wish["payment_method"] = "pm_card_ok".into();
        let reply = self.client().ask(Some(&self.rival), Method::POST, "/bookings", Some(&wish)).await?;
        let code = reply.problem(StatusCode::CONFLICT)?;
        ensure!(code == "dates_unavailable", "the code is dates_unavailable, not {code}");
        telling.did(&format!("{} wanted overlapping nights and was told 409 {code}", self.rival.name));
        Ok(())
    }

    /// A request that the host never answers costs the guest nothing.
    async fn silent_host(&self, telling: &mut Telling) -> Result<()> {
        let id = self.request(AHEAD + 10).await?;
        advance(self.client(), clock(self.client()).await? + chrono::TimeDelta::hours(25)).await?;
        let path = format!("/bookings/{id}");
        let seen = self.client().until(&self.rival, &path, "the silence's end", |b| b["phase"] == "expired").await?;
        ensure!(seen["status"] == "canceled", "an expired request is canceled: {seen}");
        telling.did("a host said nothing for 24 hours: the request expired, the authorisation was released, the nights are free");
        Ok(())
    }

    /// A guest cancels in time and gets everything back.
    async fn called_off(&self, telling: &mut Telling) -> Result<()> {
        let id = self.request(AHEAD + 20).await?;
        let path = format!("/bookings/{id}");
        self.client().post(Some(&self.host), &format!("{path}/accept"), &json!({})).await?;
        let paid = self.client().until(&self.rival, &path, "the confirmation", |b| b["status"] == "confirmed").await?;
        self.client().post(Some(&self.rival), &format!("{path}/cancel"), &json!({})).await?;
        let total = paid["total"]["amount_minor"].clone();
        let payment = format!("/payments/{}", text(&paid["payment"], "id")?);
        let back = |p: &Value| p["refunded"]["amount_minor"] == total;
        self.client().until(&self.rival, &payment, "the refund", back).await?;
        telling.did(&format!(
            "a guest canceled weeks ahead: {} went back, by the policy that was quoted",
            money(&paid["total"])?
        ));
        Ok(())
    }

    /// A request by the rival that waits for the host.
    async fn request(&self, days: u64) -> Result<String> {
        let mut wish = self.enquiry(days, 2);
        wish["payment_method"] = "pm_card_ok".into();
        let booking = self.client().post(Some(&self.rival), "/bookings", &wish).await?;
        let id = text(&booking, "id")?.to_owned();
        let path = format!("/bookings/{id}");
        self.client().until(&self.rival, &path, "the authorisation", |b| b["phase"] == "awaiting_host").await?;
        Ok(id)
    }

    /// The clock moves past check-in, payout and check-out.
    async fn stays(&self, telling: &mut Telling, booking: &str) -> Result<()> {
        telling.chapter("The clock moves");
        let check_in = self.today + Days::new(AHEAD);
        let arrival = check_in.and_hms_opt(20, 0, 0).context("eight in the evening exists")?.and_utc();
        advance(self.client(), arrival).await?;
        telling.did(&format!("{check_in}, evening: {} has arrived", self.guest.name));
        advance(self.client(), arrival + chrono::TimeDelta::days(2)).await?;
        let sent =
            |payouts: &Value| payouts["data"].as_array().is_some_and(|list| list.iter().any(|p| p["status"] == "paid"));
        let payouts = self.client().until(&self.host, "/payouts", "the payout", sent).await?;
        telling.did(&format!(
            "a day after check-in the host's share was released, and the next payout run sent {}",
            money(&payouts["data"][0]["amount"])?
        ));
        advance(self.client(), arrival + chrono::TimeDelta::days(i64::try_from(NIGHTS + AFTERWARDS)?)).await?;
        let path = format!("/bookings/{booking}");
        self.client().until(&self.guest, &path, "the completion", |b| b["status"] == "completed").await?;
        telling.did("checked out: the booking is completed");
        Ok(())
    }

    async fn timeline(&self, booking: &str) -> Result<Vec<String>> {
        let told = self.client().get(Some(&self.guest), &format!("/bookings/{booking}/timeline")).await?;
        let entries = told["data"].as_array().context("a timeline has entries")?;
        let line = |entry: &Value| {
            let amount = money(&entry["amount"]).map(|m| format!("  {m}")).unwrap_or_default();
            Ok(format!(
                "{}  {:<24} {:<16} {}{amount}",
                text(entry, "at")?,
                text(entry, "what")?,
                text(entry, "phase")?,
                text(entry, "by")?
            ))
        };
        entries.iter().map(line).collect()
    }
}

async fn clock(client: &Client) -> Result<DateTime<Utc>> {
    let seen = client.get(None, "/sandbox/clock").await?;
    text(&seen, "now")?.parse().context("read the business clock")
}

async fn advance(client: &Client, to: DateTime<Utc>) -> Result<()> {
    client.post(None, "/sandbox/clock", &json!({ "to": to })).await.map(drop)
}

/// `{"amount_minor": 41200, "currency": "EUR"}` → `412.00 EUR`.
fn money(value: &Value) -> Result<String> {
    let money: domain::Money =
        serde_json::from_value(value.clone()).with_context(|| format!("read money from {value}"))?;
    Ok(money.to_string())
}
