//! Handles by number.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::failure::{Code, Failure};

struct Entries<T> {
    last: i64,
    entries: BTreeMap<i64, Arc<T>>,
}

/// Things that Java holds by number. Numbers are never used twice, so one that was removed stays invalid.
pub(crate) struct Table<T>(Mutex<Entries<T>>);

impl<T> Table<T> {
    pub(crate) const fn new() -> Self {
        Table(Mutex::new(Entries { last: 0, entries: BTreeMap::new() }))
    }

    /// Keeps a thing; its number is above 0.
    pub(crate) fn insert(&self, thing: T) -> i64 {
        self.locked(|table| {
            table.last += 1;
            table.entries.insert(table.last, Arc::new(thing));
            table.last
        })
    }

    /// The thing of a number. It lives until the last user has finished, even if it is removed meanwhile.
    ///
    /// # Errors
    /// [`Code::Closed`]
    pub(crate) fn get(&self, number: i64) -> Result<Arc<T>, Failure> {
        let found = self.locked(|table| table.entries.get(&number).cloned());
        found.ok_or_else(|| Failure::new(Code::Closed, "the handle is closed"))
    }

    /// Removes a thing; nothing happens if there is none.
    pub(crate) fn remove(&self, number: i64) {
        // Dropped after the lock is gone: that may take a while.
        drop(self.locked(|table| table.entries.remove(&number)));
    }

    fn locked<R>(&self, work: impl FnOnce(&mut Entries<T>) -> R) -> R {
        // Nothing in here leaves the entries half done, so a panic elsewhere does no harm.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Works with a thing that one thread at a time may use.
///
/// # Errors
/// [`Code::Broken`] if an earlier use of it panicked, and those of `work`.
pub(crate) fn exclusive<T, R>(
    thing: &Mutex<T>,
    work: impl FnOnce(&mut T) -> Result<R, Failure>,
) -> Result<R, Failure> {
    let mut thing =
        thing.lock().map_err(|_| Failure::new(Code::Broken, "the handle failed before"))?;
    work(&mut thing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_never_used_twice() {
        let table = Table::new();
        let (a, b) = (table.insert("a"), table.insert("b"));
        assert_eq!((*table.get(a).unwrap(), *table.get(b).unwrap()), ("a", "b"));
        let held = table.get(b).unwrap();
        table.remove(b);
        table.remove(b);
        assert_eq!(*held, "b");
        let c = table.insert("c");
        assert!(c != a && c != b);
        for number in [b, 0, -1, i64::MIN, i64::MAX] {
            assert_eq!(table.get(number).unwrap_err().code(), Code::Closed);
        }
    }

    #[test]
    fn what_panicked_is_broken() {
        let thing = Mutex::new(1);
        let panicking = || exclusive(&thing, |_| -> Result<(), Failure> { panic!("meant") });
        assert!(std::panic::catch_unwind(panicking).is_err());
        let after = exclusive(&thing, |thing| Ok(*thing));
        assert_eq!(after.unwrap_err().code(), Code::Broken);
    }
}
