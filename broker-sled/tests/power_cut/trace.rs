//! What a traced program did to the files below a directory, from what strace wrote.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

/// The calls that the parser knows, and those that it must notice because it does not know them.
pub(crate) const CALLS: &str = "trace=?open,?creat,openat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,?truncate,\
    fallocate,lseek,?rename,renameat,?renameat2,?unlink,unlinkat,?rmdir,?mkdir,mkdirat,fsync,fdatasync,\
    sync_file_range,?link,linkat,dup,?dup2,dup3,copy_file_range,?sendfile,mmap";

/// One thing that happened. Paths are relative to the directory, which itself is the empty path.
#[derive(Debug, PartialEq)]
pub(crate) enum Event {
    /// A file of this name is there, created if it was not.
    Create(String),
    MakeDir(String),
    Rename(String, String),
    Remove(String),
    Resize(String, u64),
    Write {
        path: String,
        offset: u64,
        data: Vec<u8>,
    },
    /// The end of a sync, which covers what had happened before the event number `began`.
    Sync {
        path: String,
        began: usize,
        data_only: bool,
    },
    /// The program said that this commit, and all before it, were synced.
    Acknowledged(u64),
}

/// The events below `root`, which is a canonical path, in the order in which they ended.
pub(crate) fn read(trace: &Path, root: &Path) -> Vec<Event> {
    let root = root.to_str().expect("a temporary directory has a readable path").to_owned();
    let mut parser = Parser { root, started: HashMap::new(), positions: HashMap::new(), events: Vec::new() };
    let mut lines = BufReader::new(File::open(trace).expect("strace wrote a trace"));
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).expect("the trace is readable") > 0 {
        parser
            .line(String::from_utf8(std::mem::take(&mut line)).expect("a trace with -xx is text").trim_end());
    }
    parser.events
}

struct Parser {
    root: String,
    /// Calls that another thread's interrupted, by thread: when they began, and the first part of the line.
    started: HashMap<String, (usize, String)>,
    /// Where the next `write` of each descriptor goes.
    positions: HashMap<String, u64>,
    events: Vec<Event>,
}

impl Parser {
    fn line(&mut self, line: &str) {
        let Some((thread, text)) = line.split_once(char::is_whitespace) else { return };
        let text = text.trim_start();
        if let Some(first) = text.strip_suffix("<unfinished ...>") {
            self.started.insert(thread.to_owned(), (self.events.len(), first.trim_end().to_owned()));
        } else if text.starts_with("<... ") {
            let (began, first) = self.started.remove(thread).expect("what is resumed had begun");
            let (_, rest) = text.split_once(" resumed>").expect("a resumed call");
            self.call(&(first + rest), began);
        } else {
            self.call(text, self.events.len());
        }
    }

    fn call(&mut self, text: &str, began: usize) {
        // Signals and exits are neither calls nor results; what failed did nothing.
        let (Some((name, rest)), Some((_, result))) = (text.split_once('('), text.rsplit_once(" = ")) else {
            return;
        };
        let Some(result) = result.split(['<', ' ']).next().and_then(|number| number.parse::<u64>().ok())
        else {
            return;
        };
        let end = rest.rfind(" = ").expect("it was found before");
        let arguments = arguments(rest[..end].trim_end().trim_end_matches(')'));
        match name {
            "open" | "creat" | "openat" => self.open(name, &arguments, result),
            "rename" | "renameat" | "renameat2" => self.rename(&arguments),
            "mkdir" | "mkdirat" | "unlink" | "unlinkat" | "rmdir" => {
                let Some(path) = self.named(&arguments) else { return };
                let made = name.starts_with("mkdir");
                self.events.push(if made { Event::MakeDir(path) } else { Event::Remove(path) });
            }
            _ => self.descriptor_call(name, &arguments, result, began),
        }
    }

    fn open(&mut self, name: &str, arguments: &[&str], descriptor: u64) {
        self.positions.insert(descriptor.to_string(), 0);
        let Some(path) = self.named(arguments) else { return };
        let flags = arguments.iter().find(|argument| argument.starts_with("O_")).copied().unwrap_or_default();
        assert!(name != "creat" && !flags.contains("O_APPEND"), "not modelled: {name} {flags}");
        if flags.contains("O_CREAT") {
            self.events.push(Event::Create(path.clone()));
        }
        if flags.contains("O_TRUNC") {
            self.events.push(Event::Resize(path, 0));
        }
    }

    fn rename(&mut self, arguments: &[&str]) {
        let quoted: Vec<_> = arguments.iter().filter(|argument| argument.starts_with('"')).collect();
        let paths: Vec<_> = quoted.iter().filter_map(|name| self.below(&text(name))).collect();
        let Ok([from, to]) = <[String; 2]>::try_from(paths) else { return };
        self.events.push(Event::Rename(from, to));
    }

    fn descriptor_call(&mut self, name: &str, arguments: &[&str], result: u64, began: usize) {
        let place = if name == "mmap" { 4 } else { 0 };
        let Some((descriptor, path)) = arguments.get(place).and_then(|argument| argument.split_once('<'))
        else {
            return;
        };
        if name == "write"
            && let Some(number) = text(arguments[1]).strip_prefix("synced ")
        {
            let number = number.trim().parse().expect("the program counts");
            self.events.push(Event::Acknowledged(number));
            return;
        }
        let Some(path) = self.below(&unescaped_text(path.trim_end_matches('>'))) else { return };
        let last = || arguments.last().and_then(|number| number.parse::<u64>().ok()).expect("a number");
        match name {
            "write" | "writev" => {
                let position = self.positions.get_mut(descriptor).expect("it was opened in the trace");
                let offset = *position;
                *position += result;
                self.write(path, offset, arguments[1], result);
            }
            "pwrite64" => self.write(path, last(), arguments[1], result),
            "lseek" => drop(self.positions.insert(descriptor.to_owned(), result)),
            "ftruncate" => self.events.push(Event::Resize(path, last())),
            "fsync" | "fdatasync" => {
                self.events.push(Event::Sync { path, began, data_only: name == "fdatasync" });
            }
            // Promises nothing after a power cut.
            "sync_file_range" => {}
            "mmap" if !arguments[3].contains("MAP_SHARED") => {}
            _ => panic!("not modelled: {name} of {path}"),
        }
    }

    fn write(&mut self, path: String, offset: u64, argument: &str, written: u64) {
        assert!(!argument.ends_with("..."), "strace has cut the data of a write to {path}");
        let mut data: Vec<u8> = argument.split('"').skip(1).step_by(2).flat_map(unescaped).collect();
        data.truncate(usize::try_from(written).expect("it was in memory"));
        self.events.push(Event::Write { path, offset, data });
    }

    /// The path in the arguments of a call: a name, or a descriptor of a directory and a name.
    fn named(&self, arguments: &[&str]) -> Option<String> {
        let at = arguments.iter().position(|argument| argument.starts_with('"'))?;
        let name = text(arguments[at]);
        match at.checked_sub(1).and_then(|before| arguments[before].split_once('<')) {
            Some((_, directory)) if !name.starts_with('/') => {
                self.below(&(unescaped_text(directory.trim_end_matches('>')) + "/" + &name))
            }
            _ => self.below(&name),
        }
    }

    fn below(&self, path: &str) -> Option<String> {
        let rest = path.strip_prefix(&self.root)?;
        let inside = rest.is_empty() || rest.starts_with('/');
        inside.then(|| rest.trim_matches('/').to_owned())
    }
}

/// Cuts at the commas that are not inside brackets. Strings hold none: all of their bytes are spelled in hex.
fn arguments(text: &str) -> Vec<&str> {
    let (mut found, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            b',' if depth == 0 => {
                found.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(text[start..].trim());
    found
}

/// The bytes of `\x61\x62`.
fn unescaped(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hex digit");
    let bytes = text.as_bytes().chunks_exact(4);
    bytes.map(|b| u8::try_from(digit(b[2]) << 4 | digit(b[3])).expect("two digits")).collect()
}

fn unescaped_text(text: &str) -> String {
    String::from_utf8_lossy(&unescaped(text)).into_owned()
}

/// The text between quotes.
fn text(quoted: &str) -> String {
    unescaped_text(quoted.trim_matches(['"', '.']))
}

#[test]
fn interrupted_calls_and_positions_are_put_together() {
    let hex = |text: &str| text.bytes().fold(String::new(), |hex, byte| hex + &format!("\\x{byte:02x}"));
    let (file, root, data) = (hex("/r/a"), hex("/r"), hex("abc"));
    let mut parser =
        Parser { root: "/r".into(), started: HashMap::new(), positions: HashMap::new(), events: Vec::new() };
    for line in [
        format!("7 openat(AT_FDCWD<{root}>, \"{file}\", O_WRONLY|O_CREAT|O_CLOEXEC, 0666) = 3<{file}>"),
        format!("7 write(3<{file}>, \"{data}\", 3) = 3"),
        format!("8 fsync(3<{file}> <unfinished ...>"),
        format!("7 write(3<{file}>, \"{data}\", 3 <unfinished ...>"),
        "8 <... fsync resumed>) = 0".into(),
        "7 <... write resumed>)    = 2".into(),
        format!("7 pwrite64(3<{file}>, \"{data}\", 3, 9) = -1 EIO (Input/output error)"),
        format!("7 write(2<{}>, \"{}\", 9) = 9", hex("pipe:[1]"), hex("synced 4\n")),
    ] {
        parser.line(&line);
    }
    let write = |offset, data: &str| Event::Write { path: "a".into(), offset, data: data.into() };
    assert_eq!(
        parser.events,
        [
            Event::Create("a".into()),
            write(0, "abc"),
            Event::Sync { path: "a".into(), began: 2, data_only: false },
            write(3, "ab"),
            Event::Acknowledged(4),
        ]
    );
}
