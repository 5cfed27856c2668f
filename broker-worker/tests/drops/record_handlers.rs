//! Invocations on records of a stream: a handler that is dropped in the middle, of each kind.

use std::sync::Arc;

use broker_core::{Error, LocalQueue, Record, Transaction};
use broker_worker::{
    Context, Handler,
    handler::call,
    stream::{RecordBatch, StreamMapping, each, transact_batch, transact_each},
};
use tokio::time::sleep;

use crate::{
    hands::Hands,
    ms, secs,
    slow_stream::World,
    sweep,
    world::{Did, Log, pause},
};

/// How many records there are, in one batch.
const RECORDS: usize = 3;

fn text(record: &Record) -> String {
    String::from_utf8(record.data.to_vec()).unwrap()
}

/// Invokes a handler that sends a parcel for each record, and drops that. Then the same mapping goes on with it. Returns how often it
/// was dropped.
async fn invocation_is_swept<H: Handler<RecordBatch>>(
    handler: impl Fn(&World, LocalQueue) -> H,
    and_then: impl Fn(u64),
) -> usize {
    sweep(
        async || {
            let world = World::new(RECORDS).await;
            let parcels = world.broker.queue("parcels").await.unwrap();
            let handler = Arc::new(handler(&world, parcels.clone()));
            let (hands, mut handed) = Hands::new();
            let running = StreamMapping::new("bill", world.slow.clone(), hands).start().await.unwrap();
            let (batch, context, answer) = handed.recv().await.unwrap();
            (world, parcels, handler, running, Some((batch, context.clone())), context, answer)
        },
        async |(world, _, handler, _, batch, ..)| {
            let (batch, context) = batch.take().unwrap();
            let clock = broker_core::GroupStream::clock(&world.slow);
            call(&**handler, batch, context, Some(secs(20)), &*clock).await
        },
        async |(world, parcels, handler, running, _, context, answer), answered| {
            assert_eq!(context.cancelled().is_cancelled(), answered.is_none());
            match answered {
                Some(answered) => drop(answer.send(answered)),
                None => drop(answer),
            }
            sleep(secs(1)).await;
            running.stop(secs(1)).await;
            let again = StreamMapping::of("bill", Arc::new(world.slow.clone()), handler);
            let again = again.start().await.unwrap();
            sleep(secs(60)).await;
            assert!(again.stop(secs(1)).await);
            and_then(parcels.counters().await.unwrap().visible);
            world.nothing_is_left().await;
        },
    )
    .await
}

#[tokio::test(start_paused = true)]
async fn a_function_on_each_record_that_is_dropped_loses_nothing() {
    let handler = |world: &World, _| {
        let log = world.log.clone();
        each(move |record: Record, _: Context| {
            let log = log.clone();
            async move {
                log.note(Did::Begun(text(&record)));
                sleep(ms(300)).await;
                log.note(Did::Handled(text(&record)));
                Ok::<_, Error>(())
            }
        })
    };
    let points = invocation_is_swept(handler, |_| ()).await;
    assert!(points >= 3, "{points}");
}

/// Notes that a record is handled, and sends its parcel.
async fn send_parcel(
    record: &Record,
    out: &LocalQueue,
    log: &Log,
    tx: &mut Transaction,
) -> Result<(), Error> {
    log.note(Did::Begun(text(record)));
    pause().await;
    tx.send(out, text(record))?;
    log.note(Did::Handled(text(record)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_transaction_on_records_that_is_dropped_has_happened_with_its_checkpoint_or_not() {
    let once = |parcels| assert_eq!(parcels, RECORDS as u64);
    let batches = |world: &World, parcels: LocalQueue| {
        let log = world.log.clone();
        transact_batch(&world.broker, move |batch: RecordBatch, _: Context, mut tx: Transaction| {
            let (parcels, log) = (parcels.clone(), log.clone());
            async move {
                for record in batch.records() {
                    send_parcel(record, &parcels, &log, &mut tx).await?;
                }
                Ok::<_, Error>(tx)
            }
        })
    };
    let points = invocation_is_swept(batches, once).await;
    assert!(points >= 3, "{points}");
    let records = |world: &World, parcels: LocalQueue| {
        let log = world.log.clone();
        transact_each(&world.broker, move |record: Record, _: Context, mut tx: Transaction| {
            let (parcels, log) = (parcels.clone(), log.clone());
            async move {
                send_parcel(&record, &parcels, &log, &mut tx).await?;
                Ok::<_, Error>(tx)
            }
        })
    };
    let points = invocation_is_swept(records, once).await;
    assert!(points >= 3, "{points}");
}
