//! People who use an installation over HTTP, and read the letters that it writes for them.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Days, Utc};
use harness::app::{PASSWORD, Reply, Signed, authorized, send};
use harness::picture::PIXEL;
use harness::wait;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use super::installation::LIMIT;

/// An API and the folder of its letters.
pub(super) struct Site {
    /// Its root.
    pub url: String,
    http: Client,
    mail: PathBuf,
    requests: AtomicU32,
}

impl Site {
    pub(super) fn new(url: String, mail: PathBuf) -> Result<Self> {
        let http = Client::builder().timeout(LIMIT).no_proxy().build()?;
        Ok(Self { url, http, mail, requests: AtomicU32::new(0) })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub(super) async fn get(&self, who: Option<&Signed>, path: &str) -> Reply {
        send(authorized(self.request(Method::GET, path), who.map(|signed| signed.access.as_str()))).await
    }

    /// Asks for something, under an idempotency key of its own.
    pub(super) async fn post(&self, who: Option<&Signed>, path: &str, body: &Value) -> Reply {
        let key = format!("request-{}", self.requests.fetch_add(1, Ordering::Relaxed));
        let request = authorized(self.request(Method::POST, path), who.map(|signed| signed.access.as_str()));
        send(request.header("idempotency-key", key).json(body)).await
    }

    /// Makes an account, proves its address by the letter, and signs in.
    pub(super) async fn person(&self, email: &str) -> Result<Signed> {
        let account = json!({ "email": email, "password": PASSWORD, "name": "A Person" });
        let made = self.post(None, "/register", &account).await;
        ensure!(made.status == 202, "{made:?}");
        let token = wait::until(LIMIT, "the letter", || std::future::ready(self.link_token(email))).await?;
        let proved = self.post(None, "/verify-email", &json!({ "token": token })).await;
        ensure!(proved.status == 204, "{proved:?}");
        Ok(self.log_in(email).await.into())
    }

    pub(super) async fn log_in(&self, email: &str) -> Reply {
        self.post(None, "/login", &json!({ "email": email, "password": PASSWORD })).await
    }

    fn link_token(&self, email: &str) -> Option<String> {
        let letters = fs::read_dir(&self.mail).ok()?.flatten().filter_map(|file| fs::read_to_string(file.path()).ok());
        // Soft line ends and the equals sign are all that quoted-printable does to a link.
        let plain = letters.map(|letter| letter.replace("=\r\n", "").replace("=\n", "").replace("=3D", "="));
        let mine = plain.filter(|letter| letter.lines().any(|line| line.starts_with("To:") && line.contains(email)));
        mine.filter_map(|letter| Some(letter.split_once("verify-email?token=")?.1.to_owned())).find_map(|rest| {
            rest.split_whitespace().next().map(|token| token.trim_end_matches(['"', '>', ')']).to_owned())
        })
    }

    /// A published home.
    pub(super) async fn home(&self, host: &Signed) -> Result<String> {
        let draft = self.post(Some(host), "/properties", &loft()).await;
        ensure!(draft.status == 201, "{draft:?}");
        let id = text(&draft.body, "id")?.to_owned();
        let path = format!("/properties/{id}");
        self.photograph(host, &path).await?;
        let home = self.get(Some(host), &path).await;
        let tag = home.headers.get("etag").context("a draft has an ETag")?;
        let request = self.request(Method::PATCH, &path).bearer_auth(&host.access);
        let request = request.header("if-match", tag).header("content-type", "application/merge-patch+json");
        let published = send(request.body(json!({ "status": "published" }).to_string())).await;
        ensure!(published.status == 200, "{published:?}");
        Ok(id)
    }

    async fn photograph(&self, host: &Signed, home: &str) -> Result<()> {
        let announced = json!({ "content_type": "image/png", "bytes": PIXEL.len() });
        let place = self.post(Some(host), &format!("{home}/images"), &announced).await.body;
        let target = self.http.put(text(&place["upload"], "url")?).header("content-type", "image/png");
        ensure!(target.body(PIXEL).send().await?.status() == 204, "the upload was taken: {place}");
        let image = text(&place, "id")?;
        self.post(Some(host), &format!("{home}/images/{image}/complete"), &json!({})).await;
        let ready = async || (self.get(Some(host), home).await.body["photos"][0]["status"] == "ready").then_some(());
        wait::until(LIMIT, "the photograph", ready).await
    }

    /// A booking of two nights, so many days ahead; returns its id at once.
    pub(super) async fn book(&self, guest: &Signed, home: &str, ahead: u64) -> Result<String> {
        let now: DateTime<Utc> = text(&self.get(None, "/sandbox/clock").await.body, "now")?.parse()?;
        let check_in = now.date_naive() + Days::new(ahead);
        let wish = json!({
            "property_id": home,
            "check_in": check_in,
            "check_out": check_in + Days::new(2),
            "guests": { "adults": 2 },
            "payment_method": "pm_card_ok",
        });
        let booked = self.post(Some(guest), "/bookings", &wish).await;
        ensure!(booked.status == 201, "{booked:?}");
        Ok(text(&booked.body, "id")?.to_owned())
    }

    /// Waits until the booking has come this far.
    pub(super) async fn until_phase(&self, who: &Signed, booking: &str, phase: &str) -> Result<Value> {
        let path = format!("/bookings/{booking}");
        let look = async || Some(self.get(Some(who), &path).await.body).filter(|body| body["phase"] == phase);
        wait::until(LIMIT, &format!("{booking} to be {phase}"), look).await
    }
}

pub(super) fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().with_context(|| format!("{field} is missing in {value}"))
}

fn loft() -> Value {
    let euro = |minor: i64| json!({ "amount_minor": minor, "currency": "EUR" });
    json!({
        "title": "Loft in Lisbon",
        "description": "A quiet loft within walking distance of everything.",
        "kind": "apartment",
        "place": { "city": "Lisbon", "country": "PT", "latitude": 38.71, "longitude": -9.14 },
        "time_zone": "Europe/Lisbon",
        "capacity": { "guests": 2, "infants": 1, "pets": 0 },
        "price": { "nightly": euro(8_000), "weekend": euro(9_000), "cleaning": euro(3_500) },
        "policy": "flexible",
        "instant_book": false,
    })
}
