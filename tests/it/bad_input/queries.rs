//! Queries whose parameters are odd together, lists that know what they can be asked for, and paths that lead nowhere.

use harness::app::Reply;
use harness::market::instant;
use harness::{TestApp, TestDatabase, on_both};

on_both!(wrong_queries_and_paths_are_problems);

#[track_caller]
fn assert_documented(reply: &Reply, asked: &str) {
    assert!(reply.status < 500, "{asked}: {}", reply.body);
    if reply.status >= 400 {
        assert_eq!(reply.headers["content-type"], "application/problem+json", "{asked}");
        let known = api::problem::catalogue::CATALOGUE.iter().any(|kind| kind.status.as_u16() == reply.status);
        assert!(known && !reply.code().is_empty(), "{asked}: {}", reply.body);
    }
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
