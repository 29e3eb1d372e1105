//! The `[parties]` section of the configuration: how fast the outside parties are called, and when they are left alone.

use engine::config::{BadManners, Manners};
use engine::{Limits, Registry};
use serde::{Deserialize, Serialize};

use crate::registry::{GATEWAY, MAIL, OBJECTS};

/// How each party is called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The payment gateway.
    pub gateway: Manners,
    /// The mail server.
    pub mail: Manners,
    /// The object store.
    pub objects: Manners,
}

/// A party cannot be called so.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("parties.{party}")]
pub struct SettingsError {
    party: &'static str,
    #[source]
    why: BadManners,
}

/// Limits that were checked, by the parties' names in the registry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parties([(&'static str, Limits); 3]);

impl TryFrom<Settings> for Parties {
    type Error = SettingsError;

    fn try_from(settings: Settings) -> Result<Self, SettingsError> {
        let Settings { gateway, mail, objects } = settings;
        let limits = |party, manners| match Limits::try_from(manners) {
            Ok(limits) => Ok((party, limits)),
            Err(why) => Err(SettingsError { party, why }),
        };
        Ok(Self([limits(GATEWAY, gateway)?, limits(MAIL, mail)?, limits(OBJECTS, objects)?]))
    }
}

impl Parties {
    /// The registry whose parties are called within these limits.
    #[must_use]
    pub fn limit(self, registry: Registry) -> Registry {
        self.0.into_iter().fold(registry, |registry, (party, limits)| registry.limited(party, limits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_is_limited_as_it_is_said_and_not_at_all_by_zero() {
        let manners = Manners { calls_per_second: 25.0, burst: 5, failures: 3, rest_seconds: 7, ..Manners::default() };
        let Parties([gateway, mail, _]) = Settings { gateway: manners, ..Settings::default() }.try_into().unwrap();
        assert_eq!(gateway.1.rate, Some(engine::Rate { per_second: 25.0, burst: 5 }));
        assert_eq!((gateway.1.patience.failures, gateway.1.patience.rest.as_secs()), (3, 7));
        assert_eq!(mail, (MAIL, Limits::default()), "the defaults are the engine's own");
    }

    #[test]
    fn a_refusal_names_the_party() {
        let wrong = Settings { mail: Manners { burst: 0, ..Manners::default() }, ..Settings::default() };
        assert_eq!(Parties::try_from(wrong).unwrap_err().to_string(), "parties.mail");
    }
}
