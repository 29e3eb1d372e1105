//! One worker, from its first heartbeat to its last lease.

use crate::backend::Lines;
use crate::backlog::{Backlog, claim};
use crate::bell::listen;
use crate::bundle::Bundle;
use crate::drain::{finish_running, give_back};
use crate::execute::{Bench, distribute, execute};
use crate::heart::{Confidant, Heart};
use crate::keep::Parts;
use crate::settings::{Pace, Settings};
use crate::watchdog::{Watch, Watchdog, abort, watchdog};
use crate::{plain, rounds};
use engine::Engine;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long the start waits for the first heartbeat before it goes on without.
const FIRST_BEAT: Duration = Duration::from_secs(10);
/// How long parts may take to stop.
const STOPPING: Duration = Duration::from_secs(3);

/// A worker that cannot go on; its process should end with an error and be started anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the worker's {part} has died")]
pub struct Died {
    /// What died.
    pub part: &'static str,
}

/// Executes work until `shutdown`, then drains: no claim is made any more, what is running or on its way may finish, the rest is given back at once.
///
/// The engine's hands are closed afterwards: it can still queue work, for others.
///
/// # Errors
/// [`Died`] when the heart or the watchdog cannot live: everything else is restarted in place. The caller should exit non-zero.
pub async fn run(engine: Engine, settings: Settings, shutdown: impl Future<Output = ()> + Send) -> Result<(), Died> {
    let Settings { wire, chores, metrics, alone, pace } = settings;
    let (intake, end) = (CancellationToken::new(), CancellationToken::new());
    let last_beat = metrics.as_ref().map(|m| m.last_beat()).unwrap_or_default();
    let mut heart = Heart::start(engine.clone(), pace.beat, last_beat).map_err(|error| died("heart", &error))?;
    heart.first_beat(FIRST_BEAT).await;
    if alone && let Err(error) = engine.rescue_all_others().await {
        tracing::warn!(error = %error, "leases of the last process could not be freed yet; the rescue will");
    }

    let watch = Arc::new(Watch::default());
    let _dog = watched(&watch, heart.confidant(), pace)?;
    let backlog = Arc::new(Backlog::new(engine.hands().queues()));
    let lines = Arc::new(Lines::new(engine.hands().queues().map(|(queue, _)| queue)));
    let bench = Bench { engine: engine.clone(), backlog, watch, metrics: metrics.clone() };
    let mut parts = Parts::new(metrics);
    take_in(&mut parts, &bench, &intake, pace);
    carry_on(&mut parts, &bench, &lines, &end, pace);
    if let Some(wire) = &wire {
        let (wire, engine) = (wire.clone(), engine.clone());
        parts.keep("listener", intake.clone(), move || listen(wire.clone(), engine.clone()));
    }
    if let Some(chores) = chores {
        plain::keep(
            &mut parts,
            &intake,
            plain::House { engine: engine.clone(), wire, chores, metrics: bench.metrics.clone() },
        );
    }
    tracing::info!(queues = ?engine.hands().queues().collect::<Vec<_>>(), "the worker is at work");

    let outcome = tokio::select! {
        () = shutdown => Ok(()),
        () = heart.died() => Err(Died { part: "heart" }),
    };
    engine.hands().close();
    intake.cancel();
    let left = finish_running(&engine, if outcome.is_ok() { pace.drain } else { Duration::ZERO }).await;
    if left > 0 {
        tracing::warn!(leases = left, "work is still running at the end of the drain; others may begin it anew");
    }
    // A beat after this would enter the process among the living again.
    heart.stop().await;
    give_back(&engine).await;
    end.cancel();
    parts.stopped(STOPPING).await;
    outcome
}

/// What brings new work in: it stops first.
fn take_in(parts: &mut Parts, bench: &Bench, stop: &CancellationToken, pace: Pace) {
    let (engine, backlog) = (bench.engine.clone(), Arc::clone(&bench.backlog));
    parts.keep("claim", stop.clone(), move || claim(engine.clone(), Arc::clone(&backlog), pace.poll));
    let engine = bench.engine.clone();
    parts.keep("rescue", stop.clone(), move || rounds::rescue(engine.clone(), pace.rescue));
    let engine = bench.engine.clone();
    parts.keep("reclaim", stop.clone(), move || rounds::reclaim(engine.clone(), pace.reclaim));
    let engine = bench.engine.clone();
    parts.keep("ticks", stop.clone(), move || rounds::tick(engine.clone(), pace.tick));
}

/// What brings work to its end: it stops last.
fn carry_on(parts: &mut Parts, bench: &Bench, lines: &Arc<Lines<Bundle>>, stop: &CancellationToken, pace: Pace) {
    let (engine, to) = (bench.engine.clone(), Arc::clone(lines));
    parts.keep("distribution", stop.clone(), move || distribute(engine.clone(), Arc::clone(&to)));
    let (at, from, until) = (bench.clone(), Arc::clone(lines), stop.clone());
    parts.keep("execution", stop.clone(), move || {
        let (at, from, until) = (at.clone(), Arc::clone(&from), until.clone());
        async move { execute(at, from, until.cancelled()).await }
    });
    let engine = bench.engine.clone();
    parts.keep("sealer", stop.clone(), move || rounds::seal(engine.clone(), pace.seal));
    let watch = Arc::clone(&bench.watch);
    parts.keep("pulse", stop.clone(), move || Arc::clone(&watch).tick());
}

fn watched(watch: &Arc<Watch>, heart: Confidant, pace: Pace) -> Result<Option<Watchdog>, Died> {
    let start = |limit| watchdog(Arc::clone(watch), limit, move |stuck| abort(&stuck, &heart));
    pace.stuck.map(start).transpose().map_err(|error| died("watchdog", &error))
}

fn died(part: &'static str, error: &std::io::Error) -> Died {
    tracing::error!(part, error = %error, "a part of the worker could not be started");
    Died { part }
}
