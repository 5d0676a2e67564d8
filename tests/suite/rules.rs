//! The house rules, held against the sources.

use std::{collections::BTreeSet, fs, path::Path};

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
