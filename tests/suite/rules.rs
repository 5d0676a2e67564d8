//! The house rules, held against the sources.

use std::{collections::BTreeSet, env, fs, path::Path, process::Command};

use rollcall::config::Raw;

use super::house::loudly;

/// Every source file by its path below `src`, with its text but for tests.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                let text = fs::read_to_string(&path).unwrap();
                files.push((name, code(&text)));
            }
        }
    }
    files.sort();
    assert!(files.len() > 100, "the sources are there");
    files
}

/// The text without comments and without what stands behind the first `#[cfg(test)] mod tests {`.
fn code(text: &str) -> String {
    let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = product.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The floors that a text names, in whichever way `use` is written.
fn floors_named(text: &str) -> BTreeSet<&'static str> {
    let floors = ["model", "store", "domain", "web", "cli", "config"];
    let mut named = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let behind = &text[at + "crate::".len()..];
        let words: Vec<&str> = if behind.starts_with('{') {
            top_level(behind)
        } else {
            vec![behind.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap()]
        };
        named.extend(floors.into_iter().filter(|floor| words.contains(floor)));
    }
    named
}

/// The first words inside a pair of braces, but not those in braces within.
fn top_level(text: &str) -> Vec<&str> {
    let (mut depth, mut words, mut start) = (0, Vec::new(), 1);
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => {
                words.push(&text[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 1 => {
                words.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    words.into_iter().map(|word| word.trim().split("::").next().unwrap()).collect()
}

#[test]
fn the_reader_of_these_rules_can_read() {
    let text = "use crate::{\n    config::Raw,\n    store::{model, web::x},\n};\nlet a = crate::domain::f();";
    assert_eq!(floors_named(text), BTreeSet::from(["config", "domain", "store"]));
    assert_eq!(code("a\n// Actor {\n#[cfg(test)]\nmod tests {\nb"), "a");
}

#[test]
fn no_floor_names_one_above_it() {
    for (file, text) in sources() {
        let floor = file.split(['/', '.']).next().unwrap();
        let may: &[&str] = match floor {
            "model" => &["model"],
            "store" => &["store", "model"],
            "domain" => &["domain", "store", "model"],
            "web" => &["web", "domain", "model"],
            // The top assembles what stands below.
            "config" => &["config", "domain", "web", "model"],
            "cli" | "main" | "lib" => continue,
            _ => panic!("{file} stands on no floor"),
        };
        let named = floors_named(&text);
        let above: Vec<_> = named.iter().filter(|named| !may.contains(named)).collect();
        assert!(above.is_empty(), "{file} names {above:?}, and may name {may:?}");
    }
}

#[test]
fn only_authentication_makes_an_actor() {
    for (file, text) in sources() {
        let may =
            file == "model/user.rs" || ["domain/", "cli/", "web/door/"].iter().any(|at| file.starts_with(at));
        for making in ["Actor {", "Actor::"] {
            let found = text.lines().find(|line| {
                let found = line.find(making);
                found.is_some_and(|at| !line[..at].ends_with(|c: char| c.is_alphanumeric()))
            });
            assert!(may || found.is_none(), "{file} makes an actor: {}", found.unwrap_or_default());
        }
    }
}

#[test]
fn only_the_store_knows_the_database_and_only_the_web_knows_the_web_server() {
    for (file, text) in sources() {
        for (library, floor) in [("redb::", "store/"), ("tantivy::", "store/index/")] {
            assert!(file.starts_with(floor) || !text.contains(library), "{file} names {library}");
        }
        let may = file.starts_with("web/") || file == "cli/serve.rs";
        assert!(may || !text.contains("rocket::"), "{file} names rocket");
    }
}

/// Every option of the server, as `rollcall.toml` names it.
fn options() -> Vec<String> {
    let raw = Raw {
        listen: Some(String::new()),
        tls_cert: Some("x".into()),
        tls_key: Some("x".into()),
        tls_self_signed: true,
        insecure_http: true,
        trusted_proxy: Some(Vec::new()),
        client_header: Some(String::new()),
        public_url: Some(String::new()),
        cookie_domain: Some(String::new()),
        geo: Some("x".into()),
        session_idle: Some(String::new()),
        session_max: Some(String::new()),
        ask_again_after: Some(String::new()),
        sessions_per_user: Some(1),
        bind_sessions: Some(String::new()),
        password_memory: Some(19),
        password_passes: Some(2),
        syslog: Some(String::new()),
        syslog_from: Some(Vec::new()),
        checkpoint_file: Some("x".into()),
        checkpoint_syslog: Some(String::new()),
        checkpoint_webhook: Some(String::new()),
    };
    let written = serde_json::to_value(raw).unwrap();
    written.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn every_option_stands_in_the_readme() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let Ok(readme) = fs::read_to_string(file) else {
        loudly("THERE IS NO README.md YET: its options were NOT looked at");
        return;
    };
    for option in options() {
        assert!(readme.contains(&option), "README.md does not speak of the option {option}");
    }
}

/// A whole number with units, in bytes, milliseconds or as it is: `2 MiB`, `10 seconds`, `1,024 bytes`.
fn bound(text: &str) -> u64 {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let number: u64 = number.replace(',', "").parse().unwrap_or_else(|_| panic!("no bound: {text:?}"));
    let unit = match unit {
        "" | "bytes" | "characters" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "second" | "seconds" => 1000,
        "minute" | "minutes" => 60_000,
        "hour" | "hours" => 3_600_000,
        "day" | "days" => 86_400_000,
        _ => panic!("no unit: {text:?}"),
    };
    number * unit
}

/// What a constant of the sources says, in the same way.
fn constant(text: &str) -> u64 {
    let number = |text: &str| -> u64 {
        text.trim().replace('_', "").parse().unwrap_or_else(|_| panic!("no number: {text:?}"))
    };
    for (making, unit) in [("millis", 1), ("secs", 1000), ("mins", 60_000), ("hours", 3_600_000)] {
        let inner = text.trim_start_matches("Signed").strip_prefix(&format!("Duration::from_{making}("));
        if let Some(inner) = inner.and_then(|inner| inner.strip_suffix(')')) {
            return inner.split('*').map(number).product::<u64>() * unit;
        }
    }
    match text.split_once("<<") {
        Some((bits, places)) => number(bits) << number(places),
        None => text.split('*').map(number).product(),
    }
}

#[test]
fn the_limits_in_the_readme_are_those_of_the_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let (_, limits) = readme.split_once("\n## Limits\n").unwrap();
    let limits = limits.split("\n## ").next().unwrap();
    let mut seen = 0;
    for row in limits.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let named: Vec<&str> = quoted(cells[2]).collect();
        let &[file, name] = named.as_slice() else { continue };
        let text = fs::read_to_string(root.join(file)).unwrap_or_else(|_| panic!("there is no {file}"));
        let declared = format!("const {name}: ");
        let mut found = text.lines().filter_map(|line| line.split_once(&declared)?.1.split_once(" = "));
        let (_, value) = found.next().unwrap_or_else(|| panic!("{file} has no {name}"));
        assert!(found.next().is_none(), "{file} has {name} twice");
        assert_eq!(bound(cells[1]), constant(value.trim_end_matches(';')), "{row}");
        seen += 1;
    }
    assert!(seen > 40, "the table is there: {seen}");
}

/// Every licence, second version and source is one that `deny.toml` allows. Known holes are looked for by `.ci/run` alone: their
/// list is on another host.
#[test]
fn what_is_linked_is_what_the_list_allows() {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut deny = Command::new("cargo");
    deny.current_dir(root).args(["deny", "--locked", "--offline", "check", "licenses", "bans", "sources"]);
    let held = deny.output().unwrap();
    let said = String::from_utf8_lossy(&held.stderr);
    if said.contains("no such command") {
        assert!(env::var("CI").as_deref() != Ok("true"), "CI must have cargo-deny");
        return loudly("cargo-deny IS MISSING: what is linked was NOT held against deny.toml");
    }
    assert!(held.status.success(), "{said}");
}

/// What must hold before a release.
const MUST: &str = "\
    SI-01 SI-02 SI-03 SI-05 SI-07 SI-10 SI-13 SI-14 SI-19 PW-01 PW-05 PW-06 PW-08 BF-02 BF-03 BF-04 \
    BF-06 BO-01 BO-02 BO-03 BO-04 BO-05 SE-02 SE-03 SE-04 LO-01 LO-02 LO-03 LO-04 LO-05 LO-06 AZ-01 \
    AZ-02 AZ-03 AZ-04 AZ-05 AZ-06 AZ-07 CS-01 CS-02 HD-01 HD-02 HD-03 FA-01 FA-02 FA-03 FA-04 FA-05 \
    FA-08 IP-02 IP-03 IN-01 IN-02 IN-03 IN-06 IN-07 IN-08 IN-12 SQ-02 SQ-03 SQ-05 SQ-06 SQ-07 CV-01 \
    CV-04 CV-05 GE-01 TK-01 TK-02 TK-03 LG-01 LG-02 LG-04 LG-05 ST-01 ST-02 ST-04 ST-05 ST-06 ST-08 \
    ST-10 ST-11 IX-01 IX-02 UP-01 UP-03 BK-01 BK-02 LD-01 LD-02 LD-03 LD-04";

/// The words between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The cases of `tests/SECURITY.md`, each with what holds it.
fn attacks(table: &str) -> Vec<(&str, &str)> {
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = rows.map(|row| row.split(" | ").collect::<Vec<_>>()).filter(|cells| cells[0].contains('-'));
    cells.map(|cells| (cells[0], cells[cells.len() - 1])).collect()
}

#[test]
fn the_table_of_attacks_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(root.join("tests/SECURITY.md")).unwrap();
    let attacks = attacks(&table);
    assert!(attacks.len() > 200, "the table is there");
    let mut held = BTreeSet::new();
    for (case, by) in attacks {
        let mut holds = false;
        for named in quoted(by).filter(|named| named.contains("::") || named.starts_with("src/")) {
            let (file, test) =
                named.split_once("::").map_or((named, None), |(file, test)| (file, Some(test)));
            let file =
                if file.starts_with("src/") { file.to_owned() } else { format!("tests/suite/{file}.rs") };
            let source =
                fs::read_to_string(root.join(&file)).unwrap_or_else(|_| panic!("{case}: there is no {file}"));
            let found = test.is_none_or(|test| is_a_test(&source, test));
            assert!(found, "{case}: {file} has no test of this name: {named}");
            holds = true;
        }
        for target in quoted(by).filter(|named| named.starts_with("tests/fuzz/")) {
            assert!(root.join(target).exists(), "{case}: there is no {target}");
        }
        let case = case.trim_end_matches(" ●");
        assert!(held.insert(case.to_owned()), "{case} is there twice");
        assert!(
            holds || by.contains("not yet") || by.starts_with("by construction") || by.starts_with("as "),
            "{case}: {by}"
        );
        assert!(holds || !MUST.split(' ').any(|must| must == case), "{case} must hold, and nothing says how");
    }
    for must in MUST.split(' ') {
        assert!(held.contains(must), "{must} stands in no row");
    }
}

/// Whether a text has a test of this name, and not just a function.
fn is_a_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let at =
        lines.iter().position(|line| line.trim_start_matches("async ").starts_with(&format!("fn {name}(")));
    let above = at.map(|at| lines[..at].iter().rev().take_while(|line| line.starts_with("#[")));
    above.is_some_and(|mut above| {
        above.any(|line| line.contains("test]") || line.contains("test(") || line.ends_with("test)]"))
    })
}
