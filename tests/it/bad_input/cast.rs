//! The people and things that valid requests need: a host, a guest, and somebody whose things are nobody else's business.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use engine::Settling;
use harness::TestApp;
use harness::app::Signed;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use super::door::{Ask, Door};

/// One grey pixel as PNG.
pub(crate) const PIXEL: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00, 0x00, 0x3a, 0x7e, 0x9b, 0x55, 0x00, 0x00, 0x00, 0x0a, 0x49,
    0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x68, 0x00, 0x00, 0x00, 0x82, 0x00, 0x81, 0x77, 0xcd, 0x72, 0xb6, 0x00, 0x00,
    0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

pub(crate) struct Cast {
    pub(crate) house: TestApp,
    pub(crate) door: Door,
    pub(crate) host: Signed,
    pub(crate) guest: Signed,
    pub(crate) operator: Signed,
    /// Somebody else's ids, by their prefixes.
    pub(crate) foreign: BTreeMap<String, String>,
    /// So that no two stays meet and no two keys are the same.
    next: AtomicI64,
    today: NaiveDate,
}

impl Cast {
    /// People only.
    pub(crate) async fn of_people(house: TestApp) -> Self {
        let host = house.person("host@example.org").await;
        let guest = house.person("guest@example.org").await;
        let stranger = house.person("stranger@example.org").await;
        let operator = house.operator("operator@example.org").await;
        let today = house.app.engine.now().await.unwrap().date_naive();
        let foreign = BTreeMap::from([("ses_".to_owned(), stranger.session.clone())]);
        Self { door: Door::of(&house), house, host, guest, operator, foreign, next: AtomicI64::new(1), today }
    }

    /// People, and somebody else's home with a photograph, a quote, a booking, its payment and its messages.
    pub(crate) async fn of_a_market(house: TestApp) -> Self {
        let mut cast = Self::of_people(house).await;
        let [other_host, other_guest] =
            [cast.person("other.host@example.org").await, cast.person("other.guest@example.org").await];
        let home = cast.home(&other_host, true).await;
        let quote = cast.quote(&other_guest, &home).await;
        let booking = cast.booking(&other_guest, &home, "pm_card_ok").await;
        let payment = cast.first("/payments", &other_guest).await;
        let message = cast.first("/notifications", &other_guest).await;
        let draft = cast.draft(&other_host).await;
        let image = cast.photograph(&other_host, &draft).await;
        for id in [draft, image, quote, booking, payment, message] {
            cast.foreign.insert(id[..4].to_owned(), id);
        }
        cast
    }

    async fn person(&self, email: &str) -> Signed {
        self.house.person(email).await
    }

    /// A number that was not used before.
    pub(crate) fn number(&self) -> i64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn post(&self, path: &str, who: &Signed, body: &Value) -> Ask {
        let key = format!("arranged-{}", self.number());
        Ask::new("POST", path).by(&who.access).with("idempotency-key", key).json(body)
    }

    /// The day so many days from today.
    pub(crate) fn day(&self, days: i64) -> String {
        (self.today + TimeDelta::days(days)).to_string()
    }

    /// Two nights that nobody has asked for yet.
    pub(crate) fn stay(&self) -> (String, String) {
        let first = 10 + 3 * self.number();
        (self.day(first), self.day(first + 2))
    }

    /// The newest thing of a list.
    pub(crate) async fn first(&self, list: &str, who: &Signed) -> String {
        let page = self.door.done(Ask::new("GET", list).by(&who.access)).await;
        page["data"][0]["id"].as_str().unwrap_or_else(|| panic!("something in {list}")).to_owned()
    }

    /// Everything that can be said of a home.
    pub(crate) fn description() -> Value {
        let euros = |minor: i64| json!({"amount_minor": minor, "currency": "EUR"});
        json!({
            "status": "draft", "units": 1, "title": "Under the roofs", "description": "Quiet.", "kind": "apartment",
            "place": {"city": "Lyon", "country": "FR", "latitude": 45.76, "longitude": 4.83},
            "time_zone": "Europe/Paris", "check_in_time": "15:00", "check_out_time": "11:00",
            "capacity": {"guests": 4, "infants": 1, "pets": 1},
            "price": {"nightly": euros(9_000), "weekend": euros(11_000), "cleaning": euros(3_000), "pets": euros(500),
                "weekly_discount_bp": 500, "monthly_discount_bp": 1_000},
            "policy": "flexible", "long_policy": "long_term_firm", "instant_book": false,
            "rules": {"min_nights": 1, "max_nights": 28, "advance_notice_days": 0, "booking_window_days": 730,
                "preparation_nights": 0},
        })
    }

    pub(crate) async fn draft(&self, host: &Signed) -> String {
        let begun = self.door.done(self.post("/properties", host, &Self::description())).await;
        begun["id"].as_str().unwrap().to_owned()
    }

    /// Announces a photograph: its id, and the path that takes the file.
    pub(crate) async fn announced(&self, host: &Signed, home: &str) -> (String, String) {
        let body = json!({"content_type": "image/png", "bytes": PIXEL.len(), "caption": "The view"});
        let told = self.door.done(self.post(&format!("/properties/{home}/images"), host, &body)).await;
        let url = told["upload"]["url"].as_str().unwrap();
        let path = &url[url.find("/sandbox").unwrap()..];
        (told["id"].as_str().unwrap().to_owned(), path.to_owned())
    }

    /// A photograph that was sent, but not declared complete.
    pub(crate) async fn photograph(&self, host: &Signed, home: &str) -> String {
        let (id, path) = self.announced(host, home).await;
        self.door.done(Ask::new("PUT", &path).with("content-type", "image/png").bytes(PIXEL)).await;
        id
    }

    pub(crate) async fn tag_of(&self, host: &Signed, home: &str) -> String {
        let shown = self.door.send(&Ask::new("GET", &format!("/properties/{home}")).by(&host.access)).await;
        shown.header("etag").to_owned()
    }

    /// A home that can be booked.
    pub(crate) async fn home(&self, host: &Signed, instant: bool) -> String {
        let home = self.draft(host).await;
        let image = self.photograph(host, &home).await;
        self.door.done(self.post(&format!("/properties/{home}/images/{image}/complete"), host, &json!({}))).await;
        self.house.settle().await;
        let path = format!("/properties/{home}");
        let change = Ask::new("PATCH", &path).by(&host.access).with("if-match", self.tag_of(host, &home).await);
        self.door.done(change.json(&json!({"status": "published", "instant_book": instant}))).await;
        home
    }

    pub(crate) fn enquiry(&self, home: &str) -> Value {
        let (check_in, check_out) = self.stay();
        json!({"property_id": home, "check_in": check_in, "check_out": check_out,
            "guests": {"adults": 2, "children": 1, "infants": 1, "pets": 1}})
    }

    pub(crate) async fn quote(&self, guest: &Signed, home: &str) -> String {
        let quote = self.door.done(self.post("/quotes", guest, &self.enquiry(home))).await;
        quote["id"].as_str().unwrap().to_owned()
    }

    /// A booking, as far as its payment brings it.
    pub(crate) async fn booking(&self, guest: &Signed, home: &str, card: &str) -> String {
        let mut order = self.enquiry(home);
        order["payment_method"] = card.into();
        let booking = self.door.done(self.post("/bookings", guest, &order)).await;
        self.house.settle().await;
        booking["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn advance(&self, to: DateTime<Utc>) {
        self.house.app.engine.advance_to(to, Settling::Inline).await.unwrap();
    }

    /// Puts one piece of waiting work of this name aside, as a failure would, and says which.
    pub(crate) async fn park(&self, name: &str) -> String {
        let connection = &self.house.db.connection;
        let sql = format!(
            "update workflow_work set not_before = 9223372036854775807, holder = null, attempt = attempt + 1,
               error_class = 'misconfigured', last_error = 'wrong password' where name = '{name}'"
        );
        connection.execute_unprepared(&sql).await.unwrap();
        let parked = self.house.app.engine.parked().await.unwrap();
        parked.iter().find(|work| work.name == name).expect("work of this name").work.to_string()
    }
}
