//! Forgeries (SEC-20) and wrong claims (SEC-21): every one of them is refused, quickly.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};

use super::super::seal::KeyOfKeys;
use super::*;

fn now() -> Timestamp {
    "2027-01-01T00:00:00Z".parse().unwrap()
}

fn bearer() -> Bearer {
    Bearer { user: UserId::mint(now(), [1; 10]), session: SessionId::mint(now(), [2; 10]) }
}

struct House {
    issuer: Issuer,
    keys: Keys,
}

fn house() -> House {
    let root = KeyOfKeys::from_bytes([7; 32]);
    let issuer =
        Issuer { issuer: "https://inn.test".into(), audience: "innkeeper".into(), life: TimeDelta::minutes(10) };
    House { issuer, keys: Keys::open(&root, &[SigningKey::make(&root, now())]) }
}

impl House {
    fn key(&self) -> &SigningKey {
        self.keys.signing(now()).unwrap()
    }

    fn token(&self) -> String {
        self.issuer.issue(self.key(), bearer(), now())
    }

    fn read(&self, token: &str) -> Result<Bearer, NotOurs> {
        self.issuer.read(token, &self.keys, now())
    }

    /// Signed with the true key, whatever it says.
    fn signed(&self, header: &Value, claims: &Value) -> String {
        self.signed_text(&header.to_string(), &claims.to_string())
    }

    fn signed_text(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), self.key().encoding(), Algorithm::EdDSA).unwrap();
        format!("{message}.{signature}")
    }

    fn claims(&self) -> Value {
        part(&self.token(), 1)
    }

    fn header(&self) -> Value {
        part(&self.token(), 0)
    }
}

fn part(token: &str, at: usize) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(at).unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn with(mut value: Value, name: &str, new: Value) -> Value {
    value[name] = new;
    value
}

fn without(mut value: Value, name: &str) -> Value {
    value.as_object_mut().unwrap().remove(name);
    value
}

#[test]
fn a_token_of_ours_is_read_until_it_expires() {
    let house = house();
    let token = house.token();
    assert_eq!(house.read(&token), Ok(bearer()));
    assert_eq!(house.read(&house.signed(&house.header(), &house.claims())), Ok(bearer()), "the forger's tools work");
    let read = |seconds| house.issuer.read(&token, &house.keys, now() + TimeDelta::seconds(seconds)).is_ok();
    assert!(read(659) && !read(660) && read(-60) && !read(-61));
}

#[test]
fn no_forgery_is_believed() {
    let house = house();
    let (header, claims, token) = (house.header(), house.claims(), house.token());
    let public = URL_SAFE_NO_PAD.decode(house.key().x()).unwrap();
    let mac = |alg: Algorithm, name: &str, secret: &[u8]| {
        let message = format!("{}.{}", encoded(&with(header.clone(), "alg", name.into())), encoded(&claims));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &EncodingKey::from_secret(secret), alg).unwrap();
        format!("{message}.{signature}")
    };
    let parts: Vec<&str> = token.split('.').collect();
    let mut forgeries: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, token: String| forgeries.push((name.to_owned(), token));
    for alg in
        ["none", "None", "NONE", "nOnE", "", "HS256", "HS512", "RS256", "PS256", "ES256", "ES384", "eddsa", "Ed25519"]
    {
        add(&format!("alg {alg}, true signature"), house.signed(&with(header.clone(), "alg", alg.into()), &claims));
        let unsigned = format!("{}.{}.", encoded(&with(header.clone(), "alg", alg.into())), parts[1]);
        add(&format!("alg {alg}, no signature"), unsigned);
    }
    add("HMAC keyed with the public key", mac(Algorithm::HS256, "HS256", &public));
    add("HMAC keyed with the public key's text", mac(Algorithm::HS256, "HS256", house.key().x().as_bytes()));
    add(
        "HMAC keyed with its DER",
        mac(
            Algorithm::HS512,
            "HS512",
            &[&[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0][..], &public].concat(),
        ),
    );
    for kid in ["../../dev/null", "' OR '1'='1", "unknown", "", "kid\u{0}"] {
        add(&format!("kid {kid:?}"), house.signed(&with(header.clone(), "kid", kid.into()), &claims));
    }
    add("no kid", house.signed(&without(header.clone(), "kid"), &claims));
    add("another house's key", self::house().token());
    for name in ["jku", "x5u", "jwk", "x5c", "x5t", "crit", "zip", "b64", "cty", "extra"] {
        add(name, house.signed(&with(header.clone(), name, json!("https://evil.test/keys")), &claims));
    }
    add("typ JWT", house.signed(&with(header.clone(), "typ", "JWT".into()), &claims));
    add("no typ", house.signed(&without(header.clone(), "typ"), &claims));
    let text = header.to_string();
    let doubled = |twin: &str| house.signed_text(&format!("{{{twin},{}", &text[1..]), &claims.to_string());
    add("two algorithms", doubled("\"alg\":\"none\""));
    add("the same algorithm twice", doubled("\"alg\":\"EdDSA\""));
    add("header is a list", house.signed_text(r#"["EdDSA"]"#, &claims.to_string()));
    add("empty signature", format!("{}.{}.", parts[0], parts[1]));
    add("two parts", format!("{}.{}", parts[0], parts[1]));
    add("four parts", format!("{token}.{}", parts[2]));
    add("trailing data", format!("{token}x"));
    add("padding", format!("{token}="));
    add("space", format!(" {token}"));
    add("line end", format!("{token}\n"));
    add(
        "claims of another",
        format!(
            "{}.{}.{}",
            parts[0],
            encoded(&with(claims.clone(), "sub", json!(UserId::mint(now(), [9; 10])))),
            parts[2]
        ),
    );
    add("one megabyte", format!("{}.{}.{}", parts[0], "A".repeat(1 << 20), parts[2]));
    add("empty", String::new());
    add("dots", "..".into());
    assert!(forgeries.len() > 50);
    for (name, token) in forgeries {
        let began = Instant::now();
        assert_eq!(house.read(&token), Err(NotOurs), "{name}");
        assert!(began.elapsed() < Duration::from_millis(50), "{name} took {:?}", began.elapsed());
    }
}

#[test]
fn every_claim_is_required_and_checked() {
    let house = house();
    let (header, claims) = (house.header(), house.claims());
    let refused = |name: &str, claims: Value| {
        assert_eq!(house.read(&house.signed(&header, &claims)), Err(NotOurs), "{name}: {claims}");
    };
    for name in ["iss", "aud", "sub", "sid", "jti", "typ", "iat", "nbf", "exp"] {
        refused(name, without(claims.clone(), name));
        refused(name, with(claims.clone(), name, Value::Null));
        refused(name, with(claims.clone(), name, json!("")));
        refused(name, with(claims.clone(), name, json!([])));
        refused(name, with(claims.clone(), name, json!({})));
    }
    let second = now().timestamp();
    for exp in [
        json!((second + 600).to_string()),
        json!(second as f64 + 600.5),
        json!(-1),
        json!(0),
        json!(i64::MAX),
        json!(1e300),
        json!(u64::MAX),
    ] {
        refused("exp", with(claims.clone(), "exp", exp));
    }
    refused("a life of our key, not of our making", with(claims.clone(), "exp", json!(second + 6000)));
    refused(
        "not yet",
        with(
            with(with(claims.clone(), "nbf", json!(second + 61)), "iat", json!(second + 61)),
            "exp",
            json!(second + 661),
        ),
    );
    refused("issued far away", with(claims.clone(), "iat", json!(i64::MIN)));
    for other in ["https://evil.test", "https://inn.test/"] {
        refused("iss", with(claims.clone(), "iss", json!(other)));
        refused("aud", with(claims.clone(), "aud", json!(other)));
    }
    refused("aud list", with(claims.clone(), "aud", json!(["innkeeper", "other"])));
    for typ in ["refresh", "reset", "verify-email", "state", "Access"] {
        refused("typ", with(claims.clone(), "typ", json!(typ)));
    }
    refused("sub of another kind", with(claims.clone(), "sub", claims["sid"].clone()));
}

#[test]
fn a_retired_key_signs_for_nobody() {
    let root = KeyOfKeys::from_bytes([7; 32]);
    let mut row = SigningKey::make(&root, now());
    let House { issuer, .. } = house();
    let keys = Keys::open(&root, std::slice::from_ref(&row));
    let token = issuer.issue(keys.signing(now()).unwrap(), bearer(), now());
    assert!(issuer.read(&token, &keys, now()).is_ok());
    row.retires_at = Some(now());
    assert_eq!(issuer.read(&token, &Keys::open(&root, &[row]), now()), Err(NotOurs));
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}
