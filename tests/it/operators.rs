//! What operators see and do over HTTP.

mod in_bulk;
mod live;

use std::time::Duration;

use harness::app::Signed;
use harness::market::{apartment, instant};
use harness::{Backend, TestApp, TestDatabase, on_both};
use reqwest::Method;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

on_both!(
    nobody_but_an_operator_comes_in,
    an_operator_reads_a_run_and_has_it_proven,
    an_operator_reads_a_run_as_it_was,
    lists_come_in_pages_and_by_filter,
    a_damaged_row_is_shown_and_the_list_goes_on,
    parked_work_is_retried_once_and_in_somebodys_name,
    an_operator_answers_for_an_effect,
    an_operator_ends_a_booking_and_only_what_can_be_ended,
    rows_are_written_again_from_their_states,
    a_schedule_is_run_and_paused,
    a_queue_is_held_back_and_goes_on,
    a_queue_is_limited_and_the_limit_lifted,
    an_act_whose_answer_cannot_be_kept_has_not_happened,
    what_changes_is_told_as_it_changes,
    a_stream_ends_when_the_process_drains,
);

/// A request that waits for its host, and an operator.
struct Desk {
    house: TestApp,
    operator: Signed,
    guest: Signed,
    booking: String,
}

impl Desk {
    async fn open(db: TestDatabase, listing: Value) -> Self {
        let house = TestApp::open(db).await;
        let (host, guest) = (house.person("host@example.org").await, house.person("guest@example.org").await);
        let operator = house.operator("operator@example.org").await;
        let home = house.home(&host, listing).await;
        let booking = house.book(&guest, house.order(&home, (30, 2), "pm_card_ok").await).await;
        Self { house, operator, guest, booking }
    }

    async fn read(&self, path: &str) -> Value {
        self.house.get(path, self.operator.token()).await.is(200).body
    }

    async fn act(&self, path: &str, body: Value) -> Value {
        self.house.command(path, &self.operator, body).await.is(200).body
    }

    fn run(&self) -> String {
        self.booking.replace("bkg_", "run_")
    }

    async fn sql(&self, sql: &str) {
        self.house.db.connection.execute_unprepared(sql).await.unwrap();
    }

    /// What operators did to brakes and schedules, as the log has it, in order.
    async fn acts(&self) -> Vec<Value> {
        let db = &self.house.db.connection;
        let sql = "select body from event_log where kind = 'operator' order by at";
        let rows = db.query_all_raw(self.house.sql(sql)).await.unwrap();
        let acts = rows.iter().map(|row| row.try_get_by_index::<String>(0).unwrap());
        acts.map(|body| serde_json::from_str(&body).unwrap()).filter(|act: &Value| act["on"].is_string()).collect()
    }

    /// Puts work of this name aside, as a failure would; says whether there was any.
    async fn park(&self, name: &str) -> bool {
        let sql = format!(
            "update workflow_work set not_before = 9223372036854775807, holder = null, attempt = attempt + 1,
               error_class = 'misconfigured', last_error = 'wrong password' where name = '{name}'"
        );
        self.house.db.connection.execute_unprepared(&sql).await.unwrap().rows_affected() > 0
    }
}

async fn nobody_but_an_operator_comes_in(db: TestDatabase) {
    let desk = Desk::open(db, apartment()).await;
    let run = desk.run();
    let (one, proof) = (format!("/admin/runs/{run}"), format!("/admin/runs/{run}/replay"));
    let reads = [
        "/admin/runs",
        &one,
        &proof,
        "/admin/work",
        "/admin/queues",
        "/admin/census",
        "/admin/schedules",
        "/admin/brakes",
        "/admin/events?seconds=0",
    ];
    for path in reads {
        desk.house.get(path, None).await.refused(401, "not_signed_in");
        desk.house.get(path, desk.guest.token()).await.refused(403, "forbidden");
    }
    let acts = ["/admin/work/retry", "/admin/work/resolve", "/admin/runs/cancel", "/admin/workflows/booking/reproject"];
    for path in acts {
        desk.house.post(path, None, json!({})).await.refused(401, "not_signed_in");
        desk.house.command(path, &desk.guest, json!({})).await.refused(403, "forbidden");
    }
}

async fn an_operator_reads_a_run_and_has_it_proven(db: TestDatabase) {
    let desk = Desk::open(db, apartment()).await;
    let story = desk.read(&format!("/admin/runs/{}", desk.run())).await;
    assert_eq!((&story["run"]["workflow"], &story["run"]["state"]), (&json!("booking"), &json!("AwaitingHost")));
    let begun = &story["turns"][0]["queued"];
    let (hold, payment) = (&begun[0], &begun[1]);
    assert_eq!((&hold["name"], &hold["became"]), (&json!("HoldExpired"), &json!("taken_back")), "{begun}");
    assert_eq!(
        (&payment["kind"], &payment["name"], &payment["became"]),
        (&json!("spawn"), &json!("payment"), &json!("started"))
    );
    assert_eq!(story["waiting"].as_array().unwrap().len(), 3, "two reminders and the deadline");
    let paid = desk.read(&format!("/admin/runs/{}", payment["to"].as_str().unwrap())).await;
    let authorize = &paid["turns"][0]["queued"][0];
    assert_eq!(
        (&authorize["name"], &authorize["became"], &authorize["turn"]),
        (&json!("Authorize"), &json!("answered"), &json!(1))
    );
    assert_eq!(paid["turns"][1]["postings"][0]["kind"], "ledger", "{paid}");
    let proof = desk.read(&format!("/admin/runs/{}/replay", desk.run())).await;
    assert_eq!(proof, json!({"proven": 2, "not_judged": [], "broken": []}));
    desk.house
        .get("/admin/runs/run_00000000000070008000000000000000", desk.operator.token())
        .await
        .refused(404, "not_found");
}

async fn an_operator_reads_a_run_as_it_was(db: TestDatabase) {
    let desk = Desk::open(db, apartment()).await;
    let path = format!("/admin/runs/{}", desk.run());
    let now = desk.read(&path).await;
    let begun = now["turns"][0]["at"].as_str().unwrap();
    let then = desk.read(&format!("{path}?at={begun}")).await;
    let (was, first) = (&then["run"], &now["turns"][0]);
    assert_eq!((&was["state"], &was["turn"], &was["updated_at"]), (&json!("AwaitingPayment"), &json!(0), &first["at"]));
    assert_eq!((&then["state"], &then["turns"], &then["waiting"]), (&first["state"], &json!([first]), &json!([])));
    assert!(then["state"].as_str().unwrap().starts_with(r#"{"AwaitingPayment":"#), "{then}");
    assert_ne!(then["state"], now["state"]);
    let later = desk.read(&format!("{path}?at=2090-01-01T00:00:00%2B01:00")).await;
    assert_eq!((&later["turns"], &later["state"]), (&now["turns"], &now["state"]));
    for (at, said) in [
        ("2001-01-01T00:00:00Z", "the run had not begun then"),
        ("1999-01-01T00:00:00Z", "between the years 2000 and 2200"),
        ("yesterday", ""),
        ("2090-01-01", ""),
    ] {
        let no = desk.house.get(&format!("{path}?at={at}"), desk.operator.token()).await;
        let no = no.refused(400, "invalid_query");
        assert_eq!(no.text("/errors/0/pointer"), "?at", "{at}");
        assert!(no.text("/errors/0/detail").contains(said), "{at}: {no:?}");
    }
}

async fn lists_come_in_pages_and_by_filter(db: TestDatabase) {
    let desk = Desk::open(db, apartment()).await;
    let all = desk.read("/admin/runs?limit=100").await["data"].as_array().unwrap().clone();
    let (mut paged, mut path) = (vec![], "/admin/runs?limit=2".to_owned());
    loop {
        let page = desk.read(&path).await;
        paged.extend(page["data"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/admin/runs?limit=2&cursor={cursor}");
    }
    assert!(all.len() > 4, "{all:#?}");
    assert_eq!(paged, all);
    let count = async |path: &str| desk.read(path).await["data"].as_array().unwrap().len();
    assert_eq!(count("/admin/runs?workflow=booking&state=AwaitingHost&finished=false").await, 1);
    assert_eq!(count("/admin/runs?workflow=booking&finished=true").await, 0);
    assert_eq!(count("/admin/runs?unexpected=true").await, 0);
    assert_eq!(count("/admin/work?workflow=booking&limit=2").await, 2);
    assert_eq!(count("/admin/work?standing=parked").await, 0);
    assert_eq!(count("/admin/work?name=HostDeadline&state=AwaitingHost&queue=engine&standing=waiting").await, 1);
    desk.house.get("/admin/runs?workflow=bookings", desk.operator.token()).await.refused(400, "invalid_query");
    let census = desk.read("/admin/census?workflow=booking").await;
    assert_eq!(
        census["runs"],
        json!([{"workflow": "booking", "state": "AwaitingHost", "shape": 1, "finished": false, "runs": 1}])
    );
}

async fn a_damaged_row_is_shown_and_the_list_goes_on(db: TestDatabase) {
    if db.backend == Backend::Postgres {
        return; // Its columns hold what their types say.
    }
    let desk = Desk::open(db, apartment()).await;
    let whole = desk.read("/admin/work?limit=100").await["data"].as_array().unwrap().len();
    desk.sql("update workflow_work set attempt = 'many' where name = 'RemindHalf'").await;
    let damaged = desk.read("/admin/work?limit=100").await["data"].as_array().unwrap().clone();
    assert_eq!(damaged.len(), whole);
    let unreadable: Vec<&Value> = damaged.iter().filter(|row| row["unreadable"].is_string()).collect();
    assert_eq!(unreadable.len(), 1, "{damaged:#?}");
    assert_eq!(unreadable[0]["unreadable"], desk.run());
    desk.sql("update workflow_work set attempt = 0 where name = 'RemindHalf'").await;
}

async fn parked_work_is_retried_once_and_in_somebodys_name(db: TestDatabase) {
    let desk = Desk::open(db, apartment()).await;
    assert!(desk.park("HostDeadline").await);
    let parked = desk.read("/admin/work?standing=parked").await;
    let work = parked["data"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (&parked["data"][0]["error_class"], desk.read("/admin/queues").await["data"][0]["parked"].as_i64()),
        (&json!("misconfigured"), Some(1))
    );

    let order = json!({"which": {"error_class": "misconfigured", "queue": "engine", "workflow": "booking", "state": "AwaitingHost"}});
    let would = desk.act("/admin/work/retry", order.clone()).await;
    assert_eq!((&would["data"][0]["outcome"], &would["data"][0]["of"]["id"]), (&json!("would"), &json!(work)));
    assert_eq!(desk.read("/admin/work?standing=parked").await, parked, "nothing was done");
    let other = desk.act("/admin/work/retry", json!({"which": {"error_class": "spent"}, "write": true})).await;
    assert_eq!(other["data"], json!([]));

    let mut order = order;
    order["write"] = true.into();
    let first = desk.house.keyed("/admin/work/retry", &desk.operator, "k", order.clone()).await.is(200);
    assert_eq!(first.body["data"][0]["outcome"], "done");
    let again = desk.house.keyed("/admin/work/retry", &desk.operator, "k", order).await.is(200);
    assert_eq!(again.body, first.body, "the same request is one act");
    assert_eq!(desk.read("/admin/work?standing=parked").await["data"], json!([]));
    let acts = desk.house.sql("select body from event_log where kind = 'operator'");
    let acts = desk.house.db.connection.query_all_raw(acts).await.unwrap();
    assert_eq!(acts.len(), 1);
    let act: Value = serde_json::from_str(&acts[0].try_get_by_index::<String>(0).unwrap()).unwrap();
    let operator = desk.read("/profile").await["id"].clone();
    assert_eq!((&act["did"], &act["work"], &act["actor"]), (&json!("retry"), &json!(work), &operator));
    desk.house
        .command("/admin/work/retry", &desk.operator, json!({"work": work, "write": true}))
        .await
        .refused(404, "not_found");
    desk.house.command("/admin/work/retry", &desk.operator, json!({"write": true})).await.refused(422, "invalid_body");
}

async fn an_operator_answers_for_an_effect(db: TestDatabase) {
    let desk = Desk::open(db, instant()).await;
    // The guest calls off; the money's way back is found misconfigured.
    desk.house.command(&format!("/bookings/{}/cancel", desk.booking), &desk.guest, json!({})).await.is(200);
    let sql = "update workflow_work set not_before = 9223372036854775807, holder = null, attempt = attempt + 1 where kind = 3";
    let tells = desk.house.db.connection.execute_unprepared(sql).await.unwrap().rows_affected();
    assert_eq!(tells, 1, "the payment is told to refund");
    let work = desk.read("/admin/work?standing=parked").await["data"][0].clone();
    assert_eq!(work["kind"], "tell");
    let answer = json!({"work": work["id"], "event": "\"Voided\""});
    let refused = desk.act("/admin/work/resolve", answer).await;
    assert_eq!(refused["data"][0]["outcome"], "refused", "a tell has no answer: {refused}");
    desk.act("/admin/work/retry", json!({"work": work["id"], "write": true})).await;

    // Delivered, the effect is queued; it is put aside before it is performed.
    let engine = &desk.house.app.engine;
    engine.claim().await.unwrap();
    while !desk.park("Refund").await {
        let lease = engine.hands().next().await.expect("the letters, and the tell");
        engine.execute(lease).await;
    }
    let parked = desk.read("/admin/work?standing=parked&name=Refund").await["data"][0].clone();
    let payment = parked["run"].as_str().unwrap().to_owned();
    let nonsense = json!({"work": parked["id"], "event": "\"NoSuchEvent\"", "write": true});
    assert_eq!(desk.act("/admin/work/resolve", nonsense).await["data"][0]["outcome"], "refused");
    let amount = json!({"amount_minor": 1, "currency": "EUR"});
    let event = json!({"RefundDeclined": {"code": "by_hand", "secret": amount}}).to_string();
    let resolved = desk.act("/admin/work/resolve", json!({"work": parked["id"], "event": event, "write": true})).await;
    assert_eq!(resolved["data"][0]["outcome"], "done", "{resolved}");
    let story = desk.read(&format!("/admin/runs/{payment}")).await;
    let last = story["turns"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["event"], r#"{"RefundDeclined":{"code":"by_hand"}}"#, "only what the event can say is kept");
    assert_eq!(last["actor"], desk.read("/profile").await["id"]);
    desk.house.settle().await;
}

async fn an_operator_ends_a_booking_and_only_what_can_be_ended(db: TestDatabase) {
    let desk = Desk::open(db, apartment()).await;
    let would = desk.act("/admin/runs/cancel", json!({"run": desk.run()})).await;
    assert_eq!((&would["data"][0]["outcome"], &would["data"][0]["note"]), (&json!("would"), &json!("Canceled")));
    assert_eq!(desk.house.phase(&desk.guest, &desk.booking).await, "awaiting_host");
    let story = desk.read(&format!("/admin/runs/{}", desk.run())).await;
    let payment = story["turns"][0]["queued"][1]["to"].clone();
    let refused = desk.act("/admin/runs/cancel", json!({"run": payment, "write": true})).await;
    assert_eq!(refused["data"][0]["outcome"], "refused", "a payment answers to its booking: {refused}");

    let order = json!({"which": {"workflow": "booking", "state": "AwaitingHost"}, "write": true});
    let done = desk.act("/admin/runs/cancel", order.clone()).await;
    assert_eq!((&done["data"][0]["outcome"], &done["data"][0]["note"]), (&json!("done"), &json!("Canceled")));
    desk.house.settle().await;
    assert_eq!(desk.house.phase(&desk.guest, &desk.booking).await, "canceled_by_admin");
    let story = desk.read(&format!("/admin/runs/{}", desk.run())).await;
    let last =
        story["turns"].as_array().unwrap().iter().find(|turn| turn["event"] == "\"OperatorCanceled\"").unwrap().clone();
    assert_eq!(last["actor"], desk.read("/profile").await["id"]);
    assert_eq!(desk.act("/admin/runs/cancel", order).await["data"], json!([]), "nothing is left to end");
}

async fn rows_are_written_again_from_their_states(db: TestDatabase) {
    let desk = Desk::open(db, instant()).await;
    let path = "/admin/workflows/booking/reproject";
    for workflow in ["booking", "payment", "payout", "mail", "photo"] {
        let same = desk.act(&format!("/admin/workflows/{workflow}/reproject"), json!({"write": true})).await;
        assert_eq!(
            (&same["changes"], &same["failed"]),
            (&json!([]), &json!([])),
            "{workflow} is a function of its state"
        );
    }
    desk.sql("update booking set phase = 'awaiting_host', seq = 99").await;
    desk.sql("delete from unit_night where booking_id is not null").await;
    let would = desk.act(path, json!({})).await;
    let changes = would["changes"].as_array().unwrap();
    let row = changes.iter().find(|change| change["table"] == "booking").unwrap();
    assert_eq!((&row["before"]["phase"], &row["after"]["phase"]), (&json!("awaiting_host"), &json!("confirmed")));
    assert_eq!(row["after"].as_object().unwrap().len(), 2, "only what differs: {row}");
    assert_eq!(
        changes.iter().filter(|change| change["table"] == "unit_night" && change["before"].is_null()).count(),
        2
    );
    assert_eq!(desk.act(path, json!({})).await, would, "telling changes nothing");
    assert_eq!(desk.act(path, json!({"write": true})).await["changes"], would["changes"]);
    assert_eq!(desk.act(path, json!({"write": true})).await["changes"], json!([]), "a second time changes nothing");
    assert_eq!(desk.house.phase(&desk.guest, &desk.booking).await, "confirmed");
    desk.house.command("/admin/workflows/nothing/reproject", &desk.operator, json!({})).await.refused(404, "not_found");
}

async fn a_schedule_is_run_and_paused(db: TestDatabase) {
    let desk = Desk::open(db, instant()).await;
    let find = async || {
        let all = desk.read("/admin/schedules").await["data"].as_array().unwrap().clone();
        all.into_iter().find(|one| one["name"] == "payouts").unwrap()
    };
    assert_eq!(find().await["paused_by"], Value::Null);
    let path = |verb: &str| format!("/admin/schedules/payouts/{verb}");
    desk.act(&path("pause"), json!({"why": "the bank is closed"})).await;
    assert_eq!(find().await["paused_by"], Value::Null, "told, not done");
    let paused = desk.act(&path("pause"), json!({"why": "the bank is closed", "write": true})).await;
    assert_eq!((&paused["paused_why"], &paused["next"]), (&json!("the bank is closed"), &Value::Null));
    assert_eq!(paused["paused_by"], desk.read("/profile").await["id"]);
    let last = find().await["last"].clone();
    assert_ne!(
        desk.act(&path("run"), json!({"write": true})).await["last"],
        last,
        "paused, it can still be run by hand"
    );
    assert_eq!(desk.act(&path("resume"), json!({"write": true})).await["paused_by"], Value::Null);
    desk.house.command("/admin/schedules/nothing/run", &desk.operator, json!({})).await.refused(404, "not_found");
    // Asked twice under one key it is run once, and answered twice.
    let run = async || desk.house.keyed(&path("run"), &desk.operator, "run-1", json!({"write": true})).await.is(200);
    let (first, again) = (run().await, run().await);
    assert_eq!(
        (first.text("/last"), again.text("/last")),
        (find().await["last"].as_str().unwrap().to_owned(), first.text("/last"))
    );
    let whoever = desk.read("/profile").await["id"].as_str().unwrap().to_owned();
    let acts = desk.acts().await;
    assert_eq!(
        acts,
        [
            json!({"did": "pause", "on": "schedule payouts", "actor": whoever, "why": "the bank is closed"}),
            json!({"did": "resume", "on": "schedule payouts", "actor": whoever, "why": null}),
        ]
    );
}

async fn a_queue_is_held_back_and_goes_on(db: TestDatabase) {
    let desk = Desk::open(db, apartment()).await;
    let order = |write: bool| json!({"kind": "queue", "name": "mail", "why": "the post is on strike", "write": write});
    desk.act("/admin/brakes/pause", order(false)).await;
    let held = async || {
        let all = desk.read("/admin/brakes").await["data"].as_array().unwrap().clone();
        all.into_iter().find(|one| one["name"] == "mail" && one["kind"] == "queue")
    };
    assert_eq!(held().await, None, "told, not done");
    let pulled = desk.act("/admin/brakes/pause", order(true)).await;
    assert_eq!(
        (&pulled["paused_why"], &pulled["paused_by"]),
        (&json!("the post is on strike"), &desk.read("/profile").await["id"])
    );
    let letters = desk.house.outbox.to("guest@example.org").len();
    desk.act("/admin/runs/cancel", json!({"run": desk.run(), "write": true})).await;
    desk.house.settle().await;
    assert_eq!(desk.house.outbox.to("guest@example.org").len(), letters, "the letters wait");
    let go_on = json!({"kind": "queue", "name": "mail", "write": true});
    assert_eq!(desk.act("/admin/brakes/resume", go_on).await["paused_by"], Value::Null);
    desk.house.settle().await;
    assert!(desk.house.outbox.to("guest@example.org").len() > letters);
    let whoever = desk.read("/profile").await["id"].clone();
    assert_eq!(
        desk.acts().await,
        [
            json!({"did": "pause", "on": "queue mail", "actor": whoever, "why": "the post is on strike"}),
            json!({"did": "resume", "on": "queue mail", "actor": whoever, "why": null}),
        ]
    );
    // An answer that was given under a key is given again, whatever has happened since.
    let hold = async || desk.house.keyed("/admin/brakes/pause", &desk.operator, "hold-1", order(true)).await.is(200);
    let first = hold().await;
    let go_on = json!({"kind": "queue", "name": "mail", "write": true});
    desk.act("/admin/brakes/resume", go_on).await;
    assert_eq!(hold().await.text("/paused_since"), first.text("/paused_since"));
    assert_eq!(held().await.unwrap()["paused_by"], Value::Null, "it is not held again");
    for (kind, known) in [("queue", "engine, payments"), ("workflow", "booking"), ("party", "gateway")] {
        let nobody = json!({"kind": kind, "name": "nobody", "write": true});
        let no = desk.house.command("/admin/brakes/resume", &desk.operator, nobody).await.is(422);
        assert_eq!(no.text("/errors/0/pointer"), "/name");
        assert!(no.text("/errors/0/detail").contains(known), "{no:?}");
    }
}

async fn a_queue_is_limited_and_the_limit_lifted(db: TestDatabase) {
    let desk = Desk::open(db, apartment()).await;
    let order = |most: Option<i32>, write: bool| json!({"queue": "mail", "at_once": most, "write": write});
    let stands = desk.act("/admin/brakes/limit", order(Some(2), false)).await;
    assert_eq!(
        (&stands["at_once"], &desk.act("/admin/brakes/limit", order(Some(2), true)).await["at_once"]),
        (&Value::Null, &json!(2))
    );
    let all = desk.read("/admin/brakes").await["data"].as_array().unwrap().clone();
    let mail = all.iter().find(|one| one["name"] == "mail").unwrap();
    assert_eq!((&mail["kind"], &mail["at_once"], &mail["paused_by"]), (&json!("queue"), &json!(2), &Value::Null));
    let letters = desk.house.outbox.to("guest@example.org").len();
    desk.act("/admin/runs/cancel", json!({"run": desk.run(), "write": true})).await;
    desk.house.settle().await;
    assert!(desk.house.outbox.to("guest@example.org").len() > letters, "a narrow queue is not a closed one");
    assert_eq!(desk.act("/admin/brakes/limit", order(None, true)).await["at_once"], Value::Null);
    for wrong in [json!({"queue": "mail", "at_once": 0}), json!({"queue": "mail", "at_once": 100_001})] {
        let no = desk.house.command("/admin/brakes/limit", &desk.operator, wrong).await.is(422);
        assert_eq!(no.text("/errors/0/pointer"), "/at_once");
    }
    let no = desk.house.command("/admin/brakes/limit", &desk.operator, json!({"queue": "nobody"})).await.is(422);
    assert_eq!(no.text("/errors/0/pointer"), "/name");
}

/// As when a process is killed between an act and its answer: the answer finds no room.
async fn an_act_whose_answer_cannot_be_kept_has_not_happened(db: TestDatabase) {
    let desk = Desk::open(db, instant()).await;
    let schedule = |verb: &str| format!("/admin/schedules/payouts/{verb}");
    let queue = json!({"kind": "queue", "name": "mail", "write": true});
    let mut held = queue.clone();
    held["why"] = "the post is on strike".into();
    let acts = [
        ("/admin/brakes/pause".to_owned(), held),
        ("/admin/brakes/resume".to_owned(), queue),
        ("/admin/brakes/limit".to_owned(), json!({"queue": "photos", "at_once": 2, "write": true})),
        (schedule("run"), json!({"write": true})),
        (schedule("pause"), json!({"why": "the bank is closed", "write": true})),
        (schedule("resume"), json!({"write": true})),
        ("/admin/workflows/booking/reproject".to_owned(), json!({"write": true})),
    ];
    let (no_room, room) = match desk.house.db.backend {
        Backend::Postgres => (
            "alter table idempotency_key add constraint no_room check (false) not valid",
            "alter table idempotency_key drop constraint no_room",
        ),
        Backend::Sqlite => (
            "create trigger no_room before insert on idempotency_key begin select raise(abort, 'no room'); end",
            "drop trigger no_room",
        ),
    };
    // Everything that an act may change.
    let world = async || {
        let all = ["workflow_brake", "schedule_state", "schedule_tick", "event_log", "booking"];
        let tables = all.map(|table| format!("select '{table}' as t, count(*) as n from {table}")).join(" union all ");
        let tables = format!("select t || ' ' || n from ({tables}) w order by 1");
        let rows = desk.house.db.connection.query_all_raw(desk.house.sql(&tables)).await.unwrap();
        let told: Vec<String> = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
        let (brakes, schedules) = (desk.read("/admin/brakes").await, desk.read("/admin/schedules").await);
        let phases = desk.house.db.connection.query_all_raw(desk.house.sql("select phase from booking")).await.unwrap();
        let phases: Vec<String> = phases.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
        json!([told, brakes["data"], schedules["data"], phases])
    };
    for (number, (path, body)) in acts.iter().enumerate() {
        if path.ends_with("reproject") {
            desk.sql("update booking set phase = 'awaiting_host', seq = 99").await;
        }
        let (before, key) = (world().await, format!("act-{number}"));
        let ask = async || desk.house.keyed(path, &desk.operator, &key, body.clone()).await;
        desk.sql(no_room).await;
        // The harness takes a failure of ours for a failed test: here it is what is asked for.
        let request = desk.house.request(Method::POST, path).bearer_auth(&desk.operator.access);
        let failed = request.header("idempotency-key", &key).json(body).send().await.unwrap();
        assert_eq!(failed.status(), 500);
        desk.sql(room).await;
        assert_eq!(world().await, before, "{path} was done and not answered");
        let (first, done) = (ask().await.is(200).body, world().await);
        assert_ne!(done, before, "{path} does nothing: the test saw nothing");
        assert_eq!(ask().await.is(200).body, first);
        assert_eq!(world().await, done, "{path} was done again");
    }
}

/// Reads a stream until it has said so much, or ends.
async fn hear(desk: &Desk, seconds: u32, last: &str, enough: impl Fn(&str) -> bool) -> String {
    let ask = desk.house.request(Method::GET, &format!("/admin/events?seconds={seconds}"));
    let ask = ask.bearer_auth(&desk.operator.access).header("last-event-id", last);
    let answer = ask.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let (mut said, mut answer) = (String::new(), answer);
    let reading = async {
        while let Some(piece) = answer.chunk().await.unwrap() {
            said.push_str(std::str::from_utf8(&piece).unwrap());
            if enough(&said) {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await.expect("the stream says something or ends");
    said
}

async fn what_changes_is_told_as_it_changes(db: TestDatabase) {
    let desk = Desk::open(db, apartment()).await;
    let first = hear(&desk, 0, "", |_| false).await;
    assert_eq!(first.matches("event: ").count(), 6, "{first}");
    assert!(first.contains(r#"{"parked":0}"#) && first.contains(r#"{"runs":0}"#), "{first}");
    let seen = first.lines().rev().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    assert_eq!(hear(&desk, 0, &seen, |_| false).await.matches("event: ").count(), 0, "nothing is new");

    let change = async { desk.park("HostDeadline").await };
    let (news, _) = tokio::join!(hear(&desk, 60, &seen, |said| said.contains("event: parked")), change);
    assert!(news.contains("event: queues") && news.contains(r#"{"parked":1}"#), "{news}");
    assert!(!news.contains("event: unexpected"), "{news}");
    desk.act("/admin/work/retry", json!({"which": {}, "write": true})).await;
    desk.house.settle().await;
}

async fn a_stream_ends_when_the_process_drains(db: TestDatabase) {
    let desk = Desk::open(db, apartment()).await;
    let drain = async { desk.house.health.drain() };
    let (said, ()) = tokio::join!(hear(&desk, 900, "", |_| false), drain);
    assert!(said.matches("event: ").count() <= 6, "{said}");
}
