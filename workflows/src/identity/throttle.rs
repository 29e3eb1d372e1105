//! The brake on guessing, in this process: buckets that a wrong guess empties and time refills.
//!
//! A guess counts against its account and against its address. Who has signed in before from an address has a bucket of
//! their own with it, so that nobody can shut a person out by guessing at their account from elsewhere.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use domain::Timestamp;
use sha2::{Digest, Sha256};

/// How many buckets are kept; the fullest are forgotten first, which is never to a guesser's advantage.
const MOST: usize = 100_000;

/// What a bucket holds, and in how long an empty one is full again.
#[derive(Debug, Clone, Copy)]
struct Allowance {
    name: &'static str,
    burst: u16,
    per_hour: u16,
}

/// A limit that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttled {
    /// What is limited, in a word.
    pub limit: &'static str,
    /// Tries at once.
    pub quota: u16,
    /// In how long a used-up quota is whole again.
    pub window: Duration,
    /// How long until there is one more try.
    pub wait: Duration,
}

/// 100 an hour, ten at once.
const ACCOUNT: Allowance = Allowance { name: "account", burst: 10, per_hour: 90 };
/// 100 an hour, thirty at once: a family or an office shares an address.
const ADDRESS: Allowance = Allowance { name: "address", burst: 30, per_hour: 70 };
/// Mails to one person: three at once, then one in ten minutes.
const MAILS: Allowance = Allowance { name: "letters", burst: 3, per_hour: 6 };
/// Accounts or mails asked for from one address.
const ASKS: Allowance = Allowance { name: "requests", burst: 60, per_hour: 240 };

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Account([u8; 16]),
    Known([u8; 16], IpAddr),
    Address(IpAddr),
    Mails([u8; 16]),
    Asks(IpAddr),
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Timestamp,
    allowance: Allowance,
}

impl Allowance {
    fn bucket(self, now: Timestamp) -> Bucket {
        Bucket { left: self.burst.into(), at: now, allowance: self }
    }

    /// How long so many tries take to come back.
    fn time_for(self, tries: f64) -> Duration {
        Duration::from_secs_f64((tries / f64::from(self.per_hour) * 3600.0).max(0.0))
    }
}

impl Bucket {
    fn refill(&mut self, now: Timestamp) {
        let hours = (now - self.at).max(TimeDelta::zero()).as_seconds_f64() / 3600.0;
        self.left = (self.left + hours * f64::from(self.allowance.per_hour)).min(self.allowance.burst.into());
        self.at = self.at.max(now);
    }

    /// Why there is no try left; `None` while there is one.
    fn used_up(&self) -> Option<Throttled> {
        let Allowance { name: limit, burst: quota, .. } = self.allowance;
        let wait = self.allowance.time_for(1.0 - self.left);
        let window = self.allowance.time_for(quota.into());
        (wait > Duration::ZERO).then_some(Throttled { limit, quota, window, wait })
    }
}

/// The brake of one process.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<HashMap<Key, Bucket>>);

/// A guess that was let through; [`Throttle::was_right`] gives it back.
#[derive(Debug)]
pub(crate) struct Guess {
    account: [u8; 16],
    ip: IpAddr,
}

impl Throttle {
    /// Lets a guess at an account through, or says how long to wait.
    pub(crate) fn guess(&self, account: &str, ip: IpAddr, now: Timestamp) -> Result<Guess, Throttled> {
        let account = folded(account);
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = Key::Known(account, ip);
        if buckets.contains_key(&known) {
            take(&mut buckets, &[(known, ACCOUNT)], now)?;
        } else {
            take(&mut buckets, &[(Key::Account(account), ACCOUNT), (Key::Address(ip), ADDRESS)], now)?;
        }
        Ok(Guess { account, ip })
    }

    /// The guess was the password: it cost nothing, and this address is known from now on.
    pub(crate) fn was_right(&self, guess: &Guess, now: Timestamp) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = Key::Known(guess.account, guess.ip);
        if !buckets.contains_key(&known) {
            for key in [Key::Account(guess.account), Key::Address(guess.ip)] {
                if let Some(bucket) = buckets.get_mut(&key) {
                    bucket.left = (bucket.left + 1.0).min(bucket.allowance.burst.into());
                }
            }
        }
        buckets.insert(known, ACCOUNT.bucket(now));
        forget(&mut buckets, now);
    }

    /// Lets somebody ask for a mail to this person, or says how long to wait.
    pub(crate) fn mail(&self, person: &str, ip: IpAddr, now: Timestamp) -> Result<(), Throttled> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        take(&mut buckets, &[(Key::Asks(ip), ASKS), (Key::Mails(folded(person)), MAILS)], now)
    }
}

/// Takes one from every bucket, or from none.
fn take(buckets: &mut HashMap<Key, Bucket>, keys: &[(Key, Allowance)], now: Timestamp) -> Result<(), Throttled> {
    let mut used_up: Vec<Throttled> = vec![];
    for (key, allowance) in keys {
        let bucket = buckets.entry(key.clone()).or_insert_with(|| allowance.bucket(now));
        bucket.refill(now);
        used_up.extend(bucket.used_up());
    }
    if let Some(longest) = used_up.into_iter().max_by_key(|throttled| throttled.wait) {
        return Err(longest);
    }
    for (key, _) in keys {
        if let Some(bucket) = buckets.get_mut(key) {
            bucket.left -= 1.0;
        }
    }
    forget(buckets, now);
    Ok(())
}

fn forget(buckets: &mut HashMap<Key, Bucket>, now: Timestamp) {
    if buckets.len() <= MOST {
        return;
    }
    buckets.retain(|key, bucket| {
        bucket.refill(now);
        matches!(key, Key::Known(..)) || bucket.left < bucket.allowance.burst.into()
    });
    if buckets.len() > MOST {
        buckets.retain(|key, _| !matches!(key, Key::Known(..)));
    }
}

/// The brake needs to tell people apart, not to know them.
fn folded(person: &str) -> [u8; 16] {
    Sha256::digest(person.as_bytes())[..16].try_into().expect("a digest has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u32) -> Timestamp {
        "2027-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + TimeDelta::seconds(seconds.into())
    }

    fn ip(n: u32) -> IpAddr {
        IpAddr::V4((0x0a00_0000 + n).into())
    }

    #[test]
    fn guessing_at_one_account_from_everywhere_is_slow() {
        let throttle = Throttle::default();
        let tries = (0..3600).flat_map(|second| [(second, 0), (second, 1), (second, 2)]);
        let passed =
            tries.filter(|(second, n)| throttle.guess("anna", ip(*second * 3 + n), at(*second)).is_ok()).count();
        assert!((90..=100).contains(&passed), "{passed} guesses in an hour");
    }

    #[test]
    fn guessing_at_everybody_from_one_address_is_slow() {
        let throttle = Throttle::default();
        let passed = (0..7200).filter(|n| throttle.guess(&format!("person {n}"), ip(1), at(n / 2)).is_ok()).count();
        assert!((90..=100).contains(&passed), "{passed} guesses in an hour");
    }

    #[test]
    fn a_person_who_is_being_guessed_at_still_gets_in_from_where_they_are_known() {
        let throttle = Throttle::default();
        let home = throttle.guess("anna", ip(1), at(0)).unwrap();
        throttle.was_right(&home, at(0));
        while throttle.guess("anna", ip(2), at(1)).is_ok() {}
        assert!(throttle.guess("anna", ip(3), at(1)).is_err(), "everybody else waits");
        let home = throttle.guess("anna", ip(1), at(1)).unwrap();
        throttle.was_right(&home, at(1));
        assert!((0..20).any(|_| throttle.guess("anna", ip(1), at(2)).is_err()), "even from home guessing has an end");
    }

    #[test]
    fn who_knows_the_password_pays_nothing() {
        let throttle = Throttle::default();
        for second in 0..100 {
            let guess = throttle.guess("anna", ip(1), at(0)).unwrap();
            throttle.was_right(&guess, at(second / 100));
        }
    }

    #[test]
    fn nobody_is_flooded_with_mails() {
        let throttle = Throttle::default();
        let sent = (0..3600).filter(|second| throttle.mail("anna", ip(*second), at(*second)).is_ok()).count();
        assert!((8..=9).contains(&sent), "{sent} mails in an hour");
        while throttle.mail("anna", ip(1), at(3600)).is_ok() {}
        let Throttled { limit, quota, window, wait } = throttle.mail("anna", ip(1), at(3600)).unwrap_err();
        assert_eq!((limit, quota, window), ("letters", 3, Duration::from_secs(1_800)));
        assert!(throttle.mail("anna", ip(1), at(3601 + u32::try_from(wait.as_secs()).unwrap())).is_ok());
    }

    #[test]
    fn the_brake_has_a_size() {
        let throttle = Throttle::default();
        for n in 0..70_000 {
            let guess = throttle.guess(&format!("person {n}"), ip(n), at(0)).unwrap();
            throttle.was_right(&guess, at(0));
        }
        assert!(throttle.0.lock().unwrap().len() <= MOST + 2);
    }
}
