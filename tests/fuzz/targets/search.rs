//! The search box. The first line of the input is what is typed, the others are a text in which it is looked for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollcall::model::query::{Field, Query, highlight, limits};

fuzz_target!(|input: &str| {
    let (typed, text) = input.split_once('\n').unwrap_or((input, input));
    let chars = typed.chars().count();
    for parsed in [Query::parse(typed), Query::parse_typing(typed)] {
        match parsed {
            Ok(query) => {
                is_the_same_written_back(&query);
                marks_what_is_there(text, &query);
            }
            // It is pointed at in what was typed.
            Err(error) => {
                assert!((1..=chars).contains(&error.column) && error.length > 0, "{error:?}");
                assert!(error.column + error.length - 1 <= chars, "{error:?}");
                assert!(!error.to_string().is_empty());
            }
        }
    }
    if let Ok(meant) = Query::parse_typing(typed) {
        assert_eq!(Query::parse(&Query::finished(typed)), Ok(meant), "once nobody types any more");
    }
});

fn is_the_same_written_back(query: &Query) {
    let written = query.to_string();
    // With its quotes it may be longer than may be typed.
    if written.chars().count() <= limits::CHARS {
        let again = Query::parse(&written);
        assert_eq!(again.as_ref(), Ok(query), "{written}");
        assert_eq!(again.map(|query| query.to_string()), Ok(written));
    }
}

fn marks_what_is_there(text: &str, query: &Query) {
    for field in [Field::Anywhere, Field::Detail, Field::User, Field::Action] {
        let mut end = None;
        for mark in highlight(text, &field, query) {
            assert!(end.is_none_or(|end| end < mark.start), "{mark:?} behind {end:?}");
            assert!(text.get(mark.clone()).is_some_and(|marked| !marked.is_empty()), "{mark:?} of {text:?}");
            end = Some(mark.end);
        }
        assert!(end.is_none() || !query.is_everything());
    }
}
