//! The processes that this build knows, what they need, and how an installation has them done.

use crate::process::{Process, erased};
use crate::{Kept, Limits, Party, Perform, Project, Retention, RetentionError, RunId, Timestamp, Tx, Workflow};
use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::DbErr;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A fact as it is posted: with the turn that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The run whose turn posted it.
    pub run: RunId,
    /// That turn.
    pub seq: i32,
    /// Its place within the turn.
    pub n: i32,
    /// The instant of the turn.
    pub at: Timestamp,
    /// The kind of fact.
    pub kind: String,
    /// The record, serialised.
    pub body: String,
}

/// Writes the rows that facts stand for (ledger legs, say) in the transaction of the turn that posted them.
pub trait PostFacts: Send + Sync + 'static {
    /// Writes them all, one statement per table; never called twice for the same fact.
    fn post<'a>(&'a self, tx: &'a Tx, facts: &'a [Posted]) -> BoxFuture<'a, Result<(), DbErr>>;
}

struct NoFacts;
impl PostFacts for NoFacts {
    fn post<'a>(&'a self, _tx: &'a Tx, _facts: &'a [Posted]) -> BoxFuture<'a, Result<(), DbErr>> {
        async { Ok(()) }.boxed()
    }
}

/// The processes of the product. One line per process.
pub struct Registry {
    processes: BTreeMap<&'static str, Arc<dyn Process>>,
    pub(crate) poster: Arc<dyn PostFacts>,
    pub(crate) schedules: Vec<crate::Schedule>,
    parties: Vec<Party>,
    retentions: BTreeMap<&'static str, Retention>,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            processes: BTreeMap::new(),
            poster: Arc::new(NoFacts),
            schedules: vec![],
            parties: vec![],
            retentions: BTreeMap::new(),
        }
    }
}

impl Registry {
    /// A registry that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a workflow with its hands.
    ///
    /// # Panics
    /// When two workflows have one name: found by the first start of the product.
    #[must_use]
    pub fn register<W: Workflow + Project<Tx, Error = DbErr>>(mut self, performer: impl Perform<W>) -> Self {
        const { assert!(W::READS >= W::SHAPE, "a build reads what it writes") };
        let earlier = self.processes.insert(W::NAME, erased::<W>(performer));
        assert!(earlier.is_none(), "two workflows are named {:?}", W::NAME);
        self.retentions.insert(W::NAME, W::retention());
        self
    }

    /// Writes the rows of posted facts with this.
    #[must_use]
    pub fn facts(mut self, poster: impl PostFacts) -> Self {
        self.poster = Arc::new(poster);
        self
    }

    /// Adds a schedule.
    #[must_use]
    pub fn schedule(mut self, schedule: crate::Schedule) -> Self {
        self.schedules.push(schedule);
        self
    }

    /// Adds an outside party: effects in its queues are calls to it.
    ///
    /// # Panics
    /// When one of its queues is another party's already: found by the first start of the product.
    #[must_use]
    pub fn party(mut self, party: Party) -> Self {
        let rival = party.queues.iter().find_map(|queue| self.party_of(queue));
        assert!(rival.is_none(), "{} and {} have a queue in common", party.name, rival.map_or("", |rival| rival.name));
        self.parties.push(party);
        self
    }

    /// Has an outside party called by other limits than its own, as an installation's configuration says.
    ///
    /// # Panics
    /// When there is no such party.
    #[must_use]
    pub fn limited(mut self, party: &str, limits: Limits) -> Self {
        let known = self.parties.iter_mut().find(|known| known.name == party);
        known.unwrap_or_else(|| panic!("there is no party {party:?}")).limits = limits;
        self
    }

    /// The outside parties.
    pub fn parties(&self) -> impl Iterator<Item = &Party> {
        self.parties.iter()
    }

    /// The queues that a person can name: those of the outside parties, and the engine's own.
    pub fn queues(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(crate::ENGINE_QUEUE).chain(self.parties.iter().flat_map(|party| party.queues.iter().copied()))
    }

    /// The party that effects in this queue call.
    pub(crate) fn party_of(&self, queue: &str) -> Option<&Party> {
        self.parties.iter().find(|party| party.queues.contains(&queue))
    }

    /// Keeps the finished runs of workflows as a configuration says.
    ///
    /// # Errors
    /// When it names a workflow that is not registered, or demands what the law or the archive forbids.
    pub fn keep<'a>(mut self, all: impl IntoIterator<Item = (&'a String, &'a Kept)>) -> Result<Self, RetentionError> {
        for (workflow, kept) in all {
            let unknown = || RetentionError::Unknown(workflow.clone());
            let retention = self.retentions.get_mut(workflow.as_str()).ok_or_else(unknown)?;
            *retention = retention.with(workflow, *kept)?;
        }
        Ok(self)
    }

    /// How long the finished runs of each workflow are kept.
    pub fn retentions(&self) -> impl Iterator<Item = (&'static str, Retention)> + '_ {
        self.retentions.iter().map(|(workflow, retention)| (*workflow, *retention))
    }

    pub(crate) fn get(&self, workflow: &str) -> Option<&Arc<dyn Process>> {
        self.processes.get(workflow)
    }

    /// The names of the workflows, sorted.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.processes.keys().copied()
    }

    /// What this build makes of each workflow's shapes.
    pub fn shapes(&self) -> impl Iterator<Item = crate::ShapeKnown> + '_ {
        self.processes.values().map(|p| crate::ShapeKnown { workflow: p.name(), writes: p.shape(), reads: p.reads() })
    }

    /// Workflow names and the highest shape that this build reads, as the claim needs them.
    pub(crate) fn known(&self) -> (Vec<&'static str>, Vec<i16>) {
        self.processes.values().map(|p| (p.name(), p.reads())).unzip()
    }
}
