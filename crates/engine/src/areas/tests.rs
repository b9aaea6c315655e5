use super::*;

fn path(text: &str) -> RepoPath {
    text.parse().unwrap()
}

#[test]
fn an_area_whose_file_system_is_away_is_not_replaced_by_the_one_beneath() {
    let temp = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(temp.path().join("input/disk")).unwrap();
    let mut made = Areas::new(Dir::open(temp.path()).unwrap(), "t");
    let own = made.at(&path("input/a")).unwrap().ground.clone();
    assert_eq!(own.top, "");
    let away = Ground { top: "input/disk".into(), staging: 4711 };

    let mut found = Areas::new(Dir::open(temp.path()).unwrap(), "t");
    found.reopen([&own, &away]).unwrap();
    assert!(found.find(&path("input/a")).is_some());
    assert!(found.find(&path("input/disk/a")).is_none(), "it would be taken for settled");
    assert!(found.find(&path("input/diskette")).is_some());

    // As above, with another folder in the place of the staging that was.
    std::fs::create_dir_all(temp.path().join("input/disk/.dsg/staging/t")).unwrap();
    let mut found = Areas::new(Dir::open(temp.path()).unwrap(), "t");
    found.reopen([&own, &away]).unwrap();
    assert!(found.find(&path("input/disk/a")).is_none());
}
