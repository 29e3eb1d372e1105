//! Acts on runs and on parked work, one or all that fit: told first, done once per idempotency key, in the operator's name.

use engine::{Damaged, Engine, Listed, Rows, RunFilter, RunId, RunView, Standing, WorkFilter, WorkId, WorkView};

use crate::idempotency::{Answer, Once};
use crate::{App, Error, Origin};

/// What is done with parked work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mend {
    /// Try it again, now.
    Retry,
    /// Take this event, as JSON, for its outcome.
    Resolve(String),
}

/// What an act is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum On<One, Which> {
    /// Exactly this.
    One(One),
    /// At most so many of those that fit.
    Which(Which, u64),
}

/// What came of an act on one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome<T> {
    /// The thing as it was.
    pub of: T,
    /// What it leads to, in a word; or why it was refused.
    pub came: Result<String, String>,
}

/// What came of an act on everything that it was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcomes<T> {
    /// One by one.
    pub each: Vec<Outcome<T>>,
    /// What it was not done to, although it fits.
    pub passed_over: PassedOver,
}

/// What fits, and is not acted on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PassedOver {
    /// What cannot be read.
    pub unread: Vec<Damaged>,
    /// Whether more fits than one act takes.
    pub more: bool,
}

/// What a mend would come to; nothing is written.
///
/// # Errors
/// [`Error::NotFound`] when the one piece of work is not parked.
pub async fn would_mend(app: &App, target: On<WorkId, WorkFilter>, mend: &Mend) -> Result<Outcomes<WorkView>, Error> {
    let (found, passed_over) = parked(&app.engine, target).await?;
    let each = found.into_iter().map(|of| Outcome { came: fits(&app.engine, &of, mend), of }).collect();
    Ok(Outcomes { each, passed_over })
}

/// Mends parked work.
///
/// # Errors
/// [`Error::NotFound`] when the one piece of work is not parked.
pub async fn mend(
    app: &App,
    target: On<WorkId, WorkFilter>,
    mend: Mend,
    (once, origin): (Once, Origin),
    render: impl FnOnce(Outcomes<WorkView>) -> Answer + Send + 'static,
) -> Result<Answer, Error> {
    once.carry_out(app, move |app, tx| {
        Box::pin(async move {
            let mut each = vec![];
            let (found, passed_over) = parked(&app.engine, target).await?;
            for of in found {
                let came = match (fits(&app.engine, &of, &mend), &mend) {
                    (Err(why), _) => Err(why),
                    (Ok(_), Mend::Retry) => match tx.retry(of.work, &origin).await? {
                        true => Ok("due".to_owned()),
                        false => Err("it is no longer parked".to_owned()),
                    },
                    (Ok(_), Mend::Resolve(event)) => Ok(tx.resolve(of.work, event, &origin).await?.state),
                };
                each.push(Outcome { of, came });
            }
            Ok(render(Outcomes { each, passed_over }))
        })
    })
    .await
}

/// The parked work that an act is about, in the order in which runs are locked.
async fn parked(engine: &Engine, target: On<WorkId, WorkFilter>) -> Result<(Vec<WorkView>, PassedOver), Error> {
    let (filter, most) = match &target {
        On::One(work) => (WorkFilter { run: Some(work.run), ..WorkFilter::default() }, 1000),
        On::Which(filter, most) => (filter.clone(), *most),
    };
    let filter = WorkFilter { standing: Some(Standing::Parked), ..filter };
    let (mut found, mut passed_over) = parted(engine.list_work(&filter, None, most + 1).await?, most);
    if let On::One(work) = target {
        found.retain(|view| view.work == work);
        match (found.is_empty(), passed_over.unread.is_empty()) {
            (true, true) => return Err(Error::NotFound),
            (true, false) => {} // It may be one of those.
            (false, _) => passed_over = PassedOver::default(),
        }
    }
    found.sort_by_key(|view| view.work);
    Ok((found, passed_over))
}

/// The rows that can be read, at most so many, and what is passed over; one more than so many was asked for.
fn parted<T, C>(rows: Rows<T, C>, most: u64) -> (Vec<T>, PassedOver) {
    let Rows { mut rows, .. } = rows;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let (mut found, mut unread, more) = (vec![], vec![], rows.len() > most);
    rows.truncate(most);
    for row in rows {
        match row {
            Listed::Read(row) => found.push(row),
            Listed::Unreadable { what, why } => unread.push(Damaged { what, why }),
        }
    }
    (found, PassedOver { unread, more })
}

/// Whether this can be done with that.
fn fits(engine: &Engine, of: &WorkView, mend: &Mend) -> Result<String, String> {
    match mend {
        Mend::Retry => Ok("due".to_owned()),
        Mend::Resolve(_) if of.kind != "effect" => Err("only an effect can be answered for".to_owned()),
        // What cannot be read is not repeated: it could say anything.
        Mend::Resolve(event) => match engine.reads_event(&of.workflow, event) {
            Ok(()) => Ok("answered".to_owned()),
            Err(_) => Err(format!("this is no event of {}", of.workflow)),
        },
    }
}

/// What an ending would come to; nothing is written.
///
/// # Errors
/// [`Error::NotFound`] when there is no such run.
pub async fn would_cancel(app: &App, target: On<RunId, RunFilter>) -> Result<Outcomes<RunView>, Error> {
    let mut each = vec![];
    let (found, passed_over) = meant(&app.engine, target).await?;
    for of in found {
        let came = in_words(app.engine.would_cancel(of.run).await)?;
        each.push(Outcome { of, came });
    }
    Ok(Outcomes { each, passed_over })
}

/// Ends runs by their workflows' own command for that.
///
/// # Errors
/// [`Error::NotFound`] when there is no such run.
pub async fn cancel(
    app: &App,
    target: On<RunId, RunFilter>,
    (once, origin): (Once, Origin),
    render: impl FnOnce(Outcomes<RunView>) -> Answer + Send + 'static,
) -> Result<Answer, Error> {
    let key = once.event_key();
    once.carry_out(app, move |app, tx| {
        Box::pin(async move {
            let mut each = vec![];
            let (found, passed_over) = meant(&app.engine, target).await?;
            for of in found {
                let canceled = tx.cancel(of.run, key.clone(), &origin).await;
                let came = in_words(canceled.map(|moved| moved.state))?;
                each.push(Outcome { of, came });
            }
            Ok(render(Outcomes { each, passed_over }))
        })
    })
    .await
}

/// The runs that an act is about, in the order in which they are locked.
async fn meant(engine: &Engine, target: On<RunId, RunFilter>) -> Result<(Vec<RunView>, PassedOver), Error> {
    let (mut found, passed_over) = match target {
        On::One(run) => (vec![engine.run(run).await?.ok_or(Error::NotFound)?], PassedOver::default()),
        On::Which(filter, most) => parted(engine.list_runs(&filter, None, most + 1).await?, most),
    };
    found.sort_by_key(|view| view.run);
    Ok((found, passed_over))
}

/// A refusal is an outcome among others; what else goes wrong ends the request.
fn in_words(decided: Result<String, engine::TurnError>) -> Result<Result<String, String>, Error> {
    use engine::TurnError as E;
    match decided {
        Ok(state) => Ok(Ok(state)),
        Err(E::Refused(refusal)) => Ok(Err(refusal.detail.into_owned())),
        Err(error @ (E::NewerShape | E::Duplicate | E::NoSuchRun)) => Ok(Err(error.to_string())),
        Err(error) => Err(error.into()),
    }
}
