//! The oracle: judges a play by what can be seen from outside, and says everything that is wrong, not only the first.

mod gateway;
mod history;
mod invariants;
mod letters;
mod money;
mod nights;
mod promises;

use std::collections::BTreeSet;
use std::fmt;

use anyhow::Result;
use invariants::INVARIANTS;

use super::installation::Installation;
use super::record::Heard;
use super::witness::{MISHAP, Witness};

/// What sort of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wrong {
    /// Something that a client was told is not so.
    Promise,
    /// A booking or a run that is not where it could end.
    Ending,
    /// Two bookings with one night, or a booking without its nights.
    Nights,
    /// The gateway was asked twice for what was wanted once.
    Twice,
    /// The gateway did what no turn of ours has asked for.
    Unasked,
    /// The gateway's books and ours differ.
    Money,
    /// The ledger does not balance, or an account is not empty that should be.
    Ledger,
    /// A letter too many or too few.
    Letters,
    /// A journal that does not prove itself.
    History,
    /// A fact that found no place, or work that waits for a person.
    Unexpected,
    /// Work that nobody does.
    Restless,
    /// A process said that somebody must act.
    Alarm,
    /// A message that the gateway did not sign was believed.
    Forged,
    /// A transaction stayed open while nobody worked in it.
    Open,
}

impl Wrong {
    /// All of them.
    pub(crate) const ALL: [Self; 14] = [
        Self::Promise,
        Self::Ending,
        Self::Nights,
        Self::Twice,
        Self::Unasked,
        Self::Money,
        Self::Ledger,
        Self::Letters,
        Self::History,
        Self::Unexpected,
        Self::Restless,
        Self::Alarm,
        Self::Forged,
        Self::Open,
    ];

    /// What should have been so.
    fn invariants(self) -> impl Iterator<Item = &'static str> {
        INVARIANTS.iter().filter(move |invariant| invariant.otherwise == self).map(|invariant| invariant.says)
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) wrong: Wrong,
    pub(crate) what: String,
}

/// All that is wrong.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub(crate) Vec<Finding>);

impl Findings {
    pub(crate) fn add(&mut self, wrong: Wrong, what: impl Into<String>) {
        self.0.push(Finding { wrong, what: what.into() });
    }

    /// Adds the finding unless the condition holds.
    pub(crate) fn expect(&mut self, holds: bool, wrong: Wrong, what: impl FnOnce() -> String) {
        if !holds {
            self.add(wrong, what());
        }
    }

    pub(crate) fn has(&self, wrong: Wrong) -> bool {
        self.0.iter().any(|finding| finding.wrong == wrong)
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 40;
        for Finding { wrong, what } in self.0.iter().take(MOST) {
            writeln!(f, "  {wrong:?}: {what}")?;
        }
        let broken: BTreeSet<Wrong> = self.0.iter().map(|finding| finding.wrong).collect();
        for says in broken.into_iter().flat_map(Wrong::invariants) {
            writeln!(f, "  it should be so: {says}")?;
        }
        match self.0.len().checked_sub(MOST) {
            Some(more) if more > 0 => writeln!(f, "  and {more} more"),
            _ => Ok(()),
        }
    }
}

/// Judges an installation that has come to rest and whose processes have ended.
pub(crate) async fn judge(
    house: &Installation,
    witness: &Witness,
    heard: &Heard,
    findings: &mut Findings,
) -> Result<()> {
    promises::kept(witness, heard, findings).await?;
    nights::once(witness, findings).await?;
    gateway::once(witness, findings).await?;
    money::agrees(witness, findings).await?;
    letters::once(house, witness, findings).await?;
    history::proves_itself(witness, findings).await?;
    alarms(house, findings).await;
    Ok(())
}

/// `error` in a log means that somebody must act; here nothing happened that the product does not see to by itself.
async fn alarms(house: &Installation, findings: &mut Findings) {
    for seat in &house.seats {
        let seat = seat.lock().await;
        for line in seat.said().filter(is_alarm) {
            findings.add(Wrong::Alarm, format!("{} said: {line}", seat.name));
        }
    }
}

/// apalis calls it an error when Redis is away; the product starts that part again and only warns. A mishap is called one rightly, and
/// was ours.
fn is_alarm(line: &serde_json::Value) -> bool {
    let theirs = line["target"].as_str().is_some_and(|target| target.starts_with("apalis"));
    let panicked = line.as_str().is_some_and(|line| line.contains("panicked"));
    let ours = line["error"].as_str().is_some_and(|error| error.contains(MISHAP));
    panicked || (line["level"] == "ERROR" && !theirs && !ours)
}
