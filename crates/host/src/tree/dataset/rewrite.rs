//! A changed file, patched where it stands: a snapshot then costs the blocks that differ.
//!
//! Only in a clone: nobody sees it before it is published, and it shares no inode with another tree.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use dsg_core::failure::{Failure, Outcome};
use dsg_fs::dir::{Dir, file_stat};
use dsg_fs::stat::Kind;

/// Smaller files are replaced.
const WORTH: u64 = 1024 * 1024;
/// Compared at once: the largest record that a dataset has unless it is told otherwise.
const BLOCK: usize = 128 * 1024;

/// Gives the file at `to` the content of the one at `name`, of `size` bytes, writing only what
/// differs; whether it did. Otherwise nothing was changed.
pub(in crate::tree) fn rewrite(
    from: &Dir,
    name: &str,
    dir: &Dir,
    to: &str,
    size: u64,
) -> Outcome<bool> {
    if size < WORTH {
        return Ok(false);
    }
    let Some(stat) = dir.stat(to)? else { return Ok(false) };
    // Another name of it is another path, of which nothing was said.
    if stat.kind != Kind::File || stat.size < WORTH || stat.nlink != 1 {
        return Ok(false);
    }
    let new = from.open_file(name)?;
    // Published files are read-only.
    if dir.set_mode(to, stat.mode | 0o600).is_err() {
        return Ok(false);
    }
    let Ok(old) = dir.open_to_write(to) else { return Ok(false) };
    patch(&new, &old, file_stat(&old, &dir.at(to))?.size)
        .and_then(|()| old.set_len(size))
        .map_err(|e| Failure::io("write", dir.at(to), e))?;
    Ok(true)
}

fn patch(new: &File, old: &File, there: u64) -> io::Result<()> {
    let (mut is, mut shall) = (vec![0; BLOCK], vec![0; BLOCK]);
    let mut at = 0;
    loop {
        let length = read_block(new, &mut shall, at)?;
        if length == 0 {
            return Ok(());
        }
        let known = if at < there { read_block(old, &mut is, at)? } else { 0 };
        if is[..known.min(length)] != shall[..length] {
            old.write_all_at(&shall[..length], at)?;
        }
        at += length as u64;
    }
}

/// A whole block, unless the file ends in it.
fn read_block(file: &File, block: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match file.read_at(&mut block[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    fn pattern(size: usize) -> Vec<u8> {
        (0..size).map(|at| u8::try_from(at / 1000 * 7 % 251).unwrap()).collect()
    }

    #[test]
    fn a_large_file_gets_its_new_content_in_the_same_inode_whatever_the_sizes() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        let old = pattern(1_500_000);
        let mut middle = old.clone();
        middle[700_000..700_010].fill(9);
        for new in [middle, pattern(2_000_001), pattern(1_048_576), old.clone()] {
            let at = folder.path().join("file");
            std::fs::write(&at, &old).unwrap();
            std::fs::set_permissions(&at, std::fs::Permissions::from_mode(0o444)).unwrap();
            std::fs::write(folder.path().join("new"), &new).unwrap();
            let inode = std::fs::metadata(&at).unwrap().ino();
            assert!(rewrite(&dir, "new", &dir, "file", new.len() as u64).unwrap());
            assert!(std::fs::read(&at).unwrap() == new, "{}", new.len());
            assert_eq!(std::fs::metadata(&at).unwrap().ino(), inode);
            std::fs::remove_file(&at).unwrap();
        }
    }

    #[test]
    fn small_files_and_those_with_a_second_name_are_replaced_instead() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        let write = |name: &str, size| std::fs::write(folder.path().join(name), pattern(size));
        write("new", 1_500_000).unwrap();
        write("small", 1000).unwrap();
        write("two", 2_000_000).unwrap();
        std::fs::hard_link(folder.path().join("two"), folder.path().join("names")).unwrap();
        std::os::unix::fs::symlink("two", folder.path().join("link")).unwrap();
        for at in ["absent", "small", "two", "link"] {
            assert!(!rewrite(&dir, "new", &dir, at, 1_500_000).unwrap(), "{at}");
        }
        assert_eq!(std::fs::read(folder.path().join("names")).unwrap(), pattern(2_000_000));
    }

    #[test]
    fn only_what_differs_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let sparse = File::create_new(folder.path().join("old")).unwrap();
        sparse.set_len(4 * 1024 * 1024).unwrap();
        let mut content = vec![0; 4 * 1024 * 1024];
        content[3_000_000] = 1;
        std::fs::write(folder.path().join("new"), content).unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        assert!(rewrite(&dir, "new", &dir, "old", 4 * 1024 * 1024).unwrap());
        let blocks = sparse.metadata().unwrap().blocks() * 512;
        assert!(blocks <= 2 * BLOCK as u64, "{blocks} bytes were written");
    }
}
