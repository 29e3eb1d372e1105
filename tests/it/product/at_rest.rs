//! An installation that has served and stands still, for commands to look at; and what varies in what they say.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use chrono::DateTime;
use harness::wait;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use serde_json::Value;

use super::installation::{Installation, LIMIT};

/// `not_before` of work that waits for a person.
const PARKED: i64 = i64::MAX;

/// An installation at rest: a request that waits for its host, whose deadline was parked.
pub(super) struct AtRest {
    /// Where.
    pub installation: Installation,
    /// The request.
    pub booking: String,
}

impl AtRest {
    pub(super) async fn prepare() -> Result<Self> {
        let installation = Installation::embedded()?;
        let served = installation.serve("up").await?;
        let (host, guest) =
            (served.site.person("host@example.org").await?, served.site.person("guest@example.org").await?);
        let home = served.site.home(&host).await?;
        let booking = served.site.book(&guest, &home, 30).await?;
        served.site.until_phase(&guest, &booking, "awaiting_host").await?;
        // The gateway's notice of the authorisation is work as well, and comes when it comes.
        let calm = async || {
            let inspected = r#"tries_total{effect="Inspect",outcome="done",workflow="payment"} 1"#;
            served.exposition().await.ok().filter(|text| text.contains(inspected))?;
            let queues: Value =
                serde_json::from_str(&installation.run("queue list --json").await.ok()?.printed).ok()?;
            let busy = |queue: &Value| queue["ready"] != 0 || queue["leased"] != 0;
            (!queues["data"].as_array()?.iter().any(busy)).then_some(())
        };
        wait::until(LIMIT, "everything that is due to be done", calm).await?;
        served.stop().await?;
        let it = Self { installation, booking };
        it.park_the_deadline().await?;
        Ok(it)
    }

    /// The database itself, to look into it and to spoil it.
    pub(super) async fn database(&self) -> Result<DatabaseConnection> {
        Ok(Database::connect(format!("sqlite://{}", self.installation.data("innkeeper.db").display())).await?)
    }

    /// By hand: nothing in the sandbox parks work that soon.
    async fn park_the_deadline(&self) -> Result<()> {
        let db = self.database().await?;
        let sql = "update workflow_work set not_before = $1, error_class = 'poison', last_error = 'the deadline cannot be read'
            where workflow = 'booking' and name = 'HostDeadline'";
        let park = Statement::from_sql_and_values(db.get_database_backend(), sql, [PARKED.into()]);
        assert_eq!(db.execute_raw(park).await?.rows_affected(), 1, "the deadline of the one booking");
        Ok(db.close().await?)
    }

    /// What a command prints that succeeds and does not complain.
    pub(super) async fn says(&self, words: &str) -> Result<String> {
        let said = self.installation.run(words).await?;
        assert_eq!((said.code, said.complained.as_str()), (Some(0), ""), "{words}");
        Ok(said.printed)
    }

    /// Everything in the database, row by row.
    pub(super) async fn content(&self) -> Result<BTreeMap<String, Vec<String>>> {
        let db =
            Database::connect(format!("sqlite://{}?mode=ro", self.installation.data("innkeeper.db").display())).await?;
        let ask = async |sql: String| db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await;
        let mut content = BTreeMap::new();
        for table in ask("select name from sqlite_master where type = 'table'".to_owned()).await? {
            let table: String = table.try_get_by_index(0)?;
            let columns = ask(format!(
                "select group_concat('quote(\"' || name || '\")', ' || '','' || ') from pragma_table_info('{table}')"
            ))
            .await?;
            let columns: String = columns.first().context("a table has columns")?.try_get_by_index(0)?;
            let rows = ask(format!("select {columns} from \"{table}\" order by 1")).await?;
            content.insert(table, rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<Vec<String>, _>>()?);
        }
        Ok(content)
    }
}

/// Ids become `[id 1]`, `[id 2]` in the order in which they appear, instants `[instant]`, ages `[age]`.
pub(super) fn redacted(text: &str) -> String {
    let mut ids = Vec::new();
    let mut out = String::new();
    for (n, line) in text.lines().enumerate() {
        let (line, age) = match line.rsplit_once(' ') {
            Some((rest, "s")) => (rest.rsplit_once(' ').map_or(rest, |(rest, _)| rest.trim_end()), "  [age]"),
            _ => (line, ""),
        };
        out.push_str(if n == 0 { "" } else { "\n" });
        let pieces = line.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || "-:.+_".contains(c)));
        pieces.for_each(|piece| out.push_str(&told(piece, &mut ids)));
        out.push_str(age);
    }
    out
}

fn told(piece: &str, ids: &mut Vec<String>) -> String {
    let word = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    let rest = &piece[word.len()..];
    if DateTime::parse_from_rfc3339(word).is_ok() {
        return format!("[instant]{rest}");
    }
    let plain = word.replace('-', "");
    let Some(at) = plain.as_bytes().windows(32).position(|w| w.iter().all(u8::is_ascii_hexdigit)) else {
        return piece.to_owned();
    };
    let id = plain[at..at + 32].to_owned();
    let number = ids.iter().position(|known| *known == id).unwrap_or_else(|| {
        ids.push(id);
        ids.len() - 1
    });
    format!("{}[id {}]{}{rest}", &plain[..at], number + 1, &plain[at + 32..])
}

#[test]
fn ids_and_instants_are_redacted_and_nothing_else() {
    let id = "01a206b39d0877a5b2459f4e0e46a936";
    let line = format!("run_{id}/1/2  waits, due 2026-11-23T04:39:54.725113+00:00, claimed 1 times (run_{id})");
    assert_eq!(redacted(&line), "run_[id 1]/1/2  waits, due [instant], claimed 1 times (run_[id 1])");
    assert_eq!(redacted("mail      1        0       12.3 s"), "mail      1        0  [age]");
}
