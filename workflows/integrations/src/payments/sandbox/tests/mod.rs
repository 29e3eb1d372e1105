//! The sandbox against its real file.

mod faults;
mod keys;
mod money;
mod processes;
mod webhooks;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::TimeDelta;
use domain::{BookingId, Currency, PaymentId, PayoutId, time};
use tempfile::TempDir;

use super::*;

/// A folder with a sandbox in it and a clock that only moves when told to.
struct World {
    folder: TempDir,
    clock: Arc<AtomicI64>,
    gateway: SandboxGateway,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(time::to_micros(noon())));
        let gateway = SandboxGateway::open(config(&folder, &clock)).await.unwrap();
        Self { folder, clock, gateway }
    }

    /// Another handle, with connections of its own, as another process would have.
    async fn another_handle(&self) -> SandboxGateway {
        SandboxGateway::open(config(&self.folder, &self.clock)).await.unwrap()
    }

    fn advance(&self, by: TimeDelta) {
        self.clock.fetch_add(by.num_microseconds().unwrap(), Ordering::SeqCst);
    }

    fn now(&self) -> Timestamp {
        time::from_micros(self.clock.load(Ordering::SeqCst)).unwrap()
    }

    /// Holds 412.00 EUR of booking 1 on a card.
    async fn held_on(&self, method: &str) -> String {
        match self.gateway.authorize("hold", &request(1, method)).await.unwrap() {
            AuthorizeAnswer::Authorized { intent, .. } => intent,
            other => panic!("{method} was not held: {other:?}"),
        }
    }

    /// Holds and takes 412.00 EUR of booking 1.
    async fn captured_on(&self, method: &str) -> String {
        let intent = self.held_on(method).await;
        let answer = self.gateway.capture("take", &intent, eur(41_200)).await.unwrap();
        assert!(matches!(answer, CaptureAnswer::Captured { .. }), "{method} was not captured: {answer:?}");
        intent
    }
}

fn config(folder: &TempDir, clock: &Arc<AtomicI64>) -> SandboxConfig {
    let clock = clock.clone();
    SandboxConfig {
        clock: Arc::new(move || time::from_micros(clock.load(Ordering::SeqCst)).unwrap()),
        ..config_at(folder.path().join("gateway.db"))
    }
}

fn config_at(path: PathBuf) -> SandboxConfig {
    SandboxConfig {
        path,
        api_key: "sk_sandbox_test".into(),
        webhook_secrets: vec!["whsec_new".into(), "whsec_old".into()],
        challenge_url: "http://127.0.0.1:1/sandbox/challenges/".to_owned(),
        clock: Arc::new(noon),
    }
}

fn noon() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn booking(n: u8) -> BookingId {
    BookingId::mint(noon(), [n; 10])
}

fn request(n: u8, method: &str) -> AuthorizeRequest {
    AuthorizeRequest {
        payment: PaymentId::mint(noon(), [n; 10]),
        booking: booking(n),
        amount: eur(41_200),
        method: method.to_owned(),
        hold_until: noon() + TimeDelta::days(1),
    }
}

fn payout(n: u8, account: &str) -> PayoutRequest {
    PayoutRequest { payout: PayoutId::mint(noon(), [n; 10]), account: account.to_owned(), amount: eur(35_000) }
}

fn declined(code: &str) -> String {
    code.to_owned()
}
