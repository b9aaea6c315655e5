//! Whoever asks the doctor about a place on ZFS.

use dsg_testkit::lab::Lab;
use dsg_testkit::run::Done;
use dsg_testkit::zfs_host::{Version, ZfsHost};

use crate::{DSG, lab_on};

/// Each step, whether it went well, and what it says.
fn steps(done: &Done) -> Vec<(String, bool, String)> {
    let document = done.json();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let steps = document["steps"].as_array().unwrap().iter();
    let said = |step: &serde_json::Value| {
        [&step["found"], &step["message"], &step["hint"]].map(text).join("\n")
    };
    steps.map(|s| (text(&s["step"]), s["ok"] == true, said(s))).collect()
}

#[test]
fn a_trial_goes_the_whole_way_on_a_dataset_that_goes_again() {
    for lab in Version::ALL.into_iter().filter_map(lab_on) {
        let (host, dataset) = lab.zfs();
        let p1 = lab.checkout("p1");
        // Others have datasets of their own in the pool.
        let above = dataset.rsplit_once('/').unwrap().0;
        let listed = || host.run(&format!("zfs list -H -r -t all -o name {above}"));
        let before = listed();
        for there_is_one in [false, true] {
            let done = p1.dsg(&["doctor".as_ref(), lab.address().as_os_str()]).ok();
            let steps = steps(&done);
            let names: Vec<&str> = steps.iter().map(|step| step.0.as_str()).collect();
            assert_eq!(names[names.len() - 4..], ["place", "rights", "trial", "repository"]);
            let place = &steps[steps.len() - 4].2;
            assert!(place.contains(&dataset) && place.contains("OpenZFS"), "{place}");
            assert!(steps[steps.len() - 2].2.contains("synced twice"), "{steps:?}");
            let after = listed();
            if there_is_one {
                assert!(!after.contains("dsg-trial"), "{after}");
            } else {
                assert_eq!(after, before);
                p1.write("input/a", "one");
                p1.init();
            }
        }
        assert_eq!(lab.there("input/a").as_deref(), Some("one"));
    }
}

#[test]
fn whoever_has_no_rights_is_told_what_an_administrator_has_to_type() {
    let Some(host) = ZfsHost::shared(Version::New) else { return };
    let lab = Lab::on_zfs_as_user(DSG, host);
    let (_, dataset) = lab.zfs();
    let above = dataset.rsplit_once('/').unwrap().0;
    let p1 = lab.checkout("p1");
    let doctor = || p1.dsg(&["doctor".as_ref(), lab.address().as_os_str()]);
    let allowed = steps(&doctor().ok());
    let rights = allowed.iter().find(|step| step.0 == "rights").unwrap();
    assert!(
        rights.2.contains("the helper for all below") && rights.2.contains(above),
        "{rights:?}"
    );
    let listed = host.run(&format!("zfs list -H -r -t all -o name {above}"));
    assert!(!listed.contains("dsg-trial"), "{listed}");

    host.run(&format!("rm /etc/sudoers.d/{}", above.replace('/', "-")));
    let refused = steps(&doctor().expect(1));
    let (name, well, said) = refused.last().unwrap();
    assert_eq!((name.as_str(), *well), ("rights", false), "{refused:?}");
    assert!(said.contains("install -o root") && said.contains(above), "{said}");
}
