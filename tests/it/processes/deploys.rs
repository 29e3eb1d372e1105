//! A release back, with the product's own processes: after every single step of their lives a newer build has taken them over, and this
//! one must leave them alone, without a failure, until it may have them again. Then it goes on as if nothing had been.

use std::collections::BTreeSet;
use std::time::Duration;

use engine::{Origin, Timestamp};
use harness::picture::PIXEL;
use harness::{TestDatabase, on_both};
use sea_orm::{ConnectionTrait, Statement};
use workflows::booking::{Event, Mode};
use workflows::photo::{Photo, Upload, run_of, upload_key};

use super::market::{GUEST, HOME, Market, OTHER_GUEST};

/// More steps than the lives of all of them have.
const MOST: usize = 2_000;

/// A market whose runs are taken away and given back between any two steps.
struct Ferry {
    market: Market,
    /// Where runs stood when they were taken away.
    stood: BTreeSet<String>,
    crossings: usize,
}

impl Ferry {
    async fn sql(&self, text: &str) {
        self.market.db.connection.execute_unprepared(text).await.unwrap();
    }

    /// Every run with its place and its turns; those that a newer build has written, or all.
    async fn standing(&self, newer: bool) -> Vec<String> {
        let text = format!(
            "select workflow || '.' || state_name || ' ' || seq || ' ' || unexpected || ' ' || key from workflow_run where shape > {} order by 1",
            i32::from(newer)
        );
        self.lines(&text).await
    }

    /// Every failure of waiting work.
    async fn failures(&self) -> Vec<String> {
        self.lines("select name || ' failed ' || failures from workflow_work where failures > 0 or error_class is not null order by 1").await
    }

    async fn lines(&self, text: &str) -> Vec<String> {
        let db = &self.market.db.connection;
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), text)).await.unwrap();
        rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
    }

    /// A newer build writes all runs, this one comes back and looks, and the newer one gives them up again. What this one had in hand
    /// may begin another run meanwhile: that one is its own.
    async fn there_and_back(&mut self) {
        self.crossings += 1;
        // In the beginning it does not always end first: then it still has work in hand whose runs are no longer its own.
        if self.crossings > 24 || !self.crossings.is_multiple_of(4) {
            self.drop_everything().await;
        }
        let (before, failed) = (self.standing(false).await, self.failures().await);
        self.stood.extend(before.iter().filter_map(|line| line.split_once(' ').map(|(place, _)| place.to_owned())));
        self.sql("update workflow_run set shape = shape + 1").await;
        self.market.settle().await;
        assert_eq!(self.standing(true).await, before, "what a newer build wrote was touched");
        assert_eq!(self.failures().await, failed, "what a newer build wrote has failed");
        assert!(self.market.engine.parked().await.unwrap().is_empty(), "what a newer build wrote was parked");
        self.sql("update workflow_run set shape = shape - 1 where shape > 1").await;
    }

    /// As a process that ends: what it has in hand is for others.
    async fn drop_everything(&self) {
        let engine = &self.market.engine;
        for _ in 0..engine.hands().holding() {
            drop(engine.hands().next().await);
        }
        engine.let_go().await.unwrap();
        engine.beat().await.unwrap();
    }

    /// One piece of work, or the next instant at which there is some; false past the horizon.
    async fn step(&mut self, horizon: Timestamp) -> bool {
        self.there_and_back().await;
        let engine = &self.market.engine;
        engine.fire_ticks().await.unwrap();
        engine.claim().await.unwrap();
        if engine.hands().holding() > 0 {
            let lease = engine.hands().next().await.expect("the hands are open");
            engine.execute(lease).await;
            return true;
        }
        let now = engine.now().await.unwrap();
        let next =
            self.market.count("select coalesce(min(not_before), 0) from workflow_work where not_before > 0").await;
        let day = (now + Duration::from_secs(86_400)).timestamp_micros();
        let next = if next > now.timestamp_micros() { next.min(day) } else { day };
        if next > horizon.timestamp_micros() {
            return false;
        }
        let ahead = next - now.timestamp_micros();
        self.sql(&format!("update business_clock set offset_us = offset_us + {ahead}")).await;
        self.market.engine.fire_ticks().await.unwrap();
        true
    }

    async fn on_to(&mut self, horizon: Timestamp) {
        for _ in 0..MOST {
            if !self.step(horizon).await {
                return;
            }
        }
        panic!("after {MOST} steps it is not over");
    }

    /// Until nothing is left to do, but for what waits for longer than a minute.
    async fn rest(&mut self) {
        let soon = self.market.engine.now().await.unwrap() + Duration::from_secs(60);
        self.on_to(soon).await;
    }
}

async fn a_build_that_went_back_leaves_every_process_alone_at_every_step(db: TestDatabase) {
    let market = Market::open(db).await;
    let taken = market.terms(1, GUEST, "pm_card_ok").await;
    let mut at_once = market.terms(2, OTHER_GUEST, "pm_card_ok").await;
    at_once.mode = Mode::Instant;
    let image = domain::ImageId::from_uuid(uuid::Uuid::from_u128(0x0196_8b2e_0000_7000_8000_0000_0000_0777));
    let made_at = market.engine.now().await.unwrap();
    market.objects.put(&upload_key(image), PIXEL.to_vec(), "image/png").await.unwrap();
    let upload = Upload { image, property: HOME, content_type: "image/png".to_owned(), bytes: 67, made_at };
    let mut ferry = Ferry { market, stood: BTreeSet::new(), crossings: 0 };
    let start = Origin::default;
    ferry.market.engine.start::<Photo>(run_of(image), &image.to_string(), &upload, start()).await.unwrap();
    ferry.market.begin(&at_once).await.unwrap();
    ferry.rest().await;
    ferry.market.command(&at_once, Event::GuestCanceled).await.unwrap();
    ferry.rest().await;
    ferry.market.begin(&taken).await.unwrap();
    ferry.rest().await;
    ferry.market.command(&taken, Event::HostAccepted).await.unwrap();
    ferry.on_to(taken.windows.release_at + Duration::from_secs(3 * 86_400)).await;

    assert_eq!(ferry.market.phase(&taken).await, domain::Phase::Completed);
    assert_eq!(ferry.market.phase(&at_once).await, domain::Phase::CanceledByGuest);
    assert_eq!(ferry.market.gateway.books().await.unwrap().live_captures(taken.booking), 1);
    ferry.market.is_in_order().await;
    for workflow in ferry.market.engine.registry().names() {
        let places = ferry.stood.iter().filter(|place| place.starts_with(&format!("{workflow}."))).count();
        assert!(places > 1, "{workflow} was hardly taken away: {:?}", ferry.stood);
    }
}

on_both!(a_build_that_went_back_leaves_every_process_alone_at_every_step);
