//! How the story is told: a line per step as it happens, the timeline and the books at the end.

use super::ledger::Trial;
use super::story::Told;
use std::time::{Duration, Instant};

/// Says what happens.
pub(crate) struct Telling {
    began: Instant,
    steps: usize,
}

impl Telling {
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now(), steps: 0 }
    }

    /// A remark.
    pub(crate) fn say(&self, what: &str) {
        println!("{what}");
    }

    /// A heading.
    pub(crate) fn chapter(&self, title: &str) {
        println!("\n── {title}");
    }

    /// A step whose result was checked.
    pub(crate) fn did(&mut self, what: &str) {
        self.steps += 1;
        println!("  ✓ {:>5.1} s  {what}", self.began.elapsed().as_secs_f64());
    }

    /// The booking's timeline and the books.
    pub(crate) fn end(&self, told: &Told, trial: &Trial, took: Duration) {
        println!("\n── The booking, from first to last");
        told.timeline.iter().for_each(|line| println!("  {line}"));
        println!("\n── The ledger's trial balance");
        trial.lines().for_each(|line| println!("  {line}"));
        println!("\n{} steps, each checked, in {:.1} s.", self.steps, took.as_secs_f64());
    }

    /// What a newcomer may try.
    pub(crate) fn what_next(&self, site: &str) {
        println!("\nIt goes on serving. Try:");
        println!("  {site}/docs                          the reference of the API");
        println!("  curl '{site}/search?city=Lisbon'");
        println!("  curl '{site}/sandbox/clock'            the business clock; POST moves it");
        println!(
            "Everybody's password is {:?}, for example anna@example.org's. Ctrl-C ends it.",
            super::people::PASSWORD
        );
    }
}
