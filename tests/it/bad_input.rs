//! Bad input: at every route, a request that is wrong in one place gets the documented problem and writes nothing.
//!
//! The requests are made from the OpenAPI document: its schemas give the bodies, [`examples`] completes what a schema cannot
//! know, and [`wrong`] spoils one value at a time. Then the unspoilt request is sent: that it succeeds proves that each refusal was
//! for what was spoilt. What is odd without being wrong comes last: it is taken or refused, and never fails. [`queries`] has what no
//! single parameter can show.

mod cases;
pub(crate) mod cast;
pub(crate) mod document;
pub(crate) mod door;
pub(crate) mod examples;
mod queries;
mod trial;
mod wrong;

use std::collections::BTreeSet;

use harness::{Dumper, TestApp, TestDatabase, on_both};

use self::cast::Cast;
use self::document::Document;
use self::trial::{Findings, Trial};

async fn try_all(db: TestDatabase, tag: &str) {
    let document = Document::new();
    let dumper = Dumper::of(&db).await.unwrap();
    let house = TestApp::open(db).await;
    let cast = match tag {
        "identity" | "health" | "reference" => Cast::of_people(house).await,
        _ => Cast::of_a_market(house).await,
    };
    let catalogue = document.problems();
    let mut trial = Trial { document: &document, cast: &cast, dumper, catalogue, findings: Findings::default() };
    let operations = document.operations();
    let mine: Vec<_> = operations.iter().filter(|operation| operation.tag == tag).collect();
    let mut oddities = Vec::new();
    for operation in &mine {
        oddities.push(trial.try_operation(operation).await);
    }
    for (operation, odd) in mine.iter().zip(&oddities) {
        trial.try_oddities(operation, odd).await;
    }
    // What was taken can be carried out, unless it was a pause.
    if tag != "admin" {
        cast.house.settle().await;
    }
    let Findings { wrong, cases } = trial.findings;
    println!("{tag}: {} routes, {cases} spoilt requests", mine.len());
    assert!(wrong.is_empty(), "{} of {cases} requests to {tag}:\n{}", wrong.len(), wrong.join("\n"));
}

macro_rules! parts {
    ($($test:ident $tag:literal;)+) => {
        $(
            async fn $test(db: TestDatabase) {
                try_all(db, $tag).await;
            }
        )+

        on_both!($($test),+);

        /// A part of the API without a line above would go untried.
        #[test]
        fn every_route_is_tried() {
            let document = Document::new();
            let tags: BTreeSet<String> = document.operations().into_iter().map(|operation| operation.tag).collect();
            assert_eq!(tags, BTreeSet::from([$($tag.to_owned()),+]));
        }
    };
}

parts! {
    admin "admin";
    bookings "bookings";
    health "health";
    identity "identity";
    notifications "notifications";
    payments "payments";
    payouts "payouts";
    properties "properties";
    quotes "quotes";
    reference "reference";
    sandbox "sandbox";
    search "search";
    webhooks "webhooks";
}
