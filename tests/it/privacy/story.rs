//! A stay from the first letter to the payout, with what goes wrong beside it, told by people who give away everything.

use chrono::{NaiveDate, NaiveTime, TimeDelta};
use engine::Settling;
use harness::TestApp;
use harness::app::Signed;
use serde_json::{Value, json};

use super::canaries::{CARD, PASSWORDS, home};
use crate::bad_input::cast::PIXEL;
use crate::bad_input::door::{Ask, Door};
use crate::bad_input::examples::signature;

/// What only its owner may ever hold.
pub(super) struct Told {
    pub(super) secrets: Vec<(&'static str, String)>,
    /// The letters that went to the guest.
    pub(super) letters: Vec<String>,
}

struct Teller {
    house: TestApp,
    door: Door,
    secrets: Vec<(&'static str, String)>,
    commands: u32,
}

const GUEST: &str = "Zqmail.anna@example.org";
const AGENT: &str = "Zqagent/1.0 (of Anna)";

pub(super) async fn play(house: TestApp) -> Told {
    let door = Door::of(&house);
    let mut teller = Teller { house, door, secrets: Vec::new(), commands: 0 };
    // The first look at a schedule starts its count.
    teller.house.app.engine.fire_ticks().await.unwrap();
    let host = teller.arrive("Zqhostmail@example.org").await;
    let guest = teller.arrive(GUEST).await;
    let profile = json!({"name": "Zqnewname Huber", "phone": "+43987650123"});
    teller.door.done(teller.ask("PATCH", "/profile", Some(&guest)).json(&profile)).await;
    teller.mistakes(&guest).await;
    let home = teller.offer(&host).await;
    teller.look(&guest, &home).await;
    teller.stay(&host, &guest, &home).await;
    let letters = teller.house.outbox.to(&GUEST.to_lowercase());
    Told { secrets: teller.secrets, letters: letters.into_iter().map(|letter| letter.text).collect() }
}

impl Teller {
    fn ask(&self, method: &str, path: &str, who: Option<&Signed>) -> Ask {
        let ask = Ask::new(method, path).with("user-agent", AGENT);
        who.map_or(ask.clone(), |who| ask.by(&who.access))
    }

    async fn post(&mut self, path: &str, who: Option<&Signed>, body: Value) -> Value {
        self.commands += 1;
        let key = format!("Zqkey of Anna Huber {}", self.commands);
        let done = self.door.done(self.ask("POST", path, who).with("idempotency-key", key).json(&body)).await;
        self.house.settle().await;
        done
    }

    async fn get(&self, path: &str, who: &Signed) -> Value {
        self.door.done(self.ask("GET", path, Some(who))).await
    }

    async fn refused(&self, ask: Ask) {
        let answer = self.door.send(&ask).await;
        assert!((400..500).contains(&answer.status), "{} {}: {}", ask.method, ask.path, answer.text());
    }

    async fn arrive(&mut self, email: &str) -> Signed {
        let account = json!({"email": email, "password": PASSWORDS[0], "name": "Zqname Huber"});
        self.post("/register", None, account.clone()).await;
        self.post("/verify-email/resend", None, json!({"email": email})).await;
        let proof = self.house.link_token(email);
        self.post("/verify-email", None, json!({"token": proof})).await;
        self.post("/register", None, account).await;
        let tokens = self.post("/login", None, json!({"email": email, "password": PASSWORDS[0]})).await;
        let first = tokens["refresh_token"].as_str().unwrap().to_owned();
        let renewed = self.post("/login/refresh", None, json!({"refresh_token": first})).await;
        let text = |name: &str| renewed[name].as_str().unwrap().to_owned();
        let signed =
            Signed { session: text("session_id"), access: text("access_token"), refresh: text("refresh_token") };
        self.secrets.extend([
            ("a verification token", proof),
            ("a replaced refresh token", first),
            ("a refresh token", signed.refresh.clone()),
            ("an access token", signed.access.clone()),
        ]);
        signed
    }

    /// What goes wrong is logged more often than what goes well.
    async fn mistakes(&self, guest: &Signed) {
        let wrong = json!({"email": "zqmail.anna@example.org", "password": PASSWORDS[1]});
        self.refused(self.ask("POST", "/login", None).json(&wrong)).await;
        self.refused(
            self.ask("POST", "/login", None).json(&json!({"email": "zqtypo@example.org", "password": PASSWORDS[1]})),
        )
        .await;
        for body in [
            json!({"email": "zqtypo", "password": PASSWORDS[1], "name": "Zqname"}),
            json!({"email": "zqtypo@example.org", "password": "short", "name": {"zqname": "zqname"}}),
            json!({"email": "zqtypo@example.org", "password": PASSWORDS[1], "name": "Zqname", "zqmail": "zqmail"}),
        ] {
            self.refused(self.ask("POST", "/register", None).json(&body)).await;
        }
        let cut = json!({"name": "Zqname"}).to_string();
        self.refused(self.ask("PATCH", "/profile", Some(guest)).json(&json!({})).bytes(&cut.as_bytes()[..12])).await;
        self.refused(self.ask("GET", "/search?city=zqtown&zqname=zqname", None)).await;
        self.refused(self.ask("GET", "/zqmail@example.org", None)).await;
        self.refused(self.ask("GET", "/bookings/zqmail@example.org", Some(guest))).await;
        self.refused(self.ask("GET", "/profile", None).by("zqpassword of the guest")).await;
    }

    async fn offer(&mut self, host: &Signed) -> String {
        let begun = self.post("/properties", Some(host), home()).await;
        let id = begun["id"].as_str().unwrap().to_owned();
        let file = json!({"content_type": "image/png", "bytes": PIXEL.len(), "caption": "Zqcaption at the window"});
        let told = self.post(&format!("/properties/{id}/images"), Some(host), file).await;
        let url = told["upload"]["url"].as_str().unwrap();
        let path = &url[url.find("/sandbox").unwrap()..];
        self.door.done(self.ask("PUT", path, None).with("content-type", "image/png").bytes(PIXEL)).await;
        let image = told["id"].as_str().unwrap().to_owned();
        self.post(&format!("/properties/{id}/images/{image}/complete"), Some(host), json!({})).await;
        let shown = self.door.send(&self.ask("GET", &format!("/properties/{id}"), Some(host))).await;
        let change = self.ask("PATCH", &format!("/properties/{id}"), Some(host)).with("if-match", shown.header("etag"));
        self.door.done(change.json(&json!({"status": "published", "title": "Chez Zqtitle II"}))).await;
        id
    }

    async fn look(&self, guest: &Signed, home: &str) {
        self.get("/search?city=Zqtown", guest).await;
        self.get(&format!("/properties/{home}"), guest).await;
        self.get(&format!("/properties/{home}/availability"), guest).await;
        for list in ["/sessions", "/profile", "/bookings", "/payments", "/payouts", "/notifications", "/properties"] {
            self.get(list, guest).await;
        }
    }

    async fn wish(&self, home: &str, (days, card): (i64, &str)) -> (Value, NaiveDate) {
        let check_in = self.house.app.engine.now().await.unwrap().date_naive() + TimeDelta::days(days);
        let order = json!({
            "property_id": home, "check_in": check_in, "check_out": check_in + TimeDelta::days(2), "guests": {"adults": 2},
            "payment_method": card, "client_reference": format!("Zqreference {days}"), "message": "Zqmessage: call me at +43987650123",
        });
        (order, check_in)
    }

    async fn order(&mut self, guest: &Signed, home: &str, wanted: (i64, &str)) -> (String, NaiveDate) {
        let (order, check_in) = self.wish(home, wanted).await;
        let booking = self.post("/bookings", Some(guest), order).await;
        (booking["id"].as_str().unwrap().to_owned(), check_in)
    }

    async fn stay(&mut self, host: &Signed, guest: &Signed, home: &str) {
        let (naive, _) = self.wish(home, (10, CARD)).await;
        self.refused(self.ask("POST", "/bookings", Some(guest)).with("idempotency-key", "naive").json(&naive)).await;
        let (stay, check_in) = self.order(guest, home, (10, "pm_card_action")).await;
        let payment = self.get("/payments", guest).await["data"][0].clone();
        let bank = payment["action_url"].as_str().unwrap();
        let bank = bank[bank.find("/sandbox").unwrap()..].to_owned();
        self.post(&bank, None, json!({"answer": "approve"})).await;
        let intent = bank.rsplit('/').next().unwrap();
        self.webhook(
            &json!({"id": "evt_1", "kind": "intent.authorized", "intent": intent, "created": "2026-01-01T00:00:00Z"}),
        )
        .await;
        self.post(&format!("/bookings/{stay}/accept"), Some(host), json!({})).await;
        let (other, _) = self.order(guest, home, (20, "pm_card_declined")).await;
        self.post("/payments", Some(guest), json!({"booking_id": other, "payment_method": "pm_card_ok"})).await;
        self.post(&format!("/bookings/{other}/decline"), Some(host), json!({})).await;
        let (third, _) = self.order(guest, home, (30, "pm_card_ok")).await;
        self.post(&format!("/bookings/{third}/accept"), Some(host), json!({})).await;
        self.post(&format!("/bookings/{third}/cancel"), Some(guest), json!({})).await;
        let (unpaid, _) = self.order(guest, home, (50, "pm_card_action")).await;
        self.post(&format!("/bookings/{unpaid}/cancel"), Some(guest), json!({})).await;
        let (silent, _) = self.order(guest, home, (40, "pm_card_ok")).await;
        let end = check_in.and_time(NaiveTime::MIN).and_utc() + TimeDelta::days(4);
        self.house.app.engine.advance_to(end, Settling::Inline).await.unwrap();
        for booking in [&stay, &other, &third, &silent] {
            self.get(&format!("/bookings/{booking}/timeline"), host).await;
        }
        assert_eq!(self.get(&format!("/bookings/{stay}"), guest).await["status"], "completed");
        assert!(self.get("/payouts", host).await["data"][0].is_object(), "the host was paid");
        assert!(self.house.hear_the_gateway().await > 0, "the gateway had something to say");
        let message = self.get("/notifications", guest).await["data"][0]["id"].as_str().unwrap().to_owned();
        self.post(&format!("/notifications/{message}/read"), Some(guest), json!({})).await;
    }

    async fn webhook(&self, message: &Value) {
        let body = message.to_string();
        let at = self.house.app.engine.now().await.unwrap().timestamp();
        let ask = self.ask("POST", "/webhooks/sandbox", None).with("sandbox-signature", signature(&body, at));
        self.door.done(ask.with("content-type", "application/json").bytes(body)).await;
        self.house.settle().await;
    }
}
