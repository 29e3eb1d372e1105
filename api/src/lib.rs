//! To be built: see the crate map in README.md.
