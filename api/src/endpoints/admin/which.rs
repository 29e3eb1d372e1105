//! Which runs and which work: names and filters, in queries and in bodies.

use chrono::{DateTime, Datelike as _, Utc};
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::{IntoParams, ToSchema};
use workflows::operating::{RunFilter, RunId, Standing, WorkFilter, WorkId};

/// A run's public name: `run_` and 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunName(pub(super) RunId);

/// A piece of work's name: the run's 32 digits, its turn and its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct WorkName(pub(super) WorkId);

/// The name of a workflow, state, queue or effect: a word.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, max_length = 100)]
pub(super) struct Word(String);

/// An instant that something of ours can have: in this century or the next.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(try_from = "DateTime<Utc>")]
#[schema(value_type = DateTime<Utc>)]
pub(super) struct Moment(pub(super) DateTime<Utc>);

impl TryFrom<DateTime<Utc>> for Moment {
    type Error = &'static str;

    fn try_from(at: DateTime<Utc>) -> Result<Self, Self::Error> {
        (2000..2200).contains(&at.year()).then_some(Self(at)).ok_or("an instant between the years 2000 and 2200")
    }
}

fn run(digits: &str) -> Option<RunId> {
    let is_name = digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    digits.parse().ok().filter(|_| is_name)
}

impl<'de> Deserialize<'de> for RunName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let named = text.strip_prefix("run_").and_then(run);
        named.map(Self).ok_or_else(|| de::Error::custom("not a run: run_ and 32 lower-case hexadecimal digits"))
    }
}

impl<'de> Deserialize<'de> for WorkName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let named = text.parse::<WorkId>().ok().filter(|work| work.to_string() == text);
        named
            .map(Self)
            .ok_or_else(|| de::Error::custom("not a piece of work: 32 digits, the turn and the place, with colons"))
    }
}

impl From<Word> for String {
    fn from(word: Word) -> Self {
        word.0
    }
}

impl TryFrom<String> for Word {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_word = (1..=100).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        is_word.then_some(Self(text)).ok_or("not a word of letters, digits, `_`, `-` and `.`")
    }
}

/// In whose hands a piece of work is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum InHands {
    /// In nobody's, due or not.
    Waiting,
    /// In some process's.
    Leased,
    /// It waits for a person.
    Parked,
}

/// Which runs.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WhichRuns {
    /// Only of this workflow.
    #[param(value_type = Option<String>)]
    workflow: Option<Word>,
    /// Only in the state of this name.
    #[param(value_type = Option<String>)]
    state: Option<Word>,
    /// Only those that have ended, or only those that have not.
    finished: Option<bool>,
    /// Only those that met a fact without a place.
    #[serde(default)]
    unexpected: bool,
    /// Only those that took nothing in since.
    quiet_since: Option<DateTime<Utc>>,
}

/// Which waiting work.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WhichWork {
    /// Only of this workflow.
    #[param(value_type = Option<String>)]
    workflow: Option<Word>,
    /// Only of runs in the state of this name.
    #[param(value_type = Option<String>)]
    state: Option<Word>,
    /// Only in this queue.
    #[param(value_type = Option<String>)]
    queue: Option<Word>,
    /// Only the effect or timer of this name.
    #[param(value_type = Option<String>)]
    name: Option<Word>,
    /// Only what is in these hands.
    #[param(inline)]
    standing: Option<InHands>,
    /// Only after a failure of this class.
    #[param(value_type = Option<String>)]
    error_class: Option<Word>,
    /// Only what was due before.
    due_before: Option<DateTime<Utc>>,
}

fn text(word: &Option<Word>) -> Option<String> {
    word.as_ref().map(|word| word.0.clone())
}

impl WhichRuns {
    pub(super) fn filter(&self) -> RunFilter {
        let Self { workflow, state, finished, unexpected, quiet_since } = self;
        RunFilter {
            workflow: text(workflow),
            state: text(state),
            finished: *finished,
            unexpected: *unexpected,
            quiet_since: *quiet_since,
        }
    }
}

impl WhichWork {
    pub(super) fn filter(&self) -> WorkFilter {
        let Self { workflow, state, queue, name, standing, error_class, due_before } = self;
        let standing = standing.map(|hands| match hands {
            InHands::Waiting => Standing::Waiting,
            InHands::Leased => Standing::Leased,
            InHands::Parked => Standing::Parked,
        });
        WorkFilter {
            run: None,
            workflow: text(workflow),
            state: text(state),
            queue: text(queue),
            name: text(name),
            standing,
            error_class: text(error_class),
            due_before: *due_before,
        }
    }
}

/// Which runs an order is about, when it names none.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunsOf {
    /// Of this workflow.
    pub(super) workflow: Option<Word>,
    /// In the state of this name.
    pub(super) state: Option<Word>,
    /// Those that took nothing in since.
    pub(super) quiet_since: Option<Moment>,
}

/// Which parked work an order is about, when it names none.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ParkedOf {
    /// Of this workflow.
    pub(super) workflow: Option<Word>,
    /// Of runs in the state of this name.
    pub(super) state: Option<Word>,
    /// In this queue.
    pub(super) queue: Option<Word>,
    /// The effect or timer of this name.
    pub(super) name: Option<Word>,
    /// After a failure of this class.
    pub(super) error_class: Option<Word>,
    /// What was due before.
    pub(super) due_before: Option<Moment>,
}

impl RunsOf {
    /// Open runs that fit.
    pub(super) fn filter(&self) -> RunFilter {
        let Self { workflow, state, quiet_since } = self;
        RunFilter {
            workflow: text(workflow),
            state: text(state),
            finished: Some(false),
            unexpected: false,
            quiet_since: quiet_since.map(|moment| moment.0),
        }
    }
}

impl ParkedOf {
    pub(super) fn filter(&self) -> WorkFilter {
        let Self { workflow, state, queue, name, error_class, due_before } = self;
        WorkFilter {
            workflow: text(workflow),
            state: text(state),
            queue: text(queue),
            name: text(name),
            error_class: text(error_class),
            due_before: due_before.map(|moment| moment.0),
            ..WorkFilter::parked()
        }
    }
}
