//! One row: where its columns are, and what it comes to. Pure, so that a row that comes twice comes to the same.

use anyhow::{Context as _, Result};
use csv::{ByteRecord, ReaderBuilder};

/// A departure, as far as the totals need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Departure {
    pub(super) carrier: String,
    /// Minutes late, negative if early. `None` if the flight was cancelled.
    pub(super) delay: Option<i32>,
}

/// Where a file has the columns that the totals need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    carrier: usize,
    dep_time: usize,
    dep_delay: usize,
    /// How many fields every row must have.
    count: usize,
}

/// Carriers have two characters today; a few more are let through, so that others' data fits.
const CARRIER_CHARS_MAX: usize = 8;

impl Columns {
    /// Finds the columns by their names in the header line.
    pub(super) fn find(header: &[u8]) -> Result<Self> {
        let names = fields(header).unwrap_or_default();
        let find = |wanted: &str| {
            let position = names.iter().position(|name| name.trim_ascii() == wanted.as_bytes());
            position.with_context(|| {
                let shown = String::from_utf8_lossy(header).chars().take(100).collect::<String>();
                format!("there is no column {wanted:?} in the header line {shown:?}")
            })
        };
        Ok(Self {
            carrier: find("carrier")?,
            dep_time: find("dep_time")?,
            dep_delay: find("dep_delay")?,
            count: names.len(),
        })
    }

    /// What the row comes to, or why it cannot be used.
    pub(super) fn parse(&self, line: &[u8]) -> Result<Departure, String> {
        let fields = fields(line).ok_or("it holds no CSV record")?;
        if fields.len() != self.count {
            return Err(format!("it has {} fields, the header has {}", fields.len(), self.count));
        }
        let text = |index: usize, name: &str| {
            std::str::from_utf8(&fields[index]).map_err(|_| format!("{name} is not UTF-8"))
        };
        let carrier = text(self.carrier, "carrier")?;
        let allowed = carrier.bytes().all(|b| b.is_ascii_alphanumeric());
        if carrier.is_empty() || carrier.len() > CARRIER_CHARS_MAX || carrier == "NA" || !allowed {
            let what = "is not 1 to 8 letters and digits";
            return Err(format!("carrier {} {what}", shown(carrier)));
        }
        let departed = number(text(self.dep_time, "dep_time")?, "dep_time")?.is_some();
        let delay = number(text(self.dep_delay, "dep_delay")?, "dep_delay")?;
        match (departed, delay) {
            (true, None) => Err("it has a dep_time and no dep_delay".to_owned()),
            (true, delay) => Ok(Departure { carrier: carrier.to_owned(), delay }),
            (false, _) => Ok(Departure { carrier: carrier.to_owned(), delay: None }),
        }
    }
}

/// A whole number, or `None` for `NA`.
fn number(text: &str, name: &str) -> Result<Option<i32>, String> {
    if text == "NA" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| format!("{name} {} is not a whole number or NA", shown(text)))
}

/// A refused value in printable ASCII, cut to a readable length: it becomes part of a message attribute.
fn shown(value: &str) -> String {
    let value = value.chars().take(40).flat_map(char::escape_default);
    format!("\"{}\"", value.collect::<String>())
}

/// The fields of a line, or `None` if it holds no record.
fn fields(line: &[u8]) -> Option<ByteRecord> {
    let mut reader =
        ReaderBuilder::new().has_headers(false).buffer_capacity(line.len().max(1)).from_reader(line);
    let mut record = ByteRecord::new();
    // Reading from a slice cannot fail, and a single record cannot differ in length from others.
    reader.read_byte_record(&mut record).ok()?.then_some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = b"year,dep_time,dep_delay,carrier\n";

    fn parse(line: &[u8]) -> Result<Departure, String> {
        Columns::find(HEADER).unwrap().parse(line)
    }

    #[test]
    fn departures_and_cancellations_are_told_apart() {
        let departed = Departure { carrier: "UA".into(), delay: Some(-3) };
        assert_eq!(parse(b"2013,517,-3,UA\r\n"), Ok(departed.clone()));
        assert_eq!(parse(b"2013,517,-3,\"UA\""), Ok(departed));
        let cancelled = Departure { carrier: "9E".into(), delay: None };
        assert_eq!(parse(b"2013,NA,NA,9E\n"), Ok(cancelled));
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let bad: [(&[u8], &str); 8] = [
            (b"\n", "no CSV record"),
            (b"2013,517,2\n", "it has 3 fields, the header has 4"),
            (b"2013,517,2,UA,x\n", "it has 5 fields"),
            (b"2013,517,late,UA\n", "dep_delay \"late\""),
            (b"2013,517,NA,UA\n", "no dep_delay"),
            (b"2013,517,2,\n", "carrier \"\""),
            (b"2013,517,2,U\xff\n", "carrier is not UTF-8"),
            (b"2013,517,99999999999,UA\n", "dep_delay \"99999999999\""),
        ];
        for (line, reason) in bad {
            let error = parse(line).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_file_without_the_columns_is_refused() {
        let error = Columns::find(b"a,b\n").unwrap_err().to_string();
        assert!(error.contains("carrier") && error.contains("a,b"), "{error}");
        assert!(Columns::find(b"").is_err());
    }
}
