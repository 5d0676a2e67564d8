//! Answers, however they came.

use serde_json::Value;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("the answer is UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The JSON of an answer that says yes.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    /// Why it was refused: `400 bad_field limit`; without the field where it is about none.
    pub(crate) fn refusal(&self) -> String {
        let json = self.json();
        let error = json["error"].as_object().expect("a refusal holds an error");
        let word = |name: &str| error.get(name).map(|value| value.as_str().unwrap().to_owned());
        assert!(!word("message").unwrap().is_empty(), "a person must learn something too");
        let mut parts = vec![self.status.to_string(), word("code").unwrap()];
        parts.extend(word("field"));
        parts.join(" ")
    }

    /// The cookie it sets, as a browser would send it back.
    pub(crate) fn cookie(&self) -> String {
        let line = self.header("Set-Cookie").expect("it sets a cookie");
        line.split(';').next().unwrap().to_owned()
    }

    /// A list in its JSON.
    pub(crate) fn items(&self) -> Vec<Value> {
        self.ok()["items"].as_array().expect("it holds a list").clone()
    }
}

/// The words under `name` in every one of these.
pub(crate) fn each(items: &[Value], name: &str) -> Vec<String> {
    items.iter().map(|item| item[name].as_str().unwrap_or_default().to_owned()).collect()
}

/// A page after another, to the end.
pub(crate) fn walk(path: &str, get: impl Fn(&str) -> Reply) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    let mut at = path.to_owned();
    loop {
        let page = get(&at).ok();
        pages.push(page["items"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(cursor) => at = format!("{path}&cursor={cursor}"),
            None => return pages,
        }
        assert!(pages.len() < 10_000, "the pages of {path} never end");
    }
}
