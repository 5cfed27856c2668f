//! Digests by which clients check what has arrived: of a body and of attributes (rule Q36).

use md5::{Digest, Md5};

/// The digest of a body, in hexadecimal digits.
pub(super) fn of_body(body: &[u8]) -> String {
    hex(&Md5::digest(body))
}

/// A value as it is digested.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digested<'a> {
    pub(super) name: &'a str,
    pub(super) data_type: &'a str,
    pub(super) binary: bool,
    pub(super) value: &'a [u8],
}

/// The digest of attributes, which come in the order of the bytes of their names; `None` if there are none.
pub(super) fn of_attributes<'a>(attributes: impl Iterator<Item = Digested<'a>>) -> Option<String> {
    let mut digest = Md5::new();
    let mut any = false;
    for Digested { name, data_type, binary, value } in attributes {
        any = true;
        for part in [name.as_bytes(), data_type.as_bytes()] {
            add(&mut digest, part);
        }
        digest.update([if binary { 2 } else { 1 }]);
        add(&mut digest, value);
    }
    any.then(|| hex(&digest.finalize()))
}

/// A length of four bytes, and what is so long. Nothing here is longer: a request has a few megabytes.
fn add(digest: &mut Md5, part: &[u8]) {
    digest.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    digest.update(part);
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(attributes: &[(&str, &str, &str)]) -> Option<String> {
        let digested = |(name, data_type, value): &(&'static str, &'static str, &'static str)| Digested {
            name,
            data_type,
            binary: false,
            value: value.as_bytes(),
        };
        let attributes: Vec<(&'static str, &'static str, &'static str)> =
            attributes.iter().map(|(a, b, c)| (leak(a), leak(b), leak(c))).collect();
        of_attributes(attributes.iter().map(digested))
    }

    fn leak(text: &str) -> &'static str {
        text.to_owned().leak()
    }

    // Q36
    #[test]
    fn digests_are_those_of_sqs() {
        let expect = |attributes: &[(&str, &str, &str)], digest: &str| {
            assert_eq!(texts(attributes).as_deref(), Some(digest), "{attributes:?}");
        };
        expect(&[("timestamp", "Number", "1493147359900")], "235c5c510d26fb653d073faed50ae77c");
        expect(&[("attr1", "Number", "99.12")], "d302007e9aa062660afc85fd0a482472");
        expect(&[("k", "String", "x")], "a45daa70926828a2f0a1db3418e6feb4");
        expect(
            &[("General", "String", "Kenobi"), ("Hello", "String", "There"), ("Help.Me", "String", "Me")],
            "4c360f3fdafd970e05fae2f149d997f5",
        );
        expect(
            &[("attr1", "Number", "99.12"), ("attr2", "Number", "109.12")],
            "9b720b3af309c1c4b0d395c53b08c502",
        );
        let trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        expect(&[("AWSTraceHeader", "String", trace)], "5ae4d5d7636402d80f4eb6d213245a88");
        assert_eq!(texts(&[]), None);
        assert_eq!(of_body(b"hello"), "5d41402abc4b2a76b9719d911017c592");
    }
}
