//! Previews of what people have, and of what somebody made to hurt.

use std::fmt::Write as _;

use super::*;

/// [`TEXT`] as a length.
const MOST: usize = 2 * 1024 * 1024;

fn lines(of: impl Iterator<Item = String>) -> String {
    of.fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{line}");
        text
    })
}

fn side(name: &str, bytes: &[u8]) -> Side {
    cut(name, bytes, bytes.len() as u64)
}

/// The first part of a larger file.
fn cut(name: &str, bytes: &[u8], size: u64) -> Side {
    Side::new(name, Glimpse::File { size, mtime: Mtime(0), bytes: bytes.to_vec() })
}

fn compare(name: &str, left: &str, right: &str) -> Preview {
    let (left, right) = (side(name, left.as_bytes()), side(name, right.as_bytes()));
    show(Some(&left), Some(&right), &Gallery::default())
}

fn text(preview: &Preview) -> &TextPreview {
    match &preview.content {
        PreviewContent::Text(text) => text,
        other => panic!("not a text: {other:?}"),
    }
}

fn table(preview: &Preview) -> &TablePreview {
    match &preview.content {
        PreviewContent::Table(table) => table,
        other => panic!("not a table: {other:?}"),
    }
}

#[test]
fn lines_and_words_that_differ_are_marked() {
    let before = lines((1..=40).map(|n| format!("line {n}")));
    let after = before.replace("line 20\n", "line twenty\n") + "the end\n";
    let preview = compare("a.R", &before, &after);
    let text = text(&preview);
    assert_eq!((text.added, text.removed, text.hunks.len()), (2, 1, 2));
    assert_eq!(text.hunks[0].skipped, 16);
    let changed: Vec<(LineChange, Option<u64>, String)> = text.hunks[0]
        .lines
        .iter()
        .filter(|line| line.change != LineChange::Same)
        .map(|line| {
            let marked = line.spans.iter().filter(|s| s.changed).map(|s| s.text.as_str());
            (line.change, line.left.or(line.right), marked.collect())
        })
        .collect();
    let expected = [
        (LineChange::Removed, Some(20), "20".to_owned()),
        (LineChange::Added, Some(20), "twenty".to_owned()),
    ];
    assert_eq!(changed, expected);
    assert!(!preview.same && compare("a", "x\n", "x\n").same);
}

#[test]
fn cells_that_differ_are_marked_whatever_became_of_the_rows() {
    let before = "station,level,note\nharbour,1.0,a\nlagoon,2.0,b\nmole,3.0,c\n";
    let after = "station,level,by\nharbour,1.0,x\nlagoon,2.5,y\nriver,4.0,z\n";
    let preview = compare("levels.csv", before, after);
    let table = table(&preview);
    let columns: Vec<(&str, LineChange)> =
        table.columns.iter().map(|c| (c.name.as_str(), c.change)).collect();
    let expected = [
        ("station", LineChange::Same),
        ("level", LineChange::Same),
        ("note", LineChange::Removed),
        ("by", LineChange::Added),
    ];
    assert_eq!(columns, expected);
    assert_eq!((table.added, table.removed, table.changed), (1, 1, 1));
    let changed = table.hunks[0].rows.iter().find(|row| row.change == LineChange::Changed);
    let level = changed.map(|row| row.cells[1].clone());
    let expected = TableCell { text: "2.5".into(), former: Some("2.0".into()), changed: true };
    assert_eq!(level, Some(expected));
}

#[test]
fn a_quoted_line_break_and_a_semicolon_are_understood() {
    let preview = show(None, Some(&side("a.csv", b"a;b\n\"1\n2\";3\n")), &Gallery::default());
    assert_eq!(table(&preview).hunks[0].rows[0].cells[0].text, "1␊2");
}

#[test]
fn the_beginning_of_a_huge_table_is_shown() {
    let row = "2026-01-01T00:00:00Z,1.234,good,a note of some length\n";
    let bytes =
        ("time,level,quality,note\n".to_owned() + &row.repeat(MOST / row.len() + 1)).into_bytes();
    let huge = |bytes: &[u8]| cut("huge.csv", &bytes[..MOST], 4 << 30);
    let mut other = bytes.clone();
    other[5000] = b'9';
    let preview = show(Some(&huge(&bytes)), Some(&huge(&other)), &Gallery::default());
    assert_eq!(table(&preview).changed, 1);
    assert!(preview.notes.iter().any(|note| note.contains("longer")), "{:?}", preview.notes);
    assert!(!preview.same);
}

#[test]
fn of_two_texts_without_a_line_in_common_the_beginning_is_shown() {
    let noise = |seed: u64| {
        let line = |n: u64| (n + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_string();
        lines((0..20_000).map(line))
    };
    let preview = compare("a.txt", &noise(1), &noise(77_777));
    let shown: usize = text(&preview).hunks.iter().map(|hunk| hunk.lines.len()).sum();
    assert!(shown <= 5_000 && preview.notes.iter().any(|n| n.contains("5000")), "{shown}");
}

#[test]
fn text_that_is_none_is_shown_as_far_as_it_is() {
    let preview = show(None, Some(&side("a.txt", b"caf\xe9 \x1b[31mred\n")), &Gallery::default());
    assert_eq!(text(&preview).hunks[0].lines[0].spans[0].text, "caf� ␛[31mred");
    assert!(preview.notes[0].starts_with("Not valid UTF-8"));
    let turned = show(None, Some(&side("a", "ab\u{202e}cd".as_bytes())), &Gallery::default());
    assert_eq!(text(&turned).hunks[0].lines[0].spans[0].text, "ab�cd");
}

#[test]
fn one_line_of_megabytes_is_cut() {
    let long = "x".repeat(MOST);
    let preview = compare("a.json", &long, &(long.clone() + "y"));
    let longest = text(&preview).hunks.iter().flat_map(|h| &h.lines).flat_map(|l| &l.spans);
    assert!(longest.map(|span| span.text.chars().count()).max() <= Some(2001));
}

#[test]
fn what_is_no_text_is_named() {
    let preview = show(None, Some(&side("r.pdf", b"%PDF-1.4\n\0")), &Gallery::default());
    let PreviewContent::Nothing { sentence } = &preview.content else { panic!("{preview:?}") };
    assert_eq!(sentence, "PDF document: its content is not shown.");
    let two =
        show(Some(&side("a", b"text\n")), Some(&side("a", b"%PDF-1.4\n\0")), &Gallery::default());
    let PreviewContent::Nothing { sentence } = &two.content else { panic!("{two:?}") };
    assert_eq!(sentence, "The earlier version is a text, the later a PDF document.");
    let none = show(None, None, &Gallery::default());
    assert!(matches!(none.content, PreviewContent::Nothing { .. }));
}

/// A PNG of some pixels that claims to be of `width` by `height`.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend(b"\x08\x02\0\0\0\0\0\0\0");
    bytes
}

#[test]
fn images_are_given_by_a_token_that_the_next_preview_voids() {
    let gallery = Gallery::default();
    let preview =
        show(Some(&side("a.png", &png(4, 3))), Some(&side("a.png", &png(5, 3))), &gallery);
    let PreviewContent::Images(images) = preview.content else { panic!("{preview:?}") };
    let right = images.right.unwrap();
    assert_eq!((right.width, right.height), (5, 3));
    let url = right.url.unwrap();
    let token = url.rsplit('/').next().unwrap();
    assert_eq!(
        gallery.get(token).map(|(kind, bytes)| (kind, bytes.to_vec())),
        Some(("image/png", png(5, 3)))
    );
    assert!(gallery.get("").is_none() && gallery.get("../x").is_none());
    gallery.clear();
    assert!(gallery.get(token).is_none());
}

#[test]
fn an_image_bomb_is_not_handed_out() {
    let gallery = Gallery::default();
    for (bomb, why) in [
        (side("a.png", &png(60_000, 60_000)), "pixels"),
        (cut("a.png", &png(10, 10), IMAGE + 1), "larger"),
        (side("a.png", b"\x89PNG\r\n\x1a\n"), "cannot be read"),
    ] {
        let preview = show(None, Some(&bomb), &gallery);
        let PreviewContent::Images(images) = preview.content else { panic!("{preview:?}") };
        let image = images.right.unwrap();
        assert_eq!(image.url, None);
        assert!(image.reason.unwrap().contains(why));
    }
}

#[test]
fn a_wide_table_is_shown_as_far_as_a_page_can_hold_it_and_counted_whole() {
    let row = |n: usize, what: &str| format!("{n}{}\n", format!(",{what}").repeat(199));
    let header = (0..200).map(|n| format!("c{n}")).collect::<Vec<_>>().join(",") + "\n";
    let of = |what: &str| header.clone() + &(0..1500).map(|n| row(n, what)).collect::<String>();
    let cells = |table: &TablePreview| -> usize {
        table.hunks.iter().flat_map(|hunk| &hunk.rows).map(|row| row.cells.len()).sum()
    };
    let alone = show(None, Some(&side("wide.csv", of("1").as_bytes())), &Gallery::default());
    let both = compare("wide.csv", &of("1"), &of("2"));
    for preview in [&alone, &both] {
        assert_eq!(cells(table(preview)), 16_000);
        let said = preview.notes.iter().any(|note| note == "The first 80 rows are shown.");
        assert!(said, "{:?}", preview.notes);
    }
    assert_eq!(table(&both).changed, 1500, "not only those that are shown");
}
