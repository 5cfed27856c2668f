//! The key that signs, and its certificate.

use std::str::FromStr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rsa::{
    RsaPrivateKey,
    pkcs1v15::{Signature, SigningKey},
    pkcs8::EncodePublicKey,
    sha2::{Digest as _, Sha256},
    signature::{SignatureEncoding as _, Signer as _},
};
use sha1::Sha1;
use x509_cert::{
    builder::{Builder as _, CertificateBuilder, Profile},
    der::{DateTime, EncodePem as _, asn1::UtcTime, pem::LineEnding},
    name::Name,
    serial_number::SerialNumber,
    spki::SubjectPublicKeyInfoOwned,
    time::{Time, Validity},
};

/// As long as those of SNS.
const KEY_BITS: usize = 2_048;
/// A year before any message is signed, and the last that this form of time can hold: the clock of the broker may be a test's.
const VALID_YEARS: (u16, u16) = (2_000, 2_049);

/// The scheme of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sns) enum Version {
    /// SHA-1 with RSA.
    One,
    /// SHA-256 with RSA.
    Two,
}

impl Version {
    pub(in crate::sns) fn as_str(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::Two => "2",
        }
    }
}

/// A key with its certificate.
pub(in crate::sns) struct Key {
    one: SigningKey<Sha1>,
    two: SigningKey<Sha256>,
    certificate: String,
    path: String,
}

impl Key {
    /// Makes a key and signs its own certificate with it. Nothing if the system gives no randomness.
    pub(super) fn make() -> Option<Self> {
        let private = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, KEY_BITS).ok()?;
        let two = SigningKey::<Sha256>::new(private.clone());
        let certificate = certificate(&private, &two)?;
        let digest = Sha256::digest(certificate.as_bytes());
        let name = u128::from_be_bytes(digest.first_chunk().copied()?);
        let path = format!("/SimpleNotificationService-{name:032x}.pem");
        Some(Self { one: SigningKey::new(private), two, certificate, path })
    }

    /// The signature of a text, in Base64.
    pub(super) fn sign(&self, version: Version, text: &[u8]) -> Option<String> {
        let signature = match version {
            Version::One => self.one.try_sign(text),
            Version::Two => self.two.try_sign(text),
        };
        Some(STANDARD.encode(signature.ok()?.to_vec()))
    }

    /// In PEM.
    pub(super) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Where the service has the certificate.
    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

fn certificate(private: &RsaPrivateKey, signer: &SigningKey<Sha256>) -> Option<String> {
    let public = private.to_public_key().to_public_key_der().ok()?;
    let public = SubjectPublicKeyInfoOwned::try_from(public.as_bytes()).ok()?;
    let begin_of = |year| {
        let time = UtcTime::from_date_time(DateTime::new(year, 1, 1, 0, 0, 0).ok()?).ok()?;
        Some(Time::UtcTime(time))
    };
    let validity = Validity { not_before: begin_of(VALID_YEARS.0)?, not_after: begin_of(VALID_YEARS.1)? };
    let name = Name::from_str("CN=sns.amazonaws.com").ok()?;
    let serial = SerialNumber::from(1_u32);
    let builder = CertificateBuilder::new(Profile::Root, serial, validity, name, public, signer).ok()?;
    builder.build::<Signature>().ok()?.to_pem(LineEnding::LF).ok()
}
