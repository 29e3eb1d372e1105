//! Every test that needs a server, a database or the whole workspace: one binary, one module per area.

mod harness_itself;
mod house;
