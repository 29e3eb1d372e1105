//! The rounds of a worker: what it looks after again and again, whether or not there is work.

use crate::keep::Complaint;
use engine::Engine;
use std::collections::HashSet;
use std::time::Duration;

/// Frees the leases of dead processes.
pub(crate) async fn rescue(engine: Engine, every: Duration) {
    let mut complaint = Complaint::about("rescuing leases");
    loop {
        complaint.heed(engine.rescue().await);
        tokio::time::sleep(every).await;
    }
}

/// Frees this process's own lost leases: apart from the rescue, which nothing may keep waiting.
pub(crate) async fn reclaim(engine: Engine, every: Duration) {
    let mut complaint = Complaint::about("reclaiming leases");
    let mut suspects = HashSet::new();
    loop {
        suspects = complaint.heed(engine.reclaim(&suspects).await).unwrap_or_default();
        tokio::time::sleep(every).await;
    }
}

/// Fires schedules that are due.
pub(crate) async fn tick(engine: Engine, every: Duration) {
    let mut complaint = Complaint::about("firing schedules");
    loop {
        complaint.heed(engine.fire_ticks().await);
        tokio::time::sleep(every).await;
    }
}

/// Seals facts: again at once while there are some, and rarely while another process leads.
pub(crate) async fn seal(engine: Engine, every: Duration) {
    let mut complaint = Complaint::about("sealing facts");
    loop {
        let pause = match complaint.heed(engine.seal().await) {
            Some(Some(0)) => every,
            Some(Some(_)) => Duration::ZERO,
            Some(None) | None => every * 4,
        };
        tokio::time::sleep(pause).await;
    }
}
