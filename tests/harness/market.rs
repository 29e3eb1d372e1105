//! Homes to book, and what guests and hosts do with them over HTTP.

use chrono::{Days, NaiveDate, TimeDelta};
use domain::{BookingId, ImageId, PropertyId};
use integrations::payments::sandbox::{BookedIntent, Books, SandboxGateway};
use reqwest::Method;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use store::ImageStatus;
use store::images::{self, Image};

use crate::TestApp;
use crate::app::{Reply, Signed, authorized, send};

impl Signed {
    /// The token, as requests take it.
    pub fn token(&self) -> Option<&str> {
        Some(&self.access)
    }
}

impl Reply {
    /// A text of the body.
    pub fn text(&self, pointer: &str) -> String {
        let text = self.body.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("there is no text at {pointer} of {}", self.body)).to_owned()
    }

    /// The same answer, once its status is as expected.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// The same answer, once it is this problem.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.code()), (status, code), "{}", self.body);
        self
    }
}

/// A home as tests have it: 100.00 a night and 40.00 for cleaning, in Lyon.
pub fn apartment() -> Value {
    json!({
        "title": "Under the roofs", "kind": "apartment", "time_zone": "Europe/Paris", "policy": "flexible",
        "place": {"city": "Lyon", "country": "FR", "latitude": 45.764, "longitude": 4.8357},
        "capacity": {"guests": 4, "infants": 1, "pets": 0},
        "price": {
            "nightly": {"amount_minor": 10000, "currency": "EUR"},
            "cleaning": {"amount_minor": 4000, "currency": "EUR"},
        },
    })
}

/// The same home where the host need not answer.
pub fn instant() -> Value {
    let mut home = apartment();
    home["instant_book"] = true.into();
    home
}

impl TestApp {
    /// Asks for something under this idempotency key.
    pub async fn keyed(&self, path: &str, who: &Signed, key: &str, body: Value) -> Reply {
        let request = authorized(self.request(Method::POST, path), who.token());
        send(request.header("idempotency-key", key).json(&body)).await
    }

    /// Asks for something under a key of its own.
    pub async fn command(&self, path: &str, who: &Signed, body: Value) -> Reply {
        let key = format!("{:032x}", rand::random::<u128>());
        self.keyed(path, who, &key, body).await
    }

    /// Changes something, based on this version.
    pub async fn patch(&self, path: &str, who: &Signed, tag: &str, body: Value) -> Reply {
        send(authorized(self.request(Method::PATCH, path), who.token()).header("if-match", tag).json(&body)).await
    }

    /// A home of this host that guests can book.
    pub async fn home(&self, host: &Signed, listing: Value) -> String {
        let begun = self.post("/properties", host.token(), listing).await.is(201);
        let id = begun.text("/id");
        self.hang_a_picture(&id).await;
        let tag = begun.headers["etag"].to_str().expect("a tag is text").to_owned();
        self.patch(&format!("/properties/{id}"), host, &tag, json!({"status": "published"})).await.is(200);
        id
    }

    /// A photograph that is ready, without the work of making one.
    pub async fn hang_a_picture(&self, property: &str) {
        let now = self.app.engine.now().await.expect("a clock");
        let image = Image {
            id: ImageId::mint(now, rand::random()),
            property: property.parse::<PropertyId>().expect("an id"),
            status: ImageStatus::Ready,
            position: 0,
            caption: None,
            content_type: "image/jpeg".to_owned(),
            bytes: 1,
            found: None,
            variants: vec![],
            failure: None,
            created_at: now,
            updated_at: now,
        };
        images::put(&self.db.connection, &[image]).await.expect("a row");
    }

    /// The date so many days from today.
    pub async fn day(&self, ahead: u64) -> NaiveDate {
        self.app.engine.now().await.expect("a clock").date_naive() + Days::new(ahead)
    }

    /// A booking of so many nights, so many days from today, paid with this card.
    pub async fn order(&self, property: &str, (ahead, nights): (u64, u64), card: &str) -> Value {
        let (check_in, check_out) = (self.day(ahead).await, self.day(ahead + nights).await);
        json!({
            "property_id": property, "check_in": check_in, "check_out": check_out,
            "guests": {"adults": 2}, "payment_method": card,
        })
    }

    /// Books, and does what that sets going.
    pub async fn book(&self, guest: &Signed, order: Value) -> String {
        let made = self.command("/bookings", guest, order).await.is(201);
        self.settle().await;
        made.text("/id")
    }

    /// A booking as this person sees it.
    pub async fn booking(&self, who: &Signed, id: &str) -> Value {
        self.get(&format!("/bookings/{id}"), who.token()).await.is(200).body
    }

    /// Where a booking stands.
    pub async fn phase(&self, who: &Signed, id: &str) -> String {
        self.booking(who, id).await["phase"].as_str().unwrap_or_default().to_owned()
    }

    /// Moves the business clock, doing what falls due on the way.
    pub async fn advance(&self, by: TimeDelta) {
        let seconds = by.num_seconds();
        self.post("/sandbox/clock", None, json!({"seconds": seconds})).await.is(200);
    }

    /// The gateway's stand-in.
    pub fn gateway(&self) -> &SandboxGateway {
        &self.app.sandbox.as_ref().expect("tests run in a sandbox").gateway
    }

    /// What the gateway says has happened.
    pub async fn books(&self) -> Books {
        self.gateway().books().await.expect("the gateway's books")
    }

    /// What the gateway knows of a booking.
    pub async fn intents(&self, booking: &str) -> Vec<BookedIntent> {
        let id: BookingId = booking.parse().expect("an id");
        self.books().await.of(id).cloned().collect()
    }

    /// Lets the gateway tell us what it has to tell, and does what that sets going.
    pub async fn hear_the_gateway(&self) -> usize {
        let url = format!("http://{}/webhooks/sandbox", self.address);
        let delivered = self.gateway().deliver_webhooks(&self.http, &url).await.expect("messages are delivered");
        self.settle().await;
        delivered
    }

    /// What all accounts of the ledger add up to, by currency; every number must be zero.
    pub async fn trial_balance(&self) -> Vec<(String, i64)> {
        let sums = "select currency, cast(sum(amount_minor) as bigint) as balance from ledger_leg group by currency";
        let rows = self.db.connection.query_all_raw(self.sql(sums)).await.expect("the ledger can be read");
        let pair = |row: &sea_orm::QueryResult| {
            (row.try_get("", "currency").expect("a currency"), row.try_get("", "balance").expect("a sum"))
        };
        rows.iter().map(pair).collect()
    }

    /// What one account of the ledger holds, in minor units.
    pub async fn balance(&self, account: &str) -> i64 {
        let sum = format!(
            "select cast(coalesce(sum(amount_minor), 0) as bigint) as balance from ledger_leg where account = '{account}'"
        );
        let row = self.db.connection.query_one_raw(self.sql(&sum)).await.expect("the ledger can be read");
        row.expect("a sum").try_get("", "balance").expect("a number")
    }

    /// How many letters of this subject somebody was sent.
    pub fn letters(&self, address: &str, subject: &str) -> usize {
        self.outbox.to(address).iter().filter(|letter| letter.subject.contains(subject)).count()
    }
}
