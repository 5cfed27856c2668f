//! User keys by themselves: reading and writing, pages, spaces that come and go, restarts.

use broker_core::{Error, KEY_BYTES_MAX, Space, VALUE_BYTES_MAX};

use crate::support::{Ground, Kind, block_on, everywhere};

async fn text(space: &Space, key: &str) -> Option<String> {
    space.get(key).await.unwrap().map(|value| String::from_utf8(value.to_vec()).unwrap())
}

async fn names(
    space: &Space,
    prefix: &str,
    after: Option<&str>,
    max: usize,
) -> (Vec<String>, Option<String>) {
    let page = space.scan(prefix, after.map(str::as_bytes), max).await.unwrap();
    let name = |key: &bytes::Bytes| String::from_utf8(key.to_vec()).unwrap();
    (page.entries.iter().map(|(key, _)| name(key)).collect(), page.next.as_ref().map(name))
}

// T12
#[test]
fn keys_are_set_read_and_removed_and_survive_a_restart() {
    everywhere(&async |ground, broker| {
        let space = broker.space("totals").await.unwrap();
        assert_eq!(text(&space, "a").await, None);
        space.put("a", "1").await.unwrap();
        space.put("a", "2").await.unwrap();
        space.put("b", "").await.unwrap();
        space.put("c", "3").await.unwrap();
        space.delete("c").await.unwrap();
        space.delete("c").await.unwrap();
        broker.close().await.unwrap();
        assert!(matches!(space.get("a").await, Err(Error::Closed)));
        drop((broker, space));

        let broker = ground.open().await;
        let space = broker.open_space("totals").await.unwrap();
        assert_eq!(text(&space, "a").await.as_deref(), Some("2"));
        assert_eq!(text(&space, "b").await.as_deref(), Some(""));
        assert_eq!(text(&space, "c").await, None);
        let stats = space.stats().await.unwrap();
        assert_eq!((stats.keys, stats.bytes), (2, 3));
    });
}

// T12
#[test]
fn pages_come_in_order_and_follow_each_other() {
    everywhere(&async |_, broker| {
        let space = broker.space("s").await.unwrap();
        let other = broker.space("t").await.unwrap();
        for key in ["b/2", "a", "b/1", "b/3", "b", "c"] {
            space.put(key, "x").await.unwrap();
            other.put(key, "y").await.unwrap();
        }
        assert_eq!(names(&space, "b/", None, 100).await.0, ["b/1", "b/2", "b/3"]);
        assert_eq!(names(&space, "", None, 100).await.0, ["a", "b", "b/1", "b/2", "b/3", "c"]);
        let (first, next) = names(&space, "b", None, 2).await;
        assert_eq!((first, next.as_deref()), (vec!["b".into(), "b/1".into()], Some("b/1")));
        assert_eq!(names(&space, "b", next.as_deref(), 2).await.0, ["b/2", "b/3"]);
        assert_eq!(names(&space, "b", Some("b/3"), 2).await, (vec![], None));
        assert_eq!(
            names(&space, "b/", Some("a"), 9).await.0.len(),
            3,
            "what is before the prefix does not count"
        );
        assert_eq!(names(&space, "b/", Some("z"), 9).await, (vec![], None));
    });
}

// T12
#[test]
fn a_page_of_large_values_ends_early() {
    block_on(async {
        let broker = Ground::new(Kind::Inline).open().await;
        let space = broker.space("large").await.unwrap();
        for number in 0..40 {
            space.put(format!("{number:02}"), vec![0; VALUE_BYTES_MAX]).await.unwrap();
        }
        let page = space.scan("", None, 1_000).await.unwrap();
        assert_eq!(page.entries.len(), 16, "a MiB");
        assert_eq!(page.next.as_deref(), Some(&b"15"[..]));
        assert_eq!(space.stats().await.unwrap().keys, 40);
    });
}

// T12
#[test]
fn what_cannot_be_is_refused_before_anything_changes() {
    block_on(async {
        let broker = Ground::new(Kind::Inline).open().await;
        let space = broker.space("s").await.unwrap();
        let long = vec![b'k'; KEY_BYTES_MAX + 1];
        let refused = |outcome: Result<(), Error>| match outcome {
            Err(Error::InvalidParameter { field, .. } | Error::MissingParameter { field }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(space.put("", "x").await), "key");
        assert_eq!(refused(space.put(&long, "x").await), "key");
        assert_eq!(refused(space.put("k", vec![0; VALUE_BYTES_MAX + 1]).await), "value");
        assert_eq!(refused(space.get(&long).await.map(drop)), "key");
        assert_eq!(refused(space.delete("").await), "key");
        assert_eq!(refused(space.scan("", None, 0).await.map(drop)), "max");
        assert_eq!(refused(space.scan("", None, 1_001).await.map(drop)), "max");
        assert_eq!(refused(space.scan(&long, None, 1).await.map(drop)), "prefix");
        assert_eq!(refused(space.scan("", Some(&long), 1).await.map(drop)), "after");
        for name in ["", "a b", &"n".repeat(129)] {
            assert_eq!(refused(broker.space(name).await.map(drop)), "name");
        }
        assert_eq!(space.stats().await.unwrap().keys, 0);
        space.put(&long[1..], vec![0; VALUE_BYTES_MAX]).await.unwrap();
        assert_eq!(space.stats().await.unwrap().bytes, (KEY_BYTES_MAX + VALUE_BYTES_MAX) as u64);
    });
}

// T12
#[test]
fn spaces_are_listed_and_go_with_all_their_keys() {
    everywhere(&async |ground, broker| {
        let (old, kept) = (broker.space("old").await.unwrap(), broker.space("kept").await.unwrap());
        for number in 0..30 {
            old.put(format!("k{number}"), "x").await.unwrap();
        }
        kept.put("k", "x").await.unwrap();
        assert_eq!(broker.list_spaces(), ["kept", "old"]);
        broker.delete_space("old").await.unwrap();
        assert_eq!(broker.list_spaces(), ["kept"]);
        assert!(matches!(old.get("k1").await, Err(Error::SpaceDoesNotExist { .. })));
        assert!(matches!(old.put("k1", "y").await, Err(Error::SpaceDoesNotExist { .. })));
        assert!(matches!(old.scan("", None, 1).await, Err(Error::SpaceDoesNotExist { .. })));
        assert!(matches!(broker.open_space("old").await, Err(Error::SpaceDoesNotExist { .. })));
        assert!(matches!(broker.delete_space("old").await, Err(Error::SpaceDoesNotExist { .. })));
        let new = broker.space("old").await.unwrap();
        assert_eq!(new.stats().await.unwrap().keys, 0, "a new space of the name is empty");
        new.put("k1", "z").await.unwrap();
        broker.close().await.unwrap();
        drop((broker, old, new, kept));

        let broker = ground.open().await;
        assert_eq!(broker.list_spaces(), ["kept", "old"]);
        assert_eq!(text(&broker.space("old").await.unwrap(), "k1").await.as_deref(), Some("z"));
        assert_eq!(text(&broker.space("kept").await.unwrap(), "k").await.as_deref(), Some("x"));
    });
}

// T12
#[test]
fn a_deleted_space_leaves_nothing_in_the_store() {
    block_on(async {
        let ground = Ground::new(Kind::Inline);
        let store = ground.store();
        let all = || {
            let page = broker_core::storage::Page { entries: 100_000, bytes: usize::MAX };
            store.meta_range(b"a", b"zz", page).unwrap().len()
        };
        let broker = ground.open().await;
        broker.space("first").await.unwrap();
        let before = all();
        let space = broker.space("s").await.unwrap();
        for number in 0..3_000 {
            space.put(format!("{number}"), "x").await.unwrap();
        }
        assert_eq!(all(), before + 3_001);
        broker.delete_space("s").await.unwrap();
        while all() > before {
            tokio::task::yield_now().await;
        }
        assert_eq!(all(), before);
    });
}

// T12
#[test]
fn damaged_spaces_are_named_when_the_store_is_opened() {
    block_on(async {
        for (value, says) in [
            (&b"not json"[..], "the definition of space \"s\""),
            (br#"{"id": 1000, "created_at": 0}"#, "has an id that is not its own"),
            (br#"{"id": 1, "created_at": 0}"#, "has an id that is not its own"),
        ] {
            let ground = Ground::new(Kind::Inline);
            let broker = ground.open().await;
            broker.queue("q").await.unwrap();
            broker.space("s").await.unwrap();
            broker.close().await.unwrap();
            let mut batch = broker_core::storage::Batch::new();
            batch.put_meta(b"vs", value);
            ground.store().commit(&batch, broker_core::storage::Durability::Synced).unwrap();
            let Err(refused) = broker_core::Broker::builder_on(ground.store()).open().await else {
                panic!("it was opened")
            };
            assert!(refused.to_string().contains(says), "{refused}");
            assert_eq!(refused.certainty(), broker_core::Certainty::Corrupt);
        }
    });
}
