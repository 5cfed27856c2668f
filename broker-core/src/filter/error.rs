//! What is wrong with a policy, in the words of SNS, and where (rules N17, N62 to N65).

/// Why a text is not a filter policy, and where. Nothing happened; correct the text.
///
/// The message is that of SNS behind its prefix (`Invalid parameter: FilterPolicy: `). Printed, the position follows on a
/// line of its own, as it does there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}\n at line {line}, column {column}")]
pub struct FilterPolicyError {
    /// What is wrong, such as `Filter policy is too complex` or `Unrecognized match type x`. May quote the policy.
    pub message: String,
    /// The line of the fault, from 1.
    pub line: usize,
    /// The column of the fault in characters, from 1.
    pub column: usize,
}

impl FilterPolicyError {
    /// An error at a byte of the text.
    pub(super) fn at(text: &str, byte: usize, message: impl Into<String>) -> Self {
        // Bytes that continue a character are not counted, so the byte may lie anywhere.
        let starts_char = |byte: &&u8| **byte & 0b1100_0000 != 0b1000_0000;
        let mut lines = text.as_bytes()[..byte.min(text.len())].split(|byte| *byte == b'\n');
        let column = 1 + lines.next_back().unwrap_or_default().iter().filter(starts_char).count();
        Self { message: message.into(), line: 1 + lines.count(), column }
    }
}

/// What is wrong with a policy, at a node of it.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) node: usize,
    pub(super) message: String,
}

impl Flaw {
    pub(super) fn at(node: usize, message: impl Into<String>) -> Self {
        Self { node, message: message.into() }
    }

    pub(super) fn too_complex(node: usize) -> Self {
        Self::at(node, "Filter policy is too complex")
    }
}
