//! quick
use broker_core::*;
use std::time::Instant;
fn main() {
    let batch: usize = std::env::args().nth(1).map_or(10, |s| s.parse().unwrap());
    let rt = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    rt.block_on(async {
        let b = Broker::open(broker_mem::MemStorage::new()).await.unwrap();
        let q = b.queue("q").await.unwrap();
        let body = bytes::Bytes::from(vec![b'x'; 100]);
        let n = 2_000_000 / batch;
        for round in 0..3 {
            let t = Instant::now();
            for _ in 0..n {
                if batch == 1 {
                    q.send(body.clone()).await.unwrap();
                    let m = q.receive(ReceiveOptions::up_to(1)).await.unwrap();
                    q.delete(m[0].receipt).await.unwrap();
                } else {
                    let e: Entries<SendMessage> =
                        (0..batch).map(|_| SendMessage::from(body.clone())).collect();
                    let _ = q.send_batch(e).await.unwrap();
                    let m = q.receive(ReceiveOptions::up_to(batch)).await.unwrap();
                    let _ = q.delete_batch(m.iter().map(|m| m.receipt).collect()).await.unwrap();
                }
            }
            let per = t.elapsed().as_nanos() as f64 / (n * batch) as f64;
            println!("round {round} batch {batch}: {per:.0} ns per message, {:.0}/s", 1e9 / per);
        }
    });
}
