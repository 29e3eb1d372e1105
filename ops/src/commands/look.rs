//! Looking: an engine that changes nothing, where what is shown was read, and lists that go on after a damaged row.

use crate::config::Config;
use crate::connect;
use anyhow::Result;
use domain::Provider;
use engine::{Damaged, Engine, Listed, Readable, Rows, Settings};
use sea_orm::DbErr;
use serde::Serialize;
use std::process::ExitCode;
use uuid::Uuid;

/// Rows read at a time.
const PAGE: u64 = 200;

/// An identity for a command that holds no work.
pub(super) fn stranger() -> Uuid {
    Uuid::from_u128(rand::random())
}

/// An engine without hands: it knows every process of this build, decides and proves, executes nothing, and migrates nothing.
pub(super) async fn onlooker(config: &Config) -> Result<Engine> {
    let db = connect::existing(config).await?;
    let registry = worker::Chores::new().scheduled(workflows::onlookers(Provider::Sandbox));
    Ok(Engine::open(Settings::new(&config.installation.name, stranger(), "operator"), db, registry))
}

/// Which database is read, without its password.
pub(super) fn source(config: &Config) -> String {
    if config.embedded() {
        return format!("SQLite {}", config.data(connect::SQLITE_FILE).display());
    }
    let url = config.database.url().and_then(|url| reqwest::Url::parse(url).ok());
    let place = url.map(|url| format!("{}{}", url.host_str().unwrap_or("local"), url.path()));
    format!("PostgreSQL {}", place.unwrap_or_default()).trim_end().to_owned()
}

/// What was read of a list.
#[derive(Serialize)]
pub(super) struct List<T> {
    /// From where.
    pub source: String,
    /// The rows that can be read.
    pub data: Vec<T>,
    /// Those that cannot.
    pub unreadable: Vec<Damaged>,
    /// Why the list ends before its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
    /// It failed there, rather than being long.
    #[serde(skip)]
    pub failed: bool,
}

impl<T> List<T> {
    /// A list that was read in one piece.
    pub(super) fn whole(config: &Config, data: Vec<T>) -> Self {
        Self { source: source(config), data, unreadable: vec![], incomplete: None, failed: false }
    }

    /// A list that was read in one piece, as far as it can be.
    pub(super) fn readable(config: &Config, read: Readable<T>) -> Self {
        Self { unreadable: read.damaged, ..Self::whole(config, read.rows) }
    }

    /// Reads page after page, up to `most` rows. What fails half-way ends the list, and is told with it.
    pub(super) async fn read<C: Copy>(
        config: &Config,
        most: u64,
        page: impl AsyncFn(Option<C>, u64) -> Result<Rows<T, C>, DbErr>,
    ) -> Self {
        let (mut list, mut after) = (Self::whole(config, vec![]), None);
        loop {
            let have = (list.data.len() + list.unreadable.len()) as u64;
            if have >= most {
                list.incomplete = Some(format!("only the first {most} are read; --limit reads more"));
                return list;
            }
            match page(after, PAGE.min(most - have)).await {
                Ok(Rows { rows, next }) => {
                    rows.into_iter().for_each(|row| list.take(row));
                    match next {
                        Some(place) => after = Some(place),
                        None => return list,
                    }
                }
                Err(error) => {
                    list.incomplete = Some(format!("reading stopped here: {error}"));
                    list.failed = true;
                    return list;
                }
            }
        }
    }

    fn take(&mut self, row: Listed<T>) {
        match row {
            Listed::Read(row) => self.data.push(row),
            Listed::Unreadable { what, why } => self.unreadable.push(Damaged { what, why }),
        }
    }

    /// Prints it, a line each, and with what is missing; the exit code says whether everything could be read.
    pub(super) fn print(&self, json: bool, nothing: &str, line: impl Fn(&T) -> String) -> Result<ExitCode>
    where
        T: Serialize,
    {
        if json {
            println!("{}", serde_json::to_string_pretty(self)?);
            return Ok(self.code());
        }
        if self.data.is_empty() && self.unreadable.is_empty() && self.incomplete.is_none() {
            println!("{nothing}");
        }
        self.data.iter().for_each(|row| println!("{}", line(row)));
        tell_damaged(&self.unreadable);
        self.incomplete.iter().for_each(|why| println!("INCOMPLETE  {why}"));
        println!("(from {})", self.source);
        Ok(self.code())
    }

    /// Whether everything was read that was to be read.
    pub(super) fn code(&self) -> ExitCode {
        if self.failed { ExitCode::FAILURE } else { code(&self.unreadable) }
    }
}

/// Names what cannot be read, a line each.
pub(super) fn tell_damaged(damaged: &[Damaged]) {
    damaged.iter().for_each(|Damaged { what, why }| println!("UNREADABLE  {what}  {why}"));
}

/// A failure unless everything could be read.
pub(super) fn code(damaged: &[Damaged]) -> ExitCode {
    if damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
