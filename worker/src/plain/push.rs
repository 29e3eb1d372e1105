//! Putting a job into the line, with a script of our own.
//!
//! apalis' own push goes through the set of delayed jobs (seconds late, and wedged for good by a backlog) and accepts any number.

use super::Due;
use super::line::{Job, Lenient, Line, MOST};
use apalis_core::backend::codec::Codec;
use redis::aio::MultiplexedConnection;
use redis::{RedisError, Script};
use std::time::Duration;

/// Longer than this the chore does not wait: it is done here.
const PATIENCE: Duration = Duration::from_secs(3);

/// Refuses what is there already and what is too much.
const PUSH: &str = r"
if redis.call('llen', KEYS[2]) >= tonumber(ARGV[1]) then return 0 end
if redis.call('hsetnx', KEYS[1], ARGV[2], ARGV[3]) == 0 then return 0 end
redis.call('hset', KEYS[3] .. ':' .. ARGV[2], 'attempts', 0, 'max_attempts', 1, 'status', 'Pending', 'idempotency_key', '')
redis.call('rpush', KEYS[2], ARGV[2])
return 1";

/// The near end of the line.
pub(crate) struct Push {
    line: Line,
    script: Script,
    connection: Option<MultiplexedConnection>,
}

impl Push {
    pub(crate) fn new(line: Line) -> Self {
        Self { line, script: Script::new(PUSH), connection: None }
    }

    /// Whether the job is in Redis' hands. The tick's instant names it, so the same tick is one job.
    pub(crate) async fn push(&mut self, due: Due) -> bool {
        let pushed = match tokio::time::timeout(PATIENCE, self.pushed(due)).await {
            Ok(pushed) => self.line.wire.note(pushed).is_ok(),
            Err(_) => false,
        };
        if !pushed {
            self.connection = None;
        }
        pushed
    }

    async fn pushed(&mut self, due: Due) -> Result<(), RedisError> {
        if self.connection.is_none() {
            self.connection = Some(self.line.wire.connection().await?);
        }
        let connection = self.connection.as_mut().expect("it was there or was just made");
        let config = self.line.config();
        let Ok(payload) = Lenient.encode(&Job(Some(due.chore)));
        let mut call = self.script.key(config.job_data_hash());
        call.key(config.active_jobs_list()).key(config.job_meta_hash());
        call.arg(MOST).arg(format!("{}-{}", due.chore.name(), due.at.timestamp_micros())).arg(payload);
        call.invoke_async::<i64>(connection).await.map(drop)
    }
}
