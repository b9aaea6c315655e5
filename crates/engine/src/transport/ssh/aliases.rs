//! Names that the user's ssh configuration gives to hosts: to be offered, not to be understood. What a
//! name leads to is [`super::route`]'s.

use std::path::PathBuf;

/// More are not offered.
const MOST: usize = 200;

/// The names in `~/.ssh/config`, in their order; patterns and exceptions are no names.
pub fn aliases() -> Vec<String> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let text = home.and_then(|home| std::fs::read_to_string(home.join(".ssh/config")).ok());
    text.map(|text| names(&text)).unwrap_or_default()
}

fn names(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for line in text.lines() {
        let mut words = line.split([' ', '\t', '=']).filter(|word| !word.is_empty());
        if !words.next().is_some_and(|word| word.eq_ignore_ascii_case("host")) {
            continue;
        }
        for word in words.map(|word| word.trim_matches('"')) {
            let plain = !word.is_empty() && !word.contains(['*', '?', '!']);
            if plain && names.len() < MOST && !names.iter().any(|name| name == word) {
                names.push(word.to_owned());
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_no_names() {
        let text = "# Host no\nHost tank  vault\n HostName 10.0.0.1\nhost=\"gate\"\nHost *.example !x tank *\n\
                    Match host y\nHostKeyAlias z\n";
        assert_eq!(names(text), ["tank", "vault", "gate"]);
    }
}
