//! The REST interface: a handler authenticates, parses, makes one call into `workflows`, and answers.

mod body;
mod caller;
mod client;
mod docs;
mod endpoints;
mod envelope;
mod etag;
mod health;
mod landing;
mod merge;
pub mod metrics;
mod once;
mod openapi;
mod page;
mod path;
pub mod problem;
mod router;
mod scenario;
mod serve;
mod settings;
mod wire;

pub use body::{Json, Nothing, Patch};
pub use caller::{Caller, Guest, Host, MaybeCaller, Operator};
pub use client::Client;
pub use etag::{IfMatch, of_version};
pub use health::Health;
pub use merge::MergePatch;
pub use once::{Answered, AnyKey, Command, KeyRule, MustKey};
pub use page::{Listing, NoFilter, Page, Paging};
pub use path::{Path, Query};
pub use problem::Problem;
pub use router::{document, router};
pub use serve::serve;
pub use settings::{Network, NotANetwork, Settings};
