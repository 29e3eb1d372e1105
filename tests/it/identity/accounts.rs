//! Making an account, proving its address, saying something about oneself.

use futures::future::join_all;
use harness::app::{PASSWORD, Reply, Signed, authorized, send};
use harness::{TestApp, TestDatabase, on_both};
use reqwest::Method;
use serde_json::{Value, json};

fn account(email: &str) -> Value {
    json!({"email": email, "password": PASSWORD, "name": "Anna Huber"})
}

fn credentials(email: &str) -> Value {
    json!({"email": email, "password": PASSWORD})
}

/// What a stranger can tell from an answer.
fn face(reply: &Reply) -> (u16, Value, Vec<String>) {
    let mut headers: Vec<String> = reply.headers.keys().map(ToString::to_string).collect();
    headers.sort();
    (reply.status, reply.body.clone(), headers)
}

async fn a_person_comes_in_and_goes_out(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let anna = house.person("Anna@Example.org").await;
    let token = Some(anna.access.as_str());
    let profile = house.get("/profile", token).await;
    assert_eq!(profile.body["email"], "anna@example.org");
    let patch = json!({"phone": "+43123456789", "locale": "de-AT"});
    let request = authorized(house.request(Method::PATCH, "/profile"), token);
    let changed = send(request.header("content-type", "application/merge-patch+json").body(patch.to_string())).await;
    assert_eq!((&changed.body["phone"], &changed.body["name"]), (&json!("+43123456789"), &json!("A Person")));
    let emptied = send(authorized(house.request(Method::PATCH, "/profile"), token).json(&json!({"phone": null}))).await;
    assert_eq!(emptied.body["phone"], Value::Null);
    let refused =
        send(authorized(house.request(Method::PATCH, "/profile"), token).json(&json!({"role": "operator"}))).await;
    assert_eq!((refused.status, refused.body["errors"][0]["pointer"].as_str()), (422, Some("/role")));
    assert_eq!(house.post("/logout", token, json!({})).await.status, 204);
    assert_eq!(house.get("/profile", token).await.code(), "session_ended");
    assert_eq!(house.get("/profile", None).await.code(), "not_signed_in");
}

async fn strangers_cannot_tell_who_has_an_account(db: TestDatabase) {
    let house = TestApp::open(db).await;
    house.person("anna@example.org").await;
    house.post("/register", None, account("waiting@example.org")).await;
    for path in ["/register", "/verify-email/resend"] {
        let body = |email: &str| if path == "/register" { account(email) } else { json!({"email": email}) };
        let known = house.post(path, None, body("anna@example.org")).await;
        let waiting = house.post(path, None, body("waiting@example.org")).await;
        let unknown = house.post(path, None, body("nobody@example.org")).await;
        assert_eq!(face(&known), face(&unknown), "{path}");
        assert_eq!(face(&known), face(&waiting), "{path}");
    }
    let wrong = json!({"email": "anna@example.org", "password": "not the password"});
    let known = house.post("/login", None, wrong).await;
    let unknown = house.post("/login", None, credentials("really-nobody@example.org")).await;
    let unproved =
        house.post("/login", None, json!({"email": "waiting@example.org", "password": "not the password"})).await;
    for (reply, who) in [(&known, "known"), (&unknown, "unknown"), (&unproved, "unproved")] {
        assert_eq!((reply.status, reply.code()), (401, "wrong_credentials"), "{who}");
    }
    house.settle().await;
    let letters = house.outbox.to("anna@example.org");
    assert_eq!(letters.last().unwrap().subject, "You have an account already");
    assert!(house.outbox.to("really-nobody@example.org").is_empty());
}

async fn nobody_signs_in_before_the_address_is_proved(db: TestDatabase) {
    let house = TestApp::open(db).await;
    house.post("/register", None, account("anna@example.org")).await;
    let early = house.post("/login", None, credentials("anna@example.org")).await;
    assert_eq!((early.status, early.code()), (403, "email_unverified"));
    house.settle().await;
    let proof = json!({"token": house.link_token("anna@example.org")});
    let tries = join_all((0..20).map(|_| house.post("/verify-email", None, proof.clone()))).await;
    let proved = tries.iter().filter(|reply| reply.status == 204).count();
    assert_eq!(proved, 1, "a link works once");
    assert!(tries.iter().filter(|reply| reply.status != 204).all(|reply| reply.code() == "link_expired"));
    assert_eq!(house.post("/login", None, credentials("anna@example.org")).await.status, 200);
}

async fn a_link_has_its_time_and_its_password(db: TestDatabase) {
    let house = TestApp::open(db).await;
    house.post("/register", None, account("anna@example.org")).await;
    house.settle().await;
    let mine = json!({"token": house.link_token("anna@example.org")});
    let other = json!({"email": "anna@example.org", "password": "set by somebody else", "name": "Eve"});
    house.post("/register", None, other).await;
    let void = house.post("/verify-email", None, mine).await;
    assert_eq!(void.code(), "link_expired", "my link must not let in somebody else's password");
    house.settle().await;
    let theirs = json!({"token": house.link_token("anna@example.org")});
    house.seconds_later(3601);
    assert_eq!(house.post("/verify-email", None, theirs).await.code(), "link_expired");
    house.post("/verify-email/resend", None, json!({"email": "anna@example.org"})).await;
    house.settle().await;
    let again = json!({"token": house.link_token("anna@example.org")});
    assert_eq!(house.post("/verify-email", None, again).await.status, 204);
}

async fn registering_twice_with_one_key_is_one_registration(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let ask = |body: Value| {
        let request = house.request(Method::POST, "/register").header("idempotency-key", "k1");
        async move { send(request.json(&body)).await }
    };
    let first = ask(account("anna@example.org")).await;
    let second = ask(account("anna@example.org")).await;
    assert_eq!((first.status, second.status), (202, 202));
    assert!(first.headers.get("idempotency-replayed").is_none());
    assert_eq!(second.headers["idempotency-replayed"], "true");
    let mut other = account("anna@example.org");
    other["name"] = json!("Somebody else");
    let reused = ask(other).await;
    assert_eq!((reused.status, reused.code()), (422, "idempotency_key_reused"));
    house.settle().await;
    assert_eq!(house.outbox.to("anna@example.org").len(), 1);
}

/// How old a kept answer is is asked of one clock: the database's, whatever the machine believes that answered.
async fn a_machine_that_is_days_behind_keeps_its_answers_as_long_as_any(db: TestDatabase) {
    let house = TestApp::open(db).await;
    house.seconds_later(-4 * 86_400);
    let ask = async || {
        let request = house.request(Method::POST, "/register").header("idempotency-key", "k1");
        send(request.json(&account("anna@example.org"))).await
    };
    assert_eq!(ask().await.status, 202);
    let now = house.app.engine.real_now().await.unwrap();
    let forget = async |age: i64| {
        let before = now - chrono::TimeDelta::seconds(age);
        store::idempotency::forget_before(&house.db.connection, before).await.unwrap()
    };
    assert_eq!(forget(60).await, 0, "an answer of this minute is no minute old");
    assert_eq!(ask().await.headers["idempotency-replayed"], "true");
    assert_eq!(forget(-60).await, 1, "nor is it of tomorrow");
    house.settle().await;
}

async fn bad_passwords_are_refused_with_a_pointer(db: TestDatabase) {
    let house = TestApp::open(db).await;
    for (password, code) in [("short", "too_short"), ("password123", "too_common"), (&"x".repeat(300), "too_long")] {
        let refused =
            house.post("/register", None, json!({"email": "a@example.org", "password": password, "name": "A"})).await;
        let flaw = &refused.body["errors"][0];
        assert_eq!((refused.status, &flaw["pointer"], &flaw["code"]), (422, &json!("/password"), &json!(code)));
    }
    let huge = house.post("/login", None, json!({"email": "a@example.org", "password": "x".repeat(1 << 20)})).await;
    assert_eq!(huge.status, 413);
}

async fn a_form_hears_of_everything_that_is_wrong_with_it(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let flaws = async |form: Value| {
        let refused = house.post("/register", None, form).await.refused(422, "invalid_body");
        let flaws = refused.body["errors"].as_array().unwrap().iter();
        flaws.map(|flaw| format!("{} {}", flaw["pointer"], flaw["code"]).replace('"', "")).collect::<Vec<_>>()
    };
    let form = json!({"email": "no address", "password": "short", "locale": 7, "currency": "XXX"});
    let all = ["/email invalid_value", "/name missing", "/locale wrong_type", "/currency invalid_value"];
    assert_eq!(flaws(form).await, [&all[..], &["/password too_short"]].concat());
    let form = json!({"email": "no address", "password": "anna huber 1990", "name": "Anna Huber"});
    assert_eq!(
        flaws(form).await,
        ["/email invalid_value", "/password too_common"],
        "a name is known without an address"
    );
    let mut form = account("anna@example.org");
    form["currency"] = json!("usd");
    house.post("/register", None, form).await.is(202);
    house.settle().await;
    let proof = json!({"token": house.link_token("anna@example.org")});
    house.post("/verify-email", None, proof).await.is(204);
    let anna = Signed::from(house.post("/login", None, credentials("anna@example.org")).await);
    assert_eq!(house.get("/profile", anna.token()).await.body["currency"], "USD");
}

async fn guessing_has_an_end_but_the_owner_gets_in(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let Signed { .. } = house.person("anna@example.org").await;
    let mut last = None;
    for _ in 0..12 {
        last =
            Some(house.post("/login", None, json!({"email": "eve@example.org", "password": "a guess, a guess"})).await);
    }
    let last = last.unwrap();
    assert_eq!((last.status, last.code()), (429, "too_many_tries"));
    let wait: u32 = last.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(wait > 0);
    assert_eq!(last.headers["ratelimit-policy"], "\"account\";q=10;w=400");
    assert_eq!(last.headers["ratelimit"], format!("\"account\";r=0;t={wait}"));
    assert_eq!(house.post("/login", None, credentials("anna@example.org")).await.status, 200);
}

on_both!(
    a_person_comes_in_and_goes_out,
    strangers_cannot_tell_who_has_an_account,
    nobody_signs_in_before_the_address_is_proved,
    a_link_has_its_time_and_its_password,
    registering_twice_with_one_key_is_one_registration,
    a_machine_that_is_days_behind_keeps_its_answers_as_long_as_any,
    bad_passwords_are_refused_with_a_pointer,
    a_form_hears_of_everything_that_is_wrong_with_it,
    guessing_has_an_end_but_the_owner_gets_in,
);
