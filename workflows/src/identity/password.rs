//! Passwords: which are good enough, and how they are kept.
//!
//! Argon2id with 19 MiB, two passes and one lane, behind a pool that is never larger than the processors: a thousand
//! logins at once wait or are turned away, they do not eat the memory. An account that does not exist costs the same time
//! as one that does.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

use super::seal::random;
use crate::{Error, Flaw};

const MIN_CHARS: usize = 8;
const MAX_CHARS: usize = 256;
const PATIENCE: Duration = Duration::from_secs(2);

/// The words that most guesses are made of; a password that is little more than one of them is refused.
const WORN_OUT: &str = "\
    abc access admin airbnb amanda andrea andrew angel anthony apple ashley asdf asdfgh asdfghjkl austin banana \
    baseball batman biteme blink buster butterfly cameron changeme charlie cheese chelsea chicken chocolate \
    computer cookie daniel default diamond dragon eminem football forever freedom fuckyou george ginger google \
    guest hannah harley hello hockey host hunter iloveyou innkeeper internet jasmine jennifer jessica jordan \
    joshua justin killer letmein liverpool login london love lovely maggie marina martin master matrix matthew \
    merlin michael michelle monkey monster mustang nicole ninja orange passw password passwort pepper pokemon \
    princess purple qazwsx qwer qwert qwerty qwertyuiop qwertz ranger robert root samsung secret shadow silver \
    soccer sophie starwars summer sunshine superman test thomas thunder tigger trustno welcome whatever william \
    winter yankees zaq zxcvbn zxcvbnm";

/// Says what is wrong with a password that somebody wants; `known` are words that an attacker would try first.
pub(crate) fn flaw(password: &SecretString, known: &[&str]) -> Option<Flaw> {
    let text = password.expose_secret();
    let wrong = |code, detail| Some(Flaw::new("/password", code, detail));
    match text.chars().count() {
        count if count < MIN_CHARS => {
            wrong("too_short", "a password has at least 8 characters; four random words are good")
        }
        count if count > MAX_CHARS => wrong("too_long", "a password has at most 256 characters"),
        _ if is_guessed_first(text, known) => wrong("too_common", "this password is among the first that are guessed"),
        _ => None,
    }
}

fn is_guessed_first(password: &str, known: &[&str]) -> bool {
    let lower = password.to_lowercase();
    // The year and the "1!" at the end fool nobody.
    let bare = lower.trim_matches(|c: char| c.is_ascii_digit() || "!.?-_#*".contains(c));
    let words = [letters(bare), letters(&bare.chars().map(unmasked).collect::<String>())];
    let known: Vec<String> =
        known.iter().map(|word| letters(&word.to_lowercase())).filter(|word| word.len() > 2).collect();
    let worn = |word: &str| WORN_OUT.split(' ').any(|worn| worn == word) || known.iter().any(|known| known == word);
    is_a_run(&lower.chars().collect::<Vec<_>>()) || words.iter().any(|word| worn(word) || is_a_pair(word, worn))
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphabetic()).collect()
}

fn is_a_pair(word: &str, worn: impl Fn(&str) -> bool) -> bool {
    let cuts = (1..word.len().min(40)).filter(|at| word.is_char_boundary(*at));
    cuts.map(|at| word.split_at(at)).any(|(one, two)| worn(one) && worn(two))
}

/// `Pa$$w0rd` is still "password".
fn unmasked(c: char) -> char {
    match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

/// `aaaaaaaa`, `12345678`, `87654321`, `abababab`: every character follows from the ones before.
fn is_a_run(chars: &[char]) -> bool {
    let steps: Vec<i64> =
        chars.windows(2).map(|pair| i64::from(u32::from(pair[1])) - i64::from(u32::from(pair[0]))).collect();
    let repeats =
        |period: usize| chars.len() > period && chars.iter().skip(period).zip(chars).all(|(one, two)| one == two);
    let even = steps.windows(2).all(|pair| pair[0] == pair[1]) && steps.first().is_some_and(|step| step.abs() <= 1);
    even || (1..=3).any(repeats)
}

/// Hashes and checks passwords, a few at a time.
#[derive(Debug, Clone)]
pub(crate) struct Hasher {
    room: Arc<Semaphore>,
    /// What a password for nobody is checked against: no password has this hash, and checking costs what it always costs.
    nobody: Arc<str>,
}

impl Hasher {
    pub(crate) fn new(at_once: usize) -> Self {
        let part = |bytes: &[u8]| STANDARD_NO_PAD.encode(bytes);
        let (salt, digest) = (part(&random::<16>()), part(&random::<32>()));
        let nobody = format!("$argon2id$v=19$m=19456,t=2,p=1${salt}${digest}").into();
        Self { room: Arc::new(Semaphore::new(at_once.max(1))), nobody }
    }

    /// The hash to store.
    pub(crate) async fn hash(&self, password: SecretString) -> Result<String, Error> {
        self.in_turn(move || hash(&password)).await?
    }

    /// Whether this is the password; without a stored hash it takes as long and says no.
    pub(crate) async fn verify(&self, password: SecretString, stored: Option<String>) -> Result<bool, Error> {
        let exists = stored.is_some();
        let hash = stored.unwrap_or_else(|| self.nobody.to_string());
        let matches = self.in_turn(move || {
            let parsed =
                PasswordHash::new(&hash).map_err(|_| Error::Broken("a stored password hash cannot be read".into()))?;
            Ok::<_, Error>(argon2().verify_password(password.expose_secret().as_bytes(), &parsed).is_ok())
        });
        Ok(matches.await?? && exists)
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let waiting = Arc::clone(&self.room).acquire_owned();
        let Ok(Ok(room)) = tokio::time::timeout(PATIENCE, waiting).await else {
            return Err(Error::Busy("hashing passwords"));
        };
        let hashing = tokio::task::spawn_blocking(move || {
            let _room = room;
            work()
        });
        hashing.await.map_err(|_| Error::Broken("hashing a password failed".into()))
    }
}

/// Whether a stored hash was made with weaker parameters than today's.
pub(crate) fn is_outdated(stored: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(stored) else { return true };
    let argon2id = parsed.algorithm.as_str() == "argon2id";
    let params = Params::try_from(&parsed).ok();
    let strong =
        |params: &Params| params.m_cost() >= Params::DEFAULT_M_COST && params.t_cost() >= Params::DEFAULT_T_COST;
    !(argon2id && params.as_ref().is_some_and(strong))
}

fn argon2() -> Argon2<'static> {
    // Named here, so that a dependency's new default cannot weaken what we store.
    let params = Params::new(19 * 1024, 2, 1, None).expect("these parameters are within Argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(password: &SecretString) -> Result<String, Error> {
    let salt: [u8; 16] = random();
    let hash = argon2().hash_password_with_salt(password.expose_secret().as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).map_err(|_| Error::Broken("a password could not be hashed".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn what_is_guessed_first_is_refused() {
        let code =
            |text: &str| flaw(&secret(text), &["anna.huber", "Anna Huber", "anna", "huber"]).map(|flaw| flaw.code);
        for short in ["", "1234567", "äöüäöüä"] {
            assert_eq!(code(short), Some("too_short"), "{short}");
        }
        assert_eq!(code(&"x1".repeat(200)), Some("too_long"));
        let common = [
            "password",
            "Password1!",
            "pa$$w0rd",
            "P@ssw0rd123",
            "12345678",
            "87654321",
            "aaaaaaaa",
            "abcabcabc",
            "qwertyuiop",
            "qwerty123",
            "iloveyou!",
            "letmein2024",
            "sunshine99",
            "anna.huber",
            "AnnaHuber1",
            "passwordpassword",
            "monkeydragon",
            "innkeeper2026",
            "abcdefgh",
        ];
        for text in common {
            assert_eq!(code(text), Some("too_common"), "{text}");
        }
        for good in
            ["correct horse battery staple", "tr0ub4dor&3x", "ein Löwe im Garten", "Vx7#kQp2", &"long word ".repeat(10)]
        {
            assert_eq!(code(good), None, "{good}");
        }
    }

    #[tokio::test]
    async fn a_password_is_kept_as_argon2id_and_counts_to_its_last_character() {
        let hasher = Hasher::new(1);
        let long = "0123456789".repeat(8);
        let stored = hasher.hash(secret(&long)).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(!is_outdated(&stored) && is_outdated(&stored.replace("m=19456", "m=4096")) && is_outdated("?"));
        assert!(hasher.verify(secret(&long), Some(stored.clone())).await.unwrap());
        assert!(!hasher.verify(secret(&long[..72]), Some(stored.clone())).await.unwrap());
        assert!(!hasher.verify(secret(&long), None).await.unwrap(), "nobody has no password");
        assert_ne!(stored, hasher.hash(secret(&long)).await.unwrap());
        let unreadable = hasher.verify(secret(&long), Some("?".into())).await;
        assert!(matches!(unreadable, Err(Error::Broken(_))));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_crowd_is_hashed_a_few_at_a_time_or_turned_away() {
        let hasher = Hasher::new(1);
        assert!(!is_outdated(&hasher.nobody), "nobody's password costs what everybody's does");
        let began = std::time::Instant::now();
        let held = Arc::clone(&hasher.room).acquire_owned().await.unwrap();
        let crowd: Vec<_> = (0..200)
            .map(|_| {
                tokio::spawn({
                    let hasher = hasher.clone();
                    async move { hasher.verify(secret("a guess"), None).await }
                })
            })
            .collect();
        for turned_away in crowd {
            assert!(matches!(turned_away.await.unwrap(), Err(Error::Busy(_))));
        }
        assert!(began.elapsed() < 2 * PATIENCE, "nobody queues for longer than our patience");
        drop(held);
        assert!(!hasher.verify(secret("a guess"), None).await.unwrap(), "the pool is whole again");
    }
}
