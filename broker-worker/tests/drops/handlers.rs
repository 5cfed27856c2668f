//! Invocations: a handler that is dropped in the middle, of each kind.

use std::sync::Arc;

use broker_core::{Error, LocalQueue, Queue as _, Transaction};
use broker_worker::{
    Context, Handler,
    deploy::Versions,
    event::{
        Source,
        sqs::{SqsEvent, function},
    },
    handler::{batch, batch_service, call, each, each_service, transact_batch, transact_each},
    queue::{Batch, Pollers, QueueMapping, Received, Running},
};
use serde_json::json;
use tokio::time::sleep;

use crate::{
    hands::{Answer, Hands},
    ms, secs, sweep,
    world::{Did, Log, World, pause},
};

/// How many messages there are, in one batch.
const MESSAGES: usize = 3;

/// A batch in the hands of the test.
struct InHand<H> {
    world: World,
    handler: Arc<H>,
    running: Running,
    context: Context,
    batch: Option<Batch>,
    answer: Answer<Batch>,
}

async fn in_hand<H>(handler: impl AsyncFn(&World) -> H) -> InHand<H> {
    let world = World::new(MESSAGES).await;
    let handler = Arc::new(handler(&world).await);
    let (hands, mut handed) = Hands::new();
    let mapping = QueueMapping::new(world.slow.clone(), hands).batch_size(10);
    let running = mapping.pollers(Pollers::Fixed(1)).start().await.unwrap();
    let (batch, context, answer) = handed.recv().await.unwrap();
    InHand { world, handler, running, context, batch: Some(batch), answer }
}

/// Invokes a handler, and drops that: it is told so by its context, and what was decided by then is carried out. Of the rest,
/// everything comes again. Returns how often it was dropped.
async fn invocation_is_swept<H: Handler<Batch>>(
    handler: impl AsyncFn(&World) -> H,
    once: bool,
    and_then: impl AsyncFn(&World),
) -> usize {
    sweep(
        async || in_hand(&handler).await,
        async |InHand { world, handler, context, batch, .. }| {
            let (batch, clock) = (batch.take().unwrap(), world.queue.clock());
            call(&**handler, batch, context.clone(), Some(secs(20)), &*clock).await
        },
        async |InHand { world, handler, running, context, answer, .. }, answered| {
            assert_eq!(context.cancelled().is_cancelled(), answered.is_none());
            match answered {
                Some(answered) => drop(answer.send(answered)),
                None => drop(answer),
            }
            sleep(secs(1)).await;
            running.stop(secs(1)).await;
            let again = QueueMapping::of(Arc::new(world.slow.clone()), handler).start().await.unwrap();
            sleep(secs(60)).await;
            assert!(again.stop(secs(1)).await.drained);
            world.is_done().await;
            if once {
                let times = |number| world.log.times(&Did::Handled(format!("message {number}")));
                assert_eq!([times(0), times(1), times(2)], [1; 3]);
            }
            and_then(&world).await;
        },
    )
    .await
}

async fn handler_is_swept<H: Handler<Batch>>(once: bool, handler: impl AsyncFn(&World) -> H) {
    let points = invocation_is_swept(handler, once, async |_| {}).await;
    assert!(points >= 3, "{points}");
}

/// Handles a message, as the log sees it.
async fn work(log: Log, body: String) {
    log.note(Did::Begun(body.clone()));
    sleep(ms(300)).await;
    log.note(Did::Handled(body));
}

/// Handles all messages of a batch.
fn working(
    log: Log,
) -> impl Fn(Batch) -> futures_util::future::BoxFuture<'static, Result<(), Error>> + Clone {
    move |batch| {
        let log = log.clone();
        Box::pin(async move {
            for message in batch {
                work(log.clone(), String::from_utf8(message.body.to_vec()).unwrap()).await;
            }
            Ok(())
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_on_each_message_that_is_dropped_has_decided_what_it_had_done() {
    handler_is_swept(true, async |world| world.handler(ms(300))).await;
    handler_is_swept(false, async |world| {
        let log = world.log.clone();
        let handler = each(move |body: String, _: Received| work(log.clone(), body));
        handler.concurrently(2)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_version_of_a_handler_that_is_dropped_has_decided_what_it_had_done() {
    handler_is_swept(true, async |world| Versions::new("one", world.handler(ms(300)))).await;
}

#[tokio::test(start_paused = true)]
async fn a_function_on_batches_that_is_dropped_loses_nothing() {
    handler_is_swept(false, async |world| {
        let working = working(world.log.clone());
        batch(move |messages, _| working(messages))
    })
    .await;
    handler_is_swept(false, async |world| {
        let log = world.log.clone();
        let run = move |event: SqsEvent, _| {
            let log = log.clone();
            async move {
                for record in event.records {
                    work(log.clone(), record.body).await;
                }
                Ok::<_, Error>(json!(null))
            }
        };
        function(Source::default(), run)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_dropped_loses_nothing() {
    handler_is_swept(true, async |world| {
        let log = world.log.clone();
        let service = tower::service_fn(move |message: Received| {
            let work = work(log.clone(), String::from_utf8(message.body.to_vec()).unwrap());
            Box::pin(async move {
                work.await;
                Ok::<_, Error>(())
            })
        });
        each_service(service)
    })
    .await;
    handler_is_swept(false, async |world| batch_service(tower::service_fn(working(world.log.clone())))).await;
}

/// Invokes a handler that sends a parcel for each message, in a transaction.
async fn transactions_are_swept<H: Handler<Batch>>(handler: impl Fn(LocalQueue, LocalQueue, Log) -> H) {
    let points = invocation_is_swept(
        async |world| {
            let parcels = world.broker.queue("parcels").await.unwrap();
            handler(world.queue.clone(), parcels, world.log.clone())
        },
        false,
        async |world| {
            let parcels = world.broker.queue("parcels").await.unwrap();
            assert_eq!(parcels.counters().await.unwrap().visible, MESSAGES as u64);
        },
    )
    .await;
    assert!(points >= 2, "{points}");
}

/// Notes that a message is handled, and sends its parcel.
async fn send_parcel(body: String, out: &LocalQueue, log: &Log, tx: &mut Transaction) -> Result<(), Error> {
    log.note(Did::Begun(body.clone()));
    pause().await;
    tx.send(out, body.clone())?;
    log.note(Did::Handled(body));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_is_dropped_has_happened_with_its_acknowledgement_or_not() {
    transactions_are_swept(|orders, parcels, log| {
        transact_each(orders, move |body: String, _: Received, mut tx: Transaction| {
            let (parcels, log) = (parcels.clone(), log.clone());
            async move {
                send_parcel(body, &parcels, &log, &mut tx).await?;
                Ok::<_, Error>(tx)
            }
        })
    })
    .await;
    transactions_are_swept(|orders, parcels, log| {
        transact_batch(orders, move |messages: Batch, mut tx: Transaction| {
            let (parcels, log) = (parcels.clone(), log.clone());
            async move {
                for message in messages {
                    let body = String::from_utf8(message.body.to_vec()).unwrap();
                    send_parcel(body, &parcels, &log, &mut tx).await?;
                }
                Ok::<_, Error>(tx)
            }
        })
    })
    .await;
}
