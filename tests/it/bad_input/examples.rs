//! One valid request for every operation: what the document cannot know, it is told here.

use chrono::TimeDelta;
use harness::app::{PASSWORD, Signed};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::cast::{Cast, PIXEL};
use super::door::Ask;

/// What makes an operation's request valid.
#[derive(Default)]
pub(super) struct Example {
    /// The values of the path's parameters, in order.
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) token: Option<String>,
    pub(super) headers: Vec<(&'static str, String)>,
    /// A JSON Merge Patch for the body that the schema makes.
    pub(super) body: Value,
    /// The whole body, where it is no JSON of ours.
    pub(super) bytes: Option<(&'static str, Vec<u8>)>,
    /// The places of the body where any text is welcome.
    pub(super) free: &'static [&'static str],
}

impl Example {
    fn of(who: &Signed) -> Self {
        Self { token: Some(who.access.clone()), ..Self::default() }
    }

    fn at(mut self, id: impl Into<String>) -> Self {
        self.path.push(id.into());
        self
    }

    fn body(self, body: Value) -> Self {
        Self { body, ..self }
    }

    fn query(self, query: &[(&'static str, &str)]) -> Self {
        Self { query: query.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(), ..self }
    }

    fn free(self, free: &'static [&'static str]) -> Self {
        Self { free, ..self }
    }
}

const PAGE: [(&str, &str); 1] = [("limit", "2")];

/// Operations whose body has more than one valid form.
const OTHER_FORMS: [&str; 4] = [
    "POST /admin/runs/cancel by filter",
    "POST /admin/work/retry by filter",
    "POST /bookings on a quote",
    "POST /sandbox/clock to an instant",
];

/// The forms of an operation's request, by the names that [`example`] knows them under.
pub(super) fn forms(operation: &str) -> Vec<&str> {
    let others = OTHER_FORMS.into_iter().filter(|form| form.starts_with(&format!("{operation} ")));
    std::iter::once(operation).chain(others).collect()
}

/// The valid request; a route without a line here fails the test.
pub(super) async fn example(cast: &Cast, operation: &str) -> Example {
    let nobody = Example::default;
    let guest = || Example::of(&cast.guest);
    let host = || Example::of(&cast.host);
    let operator = || Example::of(&cast.operator);
    match operation {
        "GET /livez" | "GET /readyz" | "GET /openapi.json" | "GET /docs" | "GET /.well-known/jwks.json" => nobody(),
        "POST /register" => {
            let account = json!({"email": "new@example.org", "password": PASSWORD, "name": "Nora", "locale": "de-AT", "currency": "EUR"});
            nobody().body(account).free(&["/password"])
        }
        "GET /" => nobody(),
        "GET /verify-email" => nobody().query(&[("token", "abc")]),
        "PUT /uploads/{token}" => {
            let home = cast.draft(&cast.host).await;
            let (_, path) = cast.announced(&cast.host, &home).await;
            let token = path.rsplit('/').next().unwrap();
            Example { bytes: Some(("image/png", PIXEL.to_vec())), ..nobody().at(token) }
        }
        "POST /verify-email" => nobody().body(json!({"token": waiting(cast, "proof@example.org").await})),
        "POST /verify-email/resend" => {
            waiting(cast, "waiting@example.org").await;
            nobody().body(json!({"email": "waiting@example.org"}))
        }
        "POST /login" => {
            nobody().body(json!({"email": "guest@example.org", "password": PASSWORD})).free(&["/password"])
        }
        "POST /login/refresh" => nobody().body(json!({"refresh_token": again(cast).await.refresh})),
        "POST /logout" => Example::of(&again(cast).await),
        "GET /sessions" => guest().query(&PAGE),
        "DELETE /sessions/{id}" => guest().at(again(cast).await.session),
        "GET /profile" => guest(),
        "PATCH /profile" => {
            guest().body(json!({"name": "Gus", "phone": "+43123456789", "locale": "de-AT", "currency": "EUR"}))
        }
        "GET /properties" => host().query(&PAGE),
        "POST /properties" => host().body(Cast::description()),
        "GET /properties/{id}" => host().at(cast.draft(&cast.host).await),
        "PATCH /properties/{id}" => {
            let home = cast.draft(&cast.host).await;
            let tag = cast.tag_of(&cast.host, &home).await;
            Example { headers: vec![("if-match", tag)], ..host().at(home).body(Cast::description()) }
        }
        "POST /properties/{id}/images" => {
            let file = json!({"content_type": "image/png", "bytes": PIXEL.len(), "caption": "The view"});
            host().at(cast.draft(&cast.host).await).body(file)
        }
        "POST /properties/{id}/images/{image}/complete" => {
            let home = cast.draft(&cast.host).await;
            let image = cast.photograph(&cast.host, &home).await;
            host().at(home).at(image)
        }
        "GET /media/{image}/{file}" => {
            let home = cast.home(&cast.host, false).await;
            let shown = cast.door.done(Ask::new("GET", &format!("/properties/{home}"))).await;
            let mut parts = shown["photos"][0]["variants"][0]["url"].as_str().unwrap().split('/').skip(2);
            nobody().at(parts.next().unwrap()).at(parts.next().unwrap())
        }
        "GET /properties/{id}/availability" => {
            host().at(cast.draft(&cast.host).await).query(&[("from", &cast.day(1)), ("to", &cast.day(9))])
        }
        "PUT /properties/{id}/availability" => {
            let ranges = |from, to| json!([{"from": cast.day(from), "to": cast.day(to)}]);
            host().at(cast.draft(&cast.host).await).body(json!({"block": ranges(3, 5), "open": ranges(6, 8)}))
        }
        "GET /search" => {
            let wish =
                [("city", "Lyon"), ("country", "FR"), ("south", "45"), ("west", "4"), ("north", "46"), ("east", "5")];
            let stay = [("check_in", &cast.day(3)), ("check_out", &cast.day(5))];
            let rest = [
                ("adults", "2"),
                ("children", "1"),
                ("infants", "0"),
                ("pets", "0"),
                ("currency", "EUR"),
                ("min_price", "1"),
                ("max_price", "99999"),
                ("kind", "apartment"),
                ("instant_book", "false"),
                ("sort", "cheapest"),
            ];
            let mut example = nobody().query(&[&wish[..], &rest[..], &PAGE].concat());
            example.query.extend(stay.map(|(name, day)| (name, day.clone())));
            example
        }
        "POST /quotes" => guest().body(cast.enquiry(&cast.home(&cast.host, false).await)),
        "GET /quotes/{id}" => guest().at(cast.quote(&cast.guest, &cast.home(&cast.host, false).await).await),
        "GET /bookings" => guest().query(&[("as", "guest"), ("status", "pending"), ("limit", "2")]),
        "POST /bookings" => {
            let mut order = cast.enquiry(&cast.home(&cast.host, false).await);
            order["client_reference"] = "trip-7".into();
            order["message"] = "We come late.".into();
            guest().body(without(order, &["quote_id", "expected_total"]))
        }
        "POST /bookings on a quote" => {
            let home = cast.home(&cast.host, false).await;
            let asked = cast.post("/quotes", &cast.guest, &cast.enquiry(&home));
            let quote = cast.door.done(asked).await;
            let order =
                json!({"quote_id": quote["id"], "expected_total": quote["total"], "client_reference": "trip-8"});
            guest().body(without(order, &["property_id", "check_in", "check_out", "guests"]))
        }
        "GET /bookings/{id}" | "GET /bookings/{id}/timeline" => guest().at(requested(cast).await),
        "POST /bookings/{id}/accept" | "POST /bookings/{id}/decline" => host().at(requested(cast).await),
        "POST /bookings/{id}/cancel" => guest().at(requested(cast).await),
        "GET /payments" => guest().query(&[("booking_id", &requested(cast).await), ("limit", "2")]),
        "POST /payments" => {
            let home = cast.home(&cast.host, false).await;
            let booking = cast.booking(&cast.guest, &home, "pm_card_declined").await;
            guest().body(json!({"booking_id": booking, "payment_method": "pm_card_ok"}))
        }
        "GET /payments/{id}" => {
            requested(cast).await;
            guest().at(cast.first("/payments", &cast.guest).await)
        }
        "GET /payouts" => host().query(&PAGE),
        "GET /payouts/{id}" => host().at(paid_out(cast).await),
        "GET /notifications" => guest().query(&PAGE),
        "POST /notifications/{id}/read" => {
            requested(cast).await;
            host().at(cast.first("/notifications", &cast.host).await)
        }
        "GET /sandbox/clock" => nobody(),
        "POST /sandbox/clock" => nobody().body(without(json!({"seconds": 1}), &["to"])),
        "POST /sandbox/clock to an instant" => {
            let soon = cast.house.app.engine.now().await.unwrap() + TimeDelta::hours(1);
            nobody().body(without(json!({"to": soon}), &["seconds"]))
        }
        "PUT /sandbox/uploads/{token}" => {
            let (_, path) = cast.announced(&cast.host, &cast.draft(&cast.host).await).await;
            let token = path.rsplit('/').next().unwrap().to_owned();
            Example { bytes: Some(("image/png", PIXEL.to_vec())), ..nobody().at(token) }
        }
        "GET /sandbox/challenges/{intent}" | "POST /sandbox/challenges/{intent}" => {
            let home = cast.home(&cast.host, false).await;
            cast.booking(&cast.guest, &home, "pm_card_action").await;
            let payment = cast.first("/payments", &cast.guest).await;
            let shown = cast.door.done(Ask::new("GET", &format!("/payments/{payment}")).by(&cast.guest.access)).await;
            let url = shown["action_url"].as_str().expect("the bank asks").to_owned();
            let example = nobody().at(url.rsplit('/').next().unwrap());
            if operation.starts_with("GET") { example } else { example.body(json!({"answer": "approve"})) }
        }
        "POST /webhooks/sandbox" => {
            let now = cast.house.app.engine.now().await.unwrap();
            let body =
                json!({"id": "evt_1", "kind": "payment_intent.captured", "intent": "pi_unknown", "created": now})
                    .to_string();
            let headers = vec![("sandbox-signature", signature(&body, now.timestamp()))];
            Example { headers, bytes: Some(("application/json", body.into())), ..nobody() }
        }
        "GET /admin/runs" => operator().query(&[
            ("workflow", "booking"),
            ("state", "AwaitingHost"),
            ("finished", "false"),
            ("unexpected", "false"),
            ("quiet_since", "2030-01-01T00:00:00Z"),
            ("limit", "2"),
        ]),
        "GET /admin/runs/{id}" => {
            operator().at(run_of(&requested(cast).await)).query(&[("at", "2090-01-01T00:00:00Z")])
        }
        "GET /admin/runs/{id}/replay" => operator().at(run_of(&requested(cast).await)),
        "GET /admin/work" => operator().query(&[
            ("workflow", "booking"),
            ("state", "AwaitingHost"),
            ("queue", "engine"),
            ("name", "HostDeadline"),
            ("standing", "parked"),
            ("error_class", "poison"),
            ("due_before", "2030-01-01T00:00:00Z"),
            ("limit", "2"),
        ]),
        "GET /admin/queues" | "GET /admin/schedules" | "GET /admin/brakes" => operator(),
        "GET /admin/census" => operator().query(&[("workflow", "booking")]),
        "GET /admin/events" => operator().query(&[("seconds", "0")]),
        "POST /admin/work/retry" => {
            requested(cast).await;
            let work = cast.park("RemindHalf").await;
            operator().body(without(json!({"work": work}), &["which"]))
        }
        "POST /admin/work/retry by filter" => {
            requested(cast).await;
            cast.park("RemindHalf").await;
            let which = json!({"workflow": "booking", "state": "AwaitingHost", "queue": "engine", "name": "RemindHalf",
                "error_class": "misconfigured", "due_before": "2090-01-01T00:00:00Z"});
            operator().body(without(json!({"which": which}), &["work"]))
        }
        "POST /admin/work/resolve" => {
            let home = cast.draft(&cast.host).await;
            let image = cast.photograph(&cast.host, &home).await;
            let path = format!("/properties/{home}/images/{image}/complete");
            cast.door.done(cast.post(&path, &cast.host, &json!({}))).await;
            let work = cast.park("Process").await;
            let event = json!({"Rejected": {"code": "by_hand"}}).to_string();
            operator().body(without(json!({"work": work, "event": event}), &["which"]))
        }
        "POST /admin/runs/cancel" => {
            operator().body(without(json!({"run": run_of(&requested(cast).await)}), &["which"]))
        }
        "POST /admin/runs/cancel by filter" => {
            let which = json!({"workflow": "booking", "state": "AwaitingHost", "quiet_since": "2090-01-01T00:00:00Z"});
            operator().body(without(json!({"which": which}), &["run"]))
        }
        "POST /admin/workflows/{workflow}/reproject" => {
            operator().at("booking").body(json!({"after": "run_00000000000070008000000000000000"}))
        }
        "POST /admin/brakes/pause" => {
            operator().body(json!({"kind": "queue", "name": "photos", "why": "the darkroom is flooded"}))
        }
        "POST /admin/brakes/resume" => operator().body(json!({"kind": "queue", "name": "photos"})),
        "POST /admin/brakes/limit" => operator().body(json!({"queue": "photos", "at_once": 2})),
        "POST /admin/schedules/{name}/run" => operator().at("payouts").body(json!({})),
        "POST /admin/schedules/{name}/pause" => operator().at("payouts").body(json!({"why": "the bank is closed"})),
        "POST /admin/schedules/{name}/resume" => operator().at("payouts").body(json!({})),
        other => panic!("{other} is a new route: write down a valid request for it here"),
    }
}

/// The run that a booking is.
fn run_of(booking: &str) -> String {
    booking.replace("bkg_", "run_")
}

/// Says of fields that they shall be left out.
fn without(mut body: Value, names: &[&str]) -> Value {
    for name in names {
        body[*name] = Value::Null;
    }
    body
}

/// The target with a JSON Merge Patch laid over it.
pub(super) fn merged(mut target: Value, patch: &Value) -> Value {
    let (Some(fields), Some(changes)) = (target.as_object_mut(), patch.as_object()) else { return patch.clone() };
    for (name, change) in changes {
        match change {
            Value::Null => drop(fields.remove(name)),
            change => {
                let present = fields.remove(name).unwrap_or(json!({}));
                fields.insert(name.clone(), merged(present, change));
            }
        }
    }
    target
}

/// As the gateway signs.
pub(crate) fn signature(body: &str, at: i64) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(b"whsec_test").unwrap().chain_update(format!("{at}.{body}"));
    format!("t={at},v1={}", hex::encode(mac.finalize().into_bytes()))
}

/// Registers somebody who has not proved their address yet: the token of the link.
async fn waiting(cast: &Cast, email: &str) -> String {
    let account = json!({"email": email, "password": PASSWORD, "name": "Walter"});
    cast.door.done(Ask::new("POST", "/register").json(&account)).await;
    cast.house.settle().await;
    cast.house.link_token(email)
}

/// The guest, on another device.
async fn again(cast: &Cast) -> Signed {
    let credentials = json!({"email": "guest@example.org", "password": PASSWORD});
    let tokens = cast.door.done(Ask::new("POST", "/login").json(&credentials)).await;
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    Signed { session: text("session_id"), access: text("access_token"), refresh: text("refresh_token") }
}

/// A booking of the guest that waits for the host.
async fn requested(cast: &Cast) -> String {
    cast.booking(&cast.guest, &cast.home(&cast.host, false).await, "pm_card_ok").await
}

/// A payout to the host, for a stay that has begun.
async fn paid_out(cast: &Cast) -> String {
    let engine = &cast.house.app.engine;
    engine.fire_ticks().await.unwrap();
    let home = cast.home(&cast.host, true).await;
    let booking = cast.booking(&cast.guest, &home, "pm_card_ok").await;
    let shown = cast.door.done(Ask::new("GET", &format!("/bookings/{booking}")).by(&cast.guest.access)).await;
    let check_in: chrono::NaiveDate = shown["check_in"].as_str().unwrap().parse().unwrap();
    cast.advance(check_in.and_time(chrono::NaiveTime::MIN).and_utc() + TimeDelta::days(4)).await;
    cast.first("/payouts", &cast.host).await
}
