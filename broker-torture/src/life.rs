//! One life of a child, and its end.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};

use crate::{promises::Promises, store::Store, work::mix};

/// A child that says nothing for so long hangs.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// The most that a child says before its end; some say little.
const LINES_MAX: u64 = 500;
/// One life in so many ends while it still opens the store.
const EARLY: u64 = 5;
/// An early end comes within so many microseconds of the start.
const EARLY_US: u64 = 60_000;

/// Whose life it is.
#[derive(Clone, Copy)]
pub(crate) struct Life<'a> {
    pub(crate) store: Store,
    pub(crate) directory: &'a Path,
    pub(crate) number: u64,
    pub(crate) seed: u64,
}

impl Life<'_> {
    /// Lets the child work for a while and ends it by `end`. What it says after that began is promised if `to_the_last`.
    pub(crate) fn live(
        self,
        promises: &mut Promises,
        to_the_last: bool,
        end: impl FnOnce(&mut Child) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut child = spawn(self.command()?)?;
        let (told, reader) = listener(&mut child)?;
        let listened = self.listen(&told, promises);
        let ended = end(&mut child);
        // It may be dead already; then that is found here.
        drop(child.kill());
        child.wait()?;
        reader.join().ok().context("reading what it says")?;
        told.iter().try_for_each(|line| promises.hear(&line, to_the_last))?;
        if let Err(error) = listened {
            let mut complaint = String::new();
            let stderr = child.stderr.take().context("its complaints")?;
            stderr.take(2_000).read_to_string(&mut complaint)?;
            bail!("{error}: {}", complaint.trim());
        }
        ended
    }

    /// Lets the child work while strace does `what` to its calls to files, until it dies or has said so many lines. What it says is
    /// promised to the last.
    pub(crate) fn suffer(
        self,
        calls: &str,
        what: &str,
        lines_max: u64,
        promises: &mut Promises,
    ) -> anyhow::Result<()> {
        let mut child = self.command()?;
        child.args(["--lines", &lines_max.to_string()]);
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
        strace.args(["-e", &format!("inject={calls}:{what}")]);
        strace.arg(child.get_program()).args(child.get_args());
        let mut child = spawn(strace)?;
        let (told, reader) = listener(&mut child)?;
        let heard = loop {
            match told.recv_timeout(SILENCE_MAX) {
                Ok(line) => promises.hear(&line, true)?,
                Err(RecvTimeoutError::Disconnected) => break Ok(()),
                Err(RecvTimeoutError::Timeout) => break Err(anyhow!("the child lives on in silence")),
            }
        };
        drop(child.kill());
        child.wait()?;
        reader.join().ok().context("reading what it says")?;
        heard
    }

    fn command(self) -> anyhow::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--child").arg(self.directory).arg("--store").arg(self.store.to_string());
        command.args(["--life", &self.number.to_string(), "--seed", &self.seed.to_string()]);
        Ok(command)
    }

    /// Hears as much as this life is to say.
    fn listen(self, told: &Receiver<String>, promises: &mut Promises) -> anyhow::Result<()> {
        let chance = mix(self.seed << 32 ^ self.number);
        if chance.is_multiple_of(EARLY) {
            let moment = Duration::from_micros(mix(chance) % EARLY_US);
            return match told.recv_timeout(moment) {
                Ok(line) => promises.hear(&line, true),
                Err(RecvTimeoutError::Timeout) => Ok(()),
                Err(RecvTimeoutError::Disconnected) => bail!("the child ended by itself"),
            };
        }
        for _ in 0..mix(chance) % LINES_MAX {
            match told.recv_timeout(SILENCE_MAX) {
                Ok(line) => promises.hear(&line, true)?,
                Err(RecvTimeoutError::Timeout) => bail!("the child was silent for {SILENCE_MAX:?}"),
                Err(RecvTimeoutError::Disconnected) => bail!("the child ended by itself"),
            }
        }
        Ok(())
    }
}

fn spawn(mut command: Command) -> anyhow::Result<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command.spawn()?)
}

/// What the child says, line by line.
fn listener(child: &mut Child) -> anyhow::Result<(Receiver<String>, JoinHandle<()>)> {
    let output = child.stdout.take().context("its output")?;
    let (tell, told) = mpsc::channel();
    let reader = thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                break;
            }
        }
    });
    Ok((told, reader))
}
