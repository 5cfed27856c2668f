//! A disk that can lose power: what is on it for sure, and what was written and not yet synced.
//!
//! A file system keeps the unsynced changes of a file in pages and writes those in any order, each with what it held at
//! some moment; a sector is written whole. Names are changes of their directory. `Names` says when they are durable.

use std::collections::BTreeMap;

use crate::{rng::Rng, trace::Event};

const PAGE: usize = 4_096;
const SECTOR: usize = 512;

/// When a created, renamed or removed name survives a power cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Names {
    /// As soon as the call returns.
    AtOnce,
    /// In the order of the calls, at the latest with the next sync of anything: a file system with a journal.
    Journaled,
    /// When its directory has been synced, and until then in any order: all that POSIX promises.
    WhenSynced,
}

/// What a power cut leaves of the unsynced changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Left {
    Nothing,
    Everything,
    /// Any of them, in part: each page is as it was at some moment, and some pages are torn between sectors.
    Some,
}

/// Every path with the content of its file; `None` is a directory.
pub(crate) type Image = BTreeMap<String, Option<Vec<u8>>>;

enum Change {
    Bytes(usize, Vec<u8>),
    Size(usize),
    /// One or, for a rename, two names, and the nodes that they get.
    Names(Vec<(String, Option<usize>)>),
}

#[derive(Default)]
struct Node {
    is_directory: bool,
    bytes: Vec<u8>,
    names: BTreeMap<String, usize>,
    /// As a running program sees it.
    live_names: BTreeMap<String, usize>,
    /// Each with the number of the event that caused it.
    pending: Vec<(usize, Change)>,
}

pub(crate) struct Disk {
    nodes: Vec<Node>,
    names: Names,
    now: usize,
}

impl Disk {
    /// A disk that has lost nothing of what `image` has.
    pub(crate) fn new(image: &Image, names: Names) -> Self {
        let root = Node { is_directory: true, ..Node::default() };
        let mut disk = Self { nodes: vec![root], names: Names::AtOnce, now: 0 };
        for (path, content) in image {
            let node = disk.add(path, content.is_none());
            disk.nodes[node].bytes = content.clone().unwrap_or_default();
        }
        disk.names = names;
        disk
    }

    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::Create(path) => {
                if self.find(path).is_none() {
                    self.add(path, false);
                }
            }
            Event::MakeDir(path) => drop(self.add(path, true)),
            Event::Remove(path) => {
                let (parent, name) = self.parent(path);
                self.rename(parent, vec![(name, None)]);
            }
            Event::Rename(from, to) => {
                let node = self.find(from).expect("what is renamed exists");
                let ((parent, from), (other, to)) = (self.parent(from), self.parent(to));
                assert_eq!(parent, other, "not modelled: a rename into another directory");
                self.rename(parent, vec![(from, None), (to, Some(node))]);
            }
            Event::Resize(path, size) => self.change(path, Change::Size(index(*size))),
            Event::Write { path, offset, data } => {
                self.change(path, Change::Bytes(index(*offset), data.clone()));
            }
            Event::Sync { path, began, .. } => {
                if let Some(node) = self.find(path) {
                    self.nodes[node].sync(*began);
                    self.journal(*began);
                }
            }
            Event::Acknowledged(_) => {}
        }
        self.now += 1;
    }

    /// What is found after a power cut at this moment.
    pub(crate) fn image(&self, left: Left, rng: &mut Rng) -> Image {
        let mut image = Image::new();
        let unsynced = self.nodes.iter().filter(|node| node.is_directory).flat_map(|node| &node.pending);
        let moments: Vec<_> = unsynced.map(|(at, _)| *at).collect();
        let journaled = moments.get(rng.below(moments.len() + 1)).copied().unwrap_or(self.now);
        self.collect((0, ""), left, journaled, rng, &mut image);
        image
    }

    pub(crate) fn is_synced(&self) -> bool {
        self.nodes.iter().all(|node| node.pending.is_empty())
    }

    /// `journaled` is the moment up to which a journal has the names.
    fn collect(
        &self,
        (node, path): (usize, &str),
        left: Left,
        journaled: usize,
        rng: &mut Rng,
        image: &mut Image,
    ) {
        let node = &self.nodes[node];
        if !node.is_directory {
            image.insert(path.to_owned(), Some(node.content(left, rng)));
            return;
        }
        if !path.is_empty() {
            image.insert(path.to_owned(), None);
        }
        let mut names = node.names.clone();
        for (at, change) in &node.pending {
            let kept = match left {
                Left::Nothing => false,
                Left::Everything => true,
                Left::Some if self.names == Names::Journaled => *at < journaled,
                Left::Some => rng.below(2) == 0,
            };
            if kept {
                rename(&mut names, change);
            }
        }
        for (name, child) in names {
            let child_path = if path.is_empty() { name } else { format!("{path}/{name}") };
            self.collect((child, &child_path), left, journaled, rng, image);
        }
    }

    fn find(&self, path: &str) -> Option<usize> {
        let mut names = path.split('/').filter(|name| !name.is_empty());
        names.try_fold(0, |node, name| self.nodes[node].live_names.get(name).copied())
    }

    fn parent(&self, path: &str) -> (usize, String) {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        (self.find(parent).expect("the directory exists"), name.to_owned())
    }

    fn add(&mut self, path: &str, is_directory: bool) -> usize {
        let (parent, name) = self.parent(path);
        self.nodes.push(Node { is_directory, ..Node::default() });
        self.rename(parent, vec![(name, Some(self.nodes.len() - 1))]);
        self.nodes.len() - 1
    }

    fn rename(&mut self, directory: usize, names: Vec<(String, Option<usize>)>) {
        let (change, directory) = (Change::Names(names), &mut self.nodes[directory]);
        rename(&mut directory.live_names, &change);
        directory.pending.push((self.now, change));
        if self.names == Names::AtOnce {
            directory.sync(usize::MAX);
        }
    }

    fn change(&mut self, path: &str, change: Change) {
        // A file without a name is gone with the power.
        if let Some(node) = self.find(path) {
            self.nodes[node].pending.push((self.now, change));
        }
    }

    /// What the journal has written with the sync of a file.
    fn journal(&mut self, began: usize) {
        if self.names == Names::Journaled {
            self.nodes.iter_mut().filter(|node| node.is_directory).for_each(|node| node.sync(began));
        }
    }
}

impl Node {
    fn sync(&mut self, began: usize) {
        let later = self.pending.partition_point(|(at, _)| *at < began);
        for (_, change) in self.pending.drain(..later) {
            match &change {
                Change::Names(_) => rename(&mut self.names, &change),
                Change::Bytes(offset, data) => {
                    let end = offset + data.len();
                    self.bytes.resize(self.bytes.len().max(end), 0);
                    self.bytes[*offset..end].copy_from_slice(data);
                }
                Change::Size(size) => self.bytes.resize(*size, 0),
            }
        }
    }

    fn content(&self, left: Left, rng: &mut Rng) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        if left == Left::Nothing || self.pending.is_empty() {
            return bytes;
        }
        let all = self.pending.len();
        // In some images nearly all pages are written, in some nearly none.
        let odds = [1, 8, 15][rng.below(3)];
        let mut moments = Moments { left, all, odds, pages: BTreeMap::new(), salt: rng.next() };
        let size_at = moments.draw(rng);
        let mut size = bytes.len();
        for (number, (_, change)) in self.pending.iter().enumerate() {
            let (start, data) = match change {
                Change::Bytes(offset, data) => (*offset, data.clone()),
                Change::Size(to) => (*to, vec![0; bytes.len().saturating_sub(*to)]),
                Change::Names(_) => continue,
            };
            let end = start + data.len();
            bytes.resize(bytes.len().max(end), 0);
            let mut from = start;
            while from < end {
                let to = end.min((from / SECTOR + 1) * SECTOR);
                if number < moments.of(from, rng) {
                    bytes[from..to].copy_from_slice(&data[from - start..to - start]);
                }
                from = to;
            }
            if number < size_at {
                size = if matches!(change, Change::Size(_)) { start } else { size.max(end) };
            }
        }
        bytes.resize(size, 0);
        bytes
    }
}

/// How many of the pending changes each page has seen when it was written.
struct Moments {
    left: Left,
    all: usize,
    odds: usize,
    /// By page; `None` is a torn one.
    pages: BTreeMap<usize, Option<usize>>,
    salt: u64,
}

impl Moments {
    fn draw(&self, rng: &mut Rng) -> usize {
        match self.left {
            Left::Everything => self.all,
            Left::Some if rng.below(4) == 0 => rng.below(self.all + 1),
            Left::Some if rng.below(16) < self.odds => self.all,
            Left::Some | Left::Nothing => 0,
        }
    }

    /// For the sector at `offset`.
    fn of(&mut self, offset: usize, rng: &mut Rng) -> usize {
        let page = offset / PAGE;
        if !self.pages.contains_key(&page) {
            let torn = self.left == Left::Some && rng.below(8) == 0;
            let drawn = (!torn).then(|| self.draw(rng));
            self.pages.insert(page, drawn);
        }
        // A torn page: each sector for itself, the same one in each change, so that a sector has one moment.
        self.pages[&page]
            .unwrap_or_else(|| Rng::new(self.salt ^ (offset / SECTOR) as u64).below(self.all + 1))
    }
}

fn rename(names: &mut BTreeMap<String, usize>, change: &Change) {
    let Change::Names(changes) = change else { return };
    for (name, node) in changes {
        match node {
            Some(node) => names.insert(name.clone(), *node),
            None => names.remove(name),
        };
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("files here are small")
}
