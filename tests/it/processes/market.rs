//! A marketplace in a test: one home, a host, two guests, the gateway with its own books, and an outbox for letters.

use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{NaiveDate, NaiveTime, TimeDelta};
use domain::{
    Account, BasisPoints, BookingId, BookingRules, Capacity, Currency, Guests, HouseClock, Jurisdiction, Money, Offer,
    PaymentId, Phase, PropertyId, Provider, QuoteId, Rates, Stay, Timestamp, UnitId, UserId, price,
};
use engine::{Engine, EventKey, Mirror, Moved, Origin, Settings, Settling, TurnError};
use harness::TestDatabase;
use integrations::images::Limits;
use integrations::mail::{MailAnswer, Mailer, OutgoingMail};
use integrations::objects::{LocalObjects, SharedObjectStore};
use integrations::payments::sandbox::{BookedIntent, SandboxConfig, SandboxGateway};
use secrecy::SecretString;
use store::bookings::{self, Booking as Row};
use store::properties::{Asked, Listing, Place, Property};
use store::quotes::{self, Quote};
use store::users::{self, Profile, User};
use store::{PropertyStatus, UserStatus};
use uuid::Uuid;
use workflows::Reach;
use workflows::booking::{self, Booking, Event, Mode, Paying, Terms};
use workflows::timers::Timers;

/// Everything that a story needs.
pub(super) struct Market {
    pub(super) engine: Engine,
    pub(super) gateway: SandboxGateway,
    pub(super) objects: SharedObjectStore,
    pub(super) outbox: Outbox,
    pub(super) db: TestDatabase,
    unit: UnitId,
    today: Timestamp,
    _folder: tempfile::TempDir,
}

/// Keeps letters instead of sending them.
#[derive(Clone, Default)]
pub(super) struct Outbox(Arc<Mutex<Vec<OutgoingMail>>>);

#[async_trait]
impl Mailer for Outbox {
    async fn send(&self, mail: &OutgoingMail) -> Result<MailAnswer, integrations::Error> {
        self.0.lock().unwrap().push(mail.clone());
        Ok(MailAnswer::Accepted)
    }
}

impl Outbox {
    /// The subjects of the letters to this person, oldest first.
    pub(super) fn to(&self, person: UserId) -> Vec<String> {
        self.letters(person).into_iter().map(|mail| mail.subject).collect()
    }

    pub(super) fn letters(&self, person: UserId) -> Vec<OutgoingMail> {
        let mails = self.0.lock().unwrap();
        mails.iter().filter(|mail| mail.to == address(person)).cloned().collect()
    }
}

const fn id(kind: u8, number: u8) -> Uuid {
    Uuid::from_u128(0x0196_8b2e_0000_7000_8000_0000_0000_0000 + ((kind as u128) << 8) + number as u128)
}

pub(super) const HOST: UserId = UserId::from_uuid(id(1, 1));
pub(super) const GUEST: UserId = UserId::from_uuid(id(1, 2));
pub(super) const OTHER_GUEST: UserId = UserId::from_uuid(id(1, 3));
pub(super) const HOME: PropertyId = PropertyId::from_uuid(id(2, 1));

fn address(person: UserId) -> String {
    format!("{person}@example.org")
}

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

impl Market {
    /// A market on a fresh database.
    pub(super) async fn open(db: TestDatabase) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let databases = db.databases().await.unwrap();
        let clock = Mirror::default();
        let gateway = gateway(folder.path(), clock.clone()).await;
        let objects: SharedObjectStore =
            Arc::new(LocalObjects::open(folder.path(), "http://127.0.0.1:1", &SecretString::from("uploads")).unwrap());
        let outbox = Outbox::default();
        let reach = Reach {
            gateway: Arc::new(gateway.clone()),
            mailer: Arc::new(outbox.clone()),
            objects: objects.clone(),
            reader: databases.read().clone(),
            letters: workflows::mail::Settings {
                web: Some("http://localhost:3000".to_owned()),
                ..workflows::mail::Settings::default()
            },
            secret: SecretString::from("links"),
            photos: Limits::default(),
        };
        let rooms = [("default", 64), ("engine", 64), ("mail", 64), ("payments", 64), ("photos", 8)];
        let mut settings = Settings::new("test", Uuid::from_u128(1), "test").rooms(&rooms);
        settings.clock = clock;
        let engine = Engine::open(settings, databases, workflows::registry(reach));
        engine.beat().await.unwrap();
        let today = engine.now().await.unwrap();
        for person in [HOST, GUEST, OTHER_GUEST] {
            users::create(&db.connection, &user(person, today)).await.unwrap();
        }
        let unit = store::properties::create(&db.connection, &home(today)).await.unwrap();
        // The first look at a schedule starts its count.
        engine.fire_ticks().await.unwrap();
        Self { engine, gateway, objects, outbox, db, unit, today, _folder: folder }
    }

    /// The terms of booking number `n`: two nights, forty days from now, asked of the host.
    pub(super) async fn terms(&self, n: u8, guest: UserId, card: &str) -> Terms {
        let stay = {
            let check_in: NaiveDate = self.today.date_naive() + TimeDelta::days(40);
            Stay::parse(check_in, check_in + TimeDelta::days(2)).unwrap()
        };
        let now = self.engine.now().await.unwrap();
        let offer = offer(stay, now);
        let terms = Terms {
            booking: BookingId::from_uuid(id(3, n)),
            property: HOME,
            units: vec![self.unit],
            guest,
            host: HOST,
            quote: QuoteId::from_uuid(id(4, n)),
            windows: Timers::default().windows(&offer, now),
            offer,
            mode: Mode::Request,
            prep_nights: 0,
            tax: Jurisdiction::parse("PT").unwrap(),
            paying: Paying {
                payment: PaymentId::from_uuid(id(5, n)),
                provider: Provider::Sandbox,
                method: card.to_owned(),
            },
            made_at: now,
        };
        quotes::create(&self.db.connection, &quote(&terms)).await.unwrap();
        terms
    }

    /// Makes the booking and lets everything happen that happens by itself.
    pub(super) async fn book(&self, terms: &Terms) -> Result<Moved, TurnError> {
        let moved = self.begin(terms).await?;
        self.settle().await;
        Ok(moved)
    }

    /// Makes the booking, and nothing else.
    pub(super) async fn begin(&self, terms: &Terms) -> Result<Moved, TurnError> {
        let tx = self.engine.begin().await?;
        let (run, key) = (booking::run_of(terms.booking), terms.booking.to_string());
        let moved = tx.start::<Booking>(run, &key, terms, &Origin::default()).await?;
        tx.commit().await?;
        Ok(moved)
    }

    /// Sends a person's command and lets everything happen that follows from it.
    pub(super) async fn says(&self, terms: &Terms, event: Event) -> Result<Moved, TurnError> {
        let moved = self.command(terms, event).await?;
        self.settle().await;
        Ok(moved)
    }

    /// Sends a person's command, and nothing else.
    pub(super) async fn command(&self, terms: &Terms, event: Event) -> Result<Moved, TurnError> {
        let tx = self.engine.begin().await?;
        let key = EventKey::request("test", "booking", &Uuid::from_u128(rand::random()).to_string());
        let run = booking::run_of(terms.booking);
        let moved = tx.send::<Booking>(run, &event, key, &Origin::default()).await?;
        tx.commit().await?;
        Ok(moved)
    }

    pub(super) async fn settle(&self) {
        self.engine.settle().await.unwrap();
    }

    /// Moves the clock, step by step, with everything that falls due on the way.
    pub(super) async fn until(&self, instant: Timestamp) {
        self.engine.advance_to(instant, Settling::Inline).await.unwrap();
    }

    pub(super) async fn row(&self, terms: &Terms) -> Row {
        bookings::of_anybody(&self.db.connection, terms.booking).await.unwrap().unwrap()
    }

    pub(super) async fn phase(&self, terms: &Terms) -> Phase {
        self.row(terms).await.phase
    }

    /// How many nights the booking holds.
    pub(super) async fn nights(&self, terms: &Terms) -> usize {
        store::nights::of_bookings(&self.db.connection, &[terms.booking]).await.unwrap().len()
    }

    /// The booking's intents in the gateway's own books.
    pub(super) async fn at_the_gateway(&self, terms: &Terms) -> Vec<BookedIntent> {
        self.gateway.books().await.unwrap().of(terms.booking).cloned().collect()
    }

    /// What an account holds in euros, in minor units; debits are positive.
    pub(super) async fn balance(&self, account: &Account) -> i128 {
        let balances = store::ledger::balance(&self.db.connection, account).await.unwrap();
        balances.iter().map(|balance| balance.amount).sum()
    }

    /// What must hold at the end of every story: a ledger that balances and agrees with the gateway, and nothing left lying.
    pub(super) async fn is_in_order(&self) {
        let balances = store::ledger::balances(&self.db.connection).await.unwrap();
        assert!(store::ledger::trial(&balances).values().all(|sum| *sum == 0), "{balances:?}");
        assert_eq!(self.balance(&Account::Hold).await, 0, "something stays reserved");
        let books = self.gateway.books().await.unwrap();
        let kept: i64 = books.intents.iter().map(|intent| intent.captured.minor - intent.refunded.minor).sum();
        let sent: i64 = books.transfers.iter().map(|transfer| transfer.amount.minor).sum();
        assert_eq!(
            self.balance(&Account::Psp(Provider::Sandbox)).await,
            i128::from(kept - sent),
            "the gateway's own books"
        );
        assert_eq!(self.engine.parked().await.unwrap(), [], "something is stuck");
        let runs = self.count("select count(*) from workflow_run where unexpected > 0").await;
        assert_eq!(runs, 0, "something unexpected happened");
    }

    pub(super) async fn count(&self, sql: &str) -> i64 {
        use sea_orm::{ConnectionTrait, Statement};
        let db = &self.db.connection;
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
        row.unwrap().try_get_by_index(0).unwrap()
    }
}

async fn gateway(folder: &Path, clock: Mirror) -> SandboxGateway {
    let config = SandboxConfig {
        path: folder.join("gateway.sqlite"),
        api_key: SecretString::from("sk_sandbox_test"),
        webhook_secrets: vec![SecretString::from("whsec_test")],
        challenge_url: "http://127.0.0.1:1/challenges".to_owned(),
        clock: Arc::new(move || clock.now()),
    };
    SandboxGateway::open(config).await.unwrap()
}

fn user(id: UserId, at: Timestamp) -> User {
    User {
        id,
        email: address(id),
        email_verified_at: Some(at),
        password_hash: "hash".into(),
        profile: Profile { name: "Ana <Maria>".into(), phone: None, locale: "en".into(), currency: Currency::EUR },
        role: None,
        status: UserStatus::Active,
        created_at: at,
        updated_at: at,
    }
}

fn house() -> HouseClock {
    let time = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
    HouseClock { zone: "Europe/Lisbon".parse().unwrap(), check_in_time: time(15), check_out_time: time(11) }
}

fn home(at: Timestamp) -> Property {
    let listing = Listing {
        title: "Blue door".into(),
        description: "By the river".into(),
        kind: "apartment".into(),
        place: Place { city: "Lisbon".into(), country: "PT".into(), latitude: 38.7, longitude: -9.1 },
        house: house(),
        asked: Asked {
            nightly: eur(10_000),
            weekend: None,
            cleaning: eur(4_000),
            pets: None,
            weekly_discount: BasisPoints::ZERO,
            monthly_discount: BasisPoints::ZERO,
        },
        policy: "flexible".parse().unwrap(),
        long_policy: "long_term_firm".parse().unwrap(),
        instant_book: false,
        rules: BookingRules {
            min_nights: 1,
            max_nights: 60,
            advance_notice_days: 0,
            booking_window_days: 730,
            capacity: Capacity { guests: 4, infants: 1, pets: 0 },
            preparation_nights: 0,
        },
    };
    let status = PropertyStatus::Published;
    Property { id: HOME, host: HOST, listing, status, version: 1, created_at: at, updated_at: at }
}

fn offer(stay: Stay, now: Timestamp) -> Offer {
    let share = |points| BasisPoints::try_new(points).unwrap();
    let rates = Rates {
        nightly: eur(10_000),
        weekend: None,
        cleaning: eur(4_000),
        pets: None,
        guest_fee: share(1_000),
        host_fee: share(300),
        tax: share(500),
        weekly_discount: BasisPoints::ZERO,
        monthly_discount: BasisPoints::ZERO,
    };
    let guests = Guests::parse(2, 0, 0, 0).unwrap();
    let flexible: domain::PolicyCode = "flexible".parse().unwrap();
    let policy = flexible.in_force(now.date_naive()).unwrap().clone();
    Offer { stay, guests, house: house(), priced: price(&rates, &stay, &guests).unwrap(), policy }
}

fn quote(terms: &Terms) -> Quote {
    Quote {
        id: terms.quote,
        guest: terms.guest,
        property: terms.property,
        stay: terms.offer.stay,
        guests: terms.offer.guests,
        total: terms.total(),
        body: "{}".into(),
        hash: terms.offer.fingerprint(),
        expires_at: terms.windows.hold_until,
        created_at: terms.made_at,
    }
}
