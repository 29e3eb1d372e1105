//! The keys as this process knows them: read from the database, kept for a minute, read again when a token names a new one.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::TimeDelta;
use domain::Timestamp;
use store::sessions;
use tokio::sync::Mutex;

use super::keys::{Jwk, Keys, PUBLISHED_AHEAD, SigningKey};
use super::seal::KeyOfKeys;
use super::token::{self, Bearer, Issuer};
use crate::app::App;
use crate::{Error, NotSignedIn};

/// How long a process may not know of a new key: shorter than keys are published ahead.
const FRESH: TimeDelta = TimeDelta::seconds(60);

/// A token with an unknown key makes us look, but not more often than this.
const PATIENCE: TimeDelta = TimeDelta::seconds(5);

#[derive(Clone)]
struct Cached {
    read_at: Timestamp,
    keys: Arc<Keys>,
}

/// The keys of one process.
#[derive(Default)]
pub(crate) struct Ring {
    cached: RwLock<Option<Cached>>,
    reading: Mutex<()>,
}

impl Ring {
    /// The keys, not older than `age`.
    async fn keys(&self, app: &App, age: TimeDelta) -> Result<Arc<Keys>, Error> {
        if let Some(keys) = self.known(app.wall(), age) {
            return Ok(keys);
        }
        let _one_at_a_time = self.reading.lock().await;
        let now = app.wall();
        if let Some(keys) = self.known(now, age) {
            return Ok(keys);
        }
        let root = &app.identity.root;
        let mut keys = Keys::open(root, &sessions::keys(app.reader()).await?);
        if keys.signing(now).is_none() {
            keys = Keys::open(root, &with_a_first_one(app).await?);
        }
        let keys = Arc::new(keys);
        let cached = Cached { read_at: now, keys: Arc::clone(&keys) };
        *self.cached.write().unwrap_or_else(PoisonError::into_inner) = Some(cached);
        Ok(keys)
    }

    fn known(&self, now: Timestamp, age: TimeDelta) -> Option<Arc<Keys>> {
        let cached = self.cached.read().unwrap_or_else(PoisonError::into_inner);
        cached.as_ref().filter(|cached| now - cached.read_at < age).map(|cached| Arc::clone(&cached.keys))
    }

    /// Signs an access token.
    pub(crate) async fn issue(&self, app: &App, issuer: &Issuer, bearer: Bearer) -> Result<String, Error> {
        let keys = self.keys(app, FRESH).await?;
        let now = app.wall();
        let key = keys.signing(now).ok_or(Error::Broken("no signing key opens".into()))?;
        Ok(issuer.issue(key, bearer, now))
    }

    /// Reads an access token.
    pub(crate) async fn read(&self, app: &App, issuer: &Issuer, text: &str) -> Result<Bearer, Error> {
        let invalid = || Error::NotSignedIn(NotSignedIn::Invalid);
        let kid = token::kid(text).map_err(|_| invalid())?;
        let mut keys = self.keys(app, FRESH).await?;
        if keys.verifying(&kid, app.wall()).is_none() {
            keys = self.keys(app, PATIENCE).await?;
        }
        issuer.read(text, &keys, app.wall()).map_err(|_| invalid())
    }
}

/// Makes the key that signs while there is no other. Processes that start together agree on one: else each would refuse what the others
/// sign until it looks again.
async fn with_a_first_one(app: &App) -> Result<Vec<sessions::SigningKey>, Error> {
    let app = app.clone();
    engine::detached(async move {
        let (root, now) = (&app.identity.root, app.wall());
        let tx = app.engine.begin().await?;
        let mut rows = sessions::keys_in_turn(&*tx).await?;
        if Keys::open(root, &rows).signing(now).is_none() {
            let row = SigningKey::make(root, now);
            sessions::add_key(&*tx, &row).await?;
            rows.push(row);
        }
        tx.commit().await?;
        Ok(rows)
    })
    .await
}

/// The public keys, for everybody who wants to check a token of ours.
///
/// # Errors
/// When the database fails.
pub async fn public_keys(app: &App) -> Result<Vec<Jwk>, Error> {
    Ok(app.identity.ring.keys(app, FRESH).await?.public(app.wall()))
}

/// Makes a new signing key and says when the present ones stop counting: once nobody can hold a token of theirs.
///
/// # Errors
/// When the database fails.
pub async fn rotate_keys(app: &App) -> Result<String, Error> {
    let app = app.clone();
    engine::detached(async move {
        let (now, issuer) = (app.wall(), &app.identity.issuer);
        let last_token = now + PUBLISHED_AHEAD + FRESH + issuer.life + TimeDelta::minutes(1);
        let tx = app.engine.begin().await?;
        for old in sessions::keys(&*tx).await?.iter().filter(|old| old.retires_at.is_none()) {
            sessions::retire_key(&*tx, &old.kid, last_token).await?;
        }
        let new = SigningKey::make(&app.identity.root, now);
        sessions::add_key(&*tx, &new).await?;
        tx.commit().await?;
        Ok(new.kid)
    })
    .await
}

impl KeyOfKeys {
    /// What the links in letters are derived from: the same for whoever writes letters and whoever reads the links.
    #[must_use]
    pub fn link_secret(&self) -> secrecy::SecretString {
        hex::encode(self.derive("links", &[])).into()
    }
}
