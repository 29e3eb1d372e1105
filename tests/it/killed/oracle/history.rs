//! The past proves itself: every journal's chain and steps, the sealed log without a gap, and nothing that was not expected.

use anyhow::Result;
use engine::RunId;
use uuid::Uuid;

use super::{Findings, Wrong};
use crate::killed::witness::Witness;

pub(crate) async fn proves_itself(witness: &Witness, findings: &mut Findings) -> Result<()> {
    for row in witness.rows("select id, workflow, key, unexpected from workflow_run").await? {
        let run = RunId::from_uuid(row.try_get_by_index::<Uuid>(0)?);
        let (workflow, key): (String, String) = (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
        let unexpected: i32 = row.try_get_by_index(3)?;
        findings.expect(unexpected == 0, Wrong::Unexpected, || {
            format!("{unexpected} facts found no place in the {workflow} {key}")
        });
        if let Some(replay) = witness.engine.replay(run).await? {
            for broken in replay.broken {
                findings.add(Wrong::History, format!("the {workflow} {key}, {broken}"));
            }
        }
    }
    for work in witness.engine.parked().await? {
        findings.add(Wrong::Unexpected, format!("parked: {work:?}"));
    }
    let left = witness.count("select count(*) from workflow_work").await?;
    findings.expect(left == 0, Wrong::Restless, || format!("{left} pieces of work are left"));
    sealed(witness, findings).await
}

async fn sealed(witness: &Witness, findings: &mut Findings) -> Result<()> {
    let open = witness.count("select count(*) from event_log where position is null").await?;
    findings.expect(open == 0, Wrong::History, || format!("{open} facts were never sealed"));
    if let Some(position) = witness.engine.first_broken_seal().await? {
        findings.add(Wrong::History, format!("the seal of position {position} is broken"));
    }
    Ok(())
}
