//! The real binary from outside: what its commands promise to visitors, operators, orchestrators and those who restore a backup.

mod acting;
mod apart;
mod at_rest;
mod backup;
mod configuration;
mod damaged;
mod demo;
mod doctor;
mod draining;
mod exposition;
mod installation;
mod lasting;
mod looking;
mod metrics;
mod operator;
mod reference;
mod visitors;
