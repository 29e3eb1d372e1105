//! How long what a finished run leaves behind is kept, and where.

use serde::{Deserialize, Serialize};

/// An age in whole days, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum After {
    /// After so many days.
    Days(u32),
    /// Never, written `"never"`.
    Never(Never),
}

/// The word `"never"` of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Never {
    /// It does not happen.
    Never,
}

impl After {
    /// It does not happen.
    pub const NEVER: Self = Self::Never(Never::Never);

    /// The age in days; `None` for never.
    #[must_use]
    pub const fn days(self) -> Option<u32> {
        match self {
            Self::Days(days) => Some(days),
            Self::Never(Never::Never) => None,
        }
    }

    /// Whether it comes before that many days have passed.
    const fn is_before(self, least: u32) -> bool {
        matches!(self, Self::Days(days) if days < least)
    }
}

/// What becomes of a run that has finished, counted on the business clock from its last turn.
///
/// First its input, state and journal go to the archive, out of the way of what is alive; its row stays, so that its key is refused and a
/// late fact brings it back. Later the archive may forget it altogether: then its key is free, and nothing can find it any more. A run
/// that still has work, or that holds a fact without a place, stays where people look for such things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// When it goes to the archive.
    pub archive: After,
    /// When the archive forgets it.
    pub purge: After,
    /// The law: no configuration may forget it earlier than after so many days.
    pub at_least_days: u32,
}

impl Default for Retention {
    /// A month, then the archive for ever.
    fn default() -> Self {
        Self { archive: After::Days(30), purge: After::NEVER, at_least_days: 0 }
    }
}

/// What a configuration says of one workflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kept {
    /// Days after its last turn until a finished run goes to the archive, or `"never"`.
    pub archive_after_days: Option<After>,
    /// Days after its last turn until the archive forgets it, or `"never"`.
    pub purge_after_days: Option<After>,
}

/// A retention that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetentionError {
    /// This build has no such workflow.
    #[error("retention: there is no workflow {0:?}")]
    Unknown(String),
    /// The law.
    #[error("retention: runs of {workflow:?} have to be kept for {days} days")]
    TooShort {
        /// The workflow.
        workflow: String,
        /// What the law demands.
        days: u32,
    },
    /// The archive forgets only what it has.
    #[error("retention: runs of {0:?} would be forgotten before they are archived")]
    NeverArchived(String),
}

impl Retention {
    /// Kept by law for so many days, and for ever unless a configuration says otherwise.
    #[must_use]
    pub fn by_law(days: u32) -> Self {
        Self { at_least_days: days, ..Self::default() }
    }

    /// Forgotten so many days after the last turn, unless it has posted facts: those are kept for ever, and so is their run.
    #[must_use]
    pub const fn purged_after(mut self, days: u32) -> Self {
        self.purge = After::Days(days);
        self
    }

    /// With what a configuration says.
    pub(crate) fn with(mut self, workflow: &str, kept: Kept) -> Result<Self, RetentionError> {
        self.archive = kept.archive_after_days.unwrap_or(self.archive);
        self.purge = kept.purge_after_days.unwrap_or(self.purge);
        let workflow = workflow.to_owned();
        if self.purge.is_before(self.at_least_days) {
            return Err(RetentionError::TooShort { workflow, days: self.at_least_days });
        }
        match (self.archive.days(), self.purge.days()) {
            (None, Some(_)) => Err(RetentionError::NeverArchived(workflow)),
            (Some(archive), Some(purge)) if purge < archive => Err(RetentionError::NeverArchived(workflow)),
            _ => Ok(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(json: &str) -> Kept {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_configuration_says_days_or_never() {
        let set = kept(r#"{"archive_after_days":7,"purge_after_days":"never"}"#);
        let retention = Retention::default().purged_after(400).with("mail", set).unwrap();
        assert_eq!((retention.archive.days(), retention.purge.days()), (Some(7), None));
        assert!(serde_json::from_str::<Kept>(r#"{"purge_after_days":"soon"}"#).is_err());
        assert!(serde_json::from_str::<Kept>(r#"{"purge_after":1}"#).is_err());
    }

    #[test]
    fn nothing_is_forgotten_before_the_law_allows_it_or_without_having_been_archived() {
        let by_law = Retention::by_law(3653);
        assert_eq!(by_law.purge.days(), None);
        let short = by_law.with("payment", kept(r#"{"purge_after_days":3652}"#));
        assert!(matches!(short, Err(RetentionError::TooShort { days: 3653, .. })));
        assert!(by_law.with("payment", kept(r#"{"purge_after_days":3653}"#)).is_ok());
        let never_there = kept(r#"{"archive_after_days":"never","purge_after_days":10}"#);
        assert!(matches!(Retention::default().with("mail", never_there), Err(RetentionError::NeverArchived(_))));
        let too_late = kept(r#"{"archive_after_days":11,"purge_after_days":10}"#);
        assert!(matches!(Retention::default().with("mail", too_late), Err(RetentionError::NeverArchived(_))));
    }
}
