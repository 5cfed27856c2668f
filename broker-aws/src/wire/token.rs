//! Tokens that say where a list goes on: the last key that was shown, in base64.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// A page of a list, and where the next one begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Paged<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<String>,
}

/// The token of a list that goes on behind `last`.
pub(crate) fn encode(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

/// What was last shown; `None` if the token is none of ours.
pub(crate) fn decode(token: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}

/// The page behind `after` of items that are sorted by `key`: at most `max` of them.
pub(crate) fn page<T>(
    items: Vec<T>,
    after: Option<&str>,
    max: usize,
    key: impl Fn(&T) -> String,
) -> Paged<T> {
    let behind = |item: &T| after.is_none_or(|after| key(item).as_str() > after);
    let mut rest = items.into_iter().filter(behind);
    let items: Vec<T> = rest.by_ref().take(max).collect();
    let next = rest.next().and_then(|_| items.last()).map(|last| encode(&key(last)));
    Paged { items, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_go_on_where_the_last_one_ended() {
        let names = || vec!["a", "b", "c"];
        let first = page(names(), None, 2, |name| (*name).to_owned());
        assert_eq!(first.items, ["a", "b"]);
        let after = decode(&first.next.expect("there is more")).expect("our token");
        let second = page(names(), Some(&after), 2, |name| (*name).to_owned());
        assert_eq!(second, Paged { items: vec!["c"], next: None });
        assert_eq!(page(names(), None, 3, |name| (*name).to_owned()).next, None);
        assert_eq!(decode("%%%"), None);
    }
}
