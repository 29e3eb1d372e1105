//! The people and the homes of a play, made over HTTP before the monkey is let loose.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::{ImageId, PropertyId};
use futures::future::try_join_all;
use harness::wait;
use image::{ImageFormat, Rgb, RgbImage};
use rand::SeedableRng;
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Ask, Body, Client, text};
use super::inbox;

pub(crate) const PASSWORD: &str = "seven quiet lighthouses";
/// How long a photograph may take to be developed.
const DEVELOPED: Duration = Duration::from_secs(60);

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) token: String,
}

/// A published home.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) id: PropertyId,
    pub(crate) host: Person,
}

/// Everybody and everything.
pub(crate) struct Town {
    pub(crate) guests: Vec<Person>,
    pub(crate) homes: Vec<Home>,
}

impl Town {
    pub(crate) async fn build(client: &Client, letters: &Path, (guests, homes): (usize, usize)) -> Result<Self> {
        let person = |name: String, n: usize| {
            let client = client.at(format!("10.1.{n}.1"));
            async move { register(&client, letters, name).await }
        };
        let hosts = try_join_all((0..2).map(|n| person(format!("host{n}"), n)));
        let guests = try_join_all((0..guests).map(|n| person(format!("guest{n}"), 10 + n)));
        let (hosts, guests) = tokio::try_join!(hosts, guests)?;
        let home = |n: usize| publish(client, &hosts[n % hosts.len()], n);
        let homes = try_join_all((0..homes).map(home)).await?;
        Ok(Self { guests, homes })
    }

    /// Everybody signs in anew: access tokens do not last for long.
    pub(crate) async fn sign_in_again(&mut self, client: &Client) -> Result<()> {
        for (n, guest) in self.guests.iter_mut().enumerate() {
            *guest = sign_in(client, &format!("guest{n}@example.org")).await?;
        }
        let hosts = [sign_in(client, "host0@example.org").await?, sign_in(client, "host1@example.org").await?];
        for (n, home) in self.homes.iter_mut().enumerate() {
            home.host = hosts[n % hosts.len()].clone();
        }
        Ok(())
    }
}

async fn register(client: &Client, letters: &Path, name: String) -> Result<Person> {
    let mut dice = StdRng::seed_from_u64(0);
    let email = format!("{name}@example.org");
    let body = json!({ "email": email, "password": PASSWORD, "name": name });
    client.patient().ask(&mut dice, &Ask::post("/register", body).once(format!("{name}-register"))).await?.well()?;
    let token = inbox::token_for(letters, &email).await?;
    let proof = Ask::post("/verify-email", json!({ "token": token })).once(format!("{name}-verify"));
    client.ask(&mut dice, &proof).await?.well()?;
    sign_in(client, &email).await
}

async fn sign_in(client: &Client, email: &str) -> Result<Person> {
    let login = Ask::post("/login", json!({ "email": email, "password": PASSWORD }));
    let tokens = client.patient().ask(&mut StdRng::seed_from_u64(0), &login).await?.well()?;
    Ok(Person { token: text(&tokens, "access_token")?.to_owned() })
}

async fn publish(client: &Client, host: &Person, n: usize) -> Result<Home> {
    let mut dice = StdRng::seed_from_u64(n as u64);
    let instant = n.is_multiple_of(2);
    let euros = |minor: u32| json!({ "amount_minor": minor, "currency": "EUR" });
    let body = json!({
        "title": format!("Home {n}"), "kind": "apartment", "time_zone": "Europe/Lisbon", "instant_book": instant,
        "place": { "city": "Lisbon", "country": "PT", "latitude": 38.72, "longitude": -9.14 },
        "capacity": { "guests": 4 }, "policy": "moderate",
        "price": { "nightly": euros(8_000 + 37 * u32::try_from(n)?), "cleaning": euros(2_500) },
    });
    let draft = Ask::post("/properties", body).by(&host.token).once(format!("home-{n}"));
    let draft = client.ask(&mut dice, &draft).await?.well()?;
    let id: PropertyId = text(&draft, "id")?.parse()?;
    let photo = photograph(client, host, (id, format!("home-{n}-photo")), &mut dice).await?;
    developed(client, host, (id, photo), &mut dice).await?;
    let path = format!("/properties/{id}");
    let shown = client.ask(&mut dice, &Ask::get(&path).by(&host.token)).await?;
    let tag = shown.headers.get("etag").context("a home has an ETag")?.to_str()?.to_owned();
    let change = Ask::new(Method::PATCH, path, Body::Json(json!({ "status": "published" })));
    client.patient().ask(&mut dice, &change.by(&host.token).if_match(&tag)).await?.well()?;
    Ok(Home { id, host: host.clone() })
}

/// Announces, sends and completes a photograph; what comes of it is the workers' business.
pub(crate) async fn photograph(
    client: &Client,
    host: &Person,
    (home, key): (PropertyId, String),
    dice: &mut StdRng,
) -> Result<ImageId> {
    let bytes = picture()?;
    let body = json!({ "content_type": "image/png", "bytes": bytes.len() });
    let announce = Ask::post(format!("/properties/{home}/images"), body).by(&host.token).once(key.clone());
    let announced = client.ask(dice, &announce).await?.well()?;
    let image: ImageId = text(&announced, "id")?.parse()?;
    let url = text(&announced["upload"], "url")?;
    // The address names one process; any of them takes the file.
    let path = url.find("/sandbox/").map(|start| &url[start..]).with_context(|| format!("{url} leads elsewhere"))?;
    let upload = Ask::new(Method::PUT, path, Body::File { content_type: "image/png".to_owned(), bytes });
    let uploaded = client.patient().ask(dice, &upload).await?;
    ensure!(uploaded.is_success(), "the upload was answered {}: {}", uploaded.status, uploaded.body);
    let complete = Ask::post(format!("/properties/{home}/images/{image}/complete"), json!({}));
    client.ask(dice, &complete.by(&host.token).once(format!("{key}-complete"))).await?.well()?;
    Ok(image)
}

async fn developed(
    client: &Client,
    host: &Person,
    (home, image): (PropertyId, ImageId),
    dice: &mut StdRng,
) -> Result<()> {
    let dice = tokio::sync::Mutex::new(dice);
    wait::until(DEVELOPED, "a photograph is ready", || async {
        let ask = Ask::get(format!("/properties/{home}")).by(&host.token);
        let shown = client.ask(*dice.lock().await, &ask).await.ok()?;
        let photos = shown.body["photos"].as_array()?;
        let ready = |photo: &&Value| photo["id"] == image.to_string() && photo["status"] == "ready";
        photos.iter().find(ready).map(|_| ())
    })
    .await
}

fn picture() -> Result<Vec<u8>> {
    let mut bytes = std::io::Cursor::new(vec![]);
    let pixel = |x: u32, y: u32| Rgb([x * 3, y * 5, x + y].map(|value| value.to_le_bytes()[0]));
    RgbImage::from_fn(400, 300, pixel).write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}
