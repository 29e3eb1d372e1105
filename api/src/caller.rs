//! Who may call: authority is part of a handler's signature, so a handler that forgets it has nobody to act for.
//!
//! [`Caller`] is anybody who is signed in; [`Guest`] and [`Host`] are the same person in the role they act in (whose things
//! they may touch is decided by queries that begin at the owner); an [`Operator`] runs the marketplace.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header;
use axum::http::request::Parts;
use domain::{SessionId, UserId};
use workflows::identity::{self, SignedIn};
use workflows::{App, Asker, Error, NotSignedIn, Origin};

use crate::client::Client;
use crate::problem::{Problem, catalogue};

/// Somebody who is signed in, with a proved address and a session that lives.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub id: UserId,
    /// By which login.
    pub session: SessionId,
    /// How to end exactly this login.
    pub signed_in: SignedIn,
    /// From where, and under which request.
    pub asker: Asker,
}

/// A caller who acts as a guest.
#[derive(Debug, Clone)]
pub struct Guest(pub Caller);

/// A caller who acts as a host.
#[derive(Debug, Clone)]
pub struct Host(pub Caller);

/// A caller who runs the marketplace.
#[derive(Debug, Clone)]
pub struct Operator(pub Caller);

impl Caller {
    /// Who caused it, for the journal.
    pub fn origin(&self) -> Origin {
        self.asker.origin.clone()
    }
}

impl Client {
    /// The sender as use cases know it, while nobody is signed in.
    pub fn asker(&self) -> Asker {
        let Self { ip, request_id, trace, agent } = self.clone();
        let origin = Origin { request_id: Some(request_id), trace: Some(trace), ..Origin::default() };
        Asker { ip, agent, origin }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    App: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let mut asker = Client::from_request_parts(parts, state).await?.asker();
        let token = bearer(parts).ok_or(Error::NotSignedIn(NotSignedIn::Missing))?;
        let signed_in = identity::authenticate(&App::from_ref(state), token).await?;
        asker.origin.actor = Some(signed_in.user.to_string());
        Ok(Self { id: signed_in.user, session: signed_in.session, signed_in, asker })
    }
}

/// Whoever is signed in, or nobody: for what everybody may see and its owner sees more of. A bad token is still refused.
#[derive(Debug, Clone)]
pub struct MaybeCaller(pub Option<Caller>);

impl<S: Send + Sync> FromRequestParts<S> for MaybeCaller
where
    App: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            return Ok(Self(None));
        }
        Caller::from_request_parts(parts, state).await.map(|caller| Self(Some(caller)))
    }
}

fn bearer(parts: &Parts) -> Option<&str> {
    let mut sent = parts.headers.get_all(header::AUTHORIZATION).iter();
    let (one, None) = (sent.next()?, sent.next()) else { return None };
    let (scheme, token) = one.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

macro_rules! roles {
    ($($role:ident, $rule:expr;)+) => { $(
        impl std::ops::Deref for $role {
            type Target = Caller;

            fn deref(&self) -> &Caller {
                &self.0
            }
        }

        impl<S: Send + Sync> FromRequestParts<S> for $role
        where
            App: FromRef<S>,
        {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
                let caller = Caller::from_request_parts(parts, state).await?;
                let may: fn(&Caller) -> bool = $rule;
                if may(&caller) { Ok(Self(caller)) } else { Err(Problem::new(&catalogue::FORBIDDEN)) }
            }
        }
    )+ };
}

roles! {
    Guest, |_| true;
    Host, |_| true;
    Operator, |caller| caller.signed_in.role == Some(store::Role::Operator);
}
