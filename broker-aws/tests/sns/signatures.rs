//! Signatures, checked as a subscriber checks them (N5, N40).

use aws_sdk_sns::operation::set_topic_attributes::builders::SetTopicAttributesFluentBuilder;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rsa::{
    RsaPublicKey,
    pkcs1v15::{Signature, VerifyingKey},
    pkcs8::DecodePublicKey,
    sha2::Sha256,
    signature::Verifier as _,
};
use serde_json::Value;
use sha1::Sha1;
use x509_cert::{
    Certificate,
    der::{DecodePem as _, Encode as _},
};

use crate::support::{Aws, Endpoint};

/// What is signed, from the words of SNS's documentation: these members, sorted, as far as they are there.
fn signed_text(message: &Value) -> String {
    let notification = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
    let confirmation = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];
    let members: &[&str] = if message["Type"] == "Notification" { &notification } else { &confirmation };
    let line = |name: &&str| Some(format!("{name}\n{}\n", message.get(*name)?.as_str()?));
    members.iter().filter_map(line).collect()
}

/// Whether the signature of a message is that of the certificate which it names.
async fn verify(aws: &Aws, message: &Value) -> bool {
    let (status, pem) = aws.get(message["SigningCertURL"].as_str().unwrap()).await;
    assert_eq!(status, 200);
    let certificate = Certificate::from_pem(pem.as_bytes()).unwrap();
    let public = certificate.tbs_certificate.subject_public_key_info.to_der().unwrap();
    let public = RsaPublicKey::from_public_key_der(&public).unwrap();
    let signature = STANDARD.decode(message["Signature"].as_str().unwrap()).unwrap();
    let signature = Signature::try_from(signature.as_slice()).unwrap();
    let text = signed_text(message);
    match message["SignatureVersion"].as_str().unwrap() {
        "1" => VerifyingKey::<Sha1>::new(public).verify(text.as_bytes(), &signature).is_ok(),
        "2" => VerifyingKey::<Sha256>::new(public).verify(text.as_bytes(), &signature).is_ok(),
        other => panic!("version {other}"),
    }
}

fn set_version(aws: &Aws, topic: &str, version: &str) -> SetTopicAttributesFluentBuilder {
    let set = aws.sns.set_topic_attributes().topic_arn(topic).attribute_name("SignatureVersion");
    set.attribute_value(version)
}

// N5, N40
#[tokio::test(start_paused = true)]
async fn a_signature_of_each_version_is_that_of_the_certificate() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    aws.subscribe(&topic, "q", &[]).await;
    for version in ["1", "2", "1"] {
        set_version(&aws, &topic, version).send().await.unwrap();
        let publish = aws.sns.publish().topic_arn(&topic).message("a\nb \"c\"").subject("s");
        publish.send().await.unwrap();
        let mut message = aws.take_envelope("q").await;
        assert_eq!(message["SignatureVersion"], version);
        assert!(verify(&aws, &message).await, "{message}");
        message["Message"] = "another".into();
        assert!(!verify(&aws, &message).await, "nobody else's words");
    }
}

// N40, N22: each subscriber can check what it is shown, and all of them with one certificate.
#[tokio::test(start_paused = true)]
async fn every_subscriber_can_check_its_own_text() {
    let endpoint = Endpoint::new();
    let aws = Aws::with_endpoint(&endpoint).await;
    let topic = aws.topic("news").await;
    aws.subscribe(&topic, "q", &[]).await;
    aws.subscribe(&topic, "r", &[]).await;
    let subscribe = aws.sns.subscribe().topic_arn(&topic).protocol("http").endpoint("http://localhost/");
    subscribe.send().await.unwrap();
    let confirmation = endpoint.after(1).await.remove(0).json();
    assert!(verify(&aws, &confirmation).await, "{confirmation}");
    assert_eq!(aws.get(confirmation["SubscribeURL"].as_str().unwrap()).await.0, 200);
    let text = r#"{"default": "all", "sqs": "queues", "http": "hooks"}"#;
    let publish = aws.sns.publish().topic_arn(&topic).message_structure("json").message(text);
    publish.send().await.unwrap();
    endpoint.after(1).await;
    let hook = endpoint.notifications().remove(0).json();
    let (q, r) = (aws.take_envelope("q").await, aws.take_envelope("r").await);
    for (message, text) in [(&q, "queues"), (&r, "queues"), (&hook, "hooks")] {
        assert_eq!(message["Message"], text);
        assert_eq!(message["SigningCertURL"], q["SigningCertURL"]);
        assert!(verify(&aws, message).await, "{message}");
    }
}

// N40
#[tokio::test(start_paused = true)]
async fn the_certificate_is_where_messages_say_and_nowhere_else() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    aws.subscribe(&topic, "q", &[]).await;
    aws.publish(&topic, "m").await;
    let message = aws.take_envelope("q").await;
    let url = message["SigningCertURL"].as_str().unwrap();
    assert!(url.starts_with("http://localhost/SimpleNotificationService-"), "{url}");
    let (status, pem) = aws.get(url).await;
    assert!(status == 200 && pem.starts_with("-----BEGIN CERTIFICATE-----"));
    let (status, _) = aws.get("http://localhost/SimpleNotificationService-0.pem").await;
    assert_eq!(status, 400);
}
