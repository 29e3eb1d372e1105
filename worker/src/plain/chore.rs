//! The chores: what is forgotten, how old it must be, and how often one looks.

use std::time::Duration;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// A piece of housekeeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chore {
    /// Answers to repeated requests, 72 hours old.
    ForgetAnswers,
    /// Links that prove an address, expired.
    ForgetVerifications,
    /// Logins that have ended.
    ForgetSessions,
    /// Messages from outside that were worked on, 30 days old.
    ForgetMessages,
    /// What apalis keeps of plain jobs that are done.
    ForgetJobs,
    /// Runs that finished long ago go to the archive; how long is their workflows' to say.
    ArchiveRuns,
    /// Archived runs whose time has come, and old ticks of schedules.
    ForgetRuns,
}

impl Chore {
    /// Every chore.
    pub const ALL: [Self; 7] = [
        Self::ForgetAnswers,
        Self::ForgetVerifications,
        Self::ForgetSessions,
        Self::ForgetMessages,
        Self::ForgetJobs,
        Self::ArchiveRuns,
        Self::ForgetRuns,
    ];

    /// Its name in Redis, logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ForgetAnswers => "forget_answers",
            Self::ForgetVerifications => "forget_verifications",
            Self::ForgetSessions => "forget_sessions",
            Self::ForgetMessages => "forget_messages",
            Self::ForgetJobs => "forget_jobs",
            Self::ArchiveRuns => "archive_runs",
            Self::ForgetRuns => "forget_runs",
        }
    }

    /// The chore of this name; a later build may have others.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|chore| chore.name() == name)
    }

    /// How old something is before it is forgotten.
    #[must_use]
    pub const fn age(self) -> Duration {
        Duration::from_secs(match self {
            Self::ForgetAnswers => 72 * HOUR,
            // Kept a little past their end, for whoever asks what became of them.
            Self::ForgetVerifications => 7 * DAY,
            Self::ForgetSessions | Self::ForgetMessages => 30 * DAY,
            // By measures of their own.
            Self::ForgetJobs | Self::ArchiveRuns | Self::ForgetRuns => 0,
        })
    }

    /// Its schedule's name in the engine.
    pub(crate) const fn schedule_name(self) -> &'static str {
        match self {
            Self::ForgetAnswers => "chore_forget_answers",
            Self::ForgetVerifications => "chore_forget_verifications",
            Self::ForgetSessions => "chore_forget_sessions",
            Self::ForgetMessages => "chore_forget_messages",
            Self::ForgetJobs => "chore_forget_jobs",
            Self::ArchiveRuns => "chore_archive_runs",
            Self::ForgetRuns => "chore_forget_runs",
        }
    }

    /// When it is due, spread over the hour so that they do not come at once.
    pub(crate) const fn cron(self) -> &'static str {
        match self {
            Self::ForgetAnswers => "0 7 * * * *",
            Self::ForgetVerifications => "0 17 * * * *",
            Self::ForgetSessions => "0 27 * * * *",
            Self::ForgetMessages => "0 37 3 * * *",
            Self::ForgetJobs => "0 */10 * * * *",
            Self::ArchiveRuns => "0 3/10 * * * *",
            Self::ForgetRuns => "0 57 * * * *",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_chore_has_a_name_of_its_own_and_a_schedule_that_can_be_read() {
        let names: BTreeSet<_> = Chore::ALL.into_iter().map(Chore::name).collect();
        assert_eq!(names.len(), Chore::ALL.len());
        for chore in Chore::ALL {
            assert_eq!(Chore::named(chore.name()), Some(chore));
            assert_eq!(chore.schedule_name(), format!("chore_{}", chore.name()));
        }
        let registry = crate::Chores::new().scheduled(engine::Registry::new());
        assert_eq!(registry.names().count(), 0, "chores are no workflows");
    }
}
