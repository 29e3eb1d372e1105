//! A small marketplace: a dozen people who have proved their addresses, and homes in real cities with photographs.

use super::Stage;
use super::client::{Client, Person, text};
use super::people::{CITIES, KINDS, PASSWORD, PEOPLE};
use super::{letters, picture};
use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};

/// Requests on their way at once: enough to keep the processors busy.
const AT_ONCE: usize = 4;

/// Registers somebody, reads the letter, proves the address and logs in.
pub(crate) async fn person(stage: &Stage, n: usize) -> Result<Person> {
    let (name, email) = PEOPLE[n];
    let wish = json!({ "email": email, "password": PASSWORD, "name": name });
    stage.client.post(None, "/register", &wish).await?;
    let letter = letters::wait(&stage.letters, email, "/verify-email?token=").await?;
    let token = letters::token(&letter).context("the letter has a link")?;
    stage.client.post(None, "/verify-email", &json!({ "token": token })).await?;
    let session = stage.client.post(None, "/login", &json!({ "email": email, "password": PASSWORD })).await?;
    Ok(Person { name, token: text(&session, "access_token")?.to_owned() })
}

/// The others of the dozen, several at a time.
pub(crate) async fn people(stage: &Stage, from: usize) -> Result<Vec<Person>> {
    stream::iter(from..PEOPLE.len()).map(|n| person(stage, n)).buffered(AT_ONCE).try_collect().await
}

/// Publishes home number `n` for this host, with a photograph; returns its id.
pub(crate) async fn home(client: &Client, host: &Person, n: usize, instant: bool) -> Result<String> {
    let draft = client.post(Some(host), "/properties", &description(n, instant)).await?;
    let id = text(&draft, "id")?.to_owned();
    photograph(client, host, &id, n).await?;
    let path = format!("/properties/{id}");
    client.until(host, &path, "the photograph", |home| home["photos"][0]["status"] == "ready").await?;
    client.patch(host, &path, &json!({ "status": "published" })).await?;
    Ok(id)
}

/// Many homes, spread over hosts and cities, several at a time. Returns how many.
pub(crate) async fn homes(client: &Client, hosts: &[Person], numbers: std::ops::Range<usize>) -> Result<usize> {
    let publish = |n: usize| async move { home(client, &hosts[n % hosts.len()], n, n.is_multiple_of(3)).await };
    let ids: Vec<String> = stream::iter(numbers).map(publish).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(ids.len())
}

async fn photograph(client: &Client, host: &Person, id: &str, n: usize) -> Result<()> {
    let bytes = picture::of_home(n)?;
    let announced =
        json!({ "content_type": "image/jpeg", "bytes": bytes.len(), "caption": "The house from the street" });
    let path = format!("/properties/{id}/images");
    let place = client.post(Some(host), &path, &announced).await?;
    client.upload(&place["upload"], bytes).await?;
    let image = text(&place, "id")?;
    client.ask(Some(host), Method::POST, &format!("{path}/{image}/complete"), None).await?.well(&path)?;
    Ok(())
}

/// What a host says of home number `n`: prices and places differ, all of it is valid.
fn description(n: usize, instant: bool) -> Value {
    let city = &CITIES[n % CITIES.len()];
    let kind = KINDS[n % KINDS.len()];
    let step = i64::try_from(n).unwrap_or(0);
    let euro = |minor: i64| json!({ "amount_minor": minor, "currency": "EUR" });
    let off = f64::from(u32::try_from(n % 7).unwrap_or(0)) * 0.004;
    json!({
        "title": format!("{kind} in {}", city.name),
        "description": format!("A quiet {} within walking distance of everything in {}.", kind.to_lowercase(), city.name),
        "kind": "apartment",
        "place": { "city": city.name, "country": city.country, "latitude": city.latitude + off, "longitude": city.longitude - off },
        "time_zone": city.zone,
        "capacity": { "guests": 2 + n % 4, "infants": 1, "pets": n % 2 },
        "price": { "nightly": euro(7_000 + step * 310 % 9_000), "weekend": euro(9_000 + step * 310 % 9_000), "cleaning": euro(3_500) },
        "policy": if n.is_multiple_of(2) { "flexible" } else { "moderate" },
        "instant_book": instant,
    })
}
