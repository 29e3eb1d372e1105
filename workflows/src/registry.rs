//! Every process that this build knows, a line each.

use domain::Provider;
use engine::{Link, Party, Registry};
use integrations::images::Limits;
use integrations::mail::SharedMailer;
use integrations::objects::SharedObjectStore;
use integrations::payments::SharedGateway;
use secrecy::SecretString;

use crate::booking::{Booking, NoHands};
use crate::ledger::Poster;
use crate::mail::{self, Mail, Post};
use crate::payment::{Cashier, Payment};
use crate::payout::{Payout, daily};
use crate::photo::{Darkroom, Photo};
use crate::till;

/// The payment gateway, as operators pause it and configurations limit it.
pub const GATEWAY: &str = "gateway";
/// The mail server.
pub const MAIL: &str = "mail";
/// The object store.
pub const OBJECTS: &str = "objects";

/// What the processes reach the outside by.
#[derive(Clone)]
pub struct Reach {
    /// Moves money.
    pub gateway: SharedGateway,
    /// Carries letters.
    pub mailer: SharedMailer,
    /// Keeps files.
    pub objects: SharedObjectStore,
    /// Connections that only read, for what letters speak of.
    pub reader: Link,
    /// How letters look.
    pub letters: mail::Settings,
    /// From which the links in letters are derived.
    pub secret: SecretString,
    /// How much of an uploaded photograph we are willing to look at.
    pub photos: Limits,
}

/// The processes, ready to be run by an engine.
#[must_use]
pub fn registry(reach: Reach) -> Registry {
    let Reach { gateway, mailer, objects, reader, letters, secret, photos } = reach;
    let provider = gateway.provider().parse().expect("the ledger has an account for every gateway of ours");
    let hands = Hands {
        cashier: Cashier { gateway },
        post: Post { mailer, reader, settings: letters, secret },
        darkroom: Darkroom { objects, limits: photos },
    };
    processes(provider, Some(hands))
}

/// The same processes without hands: for whoever looks, decides or proves, and calls nobody outside.
#[must_use]
pub fn onlookers(provider: Provider) -> Registry {
    processes(provider, None)
}

/// Who carries out the effects.
struct Hands {
    cashier: Cashier,
    post: Post,
    darkroom: Darkroom,
}

fn processes(provider: Provider, hands: Option<Hands>) -> Registry {
    let (cashier, post, darkroom) = match hands {
        Some(Hands { cashier, post, darkroom }) => (Some(cashier), Some(post), Some(darkroom)),
        None => (None, None, None),
    };
    Registry::new()
        .register::<Booking>(NoHands)
        .register::<Payment>(cashier.clone())
        .register::<Payout>(cashier)
        .register::<Mail>(post)
        .register::<Photo>(darkroom)
        .party(Party::new(GATEWAY, &["payments"]))
        .party(Party::new(MAIL, &["mail"]))
        .party(Party::new(OBJECTS, &["photos"]))
        .facts(Poster)
        .schedule(daily(provider))
        .schedule(till::inbox())
}
