//! The input: a file, standard input or the shipped data; plain or gzipped; read as lines, each of which is a row.

use std::{
    fmt,
    fs::File,
    io::{BufRead, BufReader, Read as _},
    path::PathBuf,
};

use anyhow::{Context as _, Result, bail};
use flate2::bufread::MultiGzDecoder;

use crate::flights::SHIPPED;

/// The first bytes of a gzipped file.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// The longest line. Ten of them fit in a batch of messages; a file with longer ones is hardly the right one.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Where the rows come from. Can be read any number of times.
#[derive(Debug, Clone)]
pub(super) struct Input {
    source: Source,
    limit: u64,
}

#[derive(Debug, Clone)]
enum Source {
    Shipped,
    File {
        path: PathBuf,
        /// What to call it.
        name: String,
    },
}

/// What tells one input from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) rows: u64,
    bytes: u64,
    crc32: u32,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows, {} bytes, crc32 {:08x}", self.rows, self.bytes, self.crc32)
    }
}

/// An input read once from end to end.
#[derive(Debug, Clone)]
pub(super) struct Survey {
    pub(super) header: Vec<u8>,
    pub(super) identity: Identity,
}

impl Input {
    /// The shipped data.
    pub(super) fn shipped(limit: Option<u64>) -> Self {
        Self { source: Source::Shipped, limit: limit.unwrap_or(u64::MAX) }
    }

    /// A file, and what to call it.
    pub(super) fn file(path: PathBuf, name: String, limit: Option<u64>) -> Self {
        Self { source: Source::File { path, name }, limit: limit.unwrap_or(u64::MAX) }
    }

    /// What to call it.
    pub(super) fn name(&self) -> &str {
        match &self.source {
            Source::Shipped => "the shipped departures of January 2013",
            Source::File { name, .. } => name,
        }
    }

    /// Begins to read, and returns the header line and the rows.
    pub(super) fn open(&self) -> Result<(Vec<u8>, Rows)> {
        let file: Box<dyn BufRead + Send> = match &self.source {
            Source::Shipped => Box::new(SHIPPED),
            Source::File { path, name } => {
                Box::new(BufReader::new(File::open(path).with_context(|| format!("opening {name}"))?))
            }
        };
        let reader = unpacked(file).with_context(|| format!("reading {}", self.name()))?;
        let mut rows = Rows { reader, name: self.name().to_owned(), line: 0, next: 0, limit: self.limit };
        let header = rows.line()?.with_context(|| format!("{} is empty", self.name()))?;
        Ok((header, rows))
    }

    /// Reads all of it, to count it and to know it again.
    pub(super) fn survey(&self) -> Result<Survey> {
        let (header, rows) = self.open()?;
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&header);
        let mut identity = Identity { rows: 0, bytes: header.len() as u64, crc32: 0 };
        for row in rows {
            let (_, line) = row?;
            hasher.update(&line);
            identity.rows += 1;
            identity.bytes += line.len() as u64;
        }
        identity.crc32 = hasher.finalize();
        Ok(Survey { header, identity })
    }
}

/// The reader itself, or what unpacks it.
fn unpacked(mut reader: Box<dyn BufRead + Send>) -> std::io::Result<Box<dyn BufRead + Send>> {
    if reader.fill_buf()?.starts_with(GZIP) {
        return Ok(Box::new(BufReader::new(MultiGzDecoder::new(reader))));
    }
    Ok(reader)
}

/// The rows with their numbers, from zero, byte for byte: each with its line ending, if it has one.
pub(super) struct Rows {
    reader: Box<dyn BufRead + Send>,
    name: String,
    line: u64,
    next: u64,
    limit: u64,
}

impl Rows {
    fn line(&mut self) -> Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        self.line += 1;
        let place = || format!("reading line {} of {}", self.line, self.name);
        let most = LINE_BYTES_MAX as u64 + 1;
        self.reader.by_ref().take(most).read_until(b'\n', &mut line).with_context(place)?;
        if line.len() > LINE_BYTES_MAX {
            bail!("line {} of {} is longer than {LINE_BYTES_MAX} bytes", self.line, self.name);
        }
        Ok((!line.is_empty()).then_some(line))
    }
}

impl Iterator for Rows {
    type Item = Result<(u64, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.limit {
            return None;
        }
        let line = self.line().transpose()?;
        let row = self.next;
        self.next += 1;
        Some(line.map(|line| (row, line)))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _};

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    #[test]
    fn the_shipped_data_is_what_its_readme_says() {
        let survey = Input::shipped(None).survey().unwrap();
        assert_eq!((survey.identity.rows, survey.identity.bytes), (27_004, 2_481_495));
        assert!(survey.header.starts_with(b"year,month,day"));
    }

    #[test]
    fn a_gzipped_file_is_the_same_input_as_the_plain_one() {
        let home = tempfile::tempdir().unwrap();
        let text = b"h\r\na\n\nlast without end";
        let (plain, packed) = (home.path().join("plain"), home.path().join("packed"));
        fs::write(&plain, text).unwrap();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        fs::write(&packed, encoder.finish().unwrap()).unwrap();
        let input = |path: &PathBuf, limit| Input::file(path.clone(), "test".into(), limit);
        let identity = |path, limit| input(path, limit).survey().unwrap().identity;
        assert_eq!(identity(&plain, None), identity(&packed, None));
        assert_ne!(identity(&plain, None), identity(&plain, Some(2)));
        let rows: Vec<_> = input(&packed, None).open().unwrap().1.map(|row| row.unwrap().1).collect();
        assert_eq!(rows, [&b"a\n"[..], b"\n", b"last without end"]);
    }

    #[test]
    fn an_endless_line_is_refused_with_its_number() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("long");
        fs::write(&path, [b"h\n".to_vec(), vec![b'x'; LINE_BYTES_MAX + 1]].concat()).unwrap();
        let error = Input::file(path, "long".into(), None).survey().unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("65536"), "{error}");
    }
}
