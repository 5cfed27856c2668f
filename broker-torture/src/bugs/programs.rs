//! The programs that look for bugs: how they are built, and how they are run.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::table::{Check, PACKAGES, SUITES};

/// Random tests do the same each time.
const PROPTEST_SEED: &str = "7";
/// Of what a program says so much is kept to explain why it failed.
const SAID_MAX: usize = 1 << 20;
const REASON_CHARS_MAX: usize = 160;

/// The test programs, built with all bugs in them.
pub(super) struct Programs {
    by_name: BTreeMap<String, PathBuf>,
}

/// How a program has run.
pub(super) struct Ran {
    pub(super) seconds: u64,
    /// Why it failed, in its own words.
    pub(super) failed: Option<String>,
}

impl Programs {
    /// Builds them.
    pub(super) fn build() -> anyhow::Result<Self> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["test", "--no-run", "--message-format", "json-render-diagnostics"]);
        for package in PACKAGES {
            cargo.args(["--package", package, "--features", &format!("{package}/seeded-bugs")]);
        }
        let tests = SUITES.iter().filter(|suite| !suite.package.is_empty());
        tests.for_each(|suite| _ = cargo.args(["--test", suite.program]));
        cargo.current_dir(workspace()).stdin(Stdio::null()).stderr(Stdio::inherit());
        let built = cargo.output().context("running cargo")?;
        ensure!(built.status.success(), "cargo could not build the tests");
        let by_name = String::from_utf8(built.stdout)?.lines().filter_map(test_program).collect();
        Ok(Self { by_name })
    }

    /// Runs one of them with a variable set, for so long at most.
    pub(super) fn run(
        &self,
        check: Check,
        (variable, bug): (&str, &str),
        patience: Duration,
    ) -> anyhow::Result<Ran> {
        let began = Instant::now();
        let mut command = self.command(check)?;
        command.env(variable, bug).env("PROPTEST_RNG_SEED", PROPTEST_SEED);
        // What fails need not be made shorter, nor be remembered.
        command.env("PROPTEST_MAX_SHRINK_ITERS", "0").env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("starting {check}"))?;
        let (out, err) =
            (child.stdout.take().context("its output")?, child.stderr.take().context("its errors")?);
        let (done, ended) = mpsc::channel();
        let readers = [listen(out, done.clone()), listen(err, done)];
        // Both readers end with the program.
        let hangs = ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout);
        if hangs {
            child.kill()?;
        }
        let status = child.wait()?;
        let said: Vec<_> = readers.into_iter().filter_map(|reader| reader.join().ok()).collect();
        let failed = match (hangs, status.success()) {
            (true, _) => Some(format!("does not end within {patience:?}")),
            (false, true) => None,
            (false, false) => Some(reason(&said.concat())),
        };
        let ran = said.concat();
        ensure!(failed.is_some() || !ran.contains("running 0 tests"), "{check} names no test");
        Ok(Ran { seconds: began.elapsed().as_secs(), failed })
    }

    fn command(&self, check: Check) -> anyhow::Result<Command> {
        let Check { suite, part } = check;
        if suite.package.is_empty() {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(part.split_whitespace());
            return Ok(command);
        }
        let name = format!("{}/{}", suite.package, suite.program);
        let program = self.by_name.get(&name).with_context(|| format!("cargo has not built {name}"))?;
        let mut command = Command::new(program);
        // As cargo does.
        command.current_dir(workspace().join(suite.package));
        command.args(part.split_whitespace()).args(["--skip", "sled"]);
        Ok(command)
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The name and the place of a test program, if that is what a line of cargo's tells of.
fn test_program(line: &str) -> Option<(String, PathBuf)> {
    let told: Value = serde_json::from_str(line).ok()?;
    let executable = PathBuf::from(told.get("executable")?.as_str()?);
    let manifest = PathBuf::from(told.get("manifest_path")?.as_str()?);
    let package = manifest.parent()?.file_name()?.to_str()?.to_owned();
    let name = told.get("target")?.get("name")?.as_str()?;
    Some((format!("{package}/{name}"), executable))
}

/// Reads what a program says to its end, and keeps the beginning.
fn listen(from: impl Read + Send + 'static, done: mpsc::Sender<()>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut said = String::new();
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if said.len() < SAID_MAX {
                said.push_str(&line);
                said.push('\n');
            }
        }
        // Dropped last: who waits for it is told by that.
        drop(done);
        said
    })
}

/// What a test program says of its first failure.
fn reason(said: &str) -> String {
    let mut lines = said.lines().skip_while(|line| !line.contains("panicked at") && !line.contains("bad="));
    let place = lines.next().unwrap_or("it says nothing");
    let words = if place.contains("panicked at") { lines.next().unwrap_or_default() } else { "" };
    let told = format!("{} {}", place.rsplit("panicked at ").next().unwrap_or(place), words.trim());
    told.trim().chars().take(REASON_CHARS_MAX).collect()
}
