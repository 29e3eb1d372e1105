//! `/admin/events`: what an operator's screen shows, as it changes (server-sent events).
//!
//! Six topics, each told whole whenever it changes: `queues`, `parked`, `unexpected`, `brakes`, `schedules` and `runs`. An event's id
//! says what its reader has seen of all of them, so a reader that comes back with `Last-Event-ID` hears only what changed meanwhile.
//! Streams share one look at the database a second, in which runs are counted anew every few; there are only so many streams, and each
//! ends by itself: when this process drains, and after a while.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::stream::{self, Stream, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior, interval};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::operating::{self, Pulse, Readable};
use workflows::{App, Error};

use super::brakes::BrakeView;
use super::schedules::ScheduleView;
use super::view::{OpenView, QueueView, Whole};
use crate::caller::Operator;
use crate::health::Health;
use crate::path::Query;
use crate::problem::{Problem, catalogue};
use crate::router::Api;

/// Streams that one process keeps open.
const STREAMS: usize = 32;
/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two counts of the open runs, which cost the more the more there are.
const COUNTS: Duration = Duration::from_secs(5);
/// A reader connects again after this long, and proves again who it is.
const LONGEST: u32 = 900;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(events))
}

/// What the streams of one process share.
#[derive(Clone)]
pub(crate) struct Watching {
    room: Arc<Semaphore>,
    last: Arc<Mutex<Last>>,
    health: Health,
}

/// The last look, and the last count of the open runs.
#[derive(Default)]
struct Last {
    seen: Option<(Instant, Seen)>,
    runs: Option<(Instant, Topic)>,
}

/// One look, by topic: what it says, and a short name for that.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen([Topic; 6]);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Topic {
    name: &'static str,
    data: String,
    tag: String,
}

impl Topic {
    /// `same` is what makes two tellings one; ages go on by themselves and are no news.
    fn new(name: &'static str, data: &serde_json::Value, same: &str) -> Self {
        Self { name, data: data.to_string(), tag: hex::encode(&Sha256::digest(same)[..6]) }
    }

    /// Everything of a kind that can be read.
    fn of<R, V: From<R> + Serialize>(name: &'static str, read: Readable<R>) -> Self {
        let data = json!(Whole::<V>::of(read).data);
        Self::new(name, &data, &data.to_string())
    }
}

/// How much waits: told by queue, by what waits for a person, and by what found no place.
fn waiting(pulse: Pulse) -> [Topic; 3] {
    let Pulse { queues, unexpected } = pulse;
    let rows = &queues.rows;
    let parked: i64 = rows.iter().map(|depth| depth.parked).sum();
    let counts: Vec<_> = rows.iter().map(|d| (d.queue.clone(), d.ready, d.scheduled, d.leased, d.parked)).collect();
    let views = Whole::<QueueView>::of(queues).data;
    [
        Topic::new("queues", &json!(views), &format!("{counts:?}")),
        Topic::new("parked", &json!({ "parked": parked }), &parked.to_string()),
        Topic::new("unexpected", &json!({ "runs": unexpected }), &unexpected.to_string()),
    ]
}

impl Last {
    async fn look(&mut self, app: &App) -> Result<Seen, Error> {
        let [queues, parked, unexpected] = waiting(operating::pulse(app).await?);
        let brakes = Topic::of::<_, BrakeView>("brakes", operating::brakes(app).await?);
        let schedules = Topic::of::<_, ScheduleView>("schedules", operating::schedules(app).await?);
        let runs = self.runs(app).await?;
        Ok(Seen([queues, parked, unexpected, brakes, schedules, runs]))
    }

    async fn runs(&mut self, app: &App) -> Result<Topic, Error> {
        if let Some((at, topic)) = &self.runs
            && at.elapsed() < COUNTS
        {
            return Ok(topic.clone());
        }
        let topic = Topic::of::<_, OpenView>("runs", operating::open_runs(app).await?);
        self.runs = Some((Instant::now(), topic.clone()));
        Ok(topic)
    }
}

impl Watching {
    /// Nobody watches yet; all streams end when the process drains.
    pub(crate) fn new(health: Health) -> Self {
        Self { room: Arc::new(Semaphore::new(STREAMS)), last: Arc::default(), health }
    }

    /// What is seen now, from one look a second however many watch.
    async fn look(&self, app: &App) -> Option<Seen> {
        let mut last = self.last.lock().await;
        if let Some((at, seen)) = &last.seen
            && at.elapsed() < PAUSE / 2
        {
            return Some(seen.clone());
        }
        match last.look(app).await {
            Ok(seen) => {
                last.seen = Some((Instant::now(), seen.clone()));
                Some(seen)
            }
            Err(error) => {
                tracing::debug!(%error, "operators' screens wait for the database");
                None
            }
        }
    }
}

/// For how long to listen.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Listen {
    /// The stream ends after so many seconds; 0 tells what is to be told now and ends. 900 when absent.
    #[param(minimum = 0, maximum = 900)]
    seconds: Option<u32>,
}

/// What changes, as it changes
///
/// Server-sent events: `queues`, `brakes` and `schedules` (as `/admin/queues`, `/admin/brakes` and `/admin/schedules` list them), `parked`
/// and `unexpected` (how many), and `runs` (those that have not ended, counted by `workflow` and `state` every five seconds). Each tells its
/// topic whole when it changes. `Last-Event-ID` leaves out what has not changed since.
#[utoipa::path(get, path = "/admin/events", tag = "admin", security(("bearer" = [])), params(Listen),
    responses((status = 200, content_type = "text/event-stream", body = String)))]
async fn events(
    _: Operator,
    State(app): State<App>,
    State(watching): State<Watching>,
    headers: HeaderMap,
    Query(Listen { seconds }): Query<Listen>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let seconds = seconds.unwrap_or(LONGEST);
    if seconds > LONGEST {
        return Err(Error::flaw("?seconds", "out_of_range", "from 0 to 900").into());
    }
    let Ok(permit) = Arc::clone(&watching.room).try_acquire_owned() else {
        return Err(Problem::new(&catalogue::BUSY).after(Duration::from_secs(5)));
    };
    let known = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(tags).unwrap_or_default();
    let until = Instant::now() + Duration::from_secs(seconds.into());
    let mut looks = interval(PAUSE);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let watch = Watch { app, watching, known, looks, until, first: true, _permit: permit };
    let told = stream::unfold(watch, Watch::next).flat_map(stream::iter);
    Ok(Sse::new(told).keep_alive(KeepAlive::default()))
}

/// What a reader says it has seen: a tag for each topic.
fn tags(id: &str) -> Vec<String> {
    id.split('.').map(str::to_owned).collect()
}

/// One open stream.
struct Watch {
    app: App,
    watching: Watching,
    known: Vec<String>,
    looks: Interval,
    until: Instant,
    first: bool,
    _permit: OwnedSemaphorePermit,
}

impl Watch {
    /// The next batch of events, possibly none; `None` is the end.
    async fn next(mut self) -> Option<(Vec<Result<Event, Infallible>>, Self)> {
        if !self.first && Instant::now() >= self.until || self.watching.health.is_draining() {
            return None;
        }
        self.first = false;
        self.looks.tick().await;
        let news = match self.watching.look(&self.app).await {
            Some(seen) => self.news(&seen),
            None => vec![],
        };
        Some((news, self))
    }

    fn news(&mut self, seen: &Seen) -> Vec<Result<Event, Infallible>> {
        let changed = changes(&mut self.known, seen);
        changed.into_iter().map(|(topic, id)| Ok(Event::default().event(topic.name).id(id).data(&topic.data))).collect()
    }
}

/// The topics that differ from what is known, each with the id that its reader will have seen.
fn changes(known: &mut Vec<String>, Seen(topics): &Seen) -> Vec<(Topic, String)> {
    known.resize(topics.len(), String::new());
    let mut changed = vec![];
    for (place, topic) in topics.iter().enumerate() {
        if known[place] != topic.tag {
            known[place].clone_from(&topic.tag);
            changed.push((topic.clone(), known.join(".")));
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use workflows::operating::Depth;

    use super::*;

    fn seen(parked: i64, oldest_us: i64) -> Seen {
        let queue = Depth { queue: "mail".into(), ready: 1, scheduled: 0, leased: 0, parked, oldest_us };
        let queues = Readable { rows: vec![queue], damaged: vec![] };
        let [queues, parked, unexpected] = waiting(Pulse { queues, unexpected: 0 });
        let rest = ["brakes", "schedules", "runs"].map(|name| Topic::new(name, &json!([]), "[]"));
        let [brakes, schedules, runs] = rest;
        Seen([queues, parked, unexpected, brakes, schedules, runs])
    }

    fn names(known: &mut Vec<String>, seen: &Seen) -> Vec<&'static str> {
        changes(known, seen).into_iter().map(|(topic, _)| topic.name).collect()
    }

    #[test]
    fn only_what_changed_is_told() {
        let mut known = vec![];
        let all = ["queues", "parked", "unexpected", "brakes", "schedules", "runs"];
        assert_eq!(names(&mut known, &seen(0, 1)), all);
        assert_eq!(names(&mut known, &seen(0, 9_000_000)), Vec::<&str>::new(), "growing older is no news");
        assert_eq!(names(&mut known, &seen(2, 1)), ["queues", "parked"]);
    }

    #[test]
    fn a_reader_that_comes_back_hears_what_it_has_not_seen() {
        let mut known = vec![];
        let told = changes(&mut known, &seen(0, 1));
        let mut broken_off = tags(&told[3].1);
        assert_eq!(
            names(&mut broken_off, &seen(0, 1)),
            ["schedules", "runs"],
            "the stream broke after the fourth event"
        );
        let mut whole = tags(&told[5].1);
        assert_eq!(names(&mut whole, &seen(0, 1)), Vec::<&str>::new());
        let mut nonsense = tags("x.y.z.more");
        assert_eq!(names(&mut nonsense, &seen(0, 1)).len(), 6);
    }
}
