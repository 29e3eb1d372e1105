//! Who somebody is: accounts, logins, and the keys that vouch for them.
//!
//! An account is made by [`register()`] and proved by a link; [`login()`] opens a session, which [`refresh()`] renews and
//! [`authenticate`] reads from every request. Everything here is measured by real time ([`App::wall`](crate::App::wall)):
//! a sandbox that moves the business clock signs nobody out.

mod email;
mod keys;
mod login;
mod password;
mod person;
pub mod profile;
mod refresh;
mod register;
mod ring;
mod seal;
pub mod sessions;
mod settings;
mod throttle;
mod token;

pub use email::{Email, NotAnEmail};
pub use keys::Jwk;
pub use login::{GRACE, SignedIn, Tokens, authenticate, login, refresh};
pub use person::{Locale, NotALocale, NotAName, NotAPhone, PersonName, Phone};
pub use register::{NewAccount, admit, anonymous, register, resend, verify_email, weakness};
pub use ring::{public_keys, rotate_keys};
pub use seal::{KeyError, KeyOfKeys};
pub use settings::Settings;
pub use throttle::Throttled;

use password::Hasher;
use ring::Ring;
use secrecy::SecretString;
use throttle::Throttle;
use token::Issuer;

/// What identity needs and keeps in one process.
pub struct Identity {
    root: KeyOfKeys,
    links: SecretString,
    issuer: Issuer,
    settings: Settings,
    hasher: Hasher,
    throttle: Throttle,
    ring: Ring,
}

impl Identity {
    /// Sets identity up. The writer of letters must be given the same key's [`KeyOfKeys::link_secret`].
    #[must_use]
    pub fn new(settings: Settings, root: KeyOfKeys) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        Self {
            links: root.link_secret(),
            issuer: Issuer {
                issuer: settings.public_url.clone(),
                audience: settings.audience.clone(),
                life: settings.access(),
            },
            hasher: Hasher::new(settings.hashers.map_or(processors, std::num::NonZeroUsize::get)),
            throttle: Throttle::default(),
            ring: Ring::default(),
            settings,
            root,
        }
    }
}
