//! The durable runtime: business processes that survive a kill at any instant, with nothing lost and nothing done twice.
//!
//! # The life of a turn
//!
//! 1. Something happens to a *run*: a person commands, an outside party notifies, an effect answers, a timer is due, another run tells.
//!    It arrives as an [`Input`] under an [`EventKey`]; the same key twice is one event.
//! 2. The group writer takes along whatever else is waiting and begins a transaction. A request that has rows of its own to write
//!    begins one itself ([`Engine::begin`]) and takes the turn within it ([`Tx`]). There is one way to commit a turn, and a group of
//!    two hundred goes it like a group of one.
//! 3. *Load*: the runs are locked in id order; then the clocks are read, then the fences and the timers that are due.
//!    On PostgreSQL a group of runs that this process wrote last, or claimed work of, is not loaded: it is remembered, and the write looks
//!    whether it is still so.
//! 4. *Decide*, in memory: due timers fire first, each at its own instant; then the author's [`Workflow::on`] says what the event means.
//! 5. *Write*, set-based: journal, states, work, facts; then the workflow's [`Project`] brings the rows that people read in line.
//! 6. *Commit*. New work is already leased to this process where it has room and nothing holds it back, and goes to a worker at once;
//!    for the rest the bell rings, and a [claim](Engine::claim_due) finds it. A worker [`execute`](Engine::execute)s it: an effect calls one outside party and its answer is the next event.
//!
//! # Promises, and the test that holds each
//!
//! The tests are in `tests/it/engine` unless another place is named, and run on PostgreSQL and SQLite.
//!
//! | promise | test |
//! |---|---|
//! | a turn is atomic | `promises::a_turn_is_atomic` |
//! | what a process remembers of a run is never believed | all of `recall`; `tests::mutations::without_a_look_at_what_is_remembered_turns_are_lost` of the simulation |
//! | whoever waits together is committed together | `promises::many_events_of_many_runs_share_a_commit` |
//! | the same event twice is one event | `promises::the_same_event_twice_is_one_event` |
//! | a commit whose answer was lost is not a second turn | `lost_replies::a_commit_whose_answer_is_lost_is_one_turn` |
//! | a wire that falls silent is not waited for without end, whatever was asked | all of `silent_wires` |
//! | due timers come before any event, at their own instants | `promises::due_timers_come_before_any_event` |
//! | a conflict is an answer, to a person and to a fact | `promises::a_conflict_is_an_answer` |
//! | no fact disappears | `promises::no_fact_disappears` |
//! | timers of a state go with it, deadlines stay | `lamp::timers_of_a_state_go_with_it_and_those_of_the_run_stay` |
//! | whatever is done again has the same name: keys, children, Message-IDs | `lamp::what_is_done_again_after_a_restore_has_the_same_names`, `id::the_same_key_is_the_same_run_and_stays_beside_its_parent`, `mail::perform::a_message_is_named_by_its_run_at_the_senders_domain` |
//! | what a process has no room for is found by the bell, and by the poll without one | `worker/bells::a_ring_is_heard_by_another_process`, `worker/bells::without_a_ring_the_poll_finds_the_work` |
//! | one worker at a time, late ones refused | `fences::a_dead_processs_work_is_rescued_and_its_late_answer_refused` |
//! | an unknown outcome is looked up before it is repeated | `outcomes::an_unknown_outcome_is_looked_up_before_it_is_repeated` |
//! | past the safe window nothing is sent before it is looked up | `outcomes::past_the_safe_window_nothing_is_sent_that_was_not_looked_up`, `outcomes::inside_the_safe_window_the_unknown_is_repeated_under_the_same_key` |
//! | a request's bytes are saved with the turn that asks for it | `lamp::a_later_build_repeats_the_bytes_that_were_saved` |
//! | an answer once obtained is kept | `outcomes::an_answer_whose_turn_fails_is_kept_and_nobody_is_asked_again` |
//! | exactly one layer retries, under one key and one request | `outcomes::a_definite_failure_is_tried_again_under_the_same_key_and_request` |
//! | every try that failed is on record, one by one | all of `tries` |
//! | as often as its policy says, as far apart, and as patiently as it was asked | all of `retries` |
//! | a queue's room in a process is never exceeded | `limits::a_queue_is_never_wider_than_its_room` |
//! | a queue's width is never exceeded by all processes together | `limits::a_queues_width_holds_for_all_processes_together` |
//! | a lane's limit is never exceeded among attempts with a live lease | `limits::a_lane_is_never_wider_than_it_says` |
//! | whoever is cut off in a transaction keeps nobody from the rest | `limits::a_claim_of_lanes_waits_for_nobody`, `fences::what_the_dead_have_locked_does_not_keep_the_rest_of_their_work` |
//! | a party is called no faster than its rate by all processes together | `limits::a_rate_holds_for_all_processes_together` |
//! | a party that fails is left alone, then tried once | `limits::a_party_that_fails_again_and_again_is_left_alone_and_then_tried_once` |
//! | a party for which we are misconfigured pauses itself, and only itself | `brakes::a_party_for_which_we_are_misconfigured_pauses_itself_and_only_itself` |
//! | a pause holds from its commit on, in every process | `brakes::a_pause_holds_for_work_that_a_commit_would_lease` |
//! | the urgent go first, and nobody starves | `limits::the_urgent_go_first`, `limits::nobody_starves` |
//! | nothing is stuck silently; a person retries or answers | `outcomes::our_own_mistake_parks_and_a_person_retries`, `deaths::a_retry_never_wears_out`, `outcomes::a_person_answers_for_parked_work` |
//! | poison is contained | `outcomes::a_panic_in_the_process_spoils_only_its_own_turn`, `outcomes::a_panic_in_the_projection_spoils_only_its_own_turn`, `deaths::work_that_kills_its_process_every_time_is_parked`, `deaths::suspects_that_have_seen_many_deaths_are_tried_one_at_a_time`, `poison::rel_11_one_letter_in_a_hundred_is_poison` |
//! | who ends in peace hands its work over at once | `fences::letting_go_hands_the_work_over_at_once` |
//! | code changes under live runs | `fences::a_run_of_a_newer_build_is_left_alone`, `evolution::deploy_forth_and_back_finishes_every_run`, `evolution::a_build_that_reads_ahead_strands_no_run`; the product: `processes::builds::every_state_outlives_a_deploy_forth_and_back` |
//! | what runs under way would have done, they still do | `recorded::every_state_and_every_kind_of_turn_is_recorded_to_its_end`; for the product, the journals in `workflows/golden`: `persisted::no_workflow_is_without_its_golden_files` |
//! | a journal that was changed is found out, and replay is honest | `relay::every_run_replays_to_the_state_it_is_in`; and every run that any test makes is replayed when it ends (`harness::proof`) |
//! | the rows that people read can be written again from the states | `operators::rows_are_written_again_from_their_states`, `evolution::a_newer_run_is_not_projected_by_an_older_build` |
//! | runs start and tell each other once | `relay::children_are_started_and_answer_once` |
//! | callers that hang up take nothing with them | `storm::a_storm_of_hang_ups_loses_nothing` |
//! | a schedule's instant fires once in the cluster, missed ones by policy | `schedules::an_instant_fires_once_however_many_look`, `schedules::missed_instants_are_met_by_the_policy`, `schedules::another_process_fires_what_a_killed_one_had_begun` |
//! | a finished run is archived whole, and a late fact brings it back | `archive::a_late_fact_brings_an_archived_run_back`, `archive::a_killed_round_leaves_every_run_whole` |
//! | Redis may be absent, die or be emptied | `worker/bells::a_redis_that_dies_is_emptied_and_comes_back_loses_nothing`, `product/apart::without_redis_everything_goes_on_and_readiness_says_so` |
//! | a process whose code no longer yields ends itself | `watchdog::the_thread_notices_by_itself`, `watchdog::one_poll_that_does_not_come_back_is_stuck_and_a_long_wait_is_not`, `watchdog::whoever_holds_a_thread_is_named_and_who_came_late_or_waits_is_not`, `deaths::work_that_is_known_to_kill_its_process_is_parked_after_three`, `poison::rel_11_one_letter_in_a_hundred_is_poison` |
//! | facts are sealed without gaps | `promises::facts_are_sealed_without_gaps_and_in_a_chain` |
//!
//! Those of turns, leases and limits all at once, with everything going wrong, over rows in memory and a clock that jumps:
//! `testkit::sim`, by `./ops/simulate`. Known cases from engines like this one, and what covers each: `tests/cases.md`.
//!
//! # What goes when
//!
//! Each effect has a [`Policy`]: its queue, its priority there, how often and how far apart it is tried. What limits it is said once:
//! how many at a time in a process by the queue's room, how many at a time in the cluster by its [lane](Workflow::lane), how fast and
//! with how much patience by the outside [`Party`] that the queue calls. [`Engine::pause`] holds back a queue, a workflow or a party;
//! [`Engine::brakes`] lists what is held back and why.
//!
//! # Adding a workflow
//!
//! The [`guide`] teaches it in half an hour, with a whole one to copy.
#![warn(missing_docs)]

mod apply;
mod archive;
mod attempt;
mod bell;
mod brake;
mod census;
mod claim;
mod clock;
pub mod config;
mod databases;
mod decide;
mod engine;
mod event;
mod execute;
mod fault;
pub mod faults;
pub mod guide;
mod hands;
mod id;
mod intervene;
mod lease_keeping;
mod link;
mod listing;
mod observe;
mod operate;
mod party;
mod policy;
mod process;
mod recall;
mod recent;
mod record;
mod refusal;
mod registry;
mod replay;
mod reproject;
mod retention;
mod salvage;
mod schedule;
mod sealer;
mod step;
mod storage;
mod suspicion;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
mod transcript;
mod turn;
mod tx;
mod vitals;
mod workflow;
mod writer;

pub use bell::Ring;
pub use brake::{Brake, Circuit, Target};
pub use census::{Census, OpenCount, RunCount, ShapeKnown, WorkCount};
pub use claim::Claimed;
pub use clock::{ClockError, Mirror, Settling};
pub use databases::{Databases, PoolView, Pools};
pub use engine::{Engine, Settings, detached};
pub use event::{EventKey, Fence, Input, Manner, Moved, Origin, Verdict, What};
pub use fault::Fault;
pub use hands::{Hands, Lease};
pub use id::{RunId, WorkId};
pub use link::Link;
pub use listing::{Listed, Rows, RunFilter, Standing, WorkFilter, WorkPlace};
pub use observe::{Called, Ended, News, Observe, Tried, Unobserved};
pub use operate::{Depth, RunView, TurnView, WorkView};
pub use party::{Limits, Party, Patience, Rate};
pub use policy::{DEFAULT_QUEUE, ENGINE_QUEUE, Lane, Policy, Priority, Queue};
pub use record::{OPERATORS_ACT, OperatorsAct};
pub use refusal::{Conflict, Refusal};
pub use registry::{PostFacts, Posted, Registry};
pub use replay::Replay;
pub use reproject::{Act, Reprojected, RowChange};
pub use retention::{After, Kept, Never, Retention, RetentionError};
pub use salvage::{Damaged, Readable};
pub use schedule::{CatchUp, Failing, Fire, Paused, Schedule, ScheduleError, ScheduleView, TickView};
pub use sealer::Sealed;
pub use step::{Armed, Fact, Scope, Spawn, Step, Tell};
pub use storage::schema;
pub use transcript::{Became, Posting, QueuedWork, Transcript, TryView, TurnStory};
pub use tx::{TurnError, Tx};
pub use vitals::Vitals;
pub use workflow::{Attempt, Changed, Found, Perform, Project, ProjectError, Value, Workflow};

/// An instant on the business clock, in microseconds of UTC.
pub type Timestamp = chrono::DateTime<chrono::Utc>;
