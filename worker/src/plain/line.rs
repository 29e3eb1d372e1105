//! The line of plain jobs in Redis: its names, its settings, and how it is kept small.
//!
//! apalis-redis never forgets a job, and everything it keeps about one would stay for ever; so we purge, a bounded piece at a time.

use super::Chore;
use crate::wire::Wire;
use apalis_core::backend::codec::Codec;
use apalis_redis::Config;
use redis::{AsyncCommands, RedisError};
use std::convert::Infallible;
use std::time::Duration;

/// Ids taken from a set at a time.
const PIECE: usize = 500;
/// Jobs that may wait. apalis' own scripts fail for ever beyond some 8,000.
pub(crate) const MOST: usize = 2000;

/// A job as apalis hands it over: whatever was in Redis, it can be read. An unreadable message would end the worker, and after its
/// restart the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Job(pub(crate) Option<Chore>);

/// Reads every message, if only as "nothing that we know".
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lenient;

impl Codec<Job> for Lenient {
    type Error = Infallible;
    type Compact = Vec<u8>;

    fn encode(&self, job: &Job) -> Result<Vec<u8>, Infallible> {
        Ok(job.0.map(Chore::name).unwrap_or_default().as_bytes().to_vec())
    }

    fn decode(&self, bytes: &Vec<u8>) -> Result<Job, Infallible> {
        Ok(Job(std::str::from_utf8(bytes).ok().and_then(Chore::named)))
    }
}

/// The line, by the wire it hangs on.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) wire: Wire,
}

impl Line {
    pub(crate) const fn new(wire: Wire) -> Self {
        Self { wire }
    }

    /// Settings that do not lose, repeat or wedge: one job at a time per worker, no locks (the set of what is in flight suffices), no
    /// events (nobody hears them), a dead worker's jobs back after half a minute.
    pub(crate) fn config(&self) -> Config {
        Config::default()
            .queue(self.wire.key("chores"))
            .batch_size(1)
            .lock_tasks(false)
            .emit_events(false)
            .heartbeat_interval(Duration::from_secs(5))
            .missed_heartbeats(6)
            .idempotency_ttl(Some(Duration::from_secs(3600)))
    }

    /// Forgets jobs that are done or dead. Returns how many.
    pub(crate) async fn purge(&self) -> Result<u64, RedisError> {
        let config = self.config();
        let mut connection = self.wire.note(self.wire.connection().await)?;
        let mut gone = 0;
        for set in [config.done_jobs_set(), config.dead_jobs_set()] {
            loop {
                let ids: Vec<String> = redis::cmd("SPOP").arg(&set).arg(PIECE).query_async(&mut connection).await?;
                if ids.is_empty() {
                    break;
                }
                gone += ids.len() as u64;
                let metas: Vec<_> = ids.iter().map(|id| format!("{}:{id}", config.job_meta_hash())).collect();
                let mut pipe = redis::pipe();
                pipe.cmd("HDEL").arg(config.job_data_hash()).arg(&ids).ignore();
                pipe.cmd("UNLINK").arg(metas).ignore();
                pipe.query_async::<()>(&mut connection).await?;
            }
        }
        Ok(gone)
    }

    /// How many jobs wait in it.
    pub(crate) async fn waiting(&self) -> Result<u64, RedisError> {
        let mut connection = self.wire.connection().await?;
        connection.llen(self.config().active_jobs_list()).await
    }

    /// Throws the whole line away: what nobody would miss must not be able to hold up anything.
    pub(crate) async fn clear(&self) -> Result<(), RedisError> {
        let mut connection = self.wire.connection().await?;
        let pattern = format!("{}:*", self.wire.key("chores"));
        let mut keys: Vec<String> = vec![];
        {
            let mut found = connection.scan_match::<_, String>(&pattern).await?;
            while let Some(key) = found.next_item().await {
                keys.push(key?);
            }
        }
        for keys in keys.chunks(PIECE) {
            redis::cmd("UNLINK").arg(keys).query_async::<()>(&mut connection).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_lies_in_redis_can_be_read() {
        for chore in Chore::ALL {
            let job = Job(Some(chore));
            assert_eq!(Lenient.decode(&Lenient.encode(&job).unwrap()), Ok(job));
        }
        for bytes in [&b""[..], b"{", b"\xff\xfe", b"a chore of a later build"] {
            assert_eq!(Lenient.decode(&bytes.to_vec()), Ok(Job(None)));
        }
    }
}
