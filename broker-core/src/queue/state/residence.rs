//! Which messages are in memory, and how they get there and out again.

use bytes::Bytes;

use super::{Deduplication, GroupSlot, Live, Phase, QueueState, Staged, earlier};
use crate::{
    keys,
    queue::{lease::Lease, redrive::RedrivePolicy},
    seeded::seeded,
    storage::Batch,
};

impl QueueState {
    /// The first staged message, of either kind.
    pub(super) fn first_staged(&self) -> Option<u64> {
        [self.plain.front(), self.grouped.front()].into_iter().flatten().map(|staged| staged.seq).min()
    }

    pub(super) fn staged_len(&self) -> usize {
        self.plain.len() + self.grouped.len()
    }

    pub(super) fn ready_count(&self) -> usize {
        self.ready.len() + self.ready_grouped.len()
    }

    pub(super) fn group_name(&self, group: Option<GroupSlot>) -> Option<&str> {
        group.map(|slot| self.groups.name(slot))
    }

    /// Keeps a delayed message in memory, or if there are many, in the time index.
    pub(super) fn delay(&mut self, seq: u64, lease: Lease, group: Option<&str>, batch: &mut Batch) {
        if self.delayed < self.bounds.delayed {
            lease.put(&keys::hot(self.partition, seq), group, batch);
            let group = group.map(|name| self.groups.enter(name));
            self.put_live(seq, lease, Phase::Delayed, group);
            return;
        }
        let time = lease.visible_at.min(self.expiry(lease.sent_at));
        lease.put(&keys::delayed(self.partition, time, seq), group, batch);
        self.indexed += 1;
        self.indexed_from = Some(earlier(self.indexed_from, time));
        self.indexed_since = Some(earlier(self.indexed_since, time));
        self.fence = true;
    }

    pub(super) fn expiry(&self, sent_at: u64) -> u64 {
        let early = u64::from(seeded("retention-a-tick-early"));
        sent_at.saturating_add(self.settings.retention_ms).saturating_sub(early)
    }

    /// When time next does something to a live message.
    pub(super) fn event(&self, live: &Live) -> u64 {
        let expiry = self.expiry(live.lease.sent_at);
        if live.phase == Phase::Ready { expiry } else { expiry.min(live.lease.visible_at) }
    }

    /// Makes a message live, in memory only: its hot lease is the caller's business. What has become visible since is
    /// left to the next tick, which can write.
    pub(crate) fn restore(&mut self, seq: u64, lease: Lease, group: Option<&str>) {
        let phase = if lease.deliveries == 0 { Phase::Delayed } else { Phase::InFlight };
        let lost = if lease.deliveries == 0 { "delay-lost-at-restart" } else { "lease-lost-at-open" };
        let lease = if seeded(lost) { Lease { visible_at: 0, ..lease } } else { lease };
        let group = group.map(|name| self.groups.enter(name));
        self.put_live(seq, lease, phase, group);
    }

    /// What is remembered of deduplication ids is in storage only.
    pub(crate) fn reopened(&mut self, now: u64) {
        self.deduplication = Deduplication::reopened(now);
    }

    /// Makes visible what is in flight, in memory only: should this broker end before the message is received again,
    /// its stored lease is still there.
    pub(crate) fn release_in_flight(&mut self, now: u64) {
        let in_flight = self.live.iter().filter(|(_, live)| live.phase == Phase::InFlight);
        for seq in in_flight.map(|(seq, _)| *seq).collect::<Vec<_>>() {
            if let Some(Live { lease, group, .. }) = self.take_live(seq) {
                // The next tick makes it ready.
                let visible_at = lease.visible_at.min(now);
                self.put_live(seq, Lease { visible_at, ..lease }, Phase::InFlight, group);
            }
        }
    }

    pub(super) fn put_live(&mut self, seq: u64, lease: Lease, phase: Phase, group: Option<GroupSlot>) {
        let live = Live { lease, phase, group };
        self.due.insert((self.event(&live), seq));
        match (phase, group) {
            (Phase::Ready, None) => _ = self.ready.insert(seq),
            (Phase::Ready, Some(group)) => {
                self.ready_grouped.insert(seq);
                self.groups.show(group, seq);
            }
            (Phase::InFlight | Phase::Delayed, Some(group)) => {
                self.groups.hide(group, seq, phase == Phase::InFlight);
            }
            _ => {}
        }
        match phase {
            Phase::Ready if self.is_spent(&lease) => _ = self.spent.insert(seq),
            Phase::Ready => {}
            Phase::InFlight => self.in_flight += 1,
            Phase::Delayed => self.delayed += 1,
        }
        let before = self.live.insert(seq, live);
        debug_assert!(before.is_none(), "sequence {seq} was live already");
    }

    /// Takes a message out of memory, with everything that points to it.
    pub(super) fn take_live(&mut self, seq: u64) -> Option<Live> {
        let live = self.live.remove(&seq)?;
        self.due.remove(&(self.event(&live), seq));
        match (live.phase, live.group) {
            (Phase::Ready, None) => _ = self.ready.remove(&seq),
            (Phase::Ready, Some(group)) => {
                self.ready_grouped.remove(&seq);
                self.groups.remove_shown(group, seq);
            }
            (Phase::InFlight | Phase::Delayed, Some(group)) => {
                self.groups.remove_hidden(group, seq, live.phase == Phase::InFlight);
            }
            _ => {}
        }
        match live.phase {
            Phase::Ready => _ = !self.spent.is_empty() && self.spent.remove(&seq),
            Phase::InFlight => self.in_flight -= 1,
            Phase::Delayed => self.delayed -= 1,
        }
        Some(live)
    }

    /// Makes a message ready that has become visible, its hot lease being in storage. One that could overtake others of
    /// its group is put out of memory instead: it comes back in its turn.
    pub(super) fn make_ready(&mut self, seq: u64, lease: Lease, group: Option<GroupSlot>, batch: &mut Batch) {
        if self.settings.fifo.is_some() && seq >= self.cursor && !seeded("redelivery-overtakes") {
            self.put_out(seq, &lease, group, batch);
            self.epoch += 1;
        } else {
            self.put_live(seq, lease, Phase::Ready, group);
        }
    }

    /// Leaves a message that is no longer live to storage alone.
    fn put_out(&mut self, seq: u64, lease: &Lease, group: Option<GroupSlot>, batch: &mut Batch) {
        batch.delete_meta(&keys::hot(self.partition, seq));
        lease.put(&keys::cold(self.partition, seq), self.group_name(group), batch);
        self.cold += 1;
        self.fence = true;
    }

    pub(super) fn is_spent(&self, lease: &Lease) -> bool {
        matches!(&self.settings.redrive_policy,
            RedrivePolicy::DeadLetter { max_receive_count, .. }
                if lease.deliveries >= *max_receive_count + u32::from(seeded("dead-letter-a-receive-late")))
    }

    /// Finds the spent messages again, the policy having changed.
    pub(super) fn find_spent(&mut self) {
        let ready = self.live.iter().filter(|(_, live)| live.phase == Phase::Ready);
        let ready = ready.map(|(seq, live)| (*seq, live.lease));
        let staged = self.plain.from(0).chain(self.grouped.from(0)).map(|staged| (staged.seq, staged.lease));
        self.spent =
            ready.chain(staged).filter(|(_, lease)| self.is_spent(lease)).map(|(seq, _)| seq).collect();
    }

    /// Ends the life of a live message.
    pub(super) fn remove_live(&mut self, seq: u64, now: u64, batch: &mut Batch) {
        if let Some(Live { lease, phase, group }) = self.take_live(seq) {
            if phase == Phase::InFlight {
                self.groups.note_work(group, now.saturating_sub(lease.received_at), now);
            }
            if !seeded("delete-not-persisted") {
                batch.delete_row(self.partition, seq);
                batch.delete_meta(&keys::hot(self.partition, seq));
            }
            self.stored -= 1;
            // A page read from the cursor on must not find it again.
            self.fence |= seq >= self.cursor;
        }
    }

    /// Ends the life of a message that is in memory, whatever it is doing.
    pub(super) fn remove(&mut self, seq: u64, now: u64, batch: &mut Batch) -> Option<Lease> {
        if let Some(staged) = self.take_staged(seq, batch) {
            batch.delete_row(self.partition, seq);
            self.stored -= 1;
            return Some(staged.lease);
        }
        let lease = self.live.get(&seq)?.lease;
        self.remove_live(seq, now, batch);
        Some(lease)
    }

    /// Whether one more message may be kept in memory untouched. Those with a group may leave their rows in storage.
    pub(super) fn has_room_to_stage(&self, grouped: bool) -> bool {
        if grouped { self.grouped.len() < self.bounds.searched } else { self.has_room_for_rows() }
    }

    fn has_room_for_rows(&self) -> bool {
        self.plain.rows() + self.grouped.rows() < self.bounds.staged
            && self.plain.bytes() + self.grouped.bytes() < self.bounds.staged_bytes
    }

    pub(super) fn stage(&mut self, seq: u64, lease: Lease, cold: bool, group: Option<&str>, row: Bytes) {
        if cold && self.is_spent(&lease) {
            self.spent.insert(seq);
        }
        let Some(name) = group else {
            return self.plain.push(Staged { seq, lease, cold, group: None, row: Some(row) });
        };
        let slot = self.groups.enter(name);
        self.groups.note_sent(slot, lease.sent_at);
        self.groups.show(slot, seq);
        let row = self.has_room_for_rows().then_some(row);
        self.grouped.push(Staged { seq, lease, cold, group: Some(slot), row });
    }

    pub(super) fn is_staged(&self, seq: u64) -> bool {
        self.plain.get(seq).is_some() || self.grouped.get(seq).is_some()
    }

    /// Takes a staged message out of its place, and its cold lease out of storage.
    pub(super) fn take_staged(&mut self, seq: u64, batch: &mut Batch) -> Option<Staged> {
        let staged = self.plain.take(seq).or_else(|| self.grouped.take(seq))?;
        if let Some(group) = staged.group {
            self.groups.remove_shown(group, seq);
        }
        if staged.cold {
            self.spent.remove(&seq);
            batch.delete_meta(&keys::cold(self.partition, seq));
            self.cold = self.cold.saturating_sub(1);
            self.fence = true;
        }
        Some(staged)
    }

    /// Puts the newest of the ready messages out of memory, and moves the cursor back in front of them.
    pub(super) fn put_out_ready(&mut self, batch: &mut Batch) {
        let mut lowest = self.cursor;
        while self.ready_count() > self.bounds.ready / 2
            && let Some(seq) = self.ready.last().max(self.ready_grouped.last()).copied()
        {
            let Live { lease, group, .. } = self.take_live(seq).expect("a ready message is live");
            self.put_out(seq, &lease, group, batch);
            lowest = lowest.min(seq);
        }
        self.move_cursor_back(lowest, batch);
    }

    /// Moves the cursor back: what was staged behind it is in storage only again.
    pub(super) fn move_cursor_back(&mut self, cursor: u64, batch: &mut Batch) {
        self.cursor = self.cursor.min(cursor);
        while let Some(staged) =
            self.plain.take_last_from(cursor).or_else(|| self.grouped.take_last_from(cursor))
        {
            self.spent.remove(&staged.seq);
            if let Some(group) = staged.group {
                self.groups.remove_shown(group, staged.seq);
            }
        }
        let ready: Vec<u64> = match self.settings.fifo {
            Some(_) => self.ready_grouped.range(cursor..).copied().collect(),
            None => Vec::new(),
        };
        for seq in ready {
            let Live { lease, group, .. } = self.take_live(seq).expect("a ready message is live");
            self.put_out(seq, &lease, group, batch);
        }
        self.delayed_until = None;
        self.epoch += 1;
        self.fence = true;
    }
}
