//! Real concurrency: many tasks on several threads, calls dropped at random, purges and closes amid the traffic. Where
//! the other tests choose an interleaving, these leave it to the scheduler, and check what must hold in any.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod closing;
mod consumers;
mod ground;
mod group_book;
mod groups;
mod ledger;
mod purging;
mod topics;
mod traffic;
mod waiting;

/// One test per ground: memory with its commits inline, memory behind threads, sled; with tiny bounds and with the
/// default ones.
macro_rules! on_every_ground {
    ($($scenario:ident),* $(,)?) => {$(
        mod $scenario {
            use crate::ground::Ground;

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn inline_tiny() {
                Ground::inline().tiny().run(super::$scenario).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn inline_default() {
                Ground::inline().run(super::$scenario).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn threaded_tiny() {
                Ground::threaded().tiny().run(super::$scenario).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn threaded_default() {
                Ground::threaded().run(super::$scenario).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sled_tiny() {
                Ground::on_sled().tiny().run(super::$scenario).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sled_default() {
                Ground::on_sled().run(super::$scenario).await;
            }
        }
    )*};
}
pub(crate) use on_every_ground;
