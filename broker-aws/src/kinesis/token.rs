//! Tokens that say where a list goes on: for whom, behind what, and since when (rule K57).

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use broker_core::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::errors;
use crate::wire::error::{WireError, WireResult};

/// How long a token can be used.
const VALID: Duration = Duration::from_secs(300);

/// A token: what list it is of, and where that goes on.
#[derive(Debug, Serialize, Deserialize)]
struct Token<T> {
    at: Timestamp,
    rest: T,
}

/// A token given out now.
pub(super) fn encode<T: Serialize>(rest: &T, now: Timestamp) -> WireResult<String> {
    let json = serde_json::to_vec(&Token { at: now, rest });
    Ok(URL_SAFE_NO_PAD.encode(json.map_err(|error| WireError::internal(error.to_string()))?))
}

/// What was encoded, unless it is too long ago.
pub(super) fn decode<T: DeserializeOwned>(text: &str, now: Timestamp) -> WireResult<T> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let token: Option<Token<T>> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let Token { at, rest } = token.ok_or_else(|| errors::invalid("NextToken is invalid."))?;
    if now.since(at) > VALID {
        let message =
            format!("The NextToken was given out at {at}, more than {} seconds ago.", VALID.as_secs());
        return Err(WireError::sender("ExpiredNextTokenException", message));
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k57_a_token_is_good_for_five_minutes() {
        let now = Timestamp::from_millis(1_000_000);
        let token = encode(&"here", now).unwrap();
        let at = |seconds: u64| decode::<String>(&token, Timestamp::from_millis(1_000_000 + seconds * 1_000));
        assert_eq!(at(300).as_deref(), Ok("here"));
        assert_eq!(at(301).map_err(|error| error.shape), Err("ExpiredNextTokenException".into()));
        for text in ["", "%%", "e30", &token[1..]] {
            let refused = decode::<String>(text, now).map_err(|error| error.shape);
            assert_eq!(refused, Err("InvalidArgumentException".into()), "{text}");
        }
    }
}
