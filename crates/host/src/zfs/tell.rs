//! What programs, comparisons and weighings tell, read. Pure, as [`super::parse`].

use std::path::PathBuf;

use serde::Deserialize;

use super::parse::{Odd, odd};
use super::verb::{Change, Cost, How, Kind, Mountpoint, Stop};

/// What follows a decision, as the deciding program tells it: of what is D from now on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Next {
    /// Its guid, as a signed number behind `#`.
    guid: String,
    /// Where it will stand.
    home: String,
    /// That is set on it itself.
    own: bool,
    /// What its `canmount` shall be.
    pub meant: String,
}

impl Next {
    pub(super) fn guid(&self) -> Option<u64> {
        Some(self.guid.strip_prefix('#')?.parse::<i64>().ok()?.cast_unsigned())
    }

    pub(super) fn mountpoint(&self) -> Mountpoint {
        Mountpoint { value: self.home.clone(), own: self.own }
    }
}

/// What the decision came to: what stopped it, or what follows it, if that is told.
pub(super) fn decision(text: &str) -> Result<Result<Option<Next>, Stop>, Odd> {
    #[derive(Deserialize)]
    struct Returned {
        #[serde(rename = "return")]
        told: Told,
    }
    #[derive(Deserialize)]
    struct Told {
        #[serde(default)]
        decided: bool,
        next: Option<Next>,
        stopped: Option<String>,
        #[serde(default)]
        what: serde_json::Value,
        #[serde(default)]
        errno: i32,
    }
    let not = |_| odd(text);
    let Told { decided, next, stopped, what, errno } =
        serde_json::from_str::<Returned>(text).map_err(not)?.told;
    let Some(stopped) = stopped else {
        return if decided { Ok(Ok(next)) } else { Err(odd(text)) };
    };
    // A list comes as an object whose keys count from 1.
    let names = || -> Vec<String> {
        let list = what.as_object().into_iter().flat_map(serde_json::Map::values);
        list.filter_map(|v| v.as_str().map(str::to_owned)).collect()
    };
    let word = || what.as_str().unwrap_or_default().to_owned();
    Ok(Err(match stopped.as_str() {
        "missing" => Stop::Missing,
        "moved" => Stop::Moved,
        "stranger" => Stop::Stranger,
        "drift" => Stop::Drift(what.as_i64().unwrap_or_default().cast_unsigned()),
        "foreign" => Stop::Foreign(names()),
        "properties" => Stop::Properties(names()),
        "taken" => Stop::Taken,
        "limit" => Stop::Limit(word()),
        "busy" => Stop::Busy,
        "space" => Stop::Space,
        "other" => Stop::Other(errno, word()),
        _ => return Err(odd(text)),
    }))
}

/// One line of a comparison, with the mount point in front of its names taken off.
pub(super) fn change(line: &str, mounts: &[PathBuf]) -> Result<Change, Odd> {
    let mut columns = line.split('\t');
    let mut next = || columns.next().ok_or_else(|| odd(line));
    let (how, kind) = (next()?, next()?);
    let below = |escaped: &str| {
        let name = unescaped(escaped).ok_or_else(|| odd(line))?;
        let rest = mounts.iter().filter_map(|mount| {
            let mount = mount.as_os_str().as_encoded_bytes();
            let rest = name.strip_prefix(mount)?;
            if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b"/") }
        });
        rest.min_by_key(|r| r.len()).map(<[u8]>::to_vec).ok_or_else(|| odd(line))
    };
    let path = below(next()?)?;
    let how = match how {
        "+" => How::Added,
        "-" => How::Removed,
        "M" => How::Modified,
        "R" => How::Renamed,
        _ => return Err(odd(line)),
    };
    let to = if how == How::Renamed { Some(below(next()?)?) } else { None };
    let kind = match kind {
        "F" => Kind::File,
        "/" => Kind::Dir,
        "@" => Kind::Link,
        _ => Kind::Other,
    };
    Ok(Change { how, kind, path, to })
}

/// A backslash and four octal digits stand for a byte.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'\\' {
            let digits = std::str::from_utf8(after.get(..4)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 8).ok()?);
            rest = &after[4..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    Some(bytes)
}

/// What snapshots cost; those that are not DSG's are left out.
pub(super) fn costs(text: &str) -> Result<Vec<Cost>, Odd> {
    let mut costs = Vec::new();
    for line in text.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [name, used, written, refer] = columns[..] else { return Err(odd(line)) };
        let number = |text: &str| text.parse::<u64>().map_err(|_| odd(line));
        let tag = name.split_once('@').and_then(|(_, tag)| tag.parse().ok());
        if let Some(tag) = tag {
            let (used, written, refer) = (number(used)?, number(written)?, number(refer)?);
            costs.push(Cost { tag, used, written, refer });
        }
    }
    Ok(costs)
}

/// What would be free: `destroy\tNAME` for each, then `reclaim\tBYTES`.
pub(super) fn freed(text: &str) -> Result<u64, Odd> {
    let last = text.lines().last().unwrap_or_default();
    let bytes = last.strip_prefix("reclaim\t").and_then(|bytes| bytes.parse().ok());
    bytes.filter(|_| text.ends_with('\n')).ok_or_else(|| odd(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_free_is_the_last_thing_told() {
        let whole = "destroy\ttank/p@s1\ndestroy\ttank/p@s3\nreclaim\t24576\n";
        assert_eq!(freed(whole), Ok(24576));
        for cut in ["", "destroy\ttank/p@s1\n", "destroy\ttank/p@s1\nreclaim\t245"] {
            assert!(freed(cut).is_err(), "{cut}");
        }
    }

    #[test]
    fn a_change_is_read_with_its_escapes_and_below_its_mount_point() {
        let mounts = [PathBuf::from("/run/dsg/x"), PathBuf::from("/tank/dsg/p")];
        let read = |line: &str| change(line, &mounts);
        let renamed = read("R\tF\t/tank/dsg/p/back\\0134slash\t/tank/dsg/p/ren\\0040amed").unwrap();
        assert_eq!(
            (renamed.path, renamed.to),
            (b"back\\slash".to_vec(), Some(b"ren amed".to_vec()))
        );
        let root = read("M\t/\t/tank/dsg/p/").unwrap();
        assert_eq!((root.how, root.kind, root.path), (How::Modified, Kind::Dir, Vec::new()));
        assert_eq!(read("+\t|\t/tank/dsg/p/ff").unwrap().kind, Kind::Other);
        for odd in [
            "",
            "M\tF",
            "M\tF\t/tank/dsg/px/a",
            "Q\tF\t/tank/dsg/p/a",
            "R\tF\t/tank/dsg/p/a",
            "M\tF\t/tank/dsg/p/a\\9",
        ] {
            assert!(read(odd).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn a_decision_is_read_whatever_stopped_it() {
        for (text, expected) in [
            (r#"{"return":{"stopped":"drift","what":15360}}"#, Stop::Drift(15360)),
            (
                r#"{"return":{"stopped":"foreign","what":{"1":"auto","2":"b"}}}"#,
                Stop::Foreign(vec!["auto".into(), "b".into()]),
            ),
            (r#"{"return":{"stopped":"limit","what":"tank"}}"#, Stop::Limit("tank".into())),
            (
                r#"{"return":{"stopped":"other","errno":5,"what":"promote"}}"#,
                Stop::Other(5, "promote".into()),
            ),
        ] {
            assert_eq!(decision(text), Ok(Err(expected)), "{text}");
        }
        assert_eq!(decision(r#"{"return":{"decided":true}}"#), Ok(Ok(None)));
        let text = r##"{"return":{"decided":true,"next":{"guid":"#-2","home":"/tank/p","own":false,
            "meant":"on"}}}"##;
        let next = decision(text).unwrap().unwrap().unwrap();
        assert_eq!((next.guid(), next.meant.as_str()), (Some(u64::MAX - 1), "on"));
        assert_eq!(next.mountpoint(), Mountpoint { value: "/tank/p".into(), own: false });
        for odd in ["", "{}", r#"{"return":{}}"#, r#"{"return":{"stopped":"new"}}"#] {
            assert!(decision(odd).is_err(), "{odd}");
        }
    }
}
