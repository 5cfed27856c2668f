//! A first look: the whole life of a message on every store.
use broker_core::*;
use std::time::Duration;

async fn life(broker: Broker) {
    let q = broker.queue("orders").visibility_timeout(Duration::from_secs(5)).await.unwrap();
    for i in 0..25 {
        q.send(format!("m{i}")).await.unwrap();
    }
    let got = q.receive(ReceiveOptions::up_to(10)).await.unwrap();
    assert_eq!(got.len(), 10);
    assert_eq!(got[3].text().unwrap(), "m3");
    for m in &got {
        assert_eq!(q.delete(m.receipt).await.unwrap(), Deleted::Gone);
    }
    assert_eq!(q.counters().await.unwrap(), QueueCounters { visible: 15, in_flight: 0, delayed: 0 });
    let got = q.receive(ReceiveOptions::up_to(10)).await.unwrap();
    assert_eq!(q.counters().await.unwrap(), QueueCounters { visible: 5, in_flight: 10, delayed: 0 });
    q.change_visibility(got[0].receipt, Duration::ZERO).await.unwrap();
    let again = q.recv().await.unwrap();
    assert_eq!(again.id, got[0].id);
    assert_eq!(again.receive_count, 2);
    q.send(SendMessage::from("late").delay(Duration::from_secs(3))).await.unwrap();
    let rest = q.receive(ReceiveOptions::up_to(10)).await.unwrap();
    assert_eq!(rest.len(), 5);
    let late = q.receive(ReceiveOptions::up_to(10).wait_time(Duration::from_secs(20))).await.unwrap();
    assert_eq!(late[0].text().unwrap(), "late");
    let back = q.receive(ReceiveOptions::up_to(10).wait_time(Duration::from_secs(20))).await.unwrap();
    assert_eq!(back.len(), 10);
    q.purge().await.unwrap();
    assert_eq!(q.counters().await.unwrap().total(), 0);
    broker.flush().await.unwrap();
    broker.delete_queue("orders").await.unwrap();
    assert!(matches!(q.send("x").await, Err(Error::QueueDoesNotExist { .. })));
    broker.close().await.unwrap();
    assert!(matches!(broker.queue("x").await, Err(Error::Closed)));
}

#[tokio::test(start_paused = true)]
async fn memory() {
    life(Broker::open(broker_mem::MemStorage::new()).await.unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn sled() {
    let dir = tempfile::tempdir().unwrap();
    life(Broker::open(broker_sled::SledStorage::open(dir.path().join("b")).unwrap()).await.unwrap()).await;
}
