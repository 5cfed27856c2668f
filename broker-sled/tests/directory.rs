//! What opening makes of a directory: nothing half-created counts, nothing is readable by others, nothing leads out.

mod common;

use std::{fs, path::Path};

use broker_core::storage::{Batch, Durability, Storage, StorageError};
use broker_sled::SledStorage;
use tempfile::TempDir;

/// A directory with a store that holds one row.
fn with_a_row() -> TempDir {
    let home = TempDir::new().expect("a temporary directory");
    let store = SledStorage::open(home.path()).expect("a new store");
    let mut batch = Batch::new();
    batch.put_row(1, 1, "row");
    store.commit(&batch, Durability::Synced).expect("a lawful batch");
    home
}

fn has_the_row(path: &Path) -> bool {
    SledStorage::open(path).expect("the store opens").row(1, 1).expect("the row reads").is_some()
}

#[test]
fn a_missing_directory_is_created_with_its_parents() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("a/b/c");
    drop(SledStorage::open(&path).unwrap());
    drop(SledStorage::open(&path).unwrap());
}

#[test]
fn a_half_created_store_counts_as_absent_and_is_cleaned_up() {
    let whole = with_a_row();
    let store = whole.path().join("store");
    // Every prefix of what creation does, the last one complete but for its name.
    for files in 0..=common::files_below(&store).len() {
        let home = TempDir::new().unwrap();
        let half = home.path().join("store.new");
        fs::create_dir_all(half.join("sled/blobs")).unwrap();
        for file in common::files_below(&store).iter().take(files) {
            fs::copy(file, half.join(file.strip_prefix(&store).unwrap())).unwrap();
        }
        assert!(!has_the_row(home.path()), "{files} files");
        assert!(!half.exists() && !has_the_row(home.path()));
    }
}

#[test]
fn a_crash_before_anything_but_the_lock_was_created_is_harmless() {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("lock"), "").unwrap();
    assert!(!has_the_row(home.path()));
}

#[test]
fn a_directory_with_other_files_is_not_taken_over() {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("letter.txt"), "dear").unwrap();
    let error = SledStorage::open(home.path()).err().unwrap();
    assert!(matches!(&error, StorageError::Io { action, .. } if action.contains("letter.txt")), "{error}");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "and nothing was created in it");
}

#[test]
fn a_newer_format_is_refused_and_named_and_an_unknown_one_is_damage() {
    let home = with_a_row();
    let marker = home.path().join("store/format");
    fs::write(&marker, "broker-sled 2\n").unwrap();
    let error = SledStorage::open(home.path()).err().unwrap();
    assert!(matches!(error, StorageError::NewerFormat { found: 2, supported: 1, .. }), "{error}");
    for text in ["", "broker-sled", "broker-sled 0", "another engine 1", "broker-sled -1"] {
        fs::write(&marker, text).unwrap();
        let error = SledStorage::open(home.path()).err().unwrap();
        assert!(matches!(&error, StorageError::Corrupt { place, .. } if place.ends_with("format")), "{text}");
    }
    fs::write(&marker, "broker-sled 1\n").unwrap();
    assert!(has_the_row(home.path()));
}

#[cfg(unix)]
#[test]
fn files_are_readable_by_their_owner_only_whatever_was_there_before() {
    use std::os::unix::fs::PermissionsExt;

    let home = with_a_row();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(home.path().join("store/sled/db"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(has_the_row(home.path()));
    for directory in ["", "store", "store/sled", "store/sled/blobs"] {
        assert_eq!(mode(&home.path().join(directory)), 0o700, "{directory}");
    }
    for file in common::files_below(home.path()) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_inside_the_directory_is_refused_and_not_followed() {
    for name in
        ["lock", "store", "store.new", "store/format", "store/synced", "store/sled/db", "store/sled/blobs/7"]
    {
        let (home, elsewhere) = (with_a_row(), TempDir::new().unwrap());
        let (link, target) = (home.path().join(name), elsewhere.path().join("target"));
        if link.exists() {
            fs::rename(&link, &target).unwrap();
        } else {
            fs::create_dir(&target).unwrap();
        }
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let error = SledStorage::open(home.path()).err().unwrap();
        assert!(
            matches!(&error, StorageError::Corrupt { place, .. } if place.ends_with(name)),
            "{name}: {error}"
        );
        assert!(target.exists(), "{name}: what it points to is left alone");
    }
}
