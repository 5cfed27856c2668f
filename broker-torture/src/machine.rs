//! A file system of its own that can be taken away as a power cut takes it: an ext4 on a loop device.
//!
//! The ioctl `EXT4_IOC_SHUTDOWN` without a flush of the journal stops the file system at once: nothing that is only in
//! memory reaches the device any more. It is made by a helper in Python, since this project has no unsafe code.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

/// Shuts down the file system of each path that it reads.
const CUTTER: &str = r#"
import fcntl, os, struct, sys
for line in sys.stdin:
    fd = os.open(line.rstrip("\n"), os.O_RDONLY)
    fcntl.ioctl(fd, 0x8004587D, struct.pack("I", 2))
    os.close(fd)
    print("cut", flush=True)
"#;

/// See the module.
pub(crate) struct Machine {
    mount: PathBuf,
    cutter: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Declared last: the device lies in it.
    home: TempDir,
}

impl Machine {
    /// A device of that size; its file is sparse, and takes what is written. An error says what this computer does not have or
    /// allow.
    pub(crate) fn new(device_bytes: u64) -> anyhow::Result<Self> {
        let home = tempfile::tempdir()?;
        let mount = home.path().join("mount");
        fs::create_dir(&mount)?;
        File::create(home.path().join("device"))?.set_len(device_bytes)?;
        run(Command::new("mkfs.ext4").arg("-q").arg(home.path().join("device")))?;
        let mut cutter = Command::new("python3")
            .args(["-c", CUTTER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("python3")?;
        let orders = cutter.stdin.take().context("its input")?;
        let answers = BufReader::new(cutter.stdout.take().context("its output")?);
        let mut machine = Self { mount, cutter, orders, answers, home };
        machine.start()?;
        // A first cut, so that what is not possible here is known before anything is counted.
        machine.cut()?;
        machine.restart()?;
        Ok(machine)
    }

    /// Where the file system is.
    pub(crate) fn mount(&self) -> &Path {
        &self.mount
    }

    /// From now on nothing reaches the device.
    pub(crate) fn cut(&mut self) -> anyhow::Result<()> {
        writeln!(self.orders, "{}", self.mount.display())?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        ensure!(answer == "cut\n", "the file system could not be shut down");
        Ok(())
    }

    /// The power comes back. Nobody may have a file open.
    pub(crate) fn restart(&mut self) -> anyhow::Result<()> {
        run(Command::new("umount").arg(&self.mount))?;
        self.start()
    }

    fn start(&self) -> anyhow::Result<()> {
        run(Command::new("mount").args(["-o", "loop"]).arg(self.home.path().join("device")).arg(&self.mount))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // There is nobody to tell: what stays mounted goes with the computer.
        drop(run(Command::new("umount").arg(&self.mount)));
        drop(self.cutter.kill());
        drop(self.cutter.wait());
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("starting {name}"))?;
    ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
