//! The next group's transaction, begun while the commit before it syncs: to begin is a round trip.

use crate::link::Link;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// A transaction that waits for its group, if there is one.
///
/// Only while more is in hand, and as long as what is in hand comes back at once: work that takes its time would have one begun and
/// rolled back for every turn. On PostgreSQL a transaction that has asked nothing yet holds nothing: no lock, no snapshot, no time. On
/// SQLite it would hold the one lock that there is.
#[derive(Default)]
pub(super) struct Ahead {
    begun: Option<JoinHandle<Result<Link<DatabaseTransaction>, DbErr>>>,
    /// When the last group was through, if more was in hand then.
    expecting: Option<Instant>,
    /// Whether the group after the last one of that kind came at once.
    pays: bool,
}

impl Ahead {
    /// How long it waits for its group.
    pub(super) const PATIENCE: Duration = Duration::from_millis(20);

    /// What comes back within this comes at once.
    const AT_ONCE: Duration = Duration::from_millis(2);

    pub(super) const fn is_begun(&self) -> bool {
        self.begun.is_some()
    }

    /// Begins one while more is in hand, where that pays.
    pub(super) fn begin(&mut self, link: &Link) {
        if self.pays && self.begun.is_none() && link.get_database_backend() == DbBackend::Postgres {
            let link = link.clone();
            self.begun = Some(tokio::spawn(async move { link.begin().await }));
        }
    }

    /// A group is through, and more is in hand.
    pub(super) fn expect(&mut self) {
        self.expecting = Some(Instant::now());
    }

    /// A group has come: it tells whether it pays to begin ahead of the next.
    pub(super) fn came(&mut self) {
        if let Some(since) = self.expecting.take() {
            self.pays = since.elapsed() < Self::AT_ONCE;
        }
    }

    /// The transaction that was begun, or one that is begun now.
    pub(super) async fn begun(&mut self, link: &Link) -> Result<Link<DatabaseTransaction>, DbErr> {
        match self.begun.take() {
            Some(begun) => begun.await.map_err(|gone| DbErr::Custom(gone.to_string()))?,
            None => link.begin().await,
        }
    }

    /// Nobody came: it is rolled back.
    pub(super) fn let_go(&mut self) {
        if let Some(begun) = self.begun.take() {
            tokio::spawn(async move { drop(begun.await) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_pays_as_long_as_what_is_in_hand_comes_back_at_once() {
        let (mut ahead, long_ago) = (Ahead::default(), Instant::now().checked_sub(Ahead::AT_ONCE).unwrap());
        let mut comes = |since| {
            ahead.expecting = since;
            ahead.came();
            ahead.pays
        };
        assert!(!comes(None), "nothing is known yet");
        assert!(comes(Some(Instant::now() + Duration::from_secs(60))));
        assert!(comes(None), "a pause in which nothing was in hand tells nothing");
        assert!(!comes(Some(long_ago)));
    }
}
