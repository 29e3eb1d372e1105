//! What every use case works with: the engine, the outside parties, and the settings.

use std::sync::Arc;

use sea_orm::{ConnectionTrait as _, DatabaseConnection};

use crate::Error;

/// The product, ready to be asked; clones are cheap and share everything.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What an [`App`] is made of.
pub struct Parts {
    /// Connections that only read, outside any transaction.
    pub reader: DatabaseConnection,
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Fails while the database does not answer.
    pub async fn reach_database(&self) -> Result<(), Error> {
        self.reader.execute_unprepared("SELECT 1").await?;
        Ok(())
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
