//! The oracle: judges a play by what can be seen from outside, and says everything that is wrong, not only the first.

mod files;
mod gateway;
mod history;
mod invariants;
mod letters;
mod money;
mod nights;
mod promises;
mod works;

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Context, Result};
pub(crate) use invariants::{INVARIANTS, Since, Wrong};

use super::installation::Installation;
use super::record::Heard;
use super::witness::{Longest, Witness};

/// What a play has left behind. Its processes have ended.
pub(crate) struct Scene<'a> {
    pub(crate) house: &'a Installation,
    pub(crate) witness: &'a Witness,
    pub(crate) heard: &'a Heard,
    /// How far the play came.
    pub(crate) until: Since,
    /// Why there was no rest.
    pub(crate) restless: Option<String>,
    /// Whether every process ended in good order when it was asked to.
    pub(crate) ended_well: bool,
    /// What lasted longest, where somebody looked for it.
    pub(crate) longest: Longest,
}

/// What one check has found.
#[derive(Debug, Default)]
pub(crate) struct Found(Vec<String>);

impl Found {
    pub(crate) fn add(&mut self, what: impl Into<String>) {
        self.0.push(what.into());
    }

    /// Adds the finding unless the condition holds.
    pub(crate) fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.add(what());
        }
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
        for invariant in INVARIANTS.iter().filter(|invariant| broken.contains(&invariant.name)) {
            writeln!(f, "  it should be so: {}", invariant.says)?;
        }
        match self.0.len().checked_sub(MOST) {
            Some(more) if more > 0 => writeln!(f, "  and {more} more"),
            _ => Ok(()),
        }
    }
}

/// Checks everything that holds by now.
pub(crate) async fn judge(scene: &Scene<'_>) -> Result<Findings> {
    let mut findings = Findings::default();
    for invariant in INVARIANTS.iter().filter(|invariant| invariant.since <= scene.until) {
        let mut found = Found::default();
        (invariant.check)(scene, &mut found).await.with_context(|| format!("see whether {}", invariant.says))?;
        findings.0.extend(found.0.into_iter().map(|what| Finding { wrong: invariant.name, what }));
    }
    Ok(findings)
}
