//! Tables, images, a document and scripts: made up, and the same every time.

use std::fmt::Write as _;

const STATIONS: [&str; 6] =
    ["harbour", "north pier", "lagoon", "river mouth", "old mole", "south beach"];
const PHOTOS: u64 = 14;
const PROFILES: u64 = 40;

/// Removed by the field team's correction.
pub(super) const BLURRED: &str = "input/photos/site-07.png";
/// Deleted by the field team's last sync.
pub(super) const OBSOLETE: &str = "output/tables/means-trial.csv";
/// Deleted here, not synced yet.
pub(super) const UNWANTED: &str = "output/figures/draft.png";
/// Renamed here, not synced yet.
pub(super) const MISNAMED: &str = "output/tables/means-harbor.csv";
pub(super) const RENAMED: &str = "output/tables/means-harbour.csv";

type File = (String, Vec<u8>);

/// s1: what the survey is, the stations, the first year.
pub(super) fn beginning() -> Vec<File> {
    let mut files = vec![
        file("README.txt", README),
        file("input/stations.csv", &stations(&[])),
        file("scripts/tides.py", TIDES_PY),
    ];
    files.extend(year(2024, 1.0));
    files
}

/// s2: photos and profiles.
pub(super) fn field_trip() -> Vec<File> {
    let photo = |n| (format!("input/photos/site-{n:02}.png"), image(320, 240, n));
    let profile = |n| (format!("input/profiles/profile-{n:02}.csv"), profile(n, 0.0));
    (1..=PHOTOS).map(photo).chain((1..=PROFILES).map(profile)).collect()
}

/// s3: scripts.
pub(super) fn scripts() -> Vec<File> {
    vec![
        file("scripts/clean.R", CLEAN_R),
        file("scripts/summary.R", SUMMARY_R),
        file("scripts/figures.py", FIGURES_PY),
    ]
}

/// s4: one gauge in metres.
pub(super) fn corrections() -> Vec<File> {
    let months = [3, 4, 5].into_iter();
    months.map(|m| (tide_path(2, 2024, m), tides(2, 2024, m, 0.3048))).collect()
}

/// s5: the second year.
pub(super) fn second_year() -> Vec<File> {
    year(2025, 1.0)
}

/// s7: what came of it.
pub(super) fn results() -> Vec<File> {
    let mut files = vec![
        ("report/coast survey draft.pdf".to_owned(), document()),
        ("output/tables/means-trial.csv".to_owned(), means(99)),
        ("output/figures/draft.png".to_owned(), image(480, 320, 77)),
        (MISNAMED.to_owned(), means(0)),
    ];
    for (n, station) in STATIONS.iter().enumerate().skip(1) {
        let name = station.replace(' ', "-");
        files.push((format!("output/tables/means-{name}.csv"), means(n as u64)));
    }
    let figure =
        |n: u64| (format!("output/figures/tide-curve-{n:02}.png"), image(480, 320, 100 + n));
    files.extend((1..=8).map(figure));
    files
}

/// s8, which this folder does not have yet.
pub(super) fn theirs() -> Vec<File> {
    let mut files = vec![
        file("input/stations.csv", &stations(&[(2, "2.15"), (4, "1.80")])),
        file("scripts/tides.py", &TIDES_PY.replace("limit = 6.0", "limit = 7.5")),
    ];
    files.extend(
        (PROFILES + 1..=PROFILES + 4)
            .map(|n| (format!("input/profiles/profile-{n:02}.csv"), profile(n, 0.0))),
    );
    files.push(("input/profiles/profile-05.csv".to_owned(), profile(5, 0.4)));
    files
}

/// What was changed here since the last sync.
pub(super) fn mine() -> Vec<File> {
    vec![
        file("input/stations.csv", &stations(&[(2, "2.07"), (5, "0.95")])),
        file("scripts/summary.R", &SUMMARY_R.replace("na.rm = FALSE", "na.rm = TRUE")),
        (tide_path(0, 2025, 12), tides(0, 2025, 12, 1.02)),
        file("notes/questions for the field team.txt", NOTES),
        ("output/figures/storm-surge.png".to_owned(), image(480, 320, 200)),
    ]
}

fn file(path: &str, text: &str) -> File {
    (path.to_owned(), text.as_bytes().to_vec())
}

/// Numbers that repeat with their seed (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From -1 to 1.
    fn spread(&mut self) -> f64 {
        let bits = u32::try_from(self.next() >> 32).unwrap_or(0);
        f64::from(bits) / f64::from(u32::MAX) * 2.0 - 1.0
    }
}

fn stations(changed: &[(usize, &str)]) -> String {
    let mut table = "station,latitude,longitude,datum_m,since\n".to_owned();
    for (n, name) in STATIONS.iter().enumerate() {
        let datum = changed.iter().find(|(at, _)| *at == n).map_or("2.00", |(_, datum)| datum);
        let _ = writeln!(
            table,
            "{name},54.{:03},8.{:03},{datum},2023-1{}-01",
            310 + n * 7,
            120 + n * 13,
            n % 3
        );
    }
    table
}

fn tide_path(station: u64, year: u16, month: u8) -> String {
    let name = STATIONS.get(usize::try_from(station).unwrap_or(0)).copied().unwrap_or("other");
    format!("input/tides/{name}/{year}-{month:02}.csv")
}

fn year(year: u16, scale: f64) -> Vec<File> {
    let months = (0..STATIONS.len() as u64).flat_map(|station| (1..=12).map(move |m| (station, m)));
    months.map(|(s, m)| (tide_path(s, year, m), tides(s, year, m, scale))).collect()
}

/// One month of water levels, every hour.
fn tides(station: u64, year: u16, month: u8, scale: f64) -> Vec<u8> {
    let mut dice = Dice(station * 10_000 + u64::from(year) * 12 + u64::from(month));
    let mut table = "time,level_m,quality\n".to_owned();
    for hour in 0..28_u32 * 24 {
        let t = f64::from(hour);
        let tide = 1.6 * (t / 12.42 * std::f64::consts::TAU).sin()
            + 0.4 * (t / 23.93 * std::f64::consts::TAU).sin();
        let level = (2.0 + tide + 0.15 * dice.spread()) * scale;
        let quality = if dice.next().is_multiple_of(97) { "doubtful" } else { "good" };
        let _ = writeln!(
            table,
            "{year}-{month:02}-{:02}T{:02}:00Z,{level:.3},{quality}",
            hour / 24 + 1,
            hour % 24
        );
    }
    table.into_bytes()
}

/// A beach profile: height along a line.
fn profile(number: u64, lower: f64) -> Vec<u8> {
    let mut dice = Dice(number * 31);
    let mut table = "distance_m,height_m,cover\n".to_owned();
    let mut height = 4.5 + dice.spread();
    for step in 0..60 {
        height -= 0.09 + 0.05 * dice.spread();
        let cover = ["dune grass", "dry sand", "wet sand", "shingle"][step / 15];
        let _ = writeln!(table, "{},{:.2},{cover}", step * 2, height - lower);
    }
    table.into_bytes()
}

/// Monthly means.
fn means(station: u64) -> Vec<u8> {
    let mut dice = Dice(500 + station);
    let mut table = "month,mean_m,high_m,low_m,hours\n".to_owned();
    for month in 0..24 {
        let mean = 2.0 + 0.1 * dice.spread();
        let (high, low) = (mean + 1.9 + 0.2 * dice.spread(), mean - 1.9 + 0.2 * dice.spread());
        let _ = writeln!(
            table,
            "{}-{:02},{mean:.3},{high:.3},{low:.3},672",
            2024 + month / 12,
            month % 12 + 1
        );
    }
    table.into_bytes()
}

/// A landscape of a sky, a sea and some sand.
fn image(width: u32, height: u32, seed: u64) -> Vec<u8> {
    let mut dice = Dice(seed * 7919);
    let shore = 0.55 + 0.1 * dice.spread();
    let sun = (0.5 + 0.35 * dice.spread(), 0.22 + 0.1 * dice.spread());
    let (waves, phase) = (6.0 + 3.0 * dice.spread(), dice.spread());
    let aspect = f64::from(width) / f64::from(height);
    let mut pixels = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            let (u, v) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
            let line = shore + 0.05 * (u * waves + phase).sin();
            let grain = 6.0 * dice.spread();
            let near_sun = ((u - sun.0) * aspect).hypot(v - sun.1) < 0.07;
            let colour = if near_sun {
                [250.0, 232.0, 150.0]
            } else if v < line - 0.15 {
                [120.0 + 90.0 * v, 175.0 + 60.0 * v, 235.0]
            } else if v < line {
                [40.0 + 40.0 * v, 105.0 + 30.0 * (u * 40.0 + v * 90.0).sin().abs(), 150.0]
            } else {
                [214.0 - 40.0 * v, 196.0 - 40.0 * v, 150.0 - 30.0 * v]
            };
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
            pixels.extend(colour.map(|c: f64| (c + grain).clamp(0.0, 255.0) as u8));
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    // Writing into memory does not fail.
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&pixels)?;
        writer.finish()
    });
    if written.is_err() {
        bytes.clear();
    }
    bytes
}

/// A page of PDF.
fn document() -> Vec<u8> {
    let lines = [
        "Coast survey: draft report",
        "",
        "Six gauges were read every hour for two years.",
        "The tables of this report are in output/tables,",
        "its figures in output/figures.",
    ];
    let mut page = "BT /F1 14 Tf 72 760 Td 20 TL\n".to_owned();
    for line in lines {
        let _ = writeln!(page, "({line}) Tj T*");
    }
    page += "ET\n";
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>".to_owned(),
        format!("<< /Length {} >>\nstream\n{page}endstream", page.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut text = "%PDF-1.4\n".to_owned();
    let mut places = Vec::new();
    for (n, object) in objects.iter().enumerate() {
        places.push(text.len());
        let _ = write!(text, "{} 0 obj\n{object}\nendobj\n", n + 1);
    }
    let table = text.len();
    let _ = write!(text, "xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for place in places {
        let _ = writeln!(text, "{place:010} 00000 n ");
    }
    let _ = write!(
        text,
        "trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n",
        objects.len() + 1
    );
    text.into_bytes()
}

const README: &str = "Coast survey\n\nWater levels of six gauges, beach profiles and photos of the sites.\nEverything here is made up: change and delete what you like.\n\ninput    what was measured\nscripts  what is done with it\noutput   what came of it\n";
const NOTES: &str = "For the field team\n\n- Was gauge 3 moved in May?\n- Profile 12 ends 20 m before the others.\n";
const TIDES_PY: &str = "\"\"\"Reads the tide tables of one station.\"\"\"\nimport csv\nfrom pathlib import Path\n\nlimit = 6.0\n\n\ndef levels(station):\n    for path in sorted(Path(\"input/tides\", station).glob(\"*.csv\")):\n        with open(path, newline=\"\") as table:\n            for row in csv.DictReader(table):\n                level = float(row[\"level_m\"])\n                if row[\"quality\"] == \"good\" and level < limit:\n                    yield row[\"time\"], level\n";
const FIGURES_PY: &str = "\"\"\"Draws one figure for each station.\"\"\"\nimport matplotlib.pyplot as plt\n\nfrom tides import levels\n\nfor number, station in enumerate([\"harbour\", \"lagoon\"], start=1):\n    times, heights = zip(*levels(station))\n    plt.plot(heights)\n    plt.savefig(f\"output/figures/tide-curve-{number:02}.png\")\n    plt.clf()\n";
const CLEAN_R: &str = "# Leaves out what is doubtful.\nclean <- function(path) {\n  table <- read.csv(path)\n  table[table$quality == \"good\", ]\n}\n";
const SUMMARY_R: &str = "# Monthly means of one station.\nsource(\"scripts/clean.R\")\n\nmeans <- function(station) {\n  files <- list.files(file.path(\"input/tides\", station), full.names = TRUE)\n  sapply(files, function(f) mean(clean(f)$level_m, na.rm = FALSE))\n}\n";
