//! Signing in, staying signed in, signing out.
//!
//! A session is renewed by a refresh token that is replaced at every use. The rule for an old one: within ten seconds of its
//! replacement, the token just before the present one brings the very same successor again (a client whose answer was lost,
//! or fifty tabs at once); any other old token ends the session, for whoever holds it has what was stolen or was stolen from.

use chrono::TimeDelta;
use domain::{SessionId, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use store::sessions::{self, Presented, Revoked, Rotation, Session};
use store::users::{self, User};
use store::{Role, UserStatus};

use super::password;
use super::refresh::RefreshToken;
use super::seal::random;
use super::token::Bearer;
use crate::app::{App, Asker};
use crate::{Error, NotSignedIn, Refusal};

/// How long a replaced refresh token still brings its successor.
pub const GRACE: TimeDelta = TimeDelta::seconds(10);

/// What a client gets when somebody signs in or a session is renewed.
pub struct Tokens {
    /// Which session.
    pub session: SessionId,
    /// To be sent with requests.
    pub access: String,
    /// In how many seconds it expires.
    pub expires_in: i64,
    /// To be kept, and used once.
    pub refresh: String,
}

/// Somebody who is signed in, with a session that lives at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedIn {
    /// Who.
    pub user: domain::UserId,
    /// By which login.
    pub session: SessionId,
    /// More than guest and host.
    pub role: Option<Role>,
}

/// Signs somebody in with their password.
///
/// # Errors
/// [`NotSignedIn::WrongCredentials`] whatever is wrong with address or password; only who knows the password hears that the
/// address is not proved or the account suspended. [`Error::Throttled`] when there were too many guesses.
pub async fn login(app: &App, email: &str, password: SecretString, asker: Asker) -> Result<Tokens, Error> {
    if password.expose_secret().chars().count() > 256 {
        return Err(Error::flaw("/password", "too_long", "a password has at most 256 characters"));
    }
    let (identity, email) = (&app.identity, email.trim().to_ascii_lowercase());
    let guess = identity.throttle.guess(&email, asker.ip, app.wall()).map_err(Error::Throttled)?;
    let user = users::by_email(app.reader(), &email).await?;
    let stored = user.as_ref().map(|user| user.password_hash.clone());
    let right = identity.hasher.verify(password.clone(), stored).await?;
    let user = user.filter(|_| right).ok_or(Error::NotSignedIn(NotSignedIn::WrongCredentials))?;
    identity.throttle.was_right(&guess, app.wall());
    may_enter(&user)?;
    let stronger = match password::is_outdated(&user.password_hash) {
        true => Some(identity.hasher.hash(password).await?),
        false => None,
    };
    open(app, &user, stronger, asker.agent).await
}

fn may_enter(user: &User) -> Result<(), Error> {
    let refused = |code, detail| Err(Error::Forbidden(Refusal::new(code, detail)));
    match user.status {
        UserStatus::Suspended => refused("account_suspended", "this account is suspended"),
        UserStatus::Active if user.email_verified_at.is_none() => {
            refused("email_unverified", "open the link in the mail first")
        }
        UserStatus::Active => Ok(()),
    }
}

async fn open(app: &App, user: &User, stronger: Option<String>, agent: Option<String>) -> Result<Tokens, Error> {
    let (now, settings) = (app.wall(), &app.identity.settings);
    let session = Session {
        id: SessionId::mint(now, random()),
        user: user.id,
        created_at: now,
        last_used_at: now,
        expires_at: now + settings.session(),
        idle_expires_at: now + settings.idle(),
        revoked: None,
        user_agent: agent,
    };
    let refresh = RefreshToken::first(&app.identity.root, user.id, session.id);
    let (unit, hash) = (app.clone(), refresh.hash());
    engine::detached(async move {
        let tx = unit.engine.begin().await?;
        if let Some(hash) = stronger {
            users::set_password(&*tx, session.user, hash, now).await?;
        }
        sessions::open(&*tx, &session, &hash).await?;
        tx.commit().await
    })
    .await?;
    tokens(app, &refresh).await
}

/// The pair that goes with this refresh token.
async fn tokens(app: &App, refresh: &RefreshToken) -> Result<Tokens, Error> {
    let (identity, session) = (&app.identity, refresh.session);
    let bearer = Bearer { user: refresh.user, session };
    let access = identity.ring.issue(app, &identity.issuer, bearer).await?;
    Ok(Tokens { session, access, expires_in: identity.issuer.life.num_seconds(), refresh: refresh.show() })
}

/// What became of a refresh token.
enum Renewal {
    Renewed(RefreshToken),
    Over,
    /// An old token came back: the session was ended for it.
    Stolen,
}

/// Renews a session.
///
/// # Errors
/// [`NotSignedIn::SessionEnded`] when the session is over, or is ended now because an old token came back.
pub async fn refresh(app: &App, token: &SecretString) -> Result<Tokens, Error> {
    let invalid = Error::NotSignedIn(NotSignedIn::Invalid);
    let presented = RefreshToken::read(&app.identity.root, token).ok_or(invalid)?;
    let unit = app.clone();
    match engine::detached(async move { renew(&unit, &presented).await }).await? {
        Renewal::Renewed(next) => tokens(app, &next).await,
        Renewal::Over => Err(Error::NotSignedIn(NotSignedIn::SessionEnded)),
        Renewal::Stolen => {
            tracing::warn!("a replaced refresh token came back; its session was ended");
            Err(Error::NotSignedIn(NotSignedIn::SessionEnded))
        }
    }
}

async fn renew(app: &App, presented: &RefreshToken) -> Result<Renewal, Error> {
    let tx = app.engine.begin().await?;
    let (now, hash, next) = (app.wall(), presented.hash(), presented.successor(&app.identity.root));
    let idle_expires_at = now + app.identity.settings.idle();
    let to = next.hash();
    let rotation = Rotation { from: &hash, to: &to, at: now, idle_expires_at };
    // Who loses the race for one token finds it replaced when looking again.
    for _ in 0..2 {
        let found = sessions::by_refresh_hash(&*tx, &hash).await?;
        let renewal = match found {
            Some(Presented::Current(session)) if session.is_live(now) => {
                if !sessions::rotate(&*tx, session.id, rotation).await? {
                    continue;
                }
                Renewal::Renewed(next)
            }
            Some(Presented::Previous(session)) if session.is_live(now) && is_lost_answer(&session, now) => {
                Renewal::Renewed(next)
            }
            Some(Presented::Current(_)) => Renewal::Over,
            Some(Presented::Previous(_)) | None => {
                let revoked = Revoked { at: now, why: "refresh_reuse".to_owned() };
                match sessions::revoke(&*tx, presented.user, presented.session, &revoked).await? {
                    true => Renewal::Stolen,
                    false => Renewal::Over,
                }
            }
        };
        tx.commit().await?;
        return Ok(renewal);
    }
    Ok(Renewal::Over)
}

fn is_lost_answer(session: &Session, now: Timestamp) -> bool {
    now - session.last_used_at <= GRACE
}

/// Reads an access token and asks whether its session lives.
///
/// # Errors
/// [`Error::NotSignedIn`] when the token is none of ours or the session is over, [`Error::Forbidden`] for an account that is
/// suspended.
pub async fn authenticate(app: &App, token: &str) -> Result<SignedIn, Error> {
    let identity = &app.identity;
    let Bearer { user, session } = identity.ring.read(app, &identity.issuer, token).await?;
    let authority = sessions::authority(app.reader(), user, session, app.wall()).await?;
    let authority = authority.ok_or(Error::NotSignedIn(NotSignedIn::SessionEnded))?;
    let refused = |code, detail| Err(Error::Forbidden(Refusal::new(code, detail)));
    match authority.status {
        UserStatus::Suspended => refused("account_suspended", "this account is suspended"),
        UserStatus::Active if !authority.email_verified => {
            refused("email_unverified", "open the link in the mail first")
        }
        UserStatus::Active => Ok(SignedIn { user, session, role: authority.role }),
    }
}
