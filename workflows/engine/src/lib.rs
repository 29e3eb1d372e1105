//! The durable runtime: business processes that survive a kill at any instant, with nothing lost and nothing done twice.
#![warn(missing_docs)]

mod fault;
mod id;
mod policy;
mod refusal;
mod step;
mod storage;
mod workflow;

pub use fault::Fault;
pub use id::{RunId, WorkId};
pub use policy::{DEFAULT_QUEUE, ENGINE_QUEUE, Policy, Queue};
pub use refusal::{Conflict, Refusal};
pub use step::{Armed, Fact, Scope, Spawn, Step, Tell};
pub use storage::schema;
pub use workflow::{Attempt, Changed, Found, Perform, Project, ProjectError, Value, Workflow};

/// An instant on the business clock, in microseconds of UTC.
pub type Timestamp = chrono::DateTime<chrono::Utc>;
