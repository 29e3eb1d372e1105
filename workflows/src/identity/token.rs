//! Access tokens: short-lived, signed with Ed25519, and checked claim by claim.
//!
//! The header may say which key and nothing else: no algorithm but ours, no key of its own, no address to fetch one from.
//! Every claim is required. Whether the session still lives is asked of the database at every request.

use chrono::TimeDelta;
use domain::{SessionId, Timestamp, UserId};
use jsonwebtoken::{Algorithm, Header, Validation};
use serde::{Deserialize, Serialize};

use super::keys::{Keys, SigningKey};
use super::seal::random;

/// The clocks of our machines may differ by this much.
const LEEWAY: TimeDelta = TimeDelta::seconds(60);

/// The most a token of ours can measure.
const MAX_LENGTH: usize = 1024;

const HEADER_TYPE: &str = "at+jwt";
const CLAIM_TYPE: &str = "access";

/// Who issues tokens, and for whom.
#[derive(Debug, Clone)]
pub(crate) struct Issuer {
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) life: TimeDelta,
}

/// What a token of ours carries; a token that lacks one of them is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SessionId,
    jti: String,
    typ: String,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// The only header that is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictHeader {
    alg: String,
    kid: String,
    typ: String,
}

/// Whose token it is, by its signature alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) user: UserId,
    pub(crate) session: SessionId,
}

/// A token that is none of ours, or no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotOurs;

impl Issuer {
    /// Signs a token for a session.
    pub(crate) fn issue(&self, key: &SigningKey, bearer: Bearer, now: Timestamp) -> String {
        let Bearer { user: sub, session: sid } = bearer;
        let iat = now.timestamp();
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub,
            sid,
            jti: hex::encode(random::<16>()),
            typ: CLAIM_TYPE.to_owned(),
            iat,
            nbf: iat,
            exp: iat + self.life.num_seconds(),
        };
        let header = Header {
            typ: Some(HEADER_TYPE.to_owned()),
            kid: Some(key.kid().to_owned()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, &claims, key.encoding()).expect("an Ed25519 key signs plain JSON")
    }

    /// Reads a token against the keys that are not retired.
    pub(crate) fn read(&self, token: &str, keys: &Keys, now: Timestamp) -> Result<Bearer, NotOurs> {
        let key = keys.verifying(&kid(token)?, now).ok_or(NotOurs)?;
        let read = jsonwebtoken::decode::<Claims>(token, key.decoding(), &self.validation()).map_err(|_| NotOurs)?;
        let Claims { iss, aud, sub: user, sid: session, jti, typ, iat, nbf, exp } = read.claims;
        let (now, leeway) = (now.timestamp(), LEEWAY.num_seconds());
        let ours = iss == self.issuer && aud == self.audience && typ == CLAIM_TYPE && jti.len() == 32;
        let life = iat <= nbf && nbf < exp && exp.checked_sub(iat) == Some(self.life.num_seconds());
        let in_time = nbf <= now + leeway && now < exp.saturating_add(leeway);
        if ours && life && in_time { Ok(Bearer { user, session }) } else { Err(NotOurs) }
    }

    /// The library checks signature, algorithm and the presence of claims; times are checked above, by our own clock.
    fn validation(&self) -> Validation {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.validate_exp = false;
        validation
    }
}

/// The name of a token's key, if its header is one of ours; decides before anything is computed.
pub(crate) fn kid(token: &str) -> Result<String, NotOurs> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    if token.len() > MAX_LENGTH {
        return Err(NotOurs);
    }
    let mut parts = token.split('.');
    let (Some(header), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(NotOurs);
    };
    let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| NotOurs)?;
    let StrictHeader { alg, kid, typ } = serde_json::from_slice(&header).map_err(|_| NotOurs)?;
    if alg == "EdDSA" && typ == HEADER_TYPE { Ok(kid) } else { Err(NotOurs) }
}

#[cfg(test)]
mod tests;
