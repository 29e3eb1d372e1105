//! The crowd: guests and hosts who play the script over HTTP, all at once, whoever is being killed meanwhile.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use domain::BookingId;
use futures::future::{join_all, try_join_all};
use futures::{StreamExt, TryStreamExt, stream};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::client::{Ask, Client, Reply, text};
use super::record::{Done, Made, Record};
use super::script::{Fate, Rival, Slot};
use super::town::{Home, Town, photograph};

/// Slots whose stories are told at the same time.
const AT_ONCE: usize = 24;
/// What the crowd plays with.
pub(crate) struct Stage {
    pub(crate) client: Client,
    pub(crate) town: Town,
    pub(crate) record: Record,
    pub(crate) seed: u64,
    /// How long somebody watches a booking that waits for the workers.
    pub(crate) watched: Duration,
}

impl Stage {
    /// Plays some slots to the point where only time goes on; hosts send new photographs beside it.
    pub(crate) async fn play(&self, slots: &[Slot]) -> Result<()> {
        let stories = stream::iter(slots).map(|slot| self.slot(slot)).buffer_unordered(AT_ONCE).try_collect::<()>();
        let photos = stream::iter(slots.iter().step_by(10)).map(|slot| self.photo(slot));
        let photos = photos.buffer_unordered(2).try_collect::<()>();
        tokio::try_join!(stories, photos).map(drop)
    }

    /// Dice of one's own: how requests interleave must not change what anybody does.
    fn dice(&self, slot: &Slot, who: u64) -> StdRng {
        StdRng::seed_from_u64(self.seed ^ ((slot.n as u64) << 32) ^ (who << 20))
    }

    async fn photo(&self, slot: &Slot) -> Result<()> {
        let home = &self.town.homes[slot.home];
        let mut dice = self.dice(slot, 99);
        let key = format!("photo-{}", slot.n);
        let image =
            photograph(&self.client, &home.host, (home.id, key), &mut dice).await.context("send a photograph")?;
        self.record.heard().photos.insert(image);
        Ok(())
    }

    async fn slot(&self, slot: &Slot) -> Result<()> {
        if slot.n.is_multiple_of(7) {
            self.forge(slot).await.context("send a forged message")?;
        }
        let tries = slot.rivals.iter().zip(1..).map(|(rival, who)| self.book(slot, rival, who));
        let made = join_all(tries).await.into_iter().collect::<Result<Vec<_>>>()?;
        // More than one of them may have got it only under a planted bug; then both stories go on.
        let made =
            made.into_iter().zip(&slot.rivals).zip(1..).filter_map(|((made, rival), who)| Some((made?, rival, who)));
        let stories = made.map(|(booking, rival, who)| self.story(slot, (booking, rival), who));
        try_join_all(stories).await.with_context(|| format!("tell the story of slot {}", slot.n))?;
        Ok(())
    }

    /// Somebody who is not the gateway says that a payment was made.
    async fn forge(&self, slot: &Slot) -> Result<()> {
        let message = format!("evt_forged_{}", slot.n);
        let body = json!({
            "id": message, "kind": "intent.captured", "intent": format!("pi_forged_{}", slot.n),
            "created": "2026-01-01T00:00:00Z",
        });
        let ask = Ask::post("/webhooks/sandbox", body).signed("t=1767225600,v1=00");
        let reply = self.client.patient().ask(&mut self.dice(slot, 98), &ask).await?;
        if reply.is_success() {
            self.record.heard().believed.push(format!("{message} was believed: {}", reply.status));
        }
        Ok(())
    }

    async fn book(&self, slot: &Slot, rival: &Rival, who: u64) -> Result<Option<BookingId>> {
        let (mut dice, home) = (self.dice(slot, who), &self.town.homes[slot.home]);
        let key = format!("slot-{}-{who}", slot.n);
        let ask = Ask::post("/bookings", order(home, rival)).by(&self.town.guests[rival.guest].token).once(&*key);
        let reply = self.client.ask(&mut dice, &ask).await?;
        match (reply.status, reply.code()) {
            (201, _) => {}
            (409, Some("dates_unavailable")) => {
                self.record.heard().refused += 1;
                return Ok(None);
            }
            (status, _) => bail!("a booking was answered {status}: {}", reply.body),
        }
        let id: BookingId = text(&reply.body, "id")?.parse()?;
        self.record.booked(id, Made { home: home.id, stay: rival.stay, key: key.clone() });
        if dice.random_ratio(1, 4) {
            self.again(&ask, id, &mut dice).await?;
        }
        Ok(Some(id))
    }

    /// Whoever sends it once more hears the same.
    async fn again(&self, ask: &Ask, id: BookingId, dice: &mut StdRng) -> Result<()> {
        let Reply { status, body, .. } = self.client.ask(dice, ask).await?;
        if status != 201 || body["id"] != id.to_string() {
            self.record.heard().contradictions.push(format!("{id} became {status} {body} when it was asked for again"));
        }
        Ok(())
    }

    async fn story(&self, slot: &Slot, (booking, rival): (BookingId, &Rival), who: u64) -> Result<()> {
        let mut story = Story {
            stage: self,
            home: &self.town.homes[slot.home],
            guest: &self.town.guests[rival.guest].token,
            booking,
            fate: slot.fate,
            dice: self.dice(slot, 50 + who),
        };
        story.tell().await.with_context(|| format!("{booking} with {}", rival.card))
    }
}

fn order(home: &Home, rival: &Rival) -> Value {
    json!({
        "property_id": home.id, "check_in": rival.stay.check_in(), "check_out": rival.stay.check_out(),
        "guests": { "adults": 2 }, "payment_method": rival.card,
    })
}

/// One booking, from its creation to where only time goes on.
struct Story<'a> {
    stage: &'a Stage,
    home: &'a Home,
    guest: &'a str,
    booking: BookingId,
    fate: Fate,
    dice: StdRng,
}

impl Story<'_> {
    async fn tell(&mut self) -> Result<()> {
        let began = Instant::now();
        let (mut confirmed_with_the_bank, mut accepted) = (false, false);
        while began.elapsed() < self.stage.watched {
            let seen = self.look().await?;
            match text(&seen, "phase")? {
                "awaiting_guest_action" => {
                    let url = seen["payment"]["action_url"].as_str().filter(|_| !confirmed_with_the_bank);
                    match url.map(str::to_owned) {
                        Some(url) => confirmed_with_the_bank = self.answer_the_bank(&url).await?,
                        // A declined card, or a bank that was answered: time, or the gateway's message, goes on.
                        None if !confirmed_with_the_bank => return self.leave_unpaid().await,
                        None => {}
                    }
                }
                "awaiting_host" if !accepted => match self.fate {
                    Fate::Silence => return Ok(()),
                    Fate::HostDeclines => return self.command("decline", Done::Declined).await,
                    Fate::GuestCancelsEarly => return self.command("cancel", Done::CanceledByGuest).await,
                    _ => {
                        self.command("accept", Done::Accepted).await?;
                        accepted = true;
                    }
                },
                "confirmed" => return self.bound().await,
                "awaiting_payment" | "awaiting_host" => {}
                _ => return Ok(()),
            }
            tokio::time::sleep(Duration::from_millis(self.dice.random_range(150..400))).await;
        }
        // The oracle will say whether it came to rest in the end.
        Ok(())
    }

    async fn look(&mut self) -> Result<Value> {
        let ask = Ask::get(format!("/bookings/{}", self.booking)).by(self.guest);
        self.stage.client.ask(&mut self.dice, &ask).await?.well()
    }

    async fn bound(&mut self) -> Result<()> {
        match self.fate {
            Fate::GuestCancelsLate | Fate::GuestCancelsEarly => self.command("cancel", Done::CanceledByGuest).await,
            Fate::HostCancels => self.command("cancel", Done::CanceledByHost).await,
            Fate::Stays | Fate::Silence | Fate::HostDeclines => Ok(()),
        }
    }

    /// Half of those whose card was declined give up, the others just leave.
    async fn leave_unpaid(&mut self) -> Result<()> {
        if self.dice.random_bool(0.5) { self.command("cancel", Done::CanceledByGuest).await } else { Ok(()) }
    }

    async fn answer_the_bank(&mut self, url: &str) -> Result<bool> {
        let path =
            url.find("/sandbox/").map(|start| &url[start..]).with_context(|| format!("{url} leads elsewhere"))?;
        let ask = Ask::post(path, json!({ "answer": "approve" }));
        self.stage.client.ask(&mut self.dice, &ask).await.map(|_| true)
    }

    async fn command(&mut self, verb: &str, done: Done) -> Result<()> {
        let by_host = matches!(done, Done::Accepted | Done::Declined | Done::CanceledByHost);
        let who = if by_host { &self.home.host.token } else { self.guest };
        let key = format!("{verb}-{}-{by_host}", self.booking);
        let ask = Ask::post(format!("/bookings/{}/{verb}", self.booking), json!({})).by(who).once(key);
        let reply = self.stage.client.ask(&mut self.dice, &ask).await?;
        match reply.status {
            200 => self.stage.record.heard().done.insert((self.booking, done)),
            // The state went on before the command came: that is an answer too.
            409 => false,
            status => bail!("{verb} was answered {status}: {}", reply.body),
        };
        Ok(())
    }
}
