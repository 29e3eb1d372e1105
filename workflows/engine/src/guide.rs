//! Adding a workflow, in half an hour.
//!
//! A workflow is worth its code when somebody would notice if it were lost: money, nights, letters, promises with a date. What
//! nobody would miss (a cache to warm, rows to sweep) is a plain job of the worker.
//!
//! # Two places
//!
//! 1. A directory of its own in `workflows/src/`, reading top-down: `mod.rs` decides, `types.rs` has the four types, `perform.rs`
//!    acts, `project.rs` writes what people read, `tests.rs` proves it.
//! 2. Its line in `workflows/src/registry.rs`.
//!
//! It may need neighbours, each a place of its own kind: a queue of its own (work is only claimed where a worker has room for its
//! queue: `worker/src/config.rs`), a table (a migration and its entity in `store`), an outside party (a port in
//! `integrations`), an endpoint that sends its commands (`api`).
//!
//! # The half hour
//!
//! - **Five minutes: draw it.** Situations as boxes, what happens as arrows, in the module's doc. Every box that waits needs an arrow
//!   for "nobody ever answers": a [timer](crate::Step::timer) of the state, or a [deadline](crate::Step::deadline) of the run.
//! - **Five minutes: the four types.** States are situations (`Expected`), events are past (`TakenOn`), effects are orders
//!   (`AskAgency`), timers are names of instants. What a state needs in order to be undone it carries: only `Expected` has a cleaner,
//!   so only from there can one be called off. No names, addresses or free text: ids, and rows that can be erased.
//! - **Five minutes: [`on`](crate::Workflow::on).** The happy path first. A person's command that has no place is refused by the last
//!   arm and answered with 409. An outcome that has no place is a mistake in the process: give it an arm, and where it changes
//!   nothing say why with [`ignore`](crate::Step::ignore).
//! - **Five minutes: the hands.** One call per effect, with [`Attempt::key`](crate::Attempt::key) as its idempotency key. A
//!   documented no is an event. Of the [`Fault`](crate::Fault)s, *transient* means it certainly did not happen, *unknown* that it may
//!   have: then [`look_up`](crate::Perform::look_up) is asked before anything is repeated. *Misconfigured* pauses the party for a
//!   person. Write [`gave_up`](crate::Workflow::gave_up) only where a definite failure has an honest answer; everything else parks.
//! - **Five minutes: the rows**, as a function of state. A step that takes something scarce says so by
//!   [`takes`](crate::Step::takes), and [`contested`](crate::Workflow::contested) turns a fact that comes too late into what then is.
//! - **Five minutes: the tests.** With `engine::testkit`: a `Script` per ending, the `table`, the `golden` files, and
//!   `explore`: it walks every order of outcomes, timers and commands, and hands back the shortest story in which something breaks.
//!   With `recorded` it keeps what runs went through, so that a later build that would lead them elsewhere shows as a red test.
//!
//! # Once it lives
//!
//! Runs outlive the code that began them. Variants are never renamed or retyped; add one, with `#[serde(default)]` on new fields, and
//! commit the new golden file beside the old. A release reads a new shape before a later one writes it: raise
//! [`SHAPE`](crate::Workflow::SHAPE) in the second. A variant may go when `innkeeper workflow census` shows no run in it.
//!
//! # The whole of it
//!
//! This file is `workflows/engine/examples/cleaning.rs`; it is built and its tests are run like all others.
//!
//! ```ignore
#![doc = include_str!("../examples/cleaning.rs")]
//! ```
