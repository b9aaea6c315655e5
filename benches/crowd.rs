//! 1,000,000 small files to a host and back: how much memory each side needs.

use std::path::Path;
use std::time::Instant;

use crate::host::{Host, NAME};
use crate::measure::{Contender, compare, remove};
use crate::report::Report;
use crate::small::Set;
use crate::{Run, Tried, data};

/// What each side may hold, in MiB.
const MOST: f64 = 200.0;

pub(crate) fn million(run: &Run, report: &mut Report) -> Tried<()> {
    eprintln!("bench: making data set M");
    let set = Set::new(run, "M")?;
    let made = Instant::now();
    data::many(&set.input, &data::C)?;
    data::settle(&set.work, made)?;
    let agents = run.dsg.with_file_name("agents");
    let host = Host::watched(&run.dir.join("host-of-many"), &agents)?;
    let clone = set.work.join("clone");
    let init = host.line(&format!(r#""$1" --quiet -C "$2" init "{NAME}:$3" -m bench"#));
    let again = host.line(&format!(r#""$1" --quiet clone "{NAME}:$2" "$3""#));
    let contenders = [
        Contender::shell("dsg init over ssh", &init, &[set.program(), &set.root, &set.repo]),
        Contender::shell("dsg clone over ssh", &again, &[set.program(), &set.repo, &clone]),
    ];
    let mut rows = Vec::new();
    for contender in contenders {
        forget(host.usage())?;
        let contender = contender.leaving_helpers();
        let mut measured = compare(1, std::slice::from_ref(&contender))?;
        let agent = most(host.usage())?;
        for row in &mut measured {
            report.target(
                &format!("{}, 1,000,000 files: ≤ {MOST} MiB on each side", row.name),
                row.mib() <= MOST && agent <= MOST,
                &format!("{:.0} MiB here, {agent:.0} MiB there", row.mib()),
            );
        }
        rows.extend(measured);
    }
    report.group("M: 1,000,000 small files over ssh", "dsg init over ssh", rows);
    remove(&clone);
    run.done("M");
    Ok(())
}

fn forget(usage: &Path) -> Tried<()> {
    remove(usage);
    Ok(std::fs::create_dir_all(usage)?)
}

/// The largest peak that an agent told at its end, in MiB.
fn most(usage: &Path) -> Tried<f64> {
    let mut most = 0.0_f64;
    for told in std::fs::read_dir(usage)? {
        let text = std::fs::read_to_string(told?.path())?;
        most = most.max(text.trim().parse::<f64>()? / 1024.0);
    }
    Ok(most)
}
