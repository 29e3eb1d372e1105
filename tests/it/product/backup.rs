//! `innkeeper backup`: a copy of a running installation that opens, is whole, and can be served.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};

use super::installation::Installation;

async fn the_only_value(db: &DatabaseConnection, sql: &str) -> Result<String> {
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    Ok(row.context("one row")?.try_get_by_index(0)?)
}

/// Every file below, by its path from here.
fn files(root: &Path) -> Result<Vec<String>> {
    let mut found = vec![];
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.file_type()?.is_dir() {
            true => found.extend(files(&entry.path())?.into_iter().map(|below| format!("{name}/{below}"))),
            false => found.push(name),
        }
    }
    found.sort();
    Ok(found)
}

#[tokio::test]
async fn a_copy_of_a_running_installation_is_whole_and_can_be_served() -> Result<()> {
    let installation = Installation::embedded()?;
    let served = installation.serve("up").await?;
    let host = served.site.person("anna@example.org").await?;
    let home = served.site.home(&host).await?;
    let done = installation.run("backup copy").await?;
    assert_eq!(done.code, Some(0), "{}", done.complained);
    served.site.person("too-late@example.org").await?;
    for file in ["copy/innkeeper.db", "copy/objects.txt"] {
        let mode = fs::metadata(installation.place(file))?.permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{file}");
    }

    let copy =
        Database::connect(format!("sqlite://{}?mode=ro", installation.place("copy/innkeeper.db").display())).await?;
    assert_eq!(the_only_value(&copy, "pragma integrity_check").await?, "ok");
    assert_eq!(the_only_value(&copy, "select group_concat(email) from user_account").await?, "anna@example.org");
    let listed = fs::read_to_string(installation.place("copy/objects.txt"))?;
    assert_eq!(listed.lines().collect::<Vec<_>>(), files(&installation.data("objects"))?);
    assert!(listed.lines().count() >= 6, "a photograph has six files: {listed}");
    served.stop().await?;

    // The key is kept elsewhere on purpose: beside the copy it would open all that is sealed in it.
    let restored = Installation::embedded()?;
    fs::create_dir(restored.data(""))?;
    fs::copy(installation.place("copy/innkeeper.db"), restored.data("innkeeper.db"))?;
    fs::copy(installation.data("key"), restored.data("key"))?;
    let served = restored.serve("up").await?;
    let anna = served.site.log_in("anna@example.org").await.into();
    assert_eq!(served.site.get(Some(&anna), &format!("/properties/{home}")).await.body["title"], "Loft in Lisbon");
    assert_eq!(served.site.log_in("too-late@example.org").await.status, 401);
    served.stop().await
}

#[tokio::test]
async fn a_backup_never_overwrites_and_never_copies_nothing() -> Result<()> {
    let installation = Installation::embedded()?;
    let nothing = installation.run("backup copy").await?;
    assert_eq!(nothing.code, Some(1));
    assert!(nothing.complained.contains("there is no data/innkeeper.db"), "{}", nothing.complained);
    assert!(!installation.place("copy").exists() && !installation.place("data").exists());

    installation.serve("up").await?.stop().await?;
    assert_eq!(installation.run("backup copy").await?.code, Some(0));
    let before = fs::read(installation.place("copy/innkeeper.db"))?;
    let again = installation.run("backup copy").await?;
    assert_eq!(again.code, Some(1));
    assert!(again.complained.contains("a backup never overwrites another"), "{}", again.complained);
    assert_eq!(fs::read(installation.place("copy/innkeeper.db"))?, before);
    Ok(())
}
