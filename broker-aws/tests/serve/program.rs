//! The program `broker-aws serve`.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use crate::support::{ask, assert_status, sqs};

struct Program {
    child: Child,
    address: SocketAddr,
    lines: Vec<String>,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_broker-aws"));
        command.args(["serve", "--port", "0"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let lines: Vec<_> = output.lines().take(2).map(Result::unwrap).collect();
        let address = lines[0].strip_prefix("http://").unwrap().parse().unwrap();
        Self { child, address, lines }
    }

    /// Stops it as a service manager would.
    fn stop(mut self) -> bool {
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        self.child.wait().unwrap().success()
    }
}

#[tokio::test]
async fn it_keeps_everything_under_its_directory_through_a_kill_and_a_stop() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("data").display().to_string();
    let mut program = Program::start(&["--data-dir", &directory]);
    assert_eq!(program.lines[1], format!("export AWS_ENDPOINT_URL={}", program.lines[0]));
    assert_status(&ask(program.address, sqs("CreateQueue", r#"{"QueueName": "orders"}"#)).await, 200);
    let send = sqs("SendMessage", r#"{"QueueUrl": "orders", "MessageBody": "socks"}"#);
    assert_status(&ask(program.address, send).await, 200);
    program.child.kill().unwrap();
    program.child.wait().unwrap();
    assert!(home.path().join("data/000000000000/us-east-1").is_dir());

    for _ in 0..2 {
        let program = Program::start(&["--data-dir", &directory]);
        let receive = sqs("ReceiveMessage", r#"{"QueueUrl": "orders", "VisibilityTimeout": 0}"#);
        let received = ask(program.address, receive).await;
        assert!(received.contains("socks"), "{received}");
        assert!(program.stop(), "it stops without an error");
    }
}

#[tokio::test]
async fn it_says_what_is_wrong() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_broker-aws")).args(arguments).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(run(&["serve", "--account", "me"]).contains("12 digits"));
    assert!(run(&["serve", "--access-key", "AKID"]).contains("ID:SECRET"));
    for of_keys in [&["--clock-skew", "5"][..], &["--refuse-replays"]] {
        assert!(run(&[&["serve"], of_keys].concat()).contains("--access-key"));
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    assert!(run(&["serve", "--port", &port]).contains("cannot listen on 127.0.0.1"));
}

#[tokio::test]
async fn accounts_and_regions_are_apart() {
    let program = Program::start(&[]);
    let create = |account: &str, region: &str| {
        let authorization = format!(
            "Authorization: AWS4-HMAC-SHA256 Credential={account}/20261126/{region}/sqs/aws4_request, SignedHeaders=host, \
             Signature=00\r\n"
        );
        let request = |operation: &str, body: &str| {
            sqs(operation, body).replacen(
                "Host: localhost\r\n",
                &format!("Host: localhost\r\n{authorization}"),
                1,
            )
        };
        (request("CreateQueue", r#"{"QueueName": "orders"}"#), request("ListQueues", "{}"))
    };
    let (make, _) = create("111111111111", "eu-west-1");
    assert_status(&ask(program.address, make).await, 200);
    for (account, region, seen) in [
        ("111111111111", "eu-west-1", true),
        ("111111111111", "us-east-1", false),
        ("222222222222", "eu-west-1", false),
    ] {
        let (_, list) = create(account, region);
        assert_eq!(ask(program.address, list).await.contains("orders"), seen, "{account} {region}");
    }
    assert!(program.stop());
}
