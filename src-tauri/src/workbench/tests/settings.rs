//! Configuration in a form, and what a first sync would take.

use super::*;

fn texts(path: &[&str], texts: &[&str]) -> SettingChange {
    let texts = texts.iter().map(|&text| text.to_owned()).collect();
    let path = path.iter().map(|&key| key.to_owned()).collect();
    SettingChange { path, value: Some(SettingValue::Texts { texts }) }
}

impl Desk {
    fn settings(&self, file: &SettingsFile) -> Outcome<Settings> {
        Ok(self.bench.settings_open(OpenSettings { file: file.clone() }).map_err(said)?)
    }

    fn save(&self, file: &SettingsFile, seen: &str, text: &str) -> Result<Settings, ApiError> {
        let (seen, text) = (Some(seen.to_owned()), text.to_owned());
        self.bench.settings_save(SaveSettings { file: file.clone(), seen, text })
    }
}

#[test]
fn a_key_is_changed_in_the_form_and_counts_once_it_is_saved() -> Outcome {
    let desk = Desk::new()?;
    let coast = desk.project()?;
    desk.until(&coast.id, |page| page.head.is_some())?;
    let file = SettingsFile::Project { id: coast.id.clone() };
    let read = desk.settings(&file)?;
    let seen = read.text.unwrap_or_default();
    assert!(read.form.sound && read.form.readable);
    let commented = format!("# Ours.\n{seen}");
    let draft = desk
        .bench
        .settings_try(TrySettings {
            file: file.clone(),
            text: commented,
            changes: vec![
                texts(&["ignore", "names"], &["b.csv"]),
                SettingChange {
                    path: vec!["name".into()],
                    value: Some(SettingValue::Text { text: "Shore".into() }),
                },
            ],
        })
        .map_err(said)?;
    assert!(draft.form.sound && draft.text.starts_with("# Ours.\nname: Shore\n"), "{draft:?}");
    // Nothing is written before it is saved.
    assert_eq!(desk.settings(&file)?.text.as_deref(), Some(seen.as_str()));
    let saved = desk.save(&file, &seen, &draft.text).map_err(said)?;
    assert_eq!(saved.text.as_deref(), Some(draft.text.as_str()));
    // What is no longer tracked waits for a decision, and the project is called anew.
    let page = desk.until(&coast.id, |page| page.total > 0)?;
    assert_eq!(page.total, 1, "{page:#?}");
    let projects = desk.bench.projects_list(()).map_err(said)?;
    assert_eq!(projects[0].name, "Shore");
    // Not over what another program wrote meanwhile.
    let stale = desk.save(&file, &seen, "name: Other\n").map(drop).map_err(|e| e.code);
    assert_eq!(stale, Err("config".to_owned()));
    Ok(())
}

#[test]
fn a_broken_file_is_shown_with_all_that_is_wrong_and_mended_in_place() -> Outcome {
    let desk = Desk::new()?;
    let coast = desk.project()?;
    desk.until(&coast.id, |page| page.head.is_some())?;
    let file = SettingsFile::Project { id: coast.id.clone() };
    let broken = "nam: Coast\ndata_dirs: ['*']\nretention: some\n";
    write(&desk.at("coast/.dsgconfig.yml"), broken)?;
    let read = desk.settings(&file)?;
    let of_keys = read.form.fields.iter().flat_map(|field| &field.mistakes);
    let lines: Vec<u64> = of_keys.chain(&read.form.mistakes).map(|mistake| mistake.line).collect();
    assert_eq!((lines, read.form.sound), (vec![1, 3, 1], false), "{:#?}", read.form);
    let refused = desk.save(&file, broken, broken).map(drop).map_err(|e| e.code);
    assert_eq!(refused, Err("config".to_owned()));
    let mended = "name: Coast\ndata_dirs: ['*']\n";
    assert!(desk.save(&file, broken, mended).map_err(said)?.form.sound);
    let status = desk.bench.projects_list(()).map_err(said)?.remove(0).status;
    assert!(!matches!(status, ProjectStatus::Attention { .. }), "{status:?}");
    Ok(())
}

#[test]
fn what_a_first_sync_would_take_is_told_before_anything_is_made() -> Outcome {
    let desk = Desk::new()?;
    for path in ["input/a.csv", "input/b:c", "input/x.tmp", "src/main.py"] {
        write(&desk.at("coast").join(path), "12345")?;
    }
    let path = text(&desk.at("coast"));
    let request = LookOut { ticket: "look".into(), path, data_dirs: vec!["input".into()] };
    desk.bench.outlook_look(request).map_err(said)?;
    let told: Vec<Outlook> = { desk.events.try_iter() }
        .filter_map(|event| match event {
            Event::OutlookTold { id, outlook } if id == "look" => Some(outlook),
            _ => None,
        })
        .collect();
    assert!(told.len() >= 2 && !told[0].complete);
    let last = told.last().ok_or("nothing was told")?;
    assert!(last.complete);
    assert_eq!((last.synced.files, last.synced.bytes, last.outside.files), (1, 5, 1));
    assert_eq!(last.ignored[0].rule, "ignored by ignore.suffixes: .tmp");
    assert_eq!(last.troubles[0].offer.as_deref(), Some("input/b_c"));
    assert_eq!((last.folders[0].name.as_str(), last.folders[0].files), ("input", 2));
    assert!(!desk.at("coast/.dsg").exists());
    Ok(())
}
