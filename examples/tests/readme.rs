//! The test that the README shows. Documentation tests leave `#[test]` functions out, so it is compiled and run here.

use std::time::Duration;

use broker_core::QueueExt as _;

#[tokio::test(start_paused = true)] // tokio's feature `test-util`
async fn a_lost_order_comes_back() -> broker_core::Result<()> {
    let broker = broker_mem::open().await?;
    let orders = broker.queue("orders").visibility_timeout(Duration::from_secs(12 * 3_600)).await?;
    orders.send("socks").await?;
    drop(orders.recv().await?); // received, and never acknowledged
    assert_eq!(orders.recv().await?.receive_count, 2); // twelve hours later, at once
    Ok(())
}

#[test]
fn the_readme_shows_this_test_as_it_is() {
    let (readme, this) = (include_str!("../../README.md"), include_str!("readme.rs"));
    let begin = this.find("use std::time").expect("the imports are above");
    let end = this.find("\n}\n").expect("the test ends with a brace") + "\n}\n".len();
    assert!(
        readme.contains(&this[begin..end]),
        "README.md shows something else than examples/tests/readme.rs"
    );
}
