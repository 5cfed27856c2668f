//! Digests of attributes: rule Q36.

use aws_sdk_sqs::types::MessageAttributeValue;

use crate::support::{World, binary_attribute, text_attribute, world_and_queue};

async fn digest(world: &World, url: &str, attributes: &[(&str, MessageAttributeValue)]) -> Option<String> {
    let mut send = world.sqs.send_message().queue_url(url).message_body("a");
    for (name, value) in attributes {
        send = send.message_attributes(*name, value.clone());
    }
    send.send().await.unwrap().md5_of_message_attributes
}

// Q36
#[tokio::test(start_paused = true)]
async fn digests_are_those_of_the_vectors() {
    let (world, url) = world_and_queue("orders").await;
    let (string, number) = (|v| text_attribute("String", v), |v| text_attribute("Number", v));
    for (attributes, expected) in [
        (vec![("timestamp", number("1493147359900"))], "235c5c510d26fb653d073faed50ae77c"),
        (vec![("attr1", number("99.12"))], "d302007e9aa062660afc85fd0a482472"),
        (vec![("k", string("x"))], "a45daa70926828a2f0a1db3418e6feb4"),
        (
            vec![("Help.Me", string("Me")), ("Hello", string("There")), ("General", string("Kenobi"))],
            "4c360f3fdafd970e05fae2f149d997f5",
        ),
        (vec![("attr2", number("109.12")), ("attr1", number("99.12"))], "9b720b3af309c1c4b0d395c53b08c502"),
    ] {
        assert_eq!(digest(&world, &url, &attributes).await.as_deref(), Some(expected), "{attributes:?}");
    }
}

// Q36
#[tokio::test(start_paused = true)]
async fn a_received_message_has_the_digest_of_what_is_returned() {
    let (world, url) = world_and_queue("orders").await;
    let one = digest(&world, &url, &[("b", binary_attribute(&[1, 2]))]).await;
    let both = [("a.x", text_attribute("String.custom", "v")), ("b", binary_attribute(&[1, 2]))];
    let both = digest(&world, &url, &both).await;
    assert_ne!(one, both);
    world.sqs.purge_queue().queue_url(&url).send().await.unwrap();
    let mut send = world.sqs.send_message().queue_url(&url).message_body("a");
    send = send.message_attributes("a.x", text_attribute("String.custom", "v"));
    send.message_attributes("b", binary_attribute(&[1, 2])).send().await.unwrap();
    for (wanted, expected) in [("All", both), ("b", one), ("none", None)] {
        let receive = world.sqs.receive_message().queue_url(&url).visibility_timeout(0);
        let received = receive.message_attribute_names(wanted).send().await.unwrap();
        assert_eq!(received.messages()[0].md5_of_message_attributes, expected, "{wanted}");
    }
}
