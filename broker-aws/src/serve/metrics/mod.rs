//! `/metrics`: the text that Prometheus reads.
//!
//! | file | what it is for |
//! |---|---|
//! | `requests` | how many requests were answered |
//! | `queues` | depth, in flight, delayed and oldest age of each queue |
//! | `streams` | iterator ages of consumers, and what goes into shards |
//! | `text` | metrics as lines |

mod queues;
mod requests;
mod streams;
mod text;

pub(super) use requests::{Requests, label};

use self::text::Page;
use crate::Service;

/// Everything that is measured, now. Looks at each queue and stream, which counts and moves nothing in them.
pub(super) async fn render(service: &Service, requests: &Requests) -> String {
    let mut page = Page::default();
    requests.write(&mut page);
    for (realm, broker) in service.opened().await {
        queues::write(&mut page, &realm, &broker).await;
        streams::write(&mut page, &realm, &broker).await;
    }
    streams::write_subscriptions(&mut page, service.subscriptions());
    page.into_text()
}
