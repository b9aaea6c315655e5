//! The same work with a repository on a host, over ssh: 20,000 small files, and one of 1 GiB.

use std::time::{Duration, Instant};

use crate::host::{Host, NAME};
use crate::measure::{Contender, compare, is_there, remove};
use crate::report::Report;
use crate::small::Set;
use crate::{Run, Tried, changed, data};

const DURABLE: &str = "rsync -a -e ssh, then sync -f there";
/// How long an answer takes from a host that is far away.
const AWAY: Duration = Duration::from_millis(50);
const RAW: &str = "cat into ssh, kept nowhere";

pub(crate) fn many_files(run: &Run, report: &mut Report) -> Tried<()> {
    eprintln!("bench: making data set R");
    let set = Set::new(run, "R")?;
    let made = Instant::now();
    data::many(&set.input, &data::A)?;
    data::settle(&set.work, made)?;
    let host = Host::start(&run.dir.join("host"))?;
    let up = both_ways(run, &set, &host, "R: 20,000 small files", DURABLE, report)?;
    report.target(
        "first sync of 20,000 small files over ssh ≤ 1.0 × rsync and sync -f",
        up.builtin.min(up.system) <= 1.0,
        &format!("{:.2} × built in, {:.2} × with the ssh program", up.builtin, up.system),
    );
    nothing_to_do(run, &set, &host, "R: nothing to do", report)?;
    drop(host);
    far_away(run, &set, report)?;
    run.done("R");
    Ok(())
}

/// The small files once more, to a host from which an answer takes a while.
fn far_away(run: &Run, set: &Set, report: &mut Report) -> Tried<()> {
    let host = Host::far(&run.dir.join("host-far-away"), AWAY)?;
    let away = AWAY.as_millis();
    let (copy, dsg) = (set.work.join("copy"), set.program());
    let rsync = format!(r#"rsync -a -e ssh "$1/" "{NAME}:$2/" && ssh {NAME} sync -f "$2""#);
    let init = format!(r#""$1" --quiet -C "$2" init "{NAME}:$3" -m bench"#);
    let inits = [
        ("dsg init, built-in ssh", host.line(&init)),
        ("dsg init, ssh program", host.system_line(&init)),
    ];
    let mut contenders =
        vec![Contender::shell(DURABLE, &host.line(&rsync), &[&set.input, &copy]).after(|| {
            remove(&copy);
            Ok(())
        })];
    for (name, line) in &inits {
        let init = Contender::shell(name, line, &[dsg, &set.root, &set.repo]);
        contenders.push(init.leaving_helpers().after(|| {
            set.unborn();
            Ok(())
        }));
    }
    compare(1, &contenders[1..])?;
    let rows = compare(run.repeats, &contenders)?;
    let ratio =
        rows[1..].iter().map(|row| row.median() / rows[0].median()).fold(f64::NAN, f64::min);
    report.target(
        &format!("first sync of 20,000 small files, {away} ms away ≤ 1.0 × rsync and sync -f"),
        ratio <= 1.0,
        &format!("{ratio:.2} ×"),
    );
    report.group(&format!("R: 20,000 small files, {away} ms away"), DURABLE, rows);
    nothing_to_do(run, set, &host, &format!("R: nothing to do, {away} ms away"), report)?;
    remove(&copy);
    Ok(())
}

pub(crate) fn one_file(run: &Run, report: &mut Report) -> Tried<()> {
    eprintln!("bench: making data set S");
    let set = Set::new(run, "S")?;
    let made = Instant::now();
    data::one(&set.input.join("large.bin"))?;
    data::settle(&set.work, made)?;
    let host = Host::start(&run.dir.join("host-of-one"))?;
    let up = both_ways(run, &set, &host, "S: 1 GiB of random bytes", DURABLE, report)?;
    channels(run, &host, &up, report)?;
    report.target(
        "1 GiB up over ssh ≤ 1.3 × rsync built in, ≤ 1.0 × with the ssh program",
        up.builtin <= 1.3 && up.system <= 1.0,
        &format!("{:.2} × built in, {:.2} × with the ssh program", up.builtin, up.system),
    );
    drop(host);
    changed::measure(run, &set, report)?;
    run.done("S");
    Ok(())
}

/// How long the first sync took, in times of the base, and in seconds; and the clone.
struct Ratios {
    builtin: f64,
    system: f64,
    /// By transport: seconds there, and back.
    seconds: [(f64, f64); 2],
}

/// What the channels carry by themselves, beside what was just measured over them.
fn channels(run: &Run, host: &Host, synced: &Ratios, report: &mut Report) -> Tried<()> {
    let me = std::env::current_exe()?;
    let mut contenders = Vec::new();
    for (way, with) in [("built-in ssh", false), ("ssh program", true)] {
        for direction in ["up", "down"] {
            let line = format!(r#""$1" inside channel {direction} {NAME}"#);
            let line = if with { host.system_line(&line) } else { host.line(&line) };
            let name = format!("the channel alone, {direction}, {way}");
            contenders.push(Contender::shell(&name, &line, &[&me]).telling());
        }
    }
    let rows = compare(run.repeats, &contenders)?;
    for ((way, synced), raw) in
        ["built in", "with the ssh program"].iter().zip(synced.seconds).zip(rows.chunks(2))
    {
        let (up, down) = (raw[0].median() / synced.0, raw[1].median() / synced.1);
        report.target(
            &format!("1 GiB up and down at ≥ 0.9 × the speed of the channel, {way}"),
            up.min(down) >= 0.9,
            &format!("{up:.2} × up (all of dsg init), {down:.2} × down (all of dsg clone)"),
        );
    }
    let base = rows[0].name.clone();
    report.group("S: 1 GiB through the channel alone, from memory and to nowhere", &base, rows);
    Ok(())
}

fn both_ways(
    run: &Run,
    set: &Set,
    host: &Host,
    title: &str,
    base: &str,
    report: &mut Report,
) -> Tried<Ratios> {
    let copy = set.work.join("copy");
    let paths = [&*set.input, &*copy];
    let programs = [
        (RAW, "ssh", format!(r#"tar -C "$1" -cf - . | ssh {NAME} 'cat >/dev/null'"#)),
        ("rsync -a -e ssh", "rsync", format!(r#"rsync -a -e ssh "$1/" "{NAME}:$2/""#)),
        (
            DURABLE,
            "rsync",
            format!(r#"rsync -a -e ssh "$1/" "{NAME}:$2/" && ssh {NAME} sync -f "$2""#),
        ),
        (
            "tar to tar over ssh",
            "tar",
            format!(r#"tar -C "$1" -cf - . | ssh {NAME} "mkdir '$2' && tar -C '$2' -xf -""#),
        ),
        (
            "unison -batch",
            "unison",
            format!(
                r#"UNISON="$2-archives" unison -ui text "$1" "ssh://{NAME}/$2" -batch -silent -times"#
            ),
        ),
    ];
    let mut contenders = Vec::new();
    for (name, program, line) in &programs {
        if !is_there(program) {
            eprintln!("bench: {program} is not installed and left out");
            continue;
        }
        let (copy, archives) = (copy.clone(), set.work.join("copy-archives"));
        let there = host.archives();
        contenders.push(Contender::shell(name, &host.line(line), &paths).after(move || {
            remove(&copy);
            remove(&archives);
            remove(&there);
            Ok(())
        }));
    }
    let dsg = set.program();
    let init = format!(r#""$1" --quiet -C "$2" init "{NAME}:$3" -m bench"#);
    let ways = [
        ("dsg init, built-in ssh", host.line(&init)),
        ("dsg init, ssh program", host.system_line(&init)),
        ("dsg init, as it comes", host.auto_line(&init)),
    ];
    let inits = ways.iter().map(|(name, line)| {
        let init = Contender::shell(name, line, &[dsg, &set.root, &set.repo]);
        init.leaving_helpers().after(|| {
            set.unborn();
            Ok(())
        })
    });
    let first_of_dsg = contenders.len();
    contenders.extend(inits);
    // The first time, the agent is brought to the host; nobody is measured at that.
    compare(1, &contenders[first_of_dsg..])?;
    let rows = compare(run.repeats, &contenders)?;
    let median = |name: &str| {
        rows.iter().find(|row| row.name == name).map_or(f64::NAN, super::measure::Row::median)
    };
    let mut ratios = Ratios {
        builtin: median(ways[0].0) / median(base),
        system: median(ways[1].0) / median(base),
        seconds: [(median(ways[0].0), f64::NAN), (median(ways[1].0), f64::NAN)],
    };
    report.group(&format!("{title}, to the host"), base, rows);

    let (back, clone) = (set.work.join("back"), set.work.join("clone"));
    let line = format!(r#"rsync -a -e ssh "{NAME}:$1/" "$2/" && sync -f "$2""#);
    let to = back.clone();
    let back_durable = "rsync -a -e ssh back, then sync -f";
    let mut contenders =
        vec![Contender::shell(back_durable, &host.line(&line), &[&set.input, &back]).after(
            move || {
                remove(&to);
                Ok(())
            },
        )];
    let line = format!(r#""$1" --quiet clone "{NAME}:$2" "$3""#);
    for (name, line) in [
        ("dsg clone, built-in ssh", host.line(&line)),
        ("dsg clone, ssh program", host.system_line(&line)),
        ("dsg clone, as it comes", host.auto_line(&line)),
    ] {
        let to = clone.clone();
        contenders.push(Contender::shell(name, &line, &[dsg, &set.repo, &clone]).after(
            move || {
                remove(&to);
                Ok(())
            },
        ));
    }
    let rows = compare(run.repeats, &contenders)?;
    for (seconds, row) in ratios.seconds.iter_mut().zip(&rows[1..]) {
        seconds.1 = row.median();
    }
    report.group(&format!("{title}, from the host"), back_durable, rows);
    for path in [&back, &clone, &copy] {
        remove(path);
    }
    Ok(ratios)
}

/// Looking whether there is anything to do, in the project that was synced last.
fn nothing_to_do(run: &Run, set: &Set, host: &Host, title: &str, report: &mut Report) -> Tried<()> {
    let copy = set.work.join("copy");
    let rsync = format!(r#"rsync -a -e ssh "$1/" "{NAME}:$2/""#);
    let (dsg, base) = (set.program(), "rsync -a -e ssh, nothing to do");
    let sync = r#""$1" --quiet -C "$2" sync"#;
    let (me, again) = (std::env::current_exe()?, r#""$1" inside again "$2""#);
    let look = |name, line: &str| Contender::shell(name, line, &[&*me, &set.root]).telling();
    let contenders = [
        Contender::shell(base, &host.line(&rsync), &[&set.input, &copy]),
        Contender::shell("dsg sync, built-in ssh", &host.line(sync), &[dsg, &set.root]),
        Contender::shell("dsg sync, ssh program", &host.system_line(sync), &[dsg, &set.root]),
        look("status over an open connection, built-in ssh", &host.line(again)),
        look("status over an open connection, ssh program", &host.system_line(again)),
    ];
    compare(1, &contenders)?;
    let rows = compare(run.repeats, &contenders)?;
    let ratio = rows[1].median() / rows[0].median();
    report.target(
        &format!("{title}, 20,000 files ≤ 1.0 × rsync"),
        ratio <= 1.0,
        &format!("{ratio:.2} ×"),
    );
    if host.is_near() {
        let open = rows[3].median();
        report.target(
            &format!("{title}, 20,000 files, over an open connection ≤ 100 ms"),
            open <= 0.1,
            &format!("{:.0} ms", open * 1e3),
        );
    }
    report.group(title, base, rows);
    Ok(())
}
