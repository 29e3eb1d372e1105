//! The past proves itself: every journal's chain and steps, the sealed log without a gap, and nothing that was not expected.

use anyhow::Result;
use engine::RunId;
use uuid::Uuid;

use super::{Found, Scene};

pub(crate) async fn proves_itself(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    for row in scene.witness.rows("select id, workflow, key from workflow_run").await? {
        let run = RunId::from_uuid(row.try_get_by_index::<Uuid>(0)?);
        let (workflow, key): (String, String) = (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
        if let Some(replay) = scene.witness.engine.replay(run).await? {
            for broken in replay.broken {
                found.add(format!("the {workflow} {key}, {broken}"));
            }
        }
    }
    Ok(())
}

pub(crate) async fn expected(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    let sql = "select workflow, key, unexpected from workflow_run where unexpected <> 0";
    for row in scene.witness.rows(sql).await? {
        let (workflow, key): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let unexpected: i32 = row.try_get_by_index(2)?;
        found.add(format!("{unexpected} facts found no place in the {workflow} {key}"));
    }
    for work in scene.witness.engine.parked().await? {
        found.add(format!("parked: {work:?}"));
    }
    Ok(())
}

pub(crate) async fn sealed(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    let open = scene.witness.count("select count(*) from event_log where position is null").await?;
    found.expect(open == 0, || format!("{open} facts were never sealed"));
    if let Some(position) = scene.witness.engine.first_broken_seal().await? {
        found.add(format!("the seal of position {position} is broken"));
    }
    Ok(())
}
