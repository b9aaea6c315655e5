//! Many paths in order, each kept as what differs from the one before it: paths of one folder have
//! most of their characters in common.

/// Every so many paths one stands whole, so that none is far from where its reading begins.
const BLOCK: usize = 16;

/// Sorted paths, by number.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Paths {
    /// What each path does not share with the one before, one after the other.
    text: String,
    marks: Vec<Mark>,
    last: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Mark {
    /// Where its text begins.
    at: u32,
    /// Bytes that it shares.
    shared: u16,
}

impl Paths {
    /// Adds one; whether there was room for it. (Longer than 4 GiB of text, or one path of 64 KiB, no
    /// state holds.)
    pub(super) fn push(&mut self, path: &str) -> bool {
        let whole = self.marks.len().is_multiple_of(BLOCK);
        let shared = if whole { 0 } else { common(&self.last, path) };
        let (Ok(at), Ok(short)) = (u32::try_from(self.text.len()), u16::try_from(shared)) else {
            return false;
        };
        self.text.push_str(&path[shared..]);
        self.marks.push(Mark { at, shared: short });
        self.last.clear();
        self.last.push_str(path);
        true
    }

    /// Room for so many more.
    pub(super) fn reserve(&mut self, more: usize) {
        self.marks.reserve(more);
    }

    /// No more room than they need.
    pub(super) fn fit(&mut self) {
        self.text.shrink_to_fit();
    }

    /// Reads them: cheaply one after the other.
    pub(super) fn reader(&self) -> Reader<'_> {
        Reader { paths: self, read: None, path: String::new() }
    }

    fn own(&self, number: usize) -> (usize, &str) {
        let Mark { at, shared } = self.marks[number];
        let end = self.marks.get(number + 1).map_or(self.text.len(), |next| next.at as usize);
        (usize::from(shared), &self.text[at as usize..end])
    }
}

/// How many bytes two texts begin with alike, whole characters of both.
fn common(a: &str, b: &str) -> usize {
    let alike = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    (0..=alike).rev().find(|at| b.is_char_boundary(*at)).unwrap_or(0)
}

/// A place among the paths.
pub(super) struct Reader<'p> {
    paths: &'p Paths,
    /// The number of `path`.
    read: Option<usize>,
    path: String,
}

impl Reader<'_> {
    /// The path of this number.
    pub(super) fn path(&mut self, number: usize) -> &str {
        let block = number - number % BLOCK;
        let from = match self.read {
            Some(read) if (block..=number).contains(&read) => read + 1,
            _ => block,
        };
        for near in from..=number {
            let (shared, own) = self.paths.own(near);
            self.path.truncate(shared);
            self.path.push_str(own);
        }
        self.read = Some(number);
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_in_any_order_as_they_were_added() {
        let mut names: Vec<String> =
            (0..100).map(|n| format!("station-{}/run/été-{n:03}.csv", n / 30)).collect();
        // Characters that begin alike as bytes and are not the same.
        names.extend(["x/\u{e8}".into(), "x/\u{e9}".into(), "x/\u{10ffff}".into()]);
        let mut paths = Paths::default();
        assert!(names.iter().all(|name| paths.push(name)));
        let mut reader = paths.reader();
        let order = (0..names.len()).chain((0..names.len()).rev()).chain([40, 41, 33, 33, 70, 0]);
        for number in order {
            assert_eq!(reader.path(number), names[number]);
        }
        let own: usize = names.iter().map(String::len).sum();
        assert!(paths.text.len() * 3 < own, "{} of {own}", paths.text.len());
    }
}
