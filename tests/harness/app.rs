//! The product in this process, over real HTTP: an engine on the test's database, the outside parties' stand-ins, and a client.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use engine::{Engine, Mirror, Settling};
use integrations::images::Limits;
use integrations::mail::{MailAnswer, Mailer, OutgoingMail};
use integrations::objects::{LocalObjects, SharedObjectStore};
use integrations::payments::sandbox::{SandboxConfig, SandboxGateway};
use reqwest::{Method, RequestBuilder, StatusCode};
use sea_orm::{ConnectionTrait, Statement};
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use workflows::identity::{Identity, KeyOfKeys};
use workflows::sandbox::Sandbox;
use workflows::{App, Parts, Ports, Reach, machine_clock};

use crate::TestDatabase;

/// A password that nobody guesses first.
pub const PASSWORD: &str = "correct horse battery staple";

/// One process of the product, with its API on a port of its own.
pub struct TestApp {
    /// For use cases and the engine.
    pub app: App,
    /// What an orchestrator would tell the process.
    pub health: api::Health,
    /// Every letter that was sent.
    pub outbox: Outbox,
    /// The test's database.
    pub db: TestDatabase,
    pub(crate) address: SocketAddr,
    pub(crate) http: reqwest::Client,
    later: Arc<AtomicI64>,
    folder: Arc<TempDir>,
    troubled: AtomicBool,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body, `null` for none.
    pub body: Value,
}

/// Keeps letters instead of sending them.
#[derive(Clone, Default)]
pub struct Outbox(Arc<Mutex<Vec<OutgoingMail>>>);

#[async_trait]
impl Mailer for Outbox {
    async fn send(&self, mail: &OutgoingMail) -> Result<MailAnswer, integrations::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(mail.clone());
        Ok(MailAnswer::Accepted)
    }
}

impl Outbox {
    /// The letters to this address, oldest first.
    pub fn to(&self, address: &str) -> Vec<OutgoingMail> {
        let mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mails.iter().filter(|mail| mail.to.contains(&address.to_lowercase())).cloned().collect()
    }
}

impl TestApp {
    /// Opens the product on a fresh database.
    pub async fn open(db: TestDatabase) -> Self {
        Self::process(&db, 1, Arc::new(tempfile::tempdir().expect("a folder")), true).await
    }

    /// Opens the product as it is where money is real.
    pub async fn outside_the_sandbox(db: TestDatabase) -> Self {
        Self::process(&db, 1, Arc::new(tempfile::tempdir().expect("a folder")), false).await
    }

    /// Another process of the same product: the same database, the same gateway, the same objects.
    pub async fn beside(&self, process: u128) -> Self {
        Self::process(&self.db, process, Arc::clone(&self.folder), true).await
    }

    async fn process(db: &TestDatabase, process: u128, folder: Arc<TempDir>, is_sandbox: bool) -> Self {
        let databases = db.databases().await.expect("connections to the test's database");
        let (outbox, root) = (Outbox::default(), KeyOfKeys::from_bytes([7; 32]));
        let (listener, address) = listen().await;
        let clock = Mirror::default();
        let sandbox = sandbox(folder.path(), address, clock.clone()).await;
        let uploads = uploads(folder.path(), address, is_sandbox);
        let ports = Ports {
            gateway: Arc::new(sandbox.gateway.clone()),
            mailer: Arc::new(outbox.clone()),
            objects: Arc::clone(&uploads) as SharedObjectStore,
        };
        let reach = Reach {
            gateway: Arc::clone(&ports.gateway),
            mailer: Arc::clone(&ports.mailer),
            objects: Arc::clone(&ports.objects),
            reader: databases.read().clone(),
            letters: workflows::mail::Settings::default(),
            secret: root.link_secret(),
            photos: Limits::default(),
        };
        let settings = engine::Settings::new("test", uuid::Uuid::from_u128(process), "test");
        let settings = engine::Settings { clock, ..settings };
        let rooms = [("default", 64), ("engine", 64), ("mail", 64), ("payments", 64), ("photos", 8)];
        let engine = Engine::open(settings.rooms(&rooms), databases, workflows::registry(reach));
        engine.beat().await.expect("a heartbeat");
        let later = Arc::new(AtomicI64::new(0));
        let (machine, seconds) = (machine_clock(), Arc::clone(&later));
        let app = App::new(Parts {
            engine,
            ports,
            market: workflows::market::Settings::default().try_into().expect("the default terms can be"),
            uploads: Some(uploads),
            sandbox: is_sandbox.then_some(sandbox),
            identity: Identity::new(workflows::identity::Settings::default(), root),
            wall: Arc::new(move || machine() + TimeDelta::seconds(seconds.load(Ordering::Relaxed))),
        });
        let health = api::Health::default();
        let router = api::router(app.clone(), &api::Settings::default(), health.clone());
        tokio::spawn(api::serve(listener, router, std::future::pending()));
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().expect("a client");
        Self { app, health, outbox, db: db.clone(), address, http, later, folder, troubled: AtomicBool::new(false) }
    }

    /// Says that this test leaves parked work or unexpected facts behind on purpose.
    pub fn expects_trouble(&self) {
        self.troubled.store(true, Ordering::Relaxed);
    }

    /// What is wrong with the runs: parked work, and facts that no process had a place for.
    pub async fn trouble(&self) -> Vec<String> {
        let parked = self.app.engine.parked().await.expect("work can be listed");
        let parked = parked.iter().map(|work| format!("parked: {} {} {:?}", work.workflow, work.name, work.last_error));
        let unexpected = "select workflow, key, state_name from workflow_run where unexpected > 0";
        let rows = self.db.connection.query_all_raw(self.sql(unexpected)).await.expect("runs can be listed");
        let text = |row: &sea_orm::QueryResult, column| row.try_get::<String>("", column).expect("a text");
        let unexpected = rows.iter().map(|row| {
            format!("unexpected: {} {} in {}", text(row, "workflow"), text(row, "key"), text(row, "state_name"))
        });
        parked.chain(unexpected).collect()
    }

    /// A statement for the test's own connection.
    pub fn sql(&self, text: &str) -> Statement {
        Statement::from_string(self.db.connection.get_database_backend(), text)
    }

    /// Lets real time pass, as far as tokens, sessions and links are concerned.
    pub fn seconds_later(&self, seconds: i64) {
        self.later.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Does everything that is due.
    pub async fn settle(&self) {
        self.app.engine.settle().await.expect("the work comes to rest");
    }

    /// A request that is not sent yet.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.address))
    }

    /// Reads.
    pub async fn get(&self, path: &str, token: Option<&str>) -> Reply {
        send(authorized(self.request(Method::GET, path), token)).await
    }

    /// Asks for something, without an idempotency key.
    pub async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Reply {
        send(authorized(self.request(Method::POST, path), token).json(&body)).await
    }

    /// Makes an account, proves its address and signs in.
    pub async fn person(&self, email: &str) -> Signed {
        let account = json!({"email": email, "password": PASSWORD, "name": "A Person"});
        assert_eq!(self.post("/register", None, account).await.status, 202);
        self.settle().await;
        let proof = json!({"token": self.link_token(email)});
        assert_eq!(self.post("/verify-email", None, proof).await.status, 204);
        Signed::from(self.post("/login", None, json!({"email": email, "password": PASSWORD})).await)
    }

    /// Somebody who runs the marketplace.
    pub async fn operator(&self, email: &str) -> Signed {
        let person = self.person(email).await;
        let id = self.get("/profile", person.token()).await.text("/id").parse().expect("an id");
        let now = self.app.engine.now().await.expect("a clock");
        let made = store::users::set_role(&self.db.connection, id, Some(store::Role::Operator), now).await;
        assert!(made.expect("a row"), "the person is there");
        person
    }

    /// The token of the newest link that was sent to this address.
    pub fn link_token(&self, email: &str) -> String {
        let letters = self.outbox.to(email);
        let tokens = letters.iter().rev().filter_map(|letter| letter.text.split("verify-email?token=").nth(1));
        let token = tokens.map(|rest| rest.split_whitespace().next().unwrap_or_default()).next();
        token.expect("a letter with a link").to_owned()
    }
}

/// A run that is stuck, or met what it has no place for, is a failure wherever it is seen.
impl Drop for TestApp {
    fn drop(&mut self) {
        if std::thread::panicking() || self.troubled.load(Ordering::Relaxed) {
            return;
        }
        let trouble = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(self.trouble()));
        assert!(trouble.is_empty(), "the test leaves trouble behind: {trouble:#?}");
    }
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct Signed {
    /// Which session.
    pub session: String,
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
}

impl From<Reply> for Signed {
    fn from(reply: Reply) -> Self {
        assert_eq!(reply.status, 200, "{}", reply.body);
        let text = |name: &str| reply.body[name].as_str().expect("tokens are texts").to_owned();
        Self { session: text("session_id"), access: text("access_token"), refresh: text("refresh_token") }
    }
}

impl Reply {
    /// The code of a problem.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// Adds a token.
pub fn authorized(request: RequestBuilder, token: Option<&str>) -> RequestBuilder {
    match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

/// Sends a request and reads the whole answer.
pub async fn send(request: RequestBuilder) -> Reply {
    let answer = request.send().await.expect("an answer");
    let (status, headers) = (answer.status(), answer.headers().clone());
    let bytes = answer.bytes().await.expect("a whole answer");
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).expect("JSON") };
    assert!(status != StatusCode::INTERNAL_SERVER_ERROR, "the product failed: {body}");
    Reply { status: status.as_u16(), headers, body }
}

async fn sandbox(folder: &Path, address: SocketAddr, clock: Mirror) -> Sandbox {
    let config = SandboxConfig {
        path: folder.join("gateway.db"),
        api_key: SecretString::from("sk_sandbox_test"),
        webhook_secrets: vec![SecretString::from("whsec_test")],
        challenge_url: format!("http://{address}/sandbox/challenges"),
        clock: Arc::new(move || clock.now()),
    };
    let gateway = SandboxGateway::open(config).await.expect("a gateway");
    Sandbox { gateway, settling: Settling::Inline }
}

fn uploads(folder: &Path, address: SocketAddr, is_sandbox: bool) -> Arc<LocalObjects> {
    let site = format!("http://{address}/{}", if is_sandbox { "sandbox/uploads" } else { "uploads" });
    let objects = LocalObjects::open(folder, &site, &SecretString::from("uploads of a test"));
    Arc::new(objects.expect("a folder for objects"))
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("a port");
    (listener, address)
}
