//! The order in which a push subscriber gets what has waited for it.

use std::sync::Arc;

use broker_core::{Endpoint, Notification, PublishMessage};
use parking_lot::Mutex;

use crate::support::{World, secs};

everywhere! {
    it4_what_has_waited_in_storage_comes_in_order_whatever_its_groups,
}

/// A message's own group must not be taken for one of the backlog in which it waits.
async fn it4_what_has_waited_in_storage_comes_in_order_whatever_its_groups(world: World) {
    let world = world.with_little_memory();
    let broker = world.broker().await;
    let topic = broker.topic("news").await.unwrap();
    let id = topic.subscribe(Endpoint::handler("late")).await.unwrap().id;
    for n in 0..60 {
        let message = PublishMessage::new(n.to_string());
        // Some without a group, the others in three.
        let message = if n % 4 == 0 { message } else { message.group_id(format!("g{}", n % 4)) };
        topic.publish(message).await.unwrap();
    }
    let got = Arc::new(Mutex::new(Vec::new()));
    let log = got.clone();
    let attached = topic.attach(id, move |message: Notification| {
        // The fifth retry comes after a second: time enough for others to come first.
        let fails = message.attempt <= 5 && message.text().ends_with('3');
        if !fails {
            log.lock().push((message.text().to_owned(), message.group_id.clone()));
        }
        async move { if fails { Err("not yet") } else { Ok(()) } }
    });
    let attached = attached.await.unwrap();
    tokio::time::sleep(secs(60)).await;
    attached.stop().await;
    let got = got.lock().clone();
    let bodies: Vec<String> = got.iter().map(|(body, _)| body.clone()).collect();
    assert_eq!(bodies, (0..60).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!((got[4].1.as_deref(), got[5].1.as_deref()), (None, Some("g1")));
}
