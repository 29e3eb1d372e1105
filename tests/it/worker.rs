//! A worker process, or two: what is due gets done once, whoever dies, drains or is deaf, with Redis and without.

mod bells;
mod chores;
mod drain;
mod flow;
mod toy;
