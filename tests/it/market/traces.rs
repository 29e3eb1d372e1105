//! One trace from a request to everything that it led to.

use harness::app::{authorized, send};
use harness::market::{apartment, instant};
use harness::{TestApp, TestDatabase, on_both};
use reqwest::Method;
use sea_orm::ConnectionTrait as _;

on_both!(a_trace_goes_from_the_request_through_every_run_and_effect);

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

async fn a_trace_goes_from_the_request_through_every_run_and_effect(db: TestDatabase) {
    let house = TestApp::open(db).await;
    let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
    let home = house.home(&host, instant()).await;
    let order = house.order(&home, (30, 2), "pm_card_ok").await;
    let request = authorized(house.request(Method::POST, "/bookings"), guest.token()).header("traceparent", TRACE);
    send(request.header("idempotency-key", "traced").json(&order)).await.is(201);
    house.settle().await;

    let texts = async |sql: &str| {
        let rows = house.db.connection.query_all_raw(house.sql(sql)).await.unwrap();
        rows.iter().map(|row| row.try_get_by_index::<String>(0).unwrap()).collect::<Vec<_>>()
    };
    let of_runs = "from workflow_journal j join workflow_run r on r.id = j.run";
    let traced = texts(&format!("select distinct r.workflow {of_runs} where j.trace = '{TRACE}' order by 1")).await;
    assert_eq!(traced, ["booking", "mail", "payment"], "the booking, its payment and its letters");
    let elsewhere = format!("(j.trace is null or j.trace <> '{TRACE}')");
    let strays =
        texts(&format!("select j.key {of_runs} where r.workflow in ('booking', 'payment') and {elsewhere}")).await;
    assert_eq!(strays, [""; 0], "a turn of this booking belongs to no trace, or to another");
    // Work that is still to come carries it on.
    let waiting = texts(&format!("select name from workflow_work where trace = '{TRACE}'")).await;
    assert!(!waiting.is_empty());

    // What nobody sent a trace for has one of its own.
    let other = house.home(&host, apartment()).await;
    house.book(&guest, house.order(&other, (30, 2), "pm_card_ok").await).await;
    let all = texts(&format!("select distinct j.trace {of_runs} where r.workflow = 'booking' order by 1")).await;
    assert_eq!(all.len(), 2, "{all:?}");
}
