//! What is remembered of ids, for how long, and in how much memory.

use super::*;

fn id(text: &str) -> ScopedId {
    ScopedId::new(None, text)
}

fn accept(memory: &mut Deduplication, text: &str, seq: u64, now: u64) {
    memory.accept(1, id(text), seq, now, &mut Batch::new());
}

#[test]
fn an_id_is_a_duplicate_until_committed_and_perhaps_one_afterwards() {
    let mut memory = Deduplication::new(0);
    accept(&mut memory, "a", 7, 1_000);
    assert_eq!(memory.look_up(&id("a"), 2_000), Known::Duplicate(Original { seq: 7, sent_at: 1_000 }));
    assert_eq!(memory.look_up(&id("b"), 2_000), Known::New);
    memory.submitted(3);
    memory.committed(2);
    assert!(matches!(memory.look_up(&id("a"), 2_000), Known::Duplicate(_)));
    memory.committed(3);
    assert_eq!(memory.look_up(&id("a"), 2_000), Known::Perhaps(vec![0]));
    assert_eq!(memory.look_up(&id("a"), GENERATION_MS * 4), Known::New);
    assert!(memory.recent.is_empty());
}

#[test]
fn after_a_restart_everything_is_perhaps_known_until_the_window_has_passed() {
    let now = 10 * GENERATION_MS;
    let memory = Deduplication::reopened(now);
    assert_eq!(memory.look_up(&id("a"), now), Known::Perhaps(vec![8, 9, 10]));
    assert_eq!(memory.look_up(&id("a"), now + WINDOW_MS), Known::Perhaps(vec![10]));
    assert_eq!(memory.look_up(&id("a"), now + WINDOW_MS + GENERATION_MS), Known::New);
}

#[test]
fn forgotten_generations_are_given_away_once() {
    let mut memory = Deduplication::new(5 * GENERATION_MS);
    assert_eq!(memory.take_forgotten(5 * GENERATION_MS), None);
    assert_eq!(memory.take_forgotten(6 * GENERATION_MS), Some(4));
    assert_eq!(memory.take_forgotten(6 * GENERATION_MS + 1), None);
}

#[test]
fn a_filter_knows_what_was_added_and_is_seldom_wrong() {
    let mut filter = Filter::default();
    (0..20_000).for_each(|n| filter.add(id(&n.to_string()).hash));
    let has = |n: usize| filter.has(id(&n.to_string()).hash);
    assert!((0..20_000).all(has));
    assert!((20_000..40_000).filter(|n| has(*n)).count() < 1_500);
}

#[test]
fn ids_of_groups_do_not_run_into_each_other() {
    assert_ne!(ScopedId::new(Some("a"), "bc"), ScopedId::new(Some("ab"), "c"));
    assert_ne!(ScopedId::new(None, "a"), ScopedId::new(Some("a"), ""));
}

/// F20: exactly five minutes, committed or not.
#[test]
fn an_id_that_is_not_committed_is_forgotten_with_its_window() {
    let mut memory = Deduplication::new(0);
    accept(&mut memory, "a", 7, 1_000);
    memory.submitted(3);
    let (last, end) = (1_000 + WINDOW_MS - 1, 1_000 + WINDOW_MS);
    assert_eq!(memory.look_up(&id("a"), last), Known::Duplicate(Original { seq: 7, sent_at: 1_000 }));
    assert_eq!(memory.look_up(&id("a"), end), Known::Perhaps(vec![0]));
}

#[test]
fn the_ids_of_each_group_are_committed_with_it() {
    let mut memory = Deduplication::new(0);
    for (text, group) in [("a", 3), ("b", 3), ("c", 4), ("d", 4)] {
        accept(&mut memory, text, group, 1_000);
        memory.submitted(group);
    }
    assert_eq!(memory.uncommitted.len(), 2);
    let known = |memory: &Deduplication| {
        ["a", "b", "c", "d"].map(|text| matches!(memory.look_up(&id(text), 2_000), Known::Duplicate(_)))
    };
    assert_eq!(known(&memory), [true; 4]);
    memory.committed(3);
    assert_eq!(known(&memory), [false, false, true, true]);
    memory.committed(4);
    assert_eq!(known(&memory), [false; 4]);
    accept(&mut memory, "e", 5, 2_000);
    memory.submitted(0);
    assert!(memory.fresh.is_empty() && memory.recent.is_empty() && memory.uncommitted.is_empty());
}

#[test]
fn memory_keeps_no_more_generations_than_the_window_has() {
    let mut memory = Deduplication::new(0);
    for generation in 0..10 {
        accept(&mut memory, "a", generation, generation * GENERATION_MS);
    }
    assert!(memory.filters.keys().eq([7, 8, 9].iter()));
}

/// What a filter has room for is a matter of memory and of speed: it grows when it is full, and not for ever.
#[test]
fn a_filter_grows_in_three_steps() {
    let mut filter = Filter::default();
    let mut sizes = Vec::new();
    for (step, ids) in [4_096, 65_536, 1_048_576].into_iter().enumerate() {
        filter.add(1);
        assert_eq!((filter.filters.len(), filter.room), (step + 1, ids - 1));
        sizes.push(filter.filters[step].num_bits());
        filter.room = 1;
        filter.add(2);
        assert_eq!((filter.filters.len(), filter.room), (step + 1, 0));
    }
    assert_eq!(sizes, [65_536, 1_048_576, 16_777_216]);
    filter.add(3);
    assert_eq!((filter.filters.len(), filter.room), (3, 0));
    assert!(filter.has(1) && filter.has(2) && filter.has(3));
}
