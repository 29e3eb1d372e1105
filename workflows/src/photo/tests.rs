//! Tests of the photograph.

use engine::testkit::{Samples, Script, explore, golden, table};

use super::*;
use crate::samples::{HOME, IMAGE, noon};

fn upload() -> Upload {
    Upload { image: IMAGE, property: HOME, content_type: "image/jpeg".to_owned(), bytes: 3_600_000, made_at: noon() }
}

fn picture() -> Picture {
    let file = File {
        name: "320.webp".to_owned(),
        width: 320,
        height: 240,
        content_type: "image/webp".to_owned(),
        bytes: 20_000,
    };
    Picture {
        width: 4_000,
        height: 3_000,
        blurhash: "LEHV6n".to_owned(),
        sha256: "ab".repeat(32),
        variants: vec![file],
    }
}

fn processed() -> Event {
    Event::Processed { picture: picture() }
}

fn rejected() -> Event {
    Event::Rejected { code: "heic_unsupported".to_owned() }
}

fn samples() -> Samples<Photo> {
    let failed = State::Failed { code: "heic_unsupported".to_owned() };
    Samples::of(upload())
        .states([State::Processing, State::Ready { picture: picture() }, failed])
        .events([processed(), rejected(), Event::TriedAgain])
        .effects([Effect::Process])
}

#[test]
fn an_upload_becomes_a_photograph() {
    let mut run = Script::<Photo>::start(upload(), noon());
    run.answer(&Effect::Process, processed());
    assert_eq!(run.state(), &State::Ready { picture: picture() });
    assert!(run.is_final());
}

#[test]
fn a_failure_is_shown_and_can_be_tried_again() {
    let mut run = Script::<Photo>::start(upload(), noon());
    run.answer(&Effect::Process, rejected()).feed(Event::TriedAgain).answer(&Effect::Process, processed());
    insta::assert_snapshot!(run.transcript());
}

#[test]
fn a_store_that_is_never_there_is_a_failure_to_try_again() {
    let gave_up = Photo::gave_up(&Effect::Process).unwrap();
    let step = Photo::on(&upload(), State::Processing, gave_up, noon()).unwrap();
    assert_eq!(step.state, Some(State::Failed { code: "storage_unavailable".to_owned() }));
}

#[test]
fn what_every_event_means_in_every_state() {
    insta::assert_snapshot!("table", table(&samples(), noon()));
}

#[test]
fn what_was_ever_written_can_still_be_read() {
    golden(&samples(), "golden/photo");
}

#[test]
fn every_order_comes_to_an_end() {
    explore::<Photo>(upload(), noon())
        .world(0_u8, |tries, turn| *tries += u8::from(turn.event == Some(&Event::TriedAgain)))
        .outcomes(|_, _| vec![processed(), rejected()])
        .commands(|scene| if *scene.world < 2 { vec![Event::TriedAgain] } else { vec![] })
        .walk()
        .no_fact_is_ever_refused()
        .always_ends_by_itself()
        .recorded::<Photo>("golden/photo/journal/processed_or_not.jsonl");
}
