//! Whether there is time for more.
//!
//! Work passes through stages, each with threads of its own. What has been accepted and has not passed a stage yet,
//! times the pace of recent work of the same kind, over the stage's threads, is how long a newcomer waits for that
//! stage; the slowest stage decides. Paces are wall-clock times of busy threads, so whatever else takes the processor is
//! in them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a piece of work weighs beside its own amount, so that small pictures are not free.
const FIXED: u64 = 8192;
/// What is left of old times when a new one arrives: about the last ten count.
const MEMORY: f64 = 0.9;
/// Kinds that are remembered; of more, those without open work are forgotten.
const KINDS: usize = 64;

/// Work of kinds `K` in `S` stages.
#[derive(Debug)]
pub struct Admission<K, const S: usize> {
    threads: [usize; S],
    state: Mutex<State<K, S>>,
}

#[derive(Debug)]
struct State<K, const S: usize> {
    kinds: HashMap<K, Work<S>>,
    /// Of all kinds together: the guess for a kind that is new.
    all: [Pace; S],
}

#[derive(Clone, Copy, Debug)]
struct Work<const S: usize> {
    /// What has not passed the stage.
    open: [u64; S],
    paces: [Pace; S],
}

/// Seconds over work, of which old ones fade.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    seconds: f64,
    work: f64,
}

impl Pace {
    fn learn(&mut self, work: u64, time: Duration) {
        self.seconds = MEMORY * self.seconds + time.as_secs_f64();
        self.work = MEMORY * self.work + work as f64;
    }

    fn known(&self) -> Option<f64> {
        (self.work > 0.0).then(|| self.seconds / self.work)
    }
}

/// There is no time for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLate {
    /// How long it would wait.
    pub wait: Duration,
    /// How long it may.
    pub allowed: Duration,
}

/// Work that was accepted. Dropped, it no longer counts.
#[derive(Debug)]
pub struct Place<K: Eq + Hash, const S: usize> {
    admission: Arc<Admission<K, S>>,
    kind: K,
    amount: u64,
    /// Stages it has passed.
    passed: usize,
}

impl<K: Clone + Eq + Hash, const S: usize> Admission<K, S> {
    /// Stages of so many threads each.
    pub fn new(threads: [usize; S]) -> Arc<Self> {
        let state = State { kinds: HashMap::new(), all: [Pace::default(); S] };
        Arc::new(Admission { threads, state: Mutex::new(state) })
    }

    /// Accepts work, unless it would wait longer than `allowed` before it begins. An idle service accepts everything.
    ///
    /// # Errors
    /// [`TooLate`]
    pub fn enter(
        self: &Arc<Self>,
        kind: K,
        amount: u64,
        allowed: Duration,
    ) -> Result<Place<K, S>, TooLate> {
        let amount = amount.saturating_add(FIXED);
        let mut state = self.lock();
        let wait = state.wait(&self.threads);
        if wait > allowed {
            return Err(TooLate { wait, allowed });
        }
        if state.kinds.len() >= KINDS && !state.kinds.contains_key(&kind) {
            state.kinds.retain(|_, work| work.open.iter().any(|&open| open > 0));
        }
        let fresh = Work { open: [0; S], paces: [Pace::default(); S] };
        for open in &mut state.kinds.entry(kind.clone()).or_insert(fresh).open {
            *open = open.saturating_add(amount);
        }
        drop(state);
        Ok(Place { admission: Arc::clone(self), kind, amount, passed: 0 })
    }

    /// How long work that came now would wait.
    pub fn wait(&self) -> Duration {
        self.lock().wait(&self.threads)
    }

    /// Takes the times of work that did not come this way, as a first guess.
    pub fn learn(&self, amount: u64, times: [Duration; S]) {
        let mut state = self.lock();
        for (pace, time) in state.all.iter_mut().zip(times) {
            pace.learn(amount.saturating_add(FIXED), time);
        }
    }
}

impl<K: Eq + Hash, const S: usize> Admission<K, S> {
    fn lock(&self) -> MutexGuard<'_, State<K, S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, const S: usize> State<K, S> {
    fn wait(&self, threads: &[usize; S]) -> Duration {
        let stage = |s: usize| {
            let guess = self.all[s].known().unwrap_or_default();
            let seconds =
                |work: &Work<S>| work.open[s] as f64 * work.paces[s].known().unwrap_or(guess);
            self.kinds.values().map(seconds).sum::<f64>() / threads[s].max(1) as f64
        };
        let longest = (0..S).map(stage).fold(0.0, f64::max);
        Duration::try_from_secs_f64(longest).unwrap_or(Duration::MAX)
    }
}

impl<K: Eq + Hash, const S: usize> Place<K, S> {
    /// The work has passed its next stage, which took a thread so long.
    pub fn passed(&mut self, time: Duration) {
        let stage = self.passed;
        if stage >= S {
            return;
        }
        self.passed += 1;
        let mut state = self.admission.lock();
        state.all[stage].learn(self.amount, time);
        if let Some(work) = state.kinds.get_mut(&self.kind) {
            work.open[stage] = work.open[stage].saturating_sub(self.amount);
            work.paces[stage].learn(self.amount, time);
        }
    }
}

impl<K: Eq + Hash, const S: usize> Drop for Place<K, S> {
    fn drop(&mut self) {
        let mut state = self.admission.lock();
        if let Some(work) = state.kinds.get_mut(&self.kind) {
            for open in work.open.iter_mut().skip(self.passed) {
                *open = open.saturating_sub(self.amount);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    /// Work of 100 000 with what is added to it.
    const AMOUNT: u64 = 100_000 - FIXED;

    fn seconds(wait: Duration) -> f64 {
        (1000.0 * wait.as_secs_f64()).round() / 1000.0
    }

    #[test]
    fn the_slowest_stage_decides() {
        let admission = Admission::new([2, 4]);
        let mut first = admission.enter("a", AMOUNT, Duration::ZERO).unwrap();
        // Nothing is known yet, and so nothing refused.
        let second = admission.enter("a", AMOUNT, Duration::ZERO).unwrap();
        assert_eq!(admission.wait(), Duration::ZERO);
        first.passed(SECOND);
        assert_eq!(seconds(admission.wait()), 0.5);
        first.passed(8 * SECOND);
        assert_eq!(seconds(admission.wait()), 2.0);
        let refused = admission.enter("a", AMOUNT, SECOND).unwrap_err();
        assert_eq!((seconds(refused.wait), refused.allowed), (2.0, SECOND));
        // Longer than it will be is allowed.
        drop(admission.enter("a", AMOUNT, 3 * SECOND).unwrap());
        drop((first, second));
        assert_eq!(admission.wait(), Duration::ZERO);
    }

    #[test]
    fn kinds_have_their_own_pace_and_new_ones_that_of_all() {
        let admission = Admission::new([1]);
        let one = |kind, time| {
            let mut place = admission.enter(kind, AMOUNT, 1000 * SECOND).unwrap();
            place.passed(time);
        };
        one("fast", SECOND / 100);
        one("slow", SECOND);
        let open = |kind| {
            let _place = admission.enter(kind, 10 * AMOUNT + 9 * FIXED, 1000 * SECOND).unwrap();
            seconds(admission.wait())
        };
        assert_eq!(open("fast"), 0.1);
        assert_eq!(open("slow"), 10.0);
        assert!((3.0..7.0).contains(&open("new")), "{}", open("new"));
        // A pace follows what happens: after a while of fast ones nothing is left of the slow one.
        (0..100).for_each(|_| one("slow", SECOND / 100));
        assert_eq!(open("slow"), 0.1);
    }

    #[test]
    fn a_first_guess_makes_way_for_what_is_measured() {
        let admission = Admission::new([1]);
        // A small picture, slow for its size.
        admission.learn(1000, [SECOND]);
        let mut place = admission.enter((), AMOUNT, Duration::ZERO).unwrap();
        assert!(admission.wait() > 10 * SECOND);
        place.passed(SECOND);
        let _place = admission.enter((), AMOUNT, Duration::ZERO).unwrap();
        assert_eq!(seconds(admission.wait()), 1.0);
    }

    #[test]
    fn kinds_do_not_pile_up() {
        let admission = Admission::new([1]);
        let _kept = admission.enter(0, 1, SECOND).unwrap();
        for kind in 1..10_000 {
            admission.enter(kind, u64::MAX, SECOND).unwrap().passed(Duration::ZERO);
        }
        let state = admission.lock();
        assert!(state.kinds.len() <= KINDS && state.kinds.contains_key(&0));
        assert_eq!(state.kinds[&0].open, [1 + FIXED]);
    }
}
