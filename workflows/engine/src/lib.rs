//! The durable runtime: business processes that survive a kill at any instant, with nothing lost and nothing done twice.
#![warn(missing_docs)]

mod apply;
mod bell;
mod clock;
mod databases;
mod engine;
mod event;
mod execute;
mod fault;
pub mod faults;
mod hands;
mod id;
mod lease_keeping;
mod observe;
mod operate;
mod policy;
mod refusal;

mod registry;
mod replay;
mod schedule;
mod sealer;
mod step;
mod storage;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
mod turn;
mod tx;
mod workflow;
mod writer;

pub use bell::Ring;
pub use clock::{ClockError, Mirror, Settling};
pub use databases::{Databases, Pools};
pub use engine::{Engine, Settings, detached};
pub use event::{EventKey, Fence, Input, Manner, Moved, Origin, Verdict, What};
pub use fault::Fault;
pub use hands::{Hands, Lease};
pub use id::{RunId, WorkId};
pub use observe::{Ended, Observe, Tried, Unobserved};
pub use operate::{Depth, RunView, TurnView, WorkView};
pub use policy::{DEFAULT_QUEUE, ENGINE_QUEUE, Policy, Queue};
pub use refusal::{Conflict, Refusal};
pub use registry::{PostFacts, Posted, Registry};
pub use replay::Replay;
pub use schedule::{Fire, Schedule};
pub use sealer::Sealed;
pub use step::{Armed, Fact, Scope, Spawn, Step, Tell};
pub use storage::schema;
pub use tx::{TurnError, Tx};
pub use workflow::{Attempt, Changed, Found, Perform, Project, ProjectError, Value, Workflow};

/// An instant on the business clock, in microseconds of UTC.
pub type Timestamp = chrono::DateTime<chrono::Utc>;
