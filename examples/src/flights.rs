//! What the larger of the small examples share: the shipped departures as text, and a broker where the user wants it.

use std::{io::Read as _, path::Path, time::UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use broker_core::{Broker, BrokerBuilder};
use broker_log::LogStorage;
use broker_mem::MemStorage;
use flate2::bufread::MultiGzDecoder;

/// The departures that the examples ship, gzipped.
pub(crate) static SHIPPED: &[u8] = include_bytes!("../data/flights-2013-01.csv.gz");

/// The columns that the examples look at, by their names in the header line.
const NAMES: [&str; 5] = ["carrier", "tailnum", "dep_time", "dep_delay", "time_hour"];

/// One row of the shipped departures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flight {
    /// The row as it stands in the file.
    pub line: String,
    /// The airline, two characters.
    pub carrier: String,
    /// The aircraft's tail number, or `NA`.
    pub tail: String,
    /// Whether it never departed.
    pub cancelled: bool,
    /// The hour in which it was to depart, in milliseconds since 1970.
    pub hour_ms: u64,
}

/// Where a row has what the examples look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns([usize; NAMES.len()]);

impl Columns {
    /// The columns of the shipped departures.
    fn find(header: &str) -> Result<Self> {
        let mut found = [0; NAMES.len()];
        for (place, name) in found.iter_mut().zip(NAMES) {
            let position = header.split(',').position(|column| column == name);
            *place = position.with_context(|| format!("there is no column {name:?} in {header:?}"))?;
        }
        Ok(Self(found))
    }

    /// Carrier, tail number, departure time, delay and scheduled hour of a row, as they stand there.
    pub fn of<'r>(&self, line: &'r str) -> Result<[&'r str; NAMES.len()]> {
        let fields: Vec<&str> = line.split(',').collect();
        let Self(places) = self;
        ensure!(places.iter().all(|place| *place < fields.len()), "the row is cut short: {line:?}");
        Ok(places.map(|place| fields[place]))
    }
}

/// All shipped departures, in the order of the file, which is that of time.
pub fn shipped() -> Result<(Columns, Vec<Flight>)> {
    let mut text = String::new();
    MultiGzDecoder::new(SHIPPED).read_to_string(&mut text).context("unpacking the departures")?;
    let mut lines = text.lines();
    let columns = Columns::find(lines.next().unwrap_or_default())?;
    let flight = |line: &str| {
        let [carrier, tail, dep_time, _, hour] = columns.of(line)?.map(str::to_owned);
        let hour = humantime::parse_rfc3339(&hour).with_context(|| format!("the hour of {line:?}"))?;
        let hour_ms = u64::try_from(hour.duration_since(UNIX_EPOCH)?.as_millis())?;
        Ok(Flight { line: line.to_owned(), carrier, tail, cancelled: dep_time == "NA", hour_ms })
    };
    let flights = lines.map(flight).collect::<Result<Vec<_>>>()?;
    Ok((columns, flights))
}

/// Opens a broker on broker-log in the directory, or in memory if none is given.
pub async fn open(directory: Option<&Path>) -> Result<Broker> {
    Ok(builder(directory)?.open().await?)
}

/// A broker about to be opened there.
///
/// The workers of an earlier run died with it, so what they had is visible at once.
pub fn builder(directory: Option<&Path>) -> Result<BrokerBuilder> {
    let builder = match directory {
        Some(directory) => Broker::builder(LogStorage::open(directory)?),
        None => Broker::builder(MemStorage::new()),
    };
    Ok(builder.release_in_flight())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_departures_are_what_their_readme_says() {
        let (columns, flights) = shipped().unwrap();
        let aircraft: HashSet<&str> = flights.iter().map(|flight| flight.tail.as_str()).collect();
        let cancelled = flights.iter().filter(|flight| flight.cancelled).count();
        assert_eq!((flights.len(), aircraft.len(), cancelled), (27_004, 3_149, 521));
        assert_eq!(
            columns.of(&flights[0].line).unwrap(),
            ["UA", "N14228", "517", "2", "2013-01-01T10:00:00Z"]
        );
        assert!(columns.of("2013,1,1").is_err());
    }
}
