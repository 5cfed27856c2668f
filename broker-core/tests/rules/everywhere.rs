//! The macro that makes tests of scenarios.

/// Makes four tests of each scenario, one per way in which a store can be driven.
macro_rules! everywhere {
    ($($scenario:ident),* $(,)?) => {$(
        mod $scenario {
            use crate::support::{World, on_paused_time};

            #[test]
            fn in_memory() {
                on_paused_time(Box::pin(async { super::$scenario(World::in_memory()).await }));
            }

            #[test]
            fn threaded() {
                on_paused_time(Box::pin(async { super::$scenario(World::threaded()).await }));
            }

            #[test]
            fn on_sled() {
                on_paused_time(Box::pin(async { super::$scenario(World::on_sled()).await }));
            }

            #[test]
            fn on_log() {
                on_paused_time(Box::pin(async { super::$scenario(World::on_log()).await }));
            }
        }
    )*};
}
