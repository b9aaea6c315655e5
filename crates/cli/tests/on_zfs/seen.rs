//! The whole way once, as somebody would try it: a host that loses its power while it publishes, and
//! comes back.

use dsg_testkit::keeping::{assert_datasets, assert_repository};
use dsg_testkit::lab::Lab;
use dsg_testkit::zfs_host::{Version, ZfsHost, at_length};

use crate::DSG;
use crate::power::{power_goes_at, words};
use crate::states::all_states;

#[test]
fn root_sees_every_state_then_a_power_cut_in_a_publish_and_what_a_status_says_of_it() {
    if at_length("root_sees_every_state_then_a_power_cut_in_a_publish_and_what_a_status_says_of_it")
    {
        on_hosts_of_their_own(|host| as_told(&Lab::on_zfs(DSG, host)));
    }
}

#[test]
fn a_user_of_the_helper_sees_the_same() {
    if at_length("a_user_of_the_helper_sees_the_same") {
        on_hosts_of_their_own(|host| as_told(&Lab::on_zfs_as_user(DSG, host)));
    }
}

fn on_hosts_of_their_own(story: impl Fn(&'static ZfsHost)) {
    for version in [Version::New, Version::Old] {
        let Some(host) = ZfsHost::own(version) else { return };
        // Labs keep it as long as the program runs.
        story(Box::leak(Box::new(host)));
    }
}

fn as_told(lab: &Lab) {
    let (host, dataset) = lab.zfs();
    let (p1, p2) = all_states(lab);
    let before = p1.status().head;
    p1.write("input/all_eq", "written before the power went");
    power_goes_at(lab, &p1, "zfs.stepped-aside#1", &words(&["sync", "-m", "cut off"]));
    let said = p1.words(&["status"]).ok().stdout;
    eprintln!("{said}{}", host.run(&format!("zfs list -t all -r {dataset}")));
    let after = p1.status().head;
    let finished = format!(
        "An interrupted publish of {} was found there, and is finished.",
        after.as_deref().unwrap_or_default()
    );
    assert!(after != before && said.contains(&finished), "{said}");
    // The dataset with its numbered snapshots, and nothing else.
    assert_datasets(lab);
    p1.sync();
    p2.sync();
    assert_eq!(p1.tree(), p2.tree());
    assert_repository(lab, &p1);
}
