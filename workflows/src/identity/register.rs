//! Making an account, and proving that its address is one's own.
//!
//! Whether an address has an account is never told: every answer is the same, what differs is the letter that is sent. The
//! password is hashed before anything is looked up, so the time it takes tells nothing either.

use domain::{Currency, Timestamp, UserId};
use engine::Tx;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest, Sha256};
use store::users::{self, Profile, User, Verification};
use store::{Role, UserStatus};

use super::email::Email;
use super::password;
use super::person::{Locale, PersonName};
use super::seal::random;
use crate::app::{App, Asker};
use crate::idempotency::{Answer, Once};
use crate::mail::{About, Audience, Letter, Mail, Message, token_hash, verification_token};
use crate::{Error, Flaw, Refusal};

/// What somebody gives to have an account.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Where to write to them.
    pub email: Email,
    /// What they want to sign in with.
    pub password: SecretString,
    /// How to call them.
    pub name: PersonName,
    /// In which language to write to them.
    pub locale: Locale,
    /// In which currency to show prices.
    pub currency: Currency,
}

/// Makes an account that waits for its address to be proved. `render` is asked for the one answer there is.
///
/// Asking again for an account that was never proved replaces what was said before and voids the earlier links: a link
/// proves the address for the password that it was asked for with, never for one that somebody else set since.
///
/// # Errors
/// [`Error::Invalid`] for a password that is guessed first, [`Error::Throttled`] when too many mails were asked for.
pub async fn register(
    app: &App,
    wish: NewAccount,
    asker: Asker,
    once: Once,
    render: impl FnOnce() -> Answer + Send + 'static,
) -> Result<Answer, Error> {
    check(&wish)?;
    app.identity.throttle.mail(wish.email.as_str(), asker.ip, app.wall()).map_err(Error::Throttled)?;
    let hash = app.identity.hasher.hash(wish.password.clone()).await?;
    once.carry_out(app, move |app, tx| {
        Box::pin(async move {
            let now = app.wall();
            match users::by_email(&**tx, wish.email.as_str()).await? {
                Some(user) if user.email_verified_at.is_some() => {
                    write(app, tx, Letter::AddressInUse, &user, &asker).await?;
                }
                Some(user) => {
                    users::void_verifications(&**tx, user.id, now).await?;
                    users::set_password(&**tx, user.id, hash, now).await?;
                    users::set_profile(&**tx, user.id, &profile(&wish), now).await?;
                    write(app, tx, Letter::VerifyEmail, &user, &asker).await?;
                }
                None => {
                    let user = account(&wish, hash, now);
                    users::create(&**tx, &user).await?;
                    write(app, tx, Letter::VerifyEmail, &user, &asker).await?;
                }
            }
            Ok(render())
        })
    })
    .await
}

/// Sends the letter again, if there is an account that waits for it; the answer is the same if not.
///
/// # Errors
/// [`Error::Throttled`] when too many mails were asked for.
pub async fn resend(
    app: &App,
    email: Email,
    asker: Asker,
    once: Once,
    render: impl FnOnce() -> Answer + Send + 'static,
) -> Result<Answer, Error> {
    app.identity.throttle.mail(email.as_str(), asker.ip, app.wall()).map_err(Error::Throttled)?;
    once.carry_out(app, move |app, tx| {
        Box::pin(async move {
            let waiting = users::by_email(&**tx, email.as_str()).await?.filter(|user| user.email_verified_at.is_none());
            if let Some(user) = waiting {
                write(app, tx, Letter::VerifyEmail, &user, &asker).await?;
            }
            Ok(render())
        })
    })
    .await
}

/// Takes the token of a link as the proof of an address, once.
///
/// # Errors
/// [`Error::Gone`] when the link is unknown, used or too old: which of them is not told.
pub async fn verify_email(
    app: &App,
    token: SecretString,
    once: Once,
    render: impl FnOnce() -> Answer + Send + 'static,
) -> Result<Answer, Error> {
    once.carry_out(app, move |app, tx| {
        Box::pin(async move {
            let now = app.wall();
            let owner = users::use_verification(&**tx, &token_hash(token.expose_secret()), now).await?;
            let owner = owner.ok_or(Error::Gone(Refusal::new("link_expired", "ask for another link")))?;
            users::set_email_verified(&**tx, owner, now).await?;
            Ok(render())
        })
    })
    .await
}

/// Makes an account that is proved already: the first operator, people of a seed.
///
/// # Errors
/// [`Error::Invalid`] for a password that is guessed first, [`Error::Refused`] when the address has an account.
pub async fn admit(app: &App, wish: NewAccount, role: Option<Role>) -> Result<UserId, Error> {
    check(&wish)?;
    let hash = app.identity.hasher.hash(wish.password.clone()).await?;
    let app = app.clone();
    engine::detached(async move {
        let now = app.wall();
        let user = User { email_verified_at: Some(now), role, ..account(&wish, hash, now) };
        let tx = app.engine.begin().await?;
        if users::by_email(&*tx, &user.email).await?.is_some() {
            return Err(Error::refused("address_in_use", "this address has an account"));
        }
        users::create(&*tx, &user).await?;
        tx.commit().await?;
        Ok(user.id)
    })
    .await
}

fn check(wish: &NewAccount) -> Result<(), Error> {
    let weakness = weakness(&wish.password, Some(&wish.email), Some(&wish.name));
    weakness.map_or(Ok(()), |flaw| Err(Error::Invalid(vec![flaw])))
}

/// What speaks against a password, as far as it is known whose it is.
#[must_use]
pub fn weakness(password: &SecretString, email: Option<&Email>, name: Option<&PersonName>) -> Option<Flaw> {
    let address = email.into_iter().flat_map(|email| [email.local(), email.as_str()]);
    let known: Vec<&str> = address.chain(name.map(PersonName::as_str)).collect();
    let parts = known.iter().flat_map(|whole| whole.split(|c: char| !c.is_alphanumeric()));
    let words: Vec<&str> = known.iter().copied().chain(parts).collect();
    password::flaw(password, &words)
}

fn account(wish: &NewAccount, password_hash: String, now: Timestamp) -> User {
    User {
        id: UserId::mint(now, random()),
        email: wish.email.as_str().to_owned(),
        email_verified_at: None,
        password_hash,
        profile: profile(wish),
        role: None,
        status: UserStatus::Active,
        created_at: now,
        updated_at: now,
    }
}

fn profile(wish: &NewAccount) -> Profile {
    let NewAccount { email: _, password: _, name, locale, currency } = wish;
    let (name, locale) = (name.as_str().to_owned(), locale.as_str().to_owned());
    Profile { name, phone: None, locale, currency: *currency }
}

/// Sends a letter about the account; the one with a link also stores what the link is checked against.
async fn write(app: &App, tx: &Tx, letter: Letter, user: &User, asker: &Asker) -> Result<(), Error> {
    let now = app.wall();
    let about = About::Verification { asked_at: now };
    let message = Message { letter, to: user.id, audience: Audience::Account, about };
    if letter == Letter::VerifyEmail {
        let token = verification_token(&app.identity.links, message.run());
        let expires_at = now + app.identity.settings.link();
        let link = Verification { id: message.run().uuid(), user: user.id, token_hash: token_hash(&token), expires_at };
        users::add_verification(&**tx, &link).await?;
    }
    tx.start::<Mail>(message.run(), &message.key(), &message, &asker.origin).await?;
    Ok(())
}

/// Whom an idempotency key of somebody who is not signed in belongs to: the address or the link it comes with, not readable
/// in the table.
#[must_use]
pub fn anonymous(what: &str) -> String {
    format!("anon:{}", hex::encode(&Sha256::digest(what)[..16]))
}
