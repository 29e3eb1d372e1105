//! Clients that hang up at any moment: the same storms that every run of the tests lets loose, under the name that `./ops/chaos` knows.

use harness::{Backend, both};

#[test]
#[ignore = "an experiment of ./ops/chaos"]
fn rel_19_clients_hang_up_at_any_moment() {
    for backend in [Backend::Postgres, Backend::Sqlite] {
        both::run(backend, crate::engine::storm::a_storm_of_hang_ups_loses_nothing);
        both::run(backend, crate::market::storm::a_storm_of_clients_that_hang_up_loses_nothing);
    }
}
