//! What an operator did, as a fact in the event log: the log is for ever, and so is who did what, and why.

use crate::storage::single::{clipped, execute};
use crate::tx::clocks;
use crate::{Origin, RunId, WorkId};
use sea_orm::{ConnectionTrait, DbErr};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The kind of fact that an operator's act is.
pub const OPERATORS_ACT: &str = "operator";

/// An operator's act, as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OperatorsAct {
    /// On a piece of work: a retry.
    OnWork {
        /// Who.
        actor: Option<String>,
        /// What.
        did: String,
        /// The HTTP request.
        request_id: Option<String>,
        /// The work's name.
        work: String,
    },
    /// On a queue, a workflow, an outside party or a schedule: a pause, a resume, a limit.
    OnTarget {
        /// Who.
        actor: String,
        /// What.
        did: String,
        /// The kind of the target and its name.
        on: String,
        /// Why, in words; for a limit, how wide.
        why: Option<String>,
    },
}

impl OperatorsAct {
    async fn keep(&self, tx: &impl ConnectionTrait, name: RunId) -> Result<(), DbErr> {
        let (now, _) = clocks(tx).await?;
        let body = serde_json::to_string(self).map_err(|error| DbErr::Json(error.to_string()))?;
        let sql =
            "insert into event_log (run, seq, n, kind, body, at) values ($1, 0, 0, $2, $3, $4) on conflict do nothing";
        let values = vec![name.uuid().into(), OPERATORS_ACT.into(), body.into(), now.timestamp_micros().into()];
        execute(tx, sql, values).await.map(drop)
    }
}

/// Keeps who did what to a piece of work; the same act of one request is one fact.
pub(crate) async fn on_work(
    tx: &impl ConnectionTrait,
    did: &str,
    work: WorkId,
    Origin { actor, request_id, .. }: &Origin,
) -> Result<(), DbErr> {
    let request = request_id.as_deref().unwrap_or_default();
    // A name of its own beside the run: the run's own turns number theirs.
    let name = RunId::derive(OPERATORS_ACT, &format!("{did}:{work}:{request}"), work.run);
    let (actor, request_id) = (actor.clone(), request_id.clone());
    OperatorsAct::OnWork { actor, did: did.to_owned(), request_id, work: work.to_string() }.keep(tx, name).await
}

/// Keeps who held something back, limited it or let it go on, and why. The caller has locked what it is on: no two acts on it share an
/// instant.
pub(crate) async fn on_target(
    tx: &impl ConnectionTrait,
    (did, on): (&str, &str),
    (actor, why): (&str, Option<&str>),
) -> Result<(), DbErr> {
    let (_, real) = clocks(tx).await?;
    let name = RunId::derive(OPERATORS_ACT, &format!("{did}:{on}:{real}:{actor}"), RunId::from_uuid(Uuid::nil()));
    let [actor, did, on] = [actor, did, on].map(str::to_owned);
    OperatorsAct::OnTarget { actor, did, on, why: why.map(clipped) }.keep(tx, name).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::golden_values;

    #[test]
    fn every_act_that_an_operator_ever_did_can_be_read() {
        let some = |text: &str| Some(text.to_owned());
        let [actor, did, on] = ["usr_1", "pause", "queue mail"].map(str::to_owned);
        let retry = |actor, request_id| OperatorsAct::OnWork {
            actor,
            did: "retry".to_owned(),
            request_id,
            work: "01920000000070008000000000000001:1:2".to_owned(),
        };
        let held = OperatorsAct::OnTarget { actor, did, on, why: some("the post is on strike") };
        golden_values(&[retry(some("usr_1"), some("req_1")), retry(None, None), held], "golden/operator");
    }
}
