//! Real concurrency: many tasks on several threads, calls dropped at random, purges and closes amid the traffic. Where
//! the other tests choose an interleaving, these leave it to the scheduler, and check what must hold in any.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod closing;
mod consumers;
#[path = "../rules/disk.rs"]
mod disk;
mod ground;
mod group_book;
mod groups;
mod ledger;
mod purging;
mod topics;
mod traffic;
mod waiting;

/// One test per ground: memory with its commits inline, memory behind threads, sled, the log; with tiny bounds and with the
/// default ones.
macro_rules! on_every_ground {
    ($($scenario:ident),* $(,)?) => {$(
        mod $scenario {
            use crate::{disk::Disk, ground::Ground};

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
                Ground::on(Disk::Sled).tiny().run(super::$scenario).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sled_default() {
                Ground::on(Disk::Sled).run(super::$scenario).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn log_tiny() {
                Ground::on(Disk::Log).tiny().run(super::$scenario).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn log_default() {
                Ground::on(Disk::Log).run(super::$scenario).await;
            }
        }
    )*};
}
pub(crate) use on_every_ground;
