//! The simulation's storage answers as the databases do: what is proven over it holds over them.

use super::toy::connect;
use engine::testkit::sim::conform;
use engine::{Engine, Registry, Settings};
use harness::{Backend, TestDatabase, on_both};
use std::collections::BTreeMap;

/// Seeds of one run of the suite; `INNKEEPER_SIM_SEED` plays one alone.
const SEEDS: u64 = 20;

async fn the_simulations_storage_answers_as_this_one_does(db: TestDatabase) {
    let settings = Settings::new("test", uuid::Uuid::from_u128(77), "play");
    let engine = Engine::open(settings, connect(&db).await, Registry::new());
    if let Some(seed) = std::env::var("INNKEEPER_SIM_SEED").ok().and_then(|seed| seed.parse().ok()) {
        conform(&engine, seed).await.unwrap_or_else(|why| panic!("{why}"));
        return;
    }
    let (mut acts, mut answers) = (BTreeMap::new(), BTreeMap::new());
    for seed in 0..SEEDS {
        let seen = conform(&engine, seed).await.unwrap_or_else(|why| panic!("{why}"));
        seen.acts.into_iter().for_each(|(act, times)| *acts.entry(act).or_insert(0) += times);
        seen.answers.into_iter().for_each(|(answer, times)| *answers.entry(answer).or_insert(0) += times);
    }
    // Nobody waits on SQLite: a transaction has it all.
    let kinds = if db.backend == Backend::Postgres { 13 } else { 12 };
    assert_eq!((acts.len(), answers.len()), (22, kinds), "{acts:#?}{answers:#?}");
    assert!(acts.values().chain(answers.values()).all(|times| *times >= 5), "{acts:#?}{answers:#?}");
}

on_both![the_simulations_storage_answers_as_this_one_does];
