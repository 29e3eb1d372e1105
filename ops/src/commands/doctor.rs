//! `innkeeper doctor`: looks at everything the product depends on, one line each, and says how to mend what fails.

use crate::config::Config;
use crate::connect;
use anyhow::{Context, Result, bail};
use engine::Databases;
use integrations::mail::Transport;
use sea_orm::ConnectionTrait;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// How long anything may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a check found.
enum Finding {
    Well(String),
    /// The product works without it.
    Without(String),
    Ill {
        what: String,
        mend: &'static str,
    },
}

pub(crate) async fn run(config: &Config) -> Result<ExitCode> {
    let mut ill = 0;
    let [database, schema] = truth(config).await;
    for (name, finding) in [
        ("database", database),
        ("schema", schema),
        ("redis", redis(config).await),
        ("mail", mail(config).await),
        ("data folder", data_folder(config)),
        ("key", key(config)),
        ("gateway", gateway(config)),
        ("address", address(config)),
    ] {
        ill += usize::from(matches!(finding, Finding::Ill { .. }));
        println!("{}", line(name, &finding));
    }
    Ok(if ill == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn line(name: &str, finding: &Finding) -> String {
    match finding {
        Finding::Well(how) => format!("well     {name:<12} {how}"),
        Finding::Without(how) => format!("without  {name:<12} {how}"),
        Finding::Ill { what, mend } => format!("ILL      {name:<12} {what}\n         {:<12} → {mend}", ""),
    }
}

fn judged(result: Result<String>, mend: &'static str) -> Finding {
    match result {
        Ok(how) => Finding::Well(how),
        Err(error) => Finding::Ill { what: format!("{error:#}"), mend },
    }
}

/// The database and its schema; an embedded one is made by the first start, not by the doctor.
async fn truth(config: &Config) -> [Finding; 2] {
    if config.embedded() && !config.data(connect::SQLITE_FILE).exists() {
        return [(); 2].map(|()| Finding::Without("will be made at the first start".into()));
    }
    let database = match reach(config.database.url().unwrap_or_default()).await {
        Ok(()) => connect::databases(config).await,
        Err(error) => Err(error),
    };
    [database_answers(config, database.as_ref()), schema(database.as_ref().ok()).await]
}

/// Whether anybody listens there: the pool would go on trying, and then only say that it waited.
async fn reach(url: &str) -> Result<()> {
    let Ok(url) = reqwest::Url::parse(url) else { return Ok(()) };
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else { return Ok(()) };
    let (host, port) = (host.trim_matches(['[', ']']), url.port().unwrap_or(5432));
    let connecting = tokio::time::timeout(PATIENCE, tokio::net::TcpStream::connect((host, port)));
    let place = || format!("connect to {host}:{port}");
    connecting
        .await
        .context("no answer in time")
        .and_then(|made| made.map_err(Into::into))
        .map(drop)
        .with_context(place)
}

fn database_answers(config: &Config, database: Result<&Databases, &anyhow::Error>) -> Finding {
    match database {
        Ok(db) => Finding::Well(format!("{:?} answers", db.backend())),
        Err(error) if config.embedded() => Finding::Ill {
            what: format!("{error:#}"),
            mend: "make installation.data a folder that this user can write",
        },
        Err(error) => Finding::Ill {
            what: format!("{error:#}"),
            mend: "check database.url, and that the server runs and lets this user in",
        },
    }
}

async fn schema(database: Option<&Databases>) -> Finding {
    let Some(db) = database else {
        return Finding::Ill { what: "not known without a database".into(), mend: "mend the database first" };
    };
    let look = async {
        db.read().execute_unprepared("select 1").await.context("ask the database")?;
        let pending = migrations::pending(db.write().pool()).await.context("ask which changes are missing")?;
        if pending.is_empty() {
            Ok("is this build's".to_owned())
        } else {
            bail!("{} changes are missing", pending.len())
        }
    };
    judged(look.await, "run `innkeeper migrate`")
}

async fn redis(config: &Config) -> Finding {
    let wire = match config.redis.wire(&config.installation.name, super::look::stranger()) {
        Ok(None) => {
            return Finding::Without("not configured: processes find each other's work by asking the database".into());
        }
        Ok(Some(wire)) => Ok(wire),
        Err(error) => Err(error),
    };
    let look = async {
        let wire = wire?;
        tokio::time::timeout(PATIENCE, wire.ping()).await.context("no answer in time")?.context("ask Redis")?;
        Ok("answers".to_owned())
    };
    judged(look.await, "check redis.url and that the server runs; until then everything goes on, slower")
}

async fn mail(config: &Config) -> Finding {
    if config.mail.transport == Transport::Folder {
        return Finding::Well(format!("is written to {}", config.data("mail").display()));
    }
    let server = (config.mail.host.as_str(), config.mail.port);
    let look = tokio::time::timeout(PATIENCE, tokio::net::TcpStream::connect(server)).await;
    let found = look
        .map_err(anyhow::Error::from)
        .and_then(|c| c.context("connect to the SMTP server"))
        .map(|_| "server takes connections".to_owned());
    judged(found, "check mail.host and mail.port; letters wait and are tried again")
}

fn data_folder(config: &Config) -> Finding {
    let folder = &config.installation.data;
    // The first start makes it; until then the question is whether it can.
    let place = folder.ancestors().find(|place| place.is_dir()).unwrap_or(Path::new("."));
    let look = || {
        tempfile::tempfile_in(place).with_context(|| format!("write into {}", place.display()))?;
        Ok(format!("{} can be {}", folder.display(), if place == folder { "written" } else { "made" }))
    };
    judged(look(), "give this user the right to write there, or choose another with --data")
}

/// Pretend money is right in a sandbox and nowhere else; a sandbox that others can reach is open to all of them.
fn gateway(config: &Config) -> Finding {
    let open = !config.api.listen.ip().is_loopback();
    match (config.installation.sandbox, open) {
        (true, false) => Finding::Well("is the sandbox's: no money moves".into()),
        (true, true) => Finding::Without(
            "no money moves, and whoever reaches api.listen can move the clock: installation.sandbox".into(),
        ),
        (false, _) => Finding::Ill {
            what: "there is no real payment gateway in this build".into(),
            mend: "wait for one, or set installation.sandbox = true where nobody pays",
        },
    }
}

/// Links and uploads lead to the public address: on a loopback one they lead nowhere from outside.
fn address(config: &Config) -> Finding {
    let url = &config.identity.public_url;
    let local = reqwest::Url::parse(url).ok().is_some_and(|url| {
        url.host_str()
            .is_none_or(|host| host == "localhost" || host.ends_with(".localhost") || host.starts_with("127."))
    });
    if local && !config.installation.sandbox {
        let what = format!("identity.public_url is {url}, which nobody outside can reach");
        return Finding::Ill { what, mend: "set it to the address by which clients reach the API" };
    }
    Finding::Well(format!("clients and letters use {url}"))
}

fn key(config: &Config) -> Finding {
    let file = config.key_file();
    if !file.exists() && config.identity.key_file.is_none() {
        return Finding::Without("will be made at the first start".into());
    }
    let found = workflows::identity::KeyOfKeys::read(&file)
        .map(|_| format!("{} can be read by its owner only", file.display()));
    judged(
        found.map_err(anyhow::Error::from),
        "restore the key from where you keep it: nothing sealed opens without it; mode must be 0600",
    )
}
