//! Queue URLs: `http://HOST/ACCOUNT/NAME`.

use crate::realm::{Realm, is_account};

/// The URL of a queue. `endpoint` has a scheme and a host, and no slash at its end.
pub(crate) fn queue_url(endpoint: &str, realm: &Realm, name: &str) -> String {
    format!("{endpoint}/{}/{name}", realm.account())
}

/// Account and name in the path of a queue URL, if it is one.
pub(crate) fn queue_in_path(path: &str) -> Option<(&str, &str)> {
    let (account, name) = path.trim_matches('/').split_once('/')?;
    (is_account(account) && !name.is_empty() && !name.contains('/')).then_some((account, name))
}

/// Account, if there is one, and name of the queue that a client means by a queue URL. A URL counts by its path, whatever its
/// host, since clients know a broker by more than one; a bare name is the queue of that name.
pub(crate) fn queue_in_url(url: &str) -> Option<(Option<&str>, &str)> {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        None if url.contains('/') => url,
        None => return (!url.is_empty()).then_some((None, url)),
    };
    queue_in_path(path).map(|(account, name)| (Some(account), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_found_by_its_url_its_path_or_its_name() {
        let url = queue_url("http://localhost:4566", &Realm::default(), "orders.fifo");
        assert_eq!(url, "http://localhost:4566/000000000000/orders.fifo");
        let meant = Some((Some("000000000000"), "orders.fifo"));
        assert_eq!(queue_in_url(&url), meant);
        assert_eq!(queue_in_url("/000000000000/orders.fifo"), meant);
        assert_eq!(queue_in_url("https://sqs.eu-west-1.amazonaws.com/000000000000/orders.fifo/"), meant);
        assert_eq!(queue_in_url("orders"), Some((None, "orders")));
        for bad in ["", "http://localhost", "http://localhost/", "http://localhost/orders", "/a/b/c", "//"] {
            assert_eq!(queue_in_url(bad), None, "{bad}");
        }
    }
}
