//! One field wrong at a time, at every route that takes a body: a documented problem, never a failure of ours, and nothing written.

use harness::app::{PASSWORD, Reply, Signed, authorized, send};
use harness::market::{apartment, instant};
use harness::{Backend, TestApp, TestDatabase, on_both};
use reqwest::Method;
use sea_orm::ConnectionTrait;
use serde_json::{Map, Value, json};

on_both!(one_wrong_field_is_a_problem_and_writes_nothing, wrong_queries_and_paths_are_problems);

/// A request that would succeed.
struct Good {
    method: Method,
    path: String,
    who: Option<Signed>,
    body: Value,
}

/// Every place in a body, as a JSON pointer.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let beneath: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), field)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(n, item)| (n.to_string(), item)).collect(),
        _ => vec![],
    };
    for (name, field) in beneath {
        let place = format!("{at}/{name}");
        found.push(place.clone());
        places(field, &place, found);
    }
}

/// What a field is replaced with; `None` takes it away.
fn wrong_values() -> Vec<Option<Value>> {
    let texts = ["", "x", "\u{0}", "a\u{0}b", "\u{202e}", "2027-02-30", "99999-01-01", "-0001-01-01", "9999-12-31"];
    let ids = [
        "usr_0192f0c1a2b37c4d8e5f60718293a4b5",
        "prp_0192f0c1a2b37c4d8e5f60718293a4b5",
        "bkg_0192f0c1a2b37c4d8e5f60718293a4b5",
    ];
    let others =
        [json!(null), json!(true), json!(-1), json!(0), json!(1.5), json!(1e300), json!(i64::MAX), json!(i64::MIN)];
    let shapes = [json!([]), json!({}), json!([[[]]]), json!({"x": 1}), json!("x".repeat(20_000))];
    let texts = texts.into_iter().chain(ids).map(Value::from);
    texts.chain(others).chain(shapes).map(Some).chain([None]).collect()
}

/// The body with one place changed.
fn mutated(body: &Value, place: &str, wrong: Option<Value>) -> Value {
    let mut body = body.clone();
    let (parent, name) = place.rsplit_once('/').unwrap();
    match (body.pointer_mut(parent).unwrap(), wrong) {
        (Value::Object(fields), Some(wrong)) => drop(fields.insert(name.to_owned(), wrong)),
        (Value::Object(fields), None) => drop(fields.remove(name)),
        (Value::Array(items), Some(wrong)) => items[name.parse::<usize>().unwrap()] = wrong,
        (Value::Array(items), None) => drop(items.remove(name.parse::<usize>().unwrap())),
        _ => unreachable!("places are in objects and lists"),
    }
    body
}

async fn ask(house: &TestApp, good: &Good, body: &Value) -> Reply {
    let request = authorized(house.request(good.method.clone(), &good.path), good.who.as_ref().and_then(Signed::token));
    let key = format!("{:032x}", rand::random::<u128>());
    send(request.header("idempotency-key", key).header("if-match", "*").json(body)).await
}

/// How many rows there are in all tables together, or none were written.
async fn rows(house: &TestApp) -> i64 {
    let tables = match house.db.backend {
        Backend::Postgres => "select tablename as name from pg_tables where schemaname = 'public'",
        Backend::Sqlite => "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'",
    };
    let tables = house.db.connection.query_all_raw(house.sql(tables)).await.unwrap();
    let count =
        |row: &sea_orm::QueryResult| format!("(select count(*) from {})", row.try_get::<String>("", "name").unwrap());
    let sum = tables.iter().map(count).collect::<Vec<_>>().join(" + ");
    let row = house.db.connection.query_one_raw(house.sql(&format!("select {sum} as n"))).await.unwrap().unwrap();
    row.try_get("", "n").unwrap()
}

#[track_caller]
fn assert_documented(reply: &Reply, asked: &str) {
    assert!(reply.status < 500, "{asked}: {}", reply.body);
    if reply.status >= 400 {
        assert_eq!(reply.headers["content-type"], "application/problem+json", "{asked}");
        let known = api::problem::catalogue::CATALOGUE.iter().any(|kind| kind.status.as_u16() == reply.status);
        assert!(known && !reply.code().is_empty(), "{asked}: {}", reply.body);
    }
}

async fn every_good_request(house: &TestApp) -> Vec<Good> {
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let (home, request) = (house.home(&host, instant()).await, house.home(&host, apartment()).await);
    let declined = house.order(&home, (20, 2), "pm_card_declined").await;
    let declined = house.book(&guest, declined).await;
    let asked = house.order(&request, (20, 2), "pm_card_ok").await;
    let asked = house.book(&guest, asked).await;
    let mut order = house.order(&home, (100, 2), "pm_card_ok").await;
    order["message"] = "Hello".into();
    order["client_reference"] = "r".into();
    order["expected_total"] = json!({"amount_minor": 1, "currency": "EUR"});
    let question = json!({"property_id": home, "check_in": order["check_in"], "check_out": order["check_out"], "guests": {"adults": 1, "children": 0}});
    let mut listing = apartment();
    listing["description"] = "Quiet".into();
    listing["rules"] = json!({"min_nights": 1, "max_nights": 30, "preparation_nights": 0});
    let blocks = json!({"block": [{"from": house.day(200).await, "to": house.day(201).await}]});
    let account =
        json!({"email": "new@example.org", "password": PASSWORD, "name": "N", "locale": "de-AT", "currency": "EUR"});
    let good = |method: Method, path: &str, who: Option<&Signed>, body: Value| Good {
        method,
        path: path.to_owned(),
        who: who.cloned(),
        body,
    };
    let post = |path: &str, who: Option<&Signed>, body: Value| good(Method::POST, path, who, body);
    vec![
        post("/register", None, account),
        post("/verify-email", None, json!({"token": "t"})),
        post("/verify-email/resend", None, json!({"email": "new@example.org"})),
        post("/login", None, json!({"email": "nobody@example.org", "password": "p"})),
        post("/login/refresh", None, json!({"refresh_token": "t"})),
        good(
            Method::PATCH,
            "/profile",
            Some(&guest),
            json!({"name": "N", "phone": "+43123456789", "locale": "de", "currency": "EUR"}),
        ),
        post("/properties", Some(&host), listing.clone()),
        good(Method::PATCH, &format!("/properties/{request}"), Some(&host), listing),
        post(
            &format!("/properties/{home}/images"),
            Some(&host),
            json!({"content_type": "image/png", "bytes": 1, "caption": "c"}),
        ),
        good(Method::PUT, &format!("/properties/{home}/availability"), Some(&host), blocks),
        post("/quotes", Some(&guest), question),
        post("/bookings", Some(&guest), order),
        post(
            "/bookings",
            Some(&guest),
            json!({"quote_id": "quo_0192f0c1a2b37c4d8e5f60718293a4b5", "payment_method": "pm_card_ok"}),
        ),
        post("/payments", Some(&guest), json!({"booking_id": declined, "payment_method": "pm_card_declined"})),
        post(&format!("/bookings/{asked}/accept"), Some(&guest), json!({})),
        post("/sandbox/clock", None, json!({"seconds": 1})),
        post("/sandbox/challenges/pi_x", None, json!({"answer": "approve"})),
    ]
}

async fn one_wrong_field_is_a_problem_and_writes_nothing(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let mut asked = 0;
    for good in every_good_request(&house).await {
        let mut found = vec![];
        places(&good.body, "", &mut found);
        let wrongs = found.iter().flat_map(|place| wrong_values().into_iter().map(move |wrong| (place, wrong)));
        let mut bodies: Vec<Value> = wrongs.map(|(place, wrong)| mutated(&good.body, place, wrong)).collect();
        let mut unknown = good.body.as_object().cloned().unwrap_or_else(Map::new);
        unknown.insert("role".to_owned(), "operator".into());
        bodies.extend([Value::Object(unknown), json!([]), json!(null), json!("x"), json!(1)]);
        let mut before = rows(&house).await;
        for body in bodies {
            let reply = ask(&house, &good, &body).await;
            let what: String = format!("{} {} {body}", good.method, good.path).chars().take(500).collect();
            assert_documented(&reply, &what);
            let after = rows(&house).await;
            assert!(reply.status < 400 || before == after, "{what} was refused and wrote {} rows", after - before);
            (before, asked) = (after, asked + 1);
        }
    }
    assert!(asked > 1_000, "{asked}");
    house.settle().await;
}

async fn wrong_queries_and_paths_are_problems(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let queries = [
        "city=%00",
        "city=%FF",
        "south=NaN&west=0&north=inf&east=0",
        "south=-91&west=0&north=1&east=0",
        "adults=0",
        "adults=256",
        "min_price=99999999999999999999",
        "currency=EUR&min_price=-9223372036854775808",
        "currency=euro&max_price=1",
        "check_in=2027-01-01&check_out=2027-01-01",
        "check_in=0001-01-01&check_out=0001-01-02",
        "check_in=99999-01-01&check_out=99999-01-02",
        "limit=0",
        "limit=x",
        "cursor=%00",
        "sort=dearest",
        "instant_book=yes",
        "x=1",
    ];
    for query in queries {
        assert_documented(&house.get(&format!("/search?{query}"), None).await, query);
    }
    for query in [
        "from=-262144-01-01",
        "from=0001-01-01&to=0001-01-02",
        "to=9999-12-31",
        "from=2027-01-02&to=2027-01-01",
        "from=x",
    ] {
        assert_documented(&house.get(&format!("/properties/{home}/availability?{query}"), None).await, query);
    }
    let listings = [
        "/bookings?as=nobody",
        "/bookings?status=x",
        "/bookings?client_reference=%00",
        "/payments?booking_id=1",
        "/payouts?x=1",
        "/notifications?limit=101",
    ];
    for path in listings {
        let reply = house.get(path, guest.token()).await;
        assert_documented(&reply, path);
        assert!(reply.status == 400 || reply.status == 422, "{path}: {}", reply.status);
    }
    for path in [
        "/properties/x",
        "/properties/%00",
        "/bookings/usr_0192f0c1a2b37c4d8e5f60718293a4b5",
        "/payments/pay_",
        "/quotes/..%2f",
        "/payouts/pot_zz",
        "/sandbox/nothing",
    ] {
        house.get(path, guest.token()).await.refused(404, "not_found");
    }
}
