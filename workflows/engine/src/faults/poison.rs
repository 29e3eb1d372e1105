//! Work that harms whoever carries it out, told by the id of its run: with `poison`, the call of such a run's effect does what its id
//! says, every time.

use crate::RunId;

/// What poisonous work does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Poison {
    /// Panics.
    Panics,
    /// Never answers, and lets others work meanwhile.
    Hangs,
    /// Never answers, and never yields.
    Loops,
    /// Calls itself until the stack is used up, which ends the process.
    Overflows,
    /// Wants more memory than there is, which ends the process.
    Devours,
}

/// The middle of every poisonous id: `poison` in ASCII, within the bits that a UUIDv8 leaves to its maker.
const MARK: u128 = 0x706f_6973_6f6e;

impl Poison {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Panics, Self::Hangs, Self::Loops, Self::Overflows, Self::Devours];

    /// The id of the `n`th run that is poisonous in this way.
    #[must_use]
    pub fn run(self, n: u32) -> RunId {
        RunId::from_uuid(uuid::Uuid::from_u128(MARK << 80 | (self as u128) << 32 | u128::from(n)))
    }

    /// How a run is poisonous, if it is.
    #[must_use]
    pub fn of(run: RunId) -> Option<Self> {
        let id = run.uuid().as_u128();
        let which = usize::try_from(id >> 32 & 0xff).ok()?;
        Self::ALL.get(which).copied().filter(|_| id >> 80 == MARK)
    }
}

/// Suffers what is poisonous about a run.
#[cfg(feature = "faults")]
pub async fn taste(run: RunId) {
    match Poison::of(run).filter(|_| super::chosen::faults().poison) {
        None => {}
        Some(Poison::Panics) => panic!("poison"),
        Some(Poison::Hangs) => std::future::pending().await,
        Some(Poison::Loops) => spin(),
        Some(Poison::Overflows) => drop(deeper(run.uuid().as_u128())),
        Some(Poison::Devours) => drop(Vec::<u8>::with_capacity(isize::MAX as usize)),
    }
}

/// Suffers what is poisonous about a run: nothing, in a build without faults.
#[cfg(not(feature = "faults"))]
pub async fn taste(_run: RunId) {}

#[cfg(feature = "faults")]
fn spin() {
    while std::hint::black_box(true) {
        std::hint::spin_loop();
    }
}

/// Fills the stack whatever the optimiser thinks of it.
#[cfg(feature = "faults")]
fn deeper(n: u128) -> u128 {
    let frame = std::hint::black_box([n; 64]);
    match std::hint::black_box(true) {
        true => deeper(frame[(n % 64) as usize] + 1) + std::hint::black_box(frame[0]),
        false => n,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_what_is_poisonous_about_it() {
        for poison in Poison::ALL {
            assert_eq!(Poison::of(poison.run(7)), Some(poison));
        }
        assert_eq!(Poison::of(RunId::from_uuid(uuid::Uuid::nil())), None);
    }
}
