//! Webhooks: believed only when signed by us and fresh, sent until somebody takes them.

use std::sync::Mutex;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::payments::sandbox::webhooks::Signatures;

const BODY: &[u8] = br#"{"id":"evt_1","kind":"intent.captured","intent":"pi_1","created":"2026-11-22T12:00:00Z"}"#;

fn signed_with(secret: &str, at: Timestamp) -> String {
    Signatures::new(&[secret.into()]).unwrap().sign(BODY, at)
}

#[tokio::test]
async fn a_webhook_signed_with_either_secret_is_read() {
    let world = World::new().await;
    for secret in ["whsec_new", "whsec_old"] {
        let event = world.gateway.verify_webhook(&signed_with(secret, noon()), BODY, noon()).unwrap();
        assert_eq!((event.id.as_str(), event.kind.as_str(), event.created), ("evt_1", "intent.captured", noon()));
        assert_eq!(event.intent.as_deref(), Some("pi_1"));
    }
}

#[tokio::test]
async fn the_signature_is_the_documented_one() {
    // Computed with Python's hmac: hmac.new(b"whsec_new", b"1795348800." + body, sha256).
    let expected = "t=1795348800,v1=55399594251b90d793ce92677d0ff8561f8c40b618f9461dbe5652440dd0b5aa";
    assert_eq!(signed_with("whsec_new", noon()), expected);
}

#[tokio::test]
async fn a_webhook_that_is_not_ours_or_was_changed_is_not_believed() {
    let world = World::new().await;
    let verify = |header: &str, body: &[u8]| world.gateway.verify_webhook(header, body, noon()).unwrap_err();
    let good = signed_with("whsec_new", noon());
    let tampered = String::from_utf8(BODY.to_vec()).unwrap().replace("captured", "refunded");
    let moved = good.replace(&noon().timestamp().to_string(), &(noon().timestamp() + 1).to_string());

    assert_eq!(verify(&good, tampered.as_bytes()), WebhookError::BadSignature);
    assert_eq!(verify(&good, b""), WebhookError::BadSignature);
    assert_eq!(verify(&moved, BODY), WebhookError::BadSignature, "the time is signed too");
    assert_eq!(verify(&signed_with("whsec_stranger", noon()), BODY), WebhookError::BadSignature);
    let (start, _) = good.split_at(good.len() - 2);
    assert_eq!(verify(start, BODY), WebhookError::BadSignature, "part of a signature is none");
    for malformed in ["", "t=1795348800", "v1=00", "t=soon,v1=00", "t=1795348800,v1=zz", "nonsense"] {
        assert_eq!(verify(malformed, BODY), WebhookError::Malformed, "{malformed:?}");
    }
}

#[tokio::test]
async fn an_old_webhook_is_a_replay_even_if_well_signed() {
    let world = World::new().await;
    let header = signed_with("whsec_new", noon());
    let at = |seconds| world.gateway.verify_webhook(&header, BODY, noon() + TimeDelta::seconds(seconds)).map(|_| ());
    assert_eq!((at(300), at(-300)), (Ok(()), Ok(())));
    assert_eq!((at(301), at(-301)), (Err(WebhookError::Stale), Err(WebhookError::Stale)));
}

#[tokio::test]
async fn one_good_signature_among_several_is_enough() {
    let world = World::new().await;
    let good = signed_with("whsec_new", noon());
    let header = good.replace(",v1=", ",v1=00ff,v0=legacy, v1=");
    assert!(world.gateway.verify_webhook(&header, BODY, noon()).is_ok());
}

#[tokio::test]
async fn what_happened_to_an_intent_is_told_in_order_and_can_be_verified() {
    let world = World::new().await;
    let receiver = Receiver::start(200).await;
    let intent = world.captured_on("pm_card_ok").await;
    world.gateway.refund("r", &intent, eur(100)).await.unwrap();

    assert_eq!(receiver.deliver(&world.gateway).await, 3);
    assert_eq!(receiver.kinds(&world), ["intent.authorized", "intent.captured", "refund.settled"]);
    assert!(receiver.events(&world).iter().all(|event| event.intent.as_deref() == Some(&intent)));
    assert_eq!(receiver.deliver(&world.gateway).await, 0, "what was taken is not sent again");
}

#[tokio::test]
async fn what_nobody_took_is_sent_again_later_under_the_same_id() {
    let world = World::new().await;
    world.held_on("pm_card_ok").await;
    let broken = Receiver::start(500).await;
    assert_eq!(broken.deliver(&world.gateway).await, 0);
    assert_eq!(broken.deliver(&world.gateway).await, 0);
    assert_eq!(broken.events(&world).len(), 1, "not before its time");
    let nobody = "http://127.0.0.1:1/webhooks/sandbox";
    world.advance(TimeDelta::seconds(5));
    assert_eq!(world.gateway.deliver_webhooks(&reqwest::Client::new(), nobody).await.unwrap(), 0);

    world.advance(TimeDelta::seconds(60));
    let working = Receiver::start(200).await;
    assert_eq!(working.deliver(&world.another_handle().await).await, 1);
    assert_eq!(working.events(&world), broken.events(&world));
}

#[tokio::test]
async fn after_three_days_the_gateway_gives_up() {
    let world = World::new().await;
    world.held_on("pm_card_ok").await;
    let broken = Receiver::start(500).await;
    for _ in 0..30 {
        broken.deliver(&world.gateway).await;
        world.advance(TimeDelta::days(1));
    }
    let told: Vec<_> = broken.kinds(&world);
    let attempts = told.iter().filter(|kind| *kind == "intent.authorized").count();
    assert_eq!(attempts, 11);
}

#[tokio::test]
async fn a_hold_that_lapses_is_told_of() {
    let world = World::new().await;
    world.held_on("pm_card_ok").await;
    world.advance(TimeDelta::days(7));
    let receiver = Receiver::start(200).await;
    receiver.deliver(&world.gateway).await;
    assert_eq!(receiver.kinds(&world), ["intent.authorized", "intent.lapsed"]);
}

#[tokio::test]
async fn webhooks_can_be_made_to_come_twice_and_backwards() {
    let world = World::new().await;
    world.captured_on("pm_card_ok").await;
    world.gateway.set_fault(Fault::WebhooksTwice).await.unwrap();
    world.gateway.set_fault(Fault::WebhooksReversed).await.unwrap();
    let receiver = Receiver::start(200).await;
    assert_eq!(receiver.deliver(&world.gateway).await, 2);
    let kinds = receiver.kinds(&world);
    assert_eq!(kinds, ["intent.captured", "intent.captured", "intent.authorized", "intent.authorized"]);
    let events = receiver.events(&world);
    assert_eq!(events[0].id, events[1].id);
}

#[tokio::test]
async fn two_processes_that_deliver_share_the_work() {
    let world = World::new().await;
    for n in 0..20 {
        world.gateway.authorize(&format!("call {n}"), &request(n, "pm_card_ok")).await.unwrap();
    }
    let receiver = Receiver::start(200).await;
    let other = world.another_handle().await;
    let (one, two) = tokio::join!(receiver.deliver(&world.gateway), receiver.deliver(&other));
    assert_eq!(one + two, 20);
    assert_eq!(receiver.events(&world).len(), 20);
}

/// A signature and the body it came with.
type Delivery = (String, Vec<u8>);

/// A minimal HTTP server that answers everything with one status and keeps what it was sent.
struct Receiver {
    url: String,
    received: Arc<Mutex<Vec<Delivery>>>,
}

impl Receiver {
    async fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhooks/sandbox", listener.local_addr().unwrap());
        let received = Arc::<Mutex<Vec<_>>>::default();
        let inbox = received.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let inbox = inbox.clone();
                tokio::spawn(async move {
                    if let Some(request) = answer(stream, status).await {
                        inbox.lock().unwrap().push(request);
                    }
                });
            }
        });
        Self { url, received }
    }

    async fn deliver(&self, gateway: &SandboxGateway) -> usize {
        gateway.deliver_webhooks(&reqwest::Client::new(), &self.url).await.unwrap()
    }

    /// What was received, each message verified at the time of asking where it is still fresh.
    fn events(&self, world: &World) -> Vec<WebhookEvent> {
        let received = self.received.lock().unwrap();
        let verify = |(header, body): &Delivery| {
            let signed_at = header.strip_prefix("t=").and_then(|rest| rest.split(',').next()).unwrap().parse().unwrap();
            let then = chrono::DateTime::from_timestamp(signed_at, 0).unwrap();
            assert!(then <= world.now());
            world.gateway.verify_webhook(header, body, then).unwrap()
        };
        received.iter().map(verify).collect()
    }

    fn kinds(&self, world: &World) -> Vec<String> {
        self.events(world).into_iter().map(|event| event.kind).collect()
    }
}

/// Reads one request and answers it; returns the signature and the body.
async fn answer(stream: TcpStream, status: u16) -> Option<Delivery> {
    let mut stream = BufReader::new(stream);
    let (mut signature, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line.trim().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            SIGNATURE_HEADER => signature = value.to_owned(),
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let reply = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(reply.as_bytes()).await.ok()?;
    Some((signature, body))
}
