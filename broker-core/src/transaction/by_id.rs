//! A small map by id: what a transaction has to do with is a handful of things.

use smallvec::SmallVec;

/// Things by their ids, in the order of those. So many are kept in place: mostly there are no more.
pub(super) struct ById<T, const IN_PLACE: usize = 2>(SmallVec<[(u64, T); IN_PLACE]>);

impl<T, const IN_PLACE: usize> Default for ById<T, IN_PLACE> {
    fn default() -> Self {
        Self(SmallVec::new())
    }
}

impl<T, const IN_PLACE: usize> ById<T, IN_PLACE> {
    fn place(&self, id: u64) -> Result<usize, usize> {
        self.0.binary_search_by_key(&id, |(id, _)| *id)
    }

    pub(super) fn get(&self, id: u64) -> Option<&T> {
        self.place(id).ok().map(|at| &self.0[at].1)
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut T> {
        self.place(id).ok().map(|at| &mut self.0[at].1)
    }

    /// What there is of this id, made if there is nothing.
    pub(super) fn or_insert_with(&mut self, id: u64, make: impl FnOnce() -> T) -> &mut T {
        let at = self.place(id).unwrap_or_else(|at| {
            self.0.insert(at, (id, make()));
            at
        });
        &mut self.0[at].1
    }

    /// Adds something whose id comes behind all that are there.
    pub(super) fn push(&mut self, id: u64, thing: T) {
        debug_assert!(self.0.last().is_none_or(|(last, _)| *last < id), "in the order of the ids");
        self.0.push((id, thing));
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<T> {
        self.place(id).ok().map(|at| self.0.remove(at).1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.0.iter().map(|(id, thing)| (*id, thing))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut T)> {
        self.0.iter_mut().map(|(id, thing)| (*id, thing))
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, thing)| thing)
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = (u64, T)> {
        self.0.into_iter()
    }
}

impl<T, const IN_PLACE: usize> std::ops::Index<u64> for ById<T, IN_PLACE> {
    type Output = T;

    fn index(&self, id: u64) -> &T {
        self.get(id).expect("what a transaction has staged something for takes part in it")
    }
}
