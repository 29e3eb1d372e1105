//! The runtime that a process of the product runs in.

use std::env;
use std::io;
use std::num::NonZero;
use std::thread;
use tokio::runtime::{Builder, Runtime};

/// What tokio itself asks how many threads to start.
const THREADS: &str = "TOKIO_WORKER_THREADS";

/// A runtime with a thread for every second processor and at least two, unless `TOKIO_WORKER_THREADS` says how many.
///
/// What runs here waits most of the time, for a database that often is on the same machine, or in the same process. A thread for every
/// processor is woken for work that the one beside it would have done in passing. What computes for long (passwords, photographs) has
/// threads of its own.
///
/// One would be faster still where there are two processors, but then code that never yields stops everything: what was claimed with
/// it waits until the watchdog ends the process, dies along, and may be claimed with it again. With one letter in a hundred poison
/// (REL-11), the others were sent after two minutes by two threads, and not all after five by one.
///
/// # Errors
/// When a thread cannot be started.
pub fn runtime() -> io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if env::var_os(THREADS).is_none() {
        builder.worker_threads(threads_for(thread::available_parallelism().map_or(1, NonZero::get)));
    }
    builder.enable_all().build()
}

fn threads_for(processors: usize) -> usize {
    processors.div_ceil(2).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    use std::time::{Duration, Instant};

    /// Longer than anybody is kept waiting on a busy machine.
    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn code_that_never_yields_leaves_a_thread_to_everybody_else() {
        let (runtime, told) = (runtime().unwrap(), Arc::new(AtomicBool::new(false)));
        let (hears, tells) = (Arc::clone(&told), told);
        let stubborn = runtime.spawn(async move {
            let began = Instant::now();
            while !hears.load(SeqCst) && began.elapsed() < PATIENCE {
                std::hint::spin_loop();
            }
            hears.load(SeqCst)
        });
        runtime.spawn(async move { tells.store(true, SeqCst) });
        assert!(runtime.block_on(stubborn).unwrap(), "nothing ran beside it");
    }

    #[test]
    fn there_is_a_thread_for_every_second_processor_and_never_only_one() {
        assert_eq!([1, 2, 4, 5, 64].map(threads_for), [2, 2, 2, 3, 32]);
    }
}
