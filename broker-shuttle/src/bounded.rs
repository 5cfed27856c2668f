//! All schedules with so many preemptions and no more, one after the other.
//!
//! A task is preempted if another one goes on although it could itself. Where it cannot, each of the others is tried. The number of
//! schedules grows with the power of the bound and not with the length of the scene, and most bugs that threads make need two.

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};

/// A decision, and what has not been decided here yet.
struct Choice {
    taken: TaskId,
    left: Vec<TaskId>,
}

/// See the module.
pub(crate) struct Bounded {
    preemptions_max: usize,
    schedules_max: usize,
    schedules: usize,
    path: Vec<Choice>,
    /// Where this schedule is on the path.
    step: usize,
    preemptions: usize,
}

impl Bounded {
    pub(crate) fn new(preemptions_max: usize, schedules_max: usize) -> Self {
        Self { preemptions_max, schedules_max, schedules: 0, path: Vec::new(), step: 0, preemptions: 0 }
    }

    /// Who may go on: first whoever needs no preemption.
    fn choices(&self, runnable: &[&Task], current: Option<TaskId>, yields: bool) -> Vec<TaskId> {
        let others = runnable.iter().map(|task| task.id()).filter(|id| Some(*id) != current);
        match current.filter(|id| runnable.iter().any(|task| task.id() == *id)) {
            // One that gives way goes on only if there is no other: it may wait for one of them.
            Some(current) if yields && runnable.len() == 1 => vec![current],
            Some(current) if !yields && self.preemptions == self.preemptions_max => vec![current],
            Some(current) if !yields => std::iter::once(current).chain(others).collect(),
            _ => others.collect(),
        }
    }
}

impl Scheduler for Bounded {
    fn new_execution(&mut self) -> Option<Schedule> {
        while self.path.last().is_some_and(|choice| choice.left.is_empty()) {
            self.path.pop();
        }
        match self.path.last_mut() {
            Some(choice) => choice.taken = choice.left.remove(0),
            None if self.schedules > 0 => return None,
            None => {}
        }
        assert!(self.schedules < self.schedules_max, "there are more than {} schedules", self.schedules_max);
        self.schedules += 1;
        (self.step, self.preemptions) = (0, 0);
        Some(Schedule::new(0))
    }

    fn next_task(&mut self, runnable: &[&Task], current: Option<TaskId>, yields: bool) -> Option<TaskId> {
        if self.step == self.path.len() {
            let mut left = self.choices(runnable, current, yields);
            let taken = left.remove(0);
            self.path.push(Choice { taken, left });
        }
        let taken = self.path[self.step].taken;
        let could = |id: TaskId| runnable.iter().any(|task| task.id() == id);
        assert!(
            could(taken),
            "the same decisions have led to something else: the scene is not deterministic"
        );
        if !yields && current.is_some_and(|current| current != taken && could(current)) {
            self.preemptions += 1;
        }
        self.step += 1;
        Some(taken)
    }

    fn next_u64(&mut self) -> u64 {
        // Chance is not part of a schedule.
        0
    }
}
