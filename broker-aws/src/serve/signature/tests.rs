//! Requests that were signed by others, and what is refused.

use std::time::Duration;

use broker_core::Timestamp;
use http::{Request, request::Parts};

use super::{guard::Guard, keys::AccessKeys, refused::Refused};

/// From the examples of AWS for Signature Version 4: key, secret and time.
const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2015-08-30T12:36:00Z.
const SIGNED_AT: u64 = 1_440_938_160_000;

fn check(parts: &Parts, body: &[u8], seconds_later: i64) -> Result<(), Refused> {
    guard(|keys| keys).check_at(parts, body, at(seconds_later))
}

/// One that knows the key, and has seen nothing.
fn guard(set: impl FnOnce(AccessKeys) -> AccessKeys) -> Guard {
    Guard::new(set(AccessKeys::new().key(KEY, SECRET)))
}

fn at(seconds_later: i64) -> Timestamp {
    Timestamp::from_millis(SIGNED_AT.saturating_add_signed(seconds_later * 1_000))
}

/// `get-vanilla` and its like, from the published test suite.
fn vanilla(uri: &str, signature: &str) -> Parts {
    let signed = format!(
        "AWS4-HMAC-SHA256 Credential={KEY}/20150830/us-east-1/service/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature={signature}"
    );
    let request = Request::get(uri)
        .header("host", "example.amazonaws.com")
        .header("x-amz-date", "20150830T123600Z")
        .header("authorization", signed);
    request.body(()).expect("a request").into_parts().0
}

const VANILLA: &str = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

#[test]
fn requests_of_the_published_test_suite_are_taken() {
    assert_eq!(check(&vanilla("/", VANILLA), b"", 0), Ok(()));
    // get-vanilla-query-order-key-case
    let ordered = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500";
    assert_eq!(check(&vanilla("/?Param2=value2&Param1=value1", ordered), b"", 0), Ok(()));
}

#[test]
fn a_changed_request_is_refused() {
    assert_eq!(check(&vanilla("/other", VANILLA), b"", 0), Err(Refused::Mismatch));
    assert_eq!(check(&vanilla("/?a=b", VANILLA), b"", 0), Err(Refused::Mismatch));
    assert_eq!(check(&vanilla("/", VANILLA), b"a body", 0), Err(Refused::Mismatch));
    assert_eq!(check(&vanilla("/", &VANILLA[..62]), b"", 0), Err(Refused::Mismatch));
    assert_eq!(check(&vanilla("/", "no hex"), b"", 0), Err(Refused::Mismatch));
    let mut posted = vanilla("/", VANILLA);
    posted.method = http::Method::POST;
    assert_eq!(check(&posted, b"", 0), Err(Refused::Mismatch));
}

#[test]
fn an_unknown_key_and_a_wrong_secret_are_refused() {
    let parts = vanilla("/", VANILLA);
    assert_eq!(Guard::new(AccessKeys::new()).check_at(&parts, b"", at(0)), Err(Refused::UnknownKey));
    assert_eq!(guard(|keys| keys.key(KEY, "another")).check_at(&parts, b"", at(0)), Err(Refused::Mismatch));
}

#[test]
fn a_signature_is_good_for_five_minutes_either_way() {
    let parts = vanilla("/", VANILLA);
    for seconds in [-300, 300] {
        assert_eq!(check(&parts, b"", seconds), Ok(()), "{seconds}");
    }
    assert!(matches!(check(&parts, b"", 301), Err(Refused::Expired { .. })));
    assert!(matches!(check(&parts, b"", -301), Err(Refused::NotYet { .. })));
    let patient = guard(|keys| keys.clock_skew(Duration::from_secs(900)));
    assert_eq!(patient.check_at(&parts, b"", at(900)), Ok(()));
}

#[test]
fn a_request_is_taken_once_if_replays_are_refused() {
    let parts = vanilla("/", VANILLA);
    let strict = guard(AccessKeys::refuse_replays);
    assert_eq!(strict.check_at(&parts, b"another body", at(0)), Err(Refused::Mismatch));
    assert_eq!(strict.check_at(&parts, b"", at(0)), Ok(()), "what was refused does not count");
    for seconds in [0, 300] {
        assert_eq!(strict.check_at(&parts, b"", at(seconds)), Err(Refused::Again), "{seconds}");
    }
    assert_eq!(strict.check_at(&vanilla("/", &VANILLA.to_uppercase()), b"", at(0)), Err(Refused::Again));
    assert!(matches!(strict.check_at(&parts, b"", at(301)), Err(Refused::Expired { .. })));
    let lenient = guard(|keys| keys);
    for seconds in [0, 0, 300] {
        assert_eq!(lenient.check_at(&parts, b"", at(seconds)), Ok(()), "{seconds}");
    }
}

#[test]
fn what_is_incomplete_is_refused() {
    let with = |authorization: &str, date: Option<&str>| {
        let mut request = Request::post("/").header("host", "h").header("authorization", authorization);
        if let Some(date) = date {
            request = request.header("x-amz-date", date);
        }
        check(&request.body(()).expect("a request").into_parts().0, b"", 0)
    };
    let good = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/sqs/aws4_request, \
                SignedHeaders=host;x-amz-date, Signature=00";
    let date = Some("20150830T123600Z");
    assert_eq!(with(good, date), Err(Refused::Mismatch));
    for (authorization, date) in [
        ("Basic dXNlcjpwYXNz", date),
        ("AWS4-HMAC-SHA256", date),
        ("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00", date),
        (&good.replace("SignedHeaders=host;", "SignedHeaders="), date),
        (&good.replace("Signature=", "Sig="), date),
        (good, None),
        (good, Some("20150831T123600Z")),
        (good, Some("20150830")),
        (good, Some("20150830T99:60Z+")),
        (good, Some("é0150830T123600Z")),
    ] {
        assert!(matches!(with(authorization, date), Err(Refused::Incomplete(_))), "{authorization} {date:?}");
    }
    let unsigned = Request::post("/").body(()).expect("a request").into_parts().0;
    assert_eq!(check(&unsigned, b"", 0), Err(Refused::Missing));
}

#[test]
fn what_is_asked_for_must_be_signed() {
    let mut parts = vanilla("/", VANILLA);
    parts.headers.insert("x-amz-target", "AmazonSQS.ListQueues".parse().expect("a header"));
    assert!(matches!(check(&parts, b"", 0), Err(Refused::Incomplete(_))));
    let mut twice = vanilla("/", VANILLA);
    twice.headers.append("authorization", "AWS4-HMAC-SHA256".parse().expect("a header"));
    assert!(matches!(check(&twice, b"", 0), Err(Refused::Incomplete(_))));
}

#[test]
fn the_parameters_of_a_presigned_url_stand_alone() {
    let url = "/?Action=ListQueues&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2F\
               us-east-1%2Fsqs%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host\
               &X-Amz-Signature=00";
    let asked = |method: &str, url: &str| {
        let request = Request::builder().method(method).uri(url).header("host", "h");
        check(&request.body(()).expect("a request").into_parts().0, b"", 3_000)
    };
    assert_eq!(asked("GET", url), Err(Refused::Mismatch));
    // A form could name another account.
    assert_eq!(asked("POST", url), Err(Refused::Missing));
    let twice = format!("{url}&X-Amz-Credential=000000000001%2F20150830%2Fus-east-1%2Fsqs%2Faws4_request");
    assert!(matches!(asked("GET", &twice), Err(Refused::Incomplete(_))));
    let for_ever = url.replace("=3600", "=604801");
    assert!(matches!(asked("GET", &for_ever), Err(Refused::Incomplete(_))));
    let short = url.replace("=3600", "=60");
    assert!(matches!(asked("GET", &short), Err(Refused::Expired { .. })));
}
