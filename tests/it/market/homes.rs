//! Homes: drafted, completed, published, changed, paused; their photographs and calendars; and finding them.

use harness::app::{authorized, send};
use harness::market::{apartment, instant};
use harness::{TestApp, TestDatabase, on_both};
use reqwest::Method;
use serde_json::{Value, json};

on_both!(
    a_draft_is_published_once_nothing_is_missing,
    an_edit_is_based_on_what_was_read,
    a_patch_takes_away_and_keeps,
    a_photograph_becomes_files_that_pages_show,
    a_host_blocks_nights_and_sees_what_changed,
    a_search_finds_what_can_be_booked,
);

fn pointers(reply: &harness::app::Reply) -> Vec<String> {
    let errors = reply.body["errors"].as_array().unwrap().iter();
    errors.map(|error| format!("{} {}", error["pointer"].as_str().unwrap(), error["code"].as_str().unwrap())).collect()
}

async fn a_draft_is_published_once_nothing_is_missing(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, other) = (house.person("host@example.org").await, house.person("other@example.org").await);
    let begun = house.post("/properties", host.token(), json!({"title": "A room"})).await.is(201);
    let path = begun.headers["location"].to_str().unwrap().to_owned();
    assert_eq!((&begun.body["status"], &begun.body["price"]["nightly"]), (&json!("draft"), &Value::Null));
    let refused = house.patch(&path, &host, "\"v1\"", json!({"status": "published"})).await.is(422);
    let missing = [
        "/kind missing",
        "/place/city missing",
        "/place/country missing",
        "/place/latitude missing",
        "/place/longitude missing",
        "/time_zone missing",
        "/capacity/guests missing",
        "/price/nightly missing",
        "/photos missing",
    ];
    assert_eq!(pointers(&refused), missing);
    assert_eq!(house.get(&path, other.token()).await.status, 404);
    assert_eq!(house.get(&path, None).await.status, 404);
    let changed = house.patch(&path, &host, "\"v1\"", apartment()).await.is(200);
    assert_eq!(changed.headers["etag"], "\"v2\"");
    house.hang_a_picture(&begun.text("/id")).await;
    house.patch(&path, &host, "\"v2\"", json!({"status": "published"})).await.is(200);
    let public = house.get(&path, None).await.is(200);
    assert_eq!((&public.body["place"]["latitude"], &public.body["title"]), (&json!(45.76), &json!("Under the roofs")));
    assert_eq!(house.get(&path, host.token()).await.body["place"]["latitude"], 45.764);
    house.patch(&path, &host, "\"v3\"", json!({"status": "paused"})).await.is(200);
    assert_eq!(house.get(&path, None).await.status, 404);
    let mine = house.get("/properties", host.token()).await.is(200);
    assert_eq!(mine.body["data"][0]["status"], "paused");
    house.patch(&path, &host, "\"v4\"", json!({"status": "published", "title": null})).await.is(422);
}

async fn an_edit_is_based_on_what_was_read(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, other) = (house.person("host@example.org").await, house.person("other@example.org").await);
    let path = format!("/properties/{}", house.home(&host, apartment()).await);
    let unread = send(authorized(house.request(Method::PATCH, &path), host.token()).json(&json!({"title": "x"}))).await;
    unread.refused(428, "precondition_required");
    house.patch(&path, &host, "\"v1\"", json!({"title": "x"})).await.refused(412, "stale");
    house.patch(&path, &other, "\"v2\"", json!({"title": "x"})).await.refused(404, "not_found");
    let wrong = house.patch(&path, &host, "\"v2\"", json!({"colour": "red"})).await.is(422);
    assert_eq!(pointers(&wrong), ["/colour unknown_field"]);
    let wrong = house
        .patch(
            &path,
            &host,
            "\"v2\"",
            json!({"price": {"nightly": {"amount_minor": 0, "currency": "EUR"}}, "kind": "castle"}),
        )
        .await
        .is(422);
    assert_eq!(pointers(&wrong), ["/kind unknown_value", "/price/nightly out_of_range"]);
    house.patch(&path, &host, "\"v2\"", json!({"title": "Another title"})).await.is(200);
}

async fn a_patch_takes_away_and_keeps(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let host = house.person("host@example.org").await;
    let path = format!("/properties/{}", house.home(&host, apartment()).await);
    let weekend = json!({"price": {"weekend": {"amount_minor": 12000, "currency": "EUR"}}});
    let with = house.patch(&path, &host, "\"v2\"", weekend).await.is(200);
    assert_eq!(
        (&with.body["price"]["weekend"]["amount_minor"], &with.body["price"]["nightly"]["amount_minor"]),
        (&json!(12000), &json!(10000))
    );
    let without = house.patch(&path, &host, "\"v3\"", json!({"price": {"weekend": null}})).await.is(200);
    assert_eq!((&without.body["price"]["weekend"], &without.body["title"]), (&Value::Null, &json!("Under the roofs")));
}

/// A photograph: a gradient, as PNG.
fn photograph() -> Vec<u8> {
    let pixels = image::RgbImage::from_fn(640, 480, |x, y| image::Rgb([x.to_le_bytes()[0], y.to_le_bytes()[0], 120]));
    let mut file = std::io::Cursor::new(Vec::new());
    pixels.write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

async fn a_photograph_becomes_files_that_pages_show(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, other) = (house.person("host@example.org").await, house.person("other@example.org").await);
    let home = house.home(&host, apartment()).await;
    let file = photograph();
    let announce = json!({"content_type": "image/png", "bytes": file.len(), "caption": "The view"});
    let images = format!("/properties/{home}/images");
    house.post(&images, other.token(), announce.clone()).await.refused(404, "not_found");
    house.post(&images, host.token(), json!({"content_type": "image/heic", "bytes": 1})).await.is(422);
    let announced = house.post(&images, host.token(), announce).await.is(201);
    let upload = &announced.body["upload"];
    let path =
        upload["url"].as_str().unwrap().split_once("/sandbox").map(|(_, rest)| format!("/sandbox{rest}")).unwrap();
    let put = |bytes: Vec<u8>| send(house.request(Method::PUT, &path).header("content-type", "image/png").body(bytes));
    assert_eq!(put(file[1..].to_vec()).await.status, 422);
    assert_eq!(put(file).await.status, 204);
    assert_eq!(send(house.request(Method::PUT, "/sandbox/uploads/forged.token").body("x")).await.status, 404);
    // What is shown beside the thing itself changes its tag too, and the version in the tag still allows a change.
    let path = format!("/properties/{home}");
    let before = house.get(&path, host.token()).await.is(200).headers["etag"].to_str().unwrap().to_owned();
    let complete = format!("{images}/{}/complete", announced.text("/id"));
    house.post(&complete, other.token(), json!({})).await.refused(404, "not_found");
    assert_eq!(house.post(&complete, host.token(), json!({})).await.is(202).text("/status"), "processing");
    house.settle().await;
    let known = authorized(house.request(Method::GET, &path), host.token()).header("if-none-match", &before);
    let after = known.send().await.unwrap();
    assert_eq!(after.status().as_u16(), 200, "another photograph is ready");
    let tag = after.headers()["etag"].to_str().unwrap().to_owned();
    let known = authorized(house.request(Method::GET, &path), host.token()).header("if-none-match", &tag);
    assert_eq!(known.send().await.unwrap().status().as_u16(), 304);
    house.patch(&path, &host, &before, json!({"title": "With a view"})).await.is(200);
    house.patch(&path, &host, &tag, json!({"title": "Too late"})).await.refused(412, "stale");
    let shown = house.get(&path, None).await.is(200);
    let photo = shown.body["photos"].as_array().unwrap().iter().find(|photo| photo["caption"] == "The view").unwrap();
    assert_eq!((&photo["status"], &photo["width"], &photo["height"]), (&json!("ready"), &json!(640), &json!(480)));
    assert!(!photo["variants"].as_array().unwrap().is_empty() && photo["blurhash"].is_string());
    for variant in photo["variants"].as_array().unwrap() {
        let served = house.request(Method::GET, variant["url"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(served.status().as_u16(), 200);
        assert_eq!(served.headers()["content-type"], variant["content_type"].as_str().unwrap());
        assert!(served.headers()["cache-control"].to_str().unwrap().contains("immutable"));
        assert_eq!(Some(served.bytes().await.unwrap().len() as u64), variant["bytes"].as_u64());
    }
    let image = announced.text("/id");
    for nothing in [format!("/media/{image}/321.webp"), format!("/media/{image}/..%2f..%2fincoming%2f{image}")] {
        house.get(&nothing, host.token()).await.refused(404, "not_found");
    }
}

async fn a_host_blocks_nights_and_sees_what_changed(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let path = format!("/properties/{home}/availability");
    let put = async |who: &harness::app::Signed, body: Value| {
        send(authorized(house.request(Method::PUT, &path), who.token()).json(&body)).await
    };
    let (first, last) = (house.day(30).await, house.day(33).await);
    let block = json!({"block": [{"from": first, "to": last}]});
    put(&guest, block.clone()).await.refused(404, "not_found");
    let changed = put(&host, block.clone()).await.is(200);
    assert_eq!((changed.body["blocked"].as_array().unwrap().len(), &changed.body["unchanged"]), (3, &json!([])));
    let again = put(&host, block).await.is(200);
    assert_eq!(again.body["unchanged"].as_array().unwrap().len(), 3);
    let order = house.order(&home, (31, 3), "pm_card_ok").await;
    house.command("/bookings", &guest, order.clone()).await.refused(409, "dates_unavailable");
    let opened = put(&host, json!({"open": [{"from": house.day(31).await, "to": last}]})).await.is(200);
    assert_eq!(opened.body["opened"].as_array().unwrap().len(), 2);
    house.book(&guest, order).await;
    put(&host, json!({"block": [{"from": house.day(31).await, "to": last}]})).await.refused(409, "dates_unavailable");
    let past = put(&host, json!({"block": [{"from": "2020-01-01", "to": "2020-01-02"}]})).await.is(422);
    assert_eq!(pointers(&past), ["/block/0/from in_the_past"]);
}

async fn a_search_finds_what_can_be_booked(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let (one, two) = (house.home(&host, instant()).await, house.home(&host, apartment()).await);
    let draft = house.post("/properties", host.token(), apartment()).await.text("/id");
    let (from, to) = (house.day(30).await, house.day(32).await);
    let found = async |query: &str| -> Vec<String> {
        let reply = house.get(&format!("/search?{query}"), None).await.is(200);
        reply.body["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|found| found["property_id"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = found("city=LYON").await;
    assert!(all.contains(&one) && all.contains(&two) && !all.contains(&draft));
    let dates = format!("city=lyon&check_in={from}&check_out={to}&adults=2");
    assert_eq!(found(&dates).await.len(), 2);
    let order = house.order(&one, (31, 4), "pm_card_ok").await;
    house.book(&guest, order).await;
    assert_eq!(found(&dates).await, std::slice::from_ref(&two));
    assert_eq!(found(&format!("{dates}&pets=1")).await, Vec::<String>::new());
    assert_eq!(found("city=Paris").await, Vec::<String>::new());
    assert_eq!(found("south=45&north=46&west=4&east=5&instant_book=true").await, std::slice::from_ref(&one));
    let first = house.get("/search?limit=1&sort=cheapest", None).await.is(200);
    let cursor = first.text("/next_cursor");
    let second = house.get(&format!("/search?limit=1&sort=cheapest&cursor={cursor}"), None).await.is(200);
    assert_ne!(first.text("/data/0/property_id"), second.text("/data/0/property_id"));
    assert_eq!(second.body["has_more"], false);
    house.get(&format!("/search?limit=1&cursor={cursor}"), None).await.refused(400, "invalid_cursor");
    assert!(
        house.get(&format!("/search?{dates}"), None).await.body["data"][0]["total"]["amount_minor"].as_i64().unwrap()
            > 24_000
    );
    for wrong in ["south=1", "check_in=2027-01-01", "max_price=5", "colour=red", "adults=300"] {
        let status = house.get(&format!("/search?{wrong}"), None).await.status;
        assert!(status == 400 || status == 422, "{wrong}: {status}");
    }
}
