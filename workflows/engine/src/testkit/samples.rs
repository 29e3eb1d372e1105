//! Representative values of a workflow, complete by construction: serde knows every variant, so none can be forgotten.

use crate::step::{encode, variant};
use crate::{Value, Workflow};
use serde::de::{self, DeserializeOwned, Deserializer, Visitor};
use std::fmt;

/// Representative inputs, states, events, effects and timers of `W`, for [`table`](super::table()) and [`golden`](super::golden()).
///
/// Write it once per workflow, with at least one value of every variant; where fields steer `on`, one per interesting field value.
/// A variant without a sample fails the test by its name, so a new variant cannot enter unseen: the list of variants comes from
/// serde itself, not from a list that somebody would have to keep.
///
/// ```text
/// fn samples() -> Samples<Booking> {
///     Samples::of(terms())
///         .states([AwaitingPayment { declined: None }, AwaitingHost { auth: auth() }, Expired])
///         .events([PaymentAuthorized(auth()), HostAccepted, GuestCanceled, Elapsed(HostDeadline)])
///         .effects([AskHost])
///         .timers([HostDeadline])
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Samples<W: Workflow> {
    pub(super) inputs: Vec<W::Input>,
    pub(super) states: Vec<W::State>,
    pub(super) events: Vec<W::Event>,
    pub(super) effects: Vec<W::Effect>,
    pub(super) timers: Vec<W::Timer>,
    aliases: Vec<&'static str>,
}

impl<W: Workflow> Samples<W> {
    /// Samples with this input.
    #[must_use]
    pub fn of(input: W::Input) -> Self {
        let (states, events, effects, timers) = (vec![], vec![], vec![], vec![]);
        Self { inputs: vec![input], states, events, effects, timers, aliases: vec![] }
    }

    /// Another input: the table shows its own block for each.
    #[must_use]
    pub fn input(mut self, input: W::Input) -> Self {
        self.inputs.push(input);
        self
    }

    /// At least one state of every variant.
    #[must_use]
    pub fn states(mut self, states: impl IntoIterator<Item = W::State>) -> Self {
        self.states.extend(states);
        self
    }

    /// At least one event of every variant.
    #[must_use]
    pub fn events(mut self, events: impl IntoIterator<Item = W::Event>) -> Self {
        self.events.extend(events);
        self
    }

    /// At least one effect of every variant.
    #[must_use]
    pub fn effects(mut self, effects: impl IntoIterator<Item = W::Effect>) -> Self {
        self.effects.extend(effects);
        self
    }

    /// At least one timer of every variant.
    #[must_use]
    pub fn timers(mut self, timers: impl IntoIterator<Item = W::Timer>) -> Self {
        self.timers.extend(timers);
        self
    }

    /// Names that are only read (`#[serde(alias = "…")]`) and so can have no sample of their own.
    #[must_use]
    pub fn aliases(mut self, names: impl IntoIterator<Item = &'static str>) -> Self {
        self.aliases.extend(names);
        self
    }

    /// The variants that have no sample, as `state Expired`.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        [
            self.without_sample("state", &self.states),
            self.without_sample("event", &self.events),
            self.without_sample("effect", &self.effects),
            self.without_sample("timer", &self.timers),
        ]
        .concat()
    }

    fn without_sample<T: Value>(&self, what: &str, samples: &[T]) -> Vec<String> {
        let named: Vec<String> = samples.iter().map(|sample| variant(&encode(sample)).to_owned()).collect();
        let missing = variants_of::<T>().iter().filter(|name| !named.iter().any(|have| have == *name));
        missing.filter(|name| !self.aliases.contains(name)).map(|name| format!("{what} {name}")).collect()
    }

    #[track_caller]
    pub(super) fn must_be_complete(&self) {
        let missing = self.missing();
        assert!(missing.is_empty(), "{}: these variants have no sample: {}", W::NAME, missing.join(", "));
    }
}

/// The names of an enum's variants as serde's derive knows them, aliases included; empty when the type is not such an enum.
#[must_use]
pub fn variants_of<T: DeserializeOwned>() -> &'static [&'static str] {
    match T::deserialize(AskForVariants) {
        Err(Answer(names)) => names,
        Ok(_) => &[],
    }
}

/// A deserialiser that holds no value: it only listens to what the type says about itself.
struct AskForVariants;

/// The "error" that carries the answer out of serde.
#[derive(Debug)]
struct Answer(&'static [&'static str]);

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the variants are {:?}", self.0)
    }
}

impl std::error::Error for Answer {}

impl de::Error for Answer {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }
}

impl<'de> Deserializer<'de> for AskForVariants {
    type Error = Answer;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Answer> {
        Err(Answer(variants))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
        Err(Answer(&[]))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::toy::{self, Event, Lamp, State};

    #[test]
    fn serde_names_every_variant() {
        assert_eq!(variants_of::<State>(), ["Asked", "Lit", "Dark"]);
        assert!(variants_of::<u32>().is_empty());
    }

    #[test]
    fn a_forgotten_variant_is_named() {
        assert!(toy::samples().missing().is_empty());
        let partial = Samples::<Lamp>::of(toy::room()).states([State::Dark]).events(toy::samples().events);
        assert_eq!(
            partial.missing(),
            [
                "state Asked",
                "state Lit",
                "effect SwitchOn",
                "effect SwitchOff",
                "effect Greet",
                "timer Patience",
                "timer Bedtime"
            ]
        );
        let alias = partial.aliases(["Asked", "Lit", "SwitchOn", "SwitchOff", "Greet", "Patience"]);
        assert_eq!(alias.missing(), ["timer Bedtime"]);
        assert_eq!(variants_of::<Event>().len(), 5);
    }
}
