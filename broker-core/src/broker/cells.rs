//! Topics and streams in memory, from what was read of them.

use std::{collections::HashMap, sync::Arc};

use crate::{
    engine::Engine,
    error::Result,
    queue::shell::{Description, QueueCell},
    storage::StorageError,
    stream::{
        self,
        group::GroupCell,
        queue::{StreamQueueCell, stored::LoadedStreamQueue},
        recovery::LoadedStream,
        shell::StreamCell,
        state::StreamState,
    },
    topic::{
        backlog,
        recovery::{LoadedSubscription, LoadedTopic},
        shell::{Subscription, TopicCell},
        state::TopicState,
    },
};

/// A topic in memory, from what was read of it.
pub(super) fn topic_cell(topic: LoadedTopic, engine: &Arc<Engine>) -> (String, Arc<TopicCell>) {
    let LoadedTopic { name, definition, record, subscriptions } = topic;
    let mut state = TopicState::new(definition.id, definition.settings, &record, true);
    state.archived_from = definition.archived_from;
    let cell = TopicCell::new(name.clone(), engine.clone(), state, definition.tags, definition.created_at);
    for LoadedSubscription { number, definition, backlog } in subscriptions {
        let backlog = backlog.and_then(|(_, state)| state).map(|state| {
            let described = Description::at(definition.created_at);
            QueueCell::new(backlog::name(&name, state.id), engine.clone(), state, described)
        });
        cell.inner.lock().put(Subscription::new(number, definition, backlog));
    }
    (name, cell)
}

/// A stream in memory, from what was read of it.
pub(super) fn stream_cell(stream: LoadedStream, engine: &Arc<Engine>) -> Result<(String, Arc<StreamCell>)> {
    let LoadedStream { name, definition, shards, groups, queues } = stream;
    let (tags, created_at) = (definition.tags.clone(), definition.created_at);
    let mut state = StreamState::new(definition, engine.memory);
    for (shard, record) in shards {
        state.restore(shard, &record);
    }
    state.find_open();
    if !state.covers_all() {
        let place = format!("the shards of stream {name:?}");
        return Err(StorageError::corrupt(place, "do not cover the space of hash keys exactly").into());
    }
    let cell = StreamCell::new(name.clone(), engine.clone(), state, tags, created_at);
    for (group, state) in groups {
        let group_cell = GroupCell::new(group.clone(), state);
        cell.inner.lock().groups.insert(group, group_cell);
    }
    for queue in queues {
        let LoadedStreamQueue { name: queue, definition, positions, states, .. } = queue;
        let Some(states) = states else { continue };
        let [own, dead] = stream::queue::stored::names(&name, &queue);
        let [own_state, dead_state] = states;
        let internal =
            |name, state| QueueCell::new(name, engine.clone(), state, Description::at(definition.created_at));
        let cells = [internal(own, own_state), internal(dead, dead_state)];
        let queue_cell = StreamQueueCell::new(queue.clone(), cells, positions);
        cell.inner.lock().queues.insert(queue, queue_cell);
    }
    Ok((name, cell))
}

/// Queues that others find by name, and users do not see.
pub(super) fn hidden(streams: &HashMap<String, Arc<StreamCell>>) -> HashMap<String, Arc<QueueCell>> {
    let queues = streams.values().flat_map(|cell| {
        let inner = cell.inner.lock();
        inner.queues.values().map(|queue| queue.dead.clone()).collect::<Vec<_>>()
    });
    queues.map(|dead| (dead.name.clone(), dead)).collect()
}
