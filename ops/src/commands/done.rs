//! What came of acts: in words for people, and of one shape as JSON, whatever was acted on.

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::process::ExitCode;

/// Who acts on one thing, and whether.
#[derive(Debug, Args)]
#[group(id = "who")]
pub(super) struct Hand {
    /// Really do it.
    #[arg(long)]
    pub write: bool,
    /// Your id, for the log and for whoever finds it paused.
    #[arg(long, default_value = "console")]
    pub actor: String,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// What came of one act.
#[derive(Serialize)]
pub(super) struct Done {
    /// What it is done to.
    pub what: String,
    /// In one line, as it was before.
    pub about: String,
    /// `would`, `done`, `refused`, or `already` where it was so before; `unread` where nothing could be done because it cannot be read,
    /// `left` for what `--limit` left out.
    pub outcome: &'static str,
    /// Why nothing was done, or what it leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Hand {
    /// Tells of an act that changed something, or did not, or was not carried out; `came` says what it leads to.
    pub(super) fn tell(
        &self,
        verb: &str,
        (what, about): (String, String),
        (changed, came): (Option<bool>, String),
    ) -> Result<ExitCode> {
        let outcome = match changed {
            None => "would",
            Some(true) => "done",
            Some(false) => "already",
        };
        let note = (outcome == "done").then_some(came);
        Done { what, about, outcome, note }.print(verb, self.json)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Done {
    pub(super) fn of(what: String, about: String, outcome: Result<Option<String>, String>, write: bool) -> Self {
        let did = if write { "done" } else { "would" };
        match outcome {
            Ok(note) => Self { what, about, outcome: did, note },
            Err(why) => Self { what, about, outcome: "refused", note: Some(why) },
        }
    }

    fn print(&self, verb: &str, json: bool) -> Result<()> {
        let Self { what, about, outcome, note } = self;
        match (json, *outcome, note) {
            (true, ..) => println!("{}", serde_json::to_string_pretty(&[self])?),
            (false, "would", _) => println!("would {verb} {about}; say --write"),
            (false, _, Some(came)) => println!("{what} {came}"),
            (false, ..) => println!("already: {about}"),
        }
        Ok(())
    }
}
