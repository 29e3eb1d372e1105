//! `innkeeper up`: a folder that lasts, served by one process at a time.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use anyhow::Result;

use super::installation::{Installation, LIMIT};

/// Promised are 3 s on a machine that does nothing else.
const SECOND_START: Duration = Duration::from_secs(10);

#[tokio::test]
async fn what_was_acknowledged_outlives_a_good_end_and_a_kill() -> Result<()> {
    let installation = Installation::embedded()?;
    let served = installation.serve("up").await?;
    let first = served.took;
    served.site.person("anna@example.org").await?;
    served.stop().await?;

    let served = installation.serve("up").await?;
    println!("ready after {first:?} at the first start, after {:?} at the second", served.took);
    assert!(served.took < SECOND_START, "{:?}", served.took);
    assert_eq!(served.site.log_in("anna@example.org").await.status, 200);
    served.site.person("ben@example.org").await?;
    served.process.kill();

    let served = installation.serve("up").await?;
    println!("ready {:?} after a kill", served.took);
    assert_eq!(served.site.log_in("anna@example.org").await.status, 200);
    let ben = served.site.log_in("ben@example.org").await.into();
    assert_eq!(served.site.get(Some(&ben), "/profile").await.body["email"], "ben@example.org");
    served.stop().await
}

#[tokio::test]
async fn a_second_process_on_the_same_folder_is_refused_in_a_sentence() -> Result<()> {
    let installation = Installation::embedded()?;
    let served = installation.serve("up").await?;
    for role in ["up", "api", "worker"] {
        let refused = installation.run(role).await?;
        assert_eq!(refused.code, Some(1));
        let sentence = "innkeeper: another process serves data: choose another folder with --data, or PostgreSQL for several processes";
        assert_eq!(refused.complained, sentence);
    }
    assert_eq!(served.site.get(None, "/readyz").await.status, 200);
    served.process.kill();
    // The lock dies with its process, however it ended.
    installation.serve("up").await?.stop().await
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_setting() -> Result<()> {
    let installation = Installation::embedded()?;
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    let address = taken.local_addr()?.to_string();
    for (variable, setting, what) in [
        ("INNKEEPER_API__LISTEN", "api.listen", "the API"),
        ("INNKEEPER_API__METRICS_LISTEN", "api.metrics_listen", "/metrics"),
    ] {
        let refused = installation.command(["up"])?.env(variable, &address).run(LIMIT, "").await?;
        let sentence = format!(
            "innkeeper: {address} is in use by another program, so {what} cannot listen there: \
            set {setting} ({variable}) to an address that is free"
        );
        assert_eq!((refused.code, refused.complained), (Some(1), sentence));
    }
    Ok(())
}

#[tokio::test]
async fn nobody_else_can_look_into_the_folder() -> Result<()> {
    let installation = Installation::embedded()?;
    installation.serve("up").await?.stop().await?;
    let mode = |place: &str| anyhow::Ok(std::fs::metadata(installation.data(place))?.permissions().mode() & 0o777);
    assert_eq!(mode("")?, 0o700);
    for private in ["key", "gateway.db", "innkeeper.db"] {
        assert_eq!(mode(private)?, 0o600, "{private}");
    }
    Ok(())
}
