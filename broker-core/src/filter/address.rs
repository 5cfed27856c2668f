//! IP addresses and ranges of them: the operator `cidr`, and exact values that are addresses.

use std::net::Ipv6Addr;

/// A range of addresses of one family, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    first: Address,
    last: u128,
}

/// An address as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Address {
    V4(u32),
    V6(u128),
}

impl Address {
    /// Reads an address. Numbers of version 4 may begin with zeros; version 6 is hexadecimal throughout, and what maps
    /// version 4 is of version 4.
    pub(super) fn read(text: &str) -> Option<Self> {
        if looks_like_v4(text) {
            let number = |part: &str| part.parse::<u32>().ok().filter(|number| *number < 256);
            let fold = |address: u32, part: &str| Some(address << 8 | number(part)?);
            return text.split('.').try_fold(0, fold).map(Self::V4);
        }
        if !looks_like_v6(text) {
            return None;
        }
        let address: Ipv6Addr = text.parse().ok()?;
        Some(address.to_ipv4_mapped().map_or(Self::V6(address.into()), |mapped| Self::V4(mapped.into())))
    }
}

fn looks_like_v4(text: &str) -> bool {
    // Leading zeros may be many, but not without end.
    let number = |part: &str| (1..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 39 && text.split('.').count() == 4 && text.split('.').all(number)
}

fn looks_like_v6(text: &str) -> bool {
    let digit = |byte: u8| byte == b':' || byte.is_ascii_hexdigit();
    text.len() <= 39 && text.contains(':') && text.bytes().all(digit)
}

impl Range {
    /// The one address that a text is.
    pub(super) fn of_address(text: &str) -> Option<Self> {
        let first = Address::read(text)?;
        Some(match first {
            Address::V4(address) => Self { first, last: address.into() },
            Address::V6(address) => Self { first, last: address },
        })
    }

    /// The range of a text like `10.0.0.0/24`, from the address that is written to the end of its block; or what is
    /// wrong with it.
    pub(super) fn of_block(text: &str) -> Result<Self, String> {
        // An empty part behind the last slash is no part.
        let mut parts = text.trim_end_matches('/').split('/');
        let (Some(address), Some(bits), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err("Malformed CIDR, one '/' required".into());
        };
        let Ok(bits) = bits.parse::<i32>() else {
            return Err("Malformed CIDR, mask bits must be an integer".into());
        };
        let Ok(bits) = u32::try_from(bits) else {
            return Err("Malformed CIDR, mask bits must not be negative".into());
        };
        let Some(first) = Address::read(address) else {
            let invalid = looks_like_v4(address) || looks_like_v6(address);
            let kind = if invalid { "Invalid" } else { "Nonstandard" };
            return Err(format!("{kind} IP address: {address}"));
        };
        let last = match first {
            Address::V4(_) if bits > 31 => return Err("IPv4 mask bits must be < 32".into()),
            Address::V6(_) if bits > 127 => return Err("IPv6 mask bits must be < 128".into()),
            Address::V4(address) => (address | u32::MAX >> bits).into(),
            Address::V6(address) => address | u128::MAX >> bits,
        };
        Ok(Self { first, last })
    }

    /// Whether an address is in the range.
    pub(super) fn contains(&self, address: Address) -> bool {
        match (self.first, address) {
            (Address::V4(first), Address::V4(address)) => {
                (first..).contains(&address) && u128::from(address) <= self.last
            }
            (Address::V6(first), Address::V6(address)) => (first..=self.last).contains(&address),
            _ => false,
        }
    }
}
