//! How many groups stay known, and what is counted of them.

use super::*;

fn slots(groups: &mut Groups, count: usize) -> Vec<GroupSlot> {
    (0..count).map(|n| groups.enter(&n.to_string())).collect()
}

#[test]
fn the_last_empty_groups_stay_known_and_those_with_messages_all() {
    let mut groups = Groups::new(true);
    let all = slots(&mut groups, EMPTY_KEPT + 2);
    groups.show(all[0], 1);
    groups.hide(all[1], 2, true);
    groups.forget_empty();
    assert_eq!((groups.by_name.len(), groups.emptied.len(), groups.free.len()), (1_026, 1_024, 0));
    // What was passed over because it had a message comes back to the end when that has gone.
    groups.remove_hidden(all[1], 2, true);
    groups.forget_empty();
    assert_eq!((groups.by_name.len(), groups.emptied.len()), (1_025, 1_024));
    assert!(groups.by_name.contains_key("0") && groups.by_name.contains_key("1"));
    assert!(!groups.by_name.contains_key("2") && groups.free == [all[2]]);
    groups.remove_shown(all[0], 1);
    groups.forget_empty();
    assert_eq!((groups.by_name.len(), groups.free.len()), (1_024, 2));
    assert_eq!(groups.enter("new"), all[3], "a slot is used again");
    // One that gets a message and loses it while it is remembered is not remembered twice.
    groups.show(all[9], 3);
    groups.remove_shown(all[9], 3);
    assert_eq!(groups.emptied.len(), EMPTY_KEPT + 1);
}

/// Q102: a noisy tenant that has nothing left is nobody.
#[test]
fn a_noisy_group_that_is_forgotten_is_not_noisy() {
    let mut groups = Groups::new(false);
    let [loud, other] = [groups.enter("loud"), groups.enter("other")];
    for (slot, seq) in [(loud, 0), (other, 1)] {
        groups.note_sent(slot, 10);
        groups.show(slot, seq);
        groups.slots[at(slot)].tenant.noisy = true;
        groups.noisy.push(slot);
        groups.refresh(slot);
    }
    groups.remove_shown(loud, 0);
    slots(&mut groups, EMPTY_KEPT);
    groups.forget_empty();
    assert!(!groups.by_name.contains_key("loud") && groups.noisy == [other]);
}

#[test]
fn what_is_in_flight_is_counted_for_each_group() {
    let mut groups = Groups::new(false);
    let slot = groups.enter("g");
    (0..5).for_each(|seq| groups.hide(slot, seq, seq > 0));
    assert_eq!(groups.slots[at(slot)].in_flight, 4);
    groups.remove_hidden(slot, 0, false);
    groups.remove_hidden(slot, 1, true);
    assert_eq!(groups.slots[at(slot)].in_flight, 3);
}

/// F30: a FIFO group delivers what is before the first message that is hidden; another delivers everything.
#[test]
fn what_can_be_delivered_is_counted_as_far_as_it_is_asked_for() {
    for (fifo, all) in [(true, 4), (false, 8)] {
        let mut groups = Groups::new(fifo);
        let mut seq = 0;
        for slot in slots(&mut groups, 4) {
            for _ in 0..2 {
                groups.show(slot, seq);
                seq += 1;
            }
        }
        let held = [groups.enter("0"), groups.enter("1")];
        groups.remove_shown(held[0], 0);
        groups.hide(held[0], 0, true);
        groups.show(held[0], 8);
        groups.remove_shown(held[1], 2);
        groups.hide(held[1], 2, true);
        groups.show(held[1], 9);
        assert_eq!(groups.deliverable(0, 2, 100), all);
        assert_eq!(groups.deliverable(0, 2, 3), 4, "as many groups as it takes");
        assert_eq!(groups.deliverable(0, 2, 2), 2);
        assert_eq!(groups.deliverable(0, 2, 0), 0);
    }
}

/// Q101: the work for messages without a group is work as well, once there are groups.
#[test]
fn a_share_of_the_work_is_of_all_of_it() {
    let mut groups = Groups::new(false);
    groups.note_work(None, 1_000_000, 0);
    let slot = groups.enter("g");
    groups.note_work(None, 1_000, 0);
    groups.note_work(Some(slot), 100, 0);
    assert!(!groups.fairness.is_noisy("g", 0, 0, 0), "100 of 1,100");
    groups.note_work(Some(slot), 23, 0);
    assert!(groups.fairness.is_noisy("g", 0, 0, 0), "123 of 1,123, and nothing was counted before");
}
