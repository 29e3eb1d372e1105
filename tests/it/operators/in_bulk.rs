//! Acts on everything that fits: what they pass over is said.

use harness::market::apartment;
use harness::{Backend, TestDatabase, on_both};
use serde_json::{Value, json};

use super::Desk;

on_both!(an_act_takes_a_hundred_and_says_that_there_are_more, what_cannot_be_read_is_named_and_left_alone);

impl Desk {
    /// Parks a reminder, and so many copies of it.
    async fn park_copies(&self, copies: usize) {
        assert!(self.park("RemindHalf").await);
        self.sql(&format!(
            "insert into workflow_work (run, seq, n, kind, scope, workflow, queue, name, payload, due, not_before, attempt, failures)
             with recursive copies(i) as (select 1 union all select i + 1 from copies where i < {copies})
             select run, seq, 1000 + i, kind, scope, workflow, queue, name, payload, due, not_before, attempt, failures
             from workflow_work, copies where name = 'RemindHalf'"
        ))
        .await;
    }

    async fn forget_copies(&self) {
        self.sql("delete from workflow_work where n >= 1000").await;
    }
}

fn acted(answer: &Value) -> (usize, bool) {
    (answer["data"].as_array().unwrap().len(), answer["more"].as_bool().unwrap())
}

async fn an_act_takes_a_hundred_and_says_that_there_are_more(db: TestDatabase) {
    let desk = Desk::open(db, apartment()).await;
    desk.park_copies(100).await;
    let order = |write: bool| json!({"which": {"name": "RemindHalf"}, "write": write});
    assert_eq!(acted(&desk.act("/admin/work/retry", order(false)).await), (100, true));
    assert_eq!(acted(&desk.act("/admin/work/retry", order(true)).await), (100, true));
    assert_eq!(acted(&desk.act("/admin/work/retry", order(true)).await), (1, false));
    assert_eq!(acted(&desk.act("/admin/work/retry", order(true)).await), (0, false));
    desk.forget_copies().await;
    desk.park_copies(99).await;
    assert_eq!(acted(&desk.act("/admin/work/retry", order(true)).await), (100, false), "exactly a hundred are all");
    desk.forget_copies().await;
}

async fn what_cannot_be_read_is_named_and_left_alone(db: TestDatabase) {
    let desk = Desk::open(db, apartment()).await;
    desk.park_copies(1).await;
    desk.sql("update workflow_work set kind = 9 where n >= 1000").await;
    let order = json!({"which": {"name": "RemindHalf"}, "write": true});
    let done = desk.act("/admin/work/retry", order.clone()).await;
    assert_eq!(acted(&done), (1, false));
    let unread = &done["unread"][0];
    assert_eq!((&unread["what"], done["unread"].as_array().unwrap().len()), (&json!(desk.run()), 1), "{done}");
    assert!(unread["why"].as_str().unwrap().contains("kind 9"), "{done}");
    let again = desk.act("/admin/work/retry", order).await;
    assert_eq!((acted(&again), &again["unread"]), ((0, false), &done["unread"]), "it is still there");

    let digits = desk.run().replace("run_", "");
    let story = desk.read(&format!("/admin/runs/{}", desk.run())).await;
    assert_eq!(story["unread"][0]["what"], format!("work {digits}:1:1001"), "{story}");
    let census = desk.read("/admin/census?workflow=booking").await;
    assert_eq!(census["unread"][0]["what"], "1 pieces of work of booking", "{census}");

    // Named by its own name it may be what cannot be read, and that is said; beside one that can, it is nobody's business.
    let one = |work: String| json!({"work": work});
    assert_eq!(desk.act("/admin/work/retry", one(format!("{digits}:1:1001"))).await["unread"], done["unread"]);
    assert!(desk.park("RemindLast").await);
    let other = desk.read("/admin/work?standing=parked&name=RemindLast").await["data"][0]["id"].clone();
    let would = desk.act("/admin/work/retry", one(other.as_str().unwrap().to_owned())).await;
    assert_eq!((acted(&would), &would["unread"]), ((1, false), &json!([])));
    desk.act("/admin/work/retry", json!({"work": other, "write": true})).await;
    desk.forget_copies().await;

    if desk.house.db.backend == Backend::Sqlite {
        desk.sql("update workflow_run set unexpected = 'many' where workflow = 'booking'").await;
        let done = desk.act("/admin/runs/cancel", json!({"which": {"workflow": "booking"}, "write": true})).await;
        assert_eq!((acted(&done), &done["unread"][0]["what"]), ((0, false), &json!(desk.run())), "{done}");
        desk.sql("update workflow_run set unexpected = 0 where workflow = 'booking'").await;
    }
}
