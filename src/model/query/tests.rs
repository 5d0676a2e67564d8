use proptest::prelude::*;

use super::{Field, Node, Query, Term, Value};

fn shown(text: &str) -> String {
    Query::parse(text)
        .map_or_else(|error| format!("{}+{} {error}", error.column, error.length), |q| q.to_string())
}

#[test]
fn what_is_typed_is_understood() {
    for (typed, understood) in [
        ("", ""),
        ("   ", ""),
        ("backup", "backup"),
        ("  backup   restore ", "backup restore"),
        ("backup AND restore", "backup restore"),
        ("a b OR c d", "a b OR c d"),
        ("(a b) OR c", "a b OR c"),
        ("a (b OR c)", "a (b OR c)"),
        ("((a)) ((b OR (c OR d)))", "a (b OR c OR d)"),
        ("-backup", "-backup"),
        ("NOT backup", "-backup"),
        ("-(a OR b) c", "-(a OR b) c"),
        ("-(-a)", "a"),
        ("NOT NOT a", "a"),
        ("\"access denied\"", "\"access denied\""),
        ("“access denied”", "\"access denied\""),
        ("\"single\"", "single"),
        ("\"OR\"", "\"OR\""),
        ("\"-dash\"", "\"-dash\""),
        ("prefix*", "prefix*"),
        ("\"two wor\"*", "\"two wor\"*"),
        ("User:Ann", "user:Ann"),
        ("user.name:ann event.action:login", "user:ann action:login"),
        ("user:\"Ann Lee\"", "user:\"Ann Lee\""),
        ("user:CORP\\ann", "user:CORP\\ann"),
        ("user:\"CORP\\ann lee\"", "user:\"CORP\\ann lee\""),
        ("detail:\"say \\\"hi\\\"\"", "detail:\"say \\\"hi\\\"\""),
        ("event.outcome:FAILURE", "outcome:failure"),
        ("ip:10.1.2.3", "ip:10.1.2.3"),
        ("source.ip:10.1.2.3/8", "ip:10.0.0.0/8"),
        ("ip:::ffff:10.0.0.1", "ip:10.0.0.1"),
        ("ip:2001:db8::/32", "ip:2001:db8::/32"),
        ("country:norway", "country:NO"),
        ("client.geo.country_iso_code:no", "country:no"),
        ("labels.Region:north attr.x-id:7*", "attr.region:north attr.x-id:7*"),
        ("attr.\"Cost Centre\":north", "attr.\"cost centre\":north"),
        ("labels.\"a:b\":\"x y\"*", "attr.\"a:b\":\"x y\"*"),
        ("attr.\"region\":7", "attr.region:7"),
        ("\"localhost:8080\"", "\"localhost:8080\""),
        ("message:\"access denied\"", "detail:\"access denied\""),
        ("-user:ann -\"a b\"", "-user:ann -\"a b\""),
        ("or and not", "or and not"),
    ] {
        assert_eq!(shown(typed), understood, "{typed:?}");
    }
}

#[test]
fn a_colon_that_cannot_be_a_fields_is_part_of_its_word() {
    for word in [
        "https://example.org/a",
        "10:30",
        "arn:aws:s3",
        "arn:aws:iam::123456789012:user/ann",
        "2001:db8::7",
        "::1",
        "C:\\Users",
        "00:1a:2b:3c:4d:5e",
        "[x]:y",
        ":smile:",
    ] {
        let term = Term { field: Field::Anywhere, value: Value::Text(word.to_owned()) };
        assert_eq!(Query::parse(word).unwrap().root(), Some(&Node::Term(term)), "{word:?}");
    }
}

#[test]
fn what_is_not_understood_is_pointed_at() {
    for (typed, column, length, sentence) in [
        ("a \"b c", 3, 1, "no partner"),
        ("a (b", 3, 1, "never closed"),
        ("((a)", 1, 1, "never closed"),
        ("a) b", 2, 1, "closes nothing"),
        ("a ()", 3, 2, "nothing between"),
        ("a OR", 3, 2, "OR needs"),
        ("OR a", 1, 2, "OR needs"),
        ("a OR OR b", 3, 2, "OR needs"),
        ("(a OR) b", 4, 2, "OR needs"),
        ("AND a", 1, 3, "AND needs"),
        ("a NOT", 3, 3, "NOT needs"),
        ("a -", 3, 1, "write -word"),
        ("- a", 1, 1, "write -word"),
        ("--a", 1, 2, "one - is enough"),
        ("–a", 1, 1, "not the - of the keyboard"),
        ("!a", 1, 1, "write -word"),
        ("a [2020 TO 2021] b", 3, 14, "a range like"),
        ("*", 1, 1, "beginning of a word"),
        ("a *", 3, 1, "beginning of a word"),
        ("*a", 1, 1, "at the end"),
        ("a*b", 2, 1, "at the end"),
        ("user:a*b", 7, 1, "at the end"),
        ("user:*", 6, 1, "beginning of a word"),
        ("rds.*", 1, 5, "letter or a digit"),
        ("a && b", 3, 2, "no letter"),
        ("\"---\"", 1, 5, "no letter"),
        ("?", 1, 1, "no letter"),
        ("user:", 1, 5, "user: needs a value"),
        ("user: ann", 1, 5, "user: needs a value"),
        ("x user:\"\"", 3, 7, "user: needs a value"),
        ("usr:ann", 1, 4, "did you mean user:"),
        ("-usr:ann", 2, 4, "did you mean user:"),
        ("x -usr:ann", 4, 4, "did you mean user:"),
        ("usr:arn:aws:iam::1", 1, 4, "did you mean user:"),
        ("-sesion:a:b", 2, 7, "did you mean session:"),
        ("x colour:red", 3, 7, "no field \"colour\"; there are user, action, "),
        ("port:80", 1, 5, "no field \"port\""),
        ("time:2026", 1, 5, "no field \"time\""),
        ("localhost:8080", 1, 10, "in quotes"),
        ("attr.\"cost centre\" x", 1, 18, "name the attribute"),
        ("attr.\"\":x", 1, 7, "name the attribute"),
        ("attr.\"a b\":", 1, 11, "needs a value"),
        ("attr.\"a b\":(x)", 1, 12, "one value per field"),
        ("user_agent.original:x", 1, 20, "did you mean browser:"),
        ("attr.:x", 1, 6, "name the attribute"),
        ("user:(a OR b)", 1, 6, "one value per field"),
        ("foo\"bar\"", 1, 4, "before the quotation mark"),
        ("\"foo\"bar", 1, 6, "behind the closing"),
        ("outcome:ok", 9, 2, "success, failure or unknown"),
        ("ip:10.0.0", 4, 6, "not an address"),
        ("ip:10.0.0.0/33", 4, 11, "not an address"),
        ("ip:10.*", 4, 4, "not an address"),
        ("żółć usr:x", 6, 4, "no field"),
    ] {
        let error = Query::parse(typed).unwrap_err();
        assert_eq!((error.column, error.length), (column, length), "{typed:?}: {error}");
        assert!(error.to_string().contains(sentence), "{typed:?}: {error}");
    }
}

#[test]
fn the_limits_hold_and_nothing_overflows() {
    let column = |text: &str| Query::parse(text).map_err(|error| (error.column, error.to_string()));
    assert!(column(&"a".repeat(512)).is_ok());
    assert!(column(&"é".repeat(513)).is_err_and(|(column, text)| column == 513 && text.contains("512")));
    assert!(column(&"a ".repeat(32)).is_ok());
    assert!(column(&"a ".repeat(33)).is_err_and(|(column, text)| column == 65 && text.contains("32")));
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(column(&nested(8)).is_ok());
    assert!(column(&nested(9)).is_err_and(|(column, text)| column == 9 && text.contains('8')));
    assert!(column(&"(".repeat(100_000)).is_err());
    assert!(column(&"-(".repeat(256)).is_err());
    assert!(column(&"NOT ".repeat(128)).is_err());
    let phrase = |words: usize| format!("\"{}\"", vec!["a"; words].join(" "));
    assert!(column(&phrase(16)).is_ok());
    assert!(column(&phrase(17)).is_err_and(|(_, text)| text.contains("16")));
}

#[test]
fn the_word_being_typed_stands_for_all_that_begin_so() {
    for (typed, understood) in [
        ("back", "back*"),
        ("back ", "back"),
        ("old back", "old back*"),
        ("\"back\"", "back"),
        ("(old OR back)", "old OR back"),
        ("-back", "-back*"),
        ("INC-47", "INC-47*"),
        ("INC-", "INC-"),
        ("user:an", "user:an*"),
        ("back*", "back*"),
        ("outcome:failure", "outcome:failure"),
        ("ip:10.0.0.1", "ip:10.0.0.1"),
    ] {
        assert_eq!(Query::parse_typing(typed).unwrap().to_string(), understood, "{typed:?}");
    }
}

#[test]
fn what_is_being_typed_can_be_asked_for_in_full() {
    for (typed, asked) in [
        ("back", "back*"),
        ("old back", "old back*"),
        ("user:an", "user:an*"),
        ("https://example.or", "https://example.or*"),
        ("back ", "back "),
        ("back*", "back*"),
        ("outcome:failure", "outcome:failure"),
        ("(a OR", "(a OR"),
    ] {
        assert_eq!(Query::finished(typed), asked, "{typed:?}");
    }
    let long = "a".repeat(512);
    assert_eq!(Query::finished(&long), long, "there is no room for a star");
}

fn query() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("backup"),
        Just("INC-47"),
        Just("\"a b\""),
        Just("pre*"),
        Just("user:ann"),
        Just("ip:10.0.0.0/8"),
        Just("attr.x:\"y z\"*"),
        Just("https://x/y"),
        Just("outcome:failure"),
        Just("\"\\\\ \\\" x\""),
        Just("\"NOT\""),
        Just("東京"),
    ];
    let leaf = word.prop_map(str::to_owned);
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} OR {b}")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.prop_map(|a| format!("-({a})")),
        ]
    })
}

proptest! {
    #[test]
    fn a_query_that_is_written_back_is_the_same_query(text in query()) {
        prop_assume!(text.chars().count() < 300);
        if let Ok(parsed) = Query::parse(&text) {
            prop_assert_eq!(Query::parse(&parsed.to_string()), Ok(parsed.clone()), "{}", parsed);
        }
    }

    #[test]
    fn whatever_is_typed_is_understood_or_pointed_at(text in "[a-c:\"()*\\-\\\\ ORAND.é“東!]{0,40}") {
        let chars = text.chars().count();
        match Query::parse(&text) {
            Ok(parsed) => prop_assert_eq!(Query::parse(&parsed.to_string()), Ok(parsed.clone()), "{}", parsed),
            Err(error) => prop_assert!((1..=chars).contains(&error.column) && error.column + error.length - 1 <= chars, "{:?}", error),
        }
        if let Ok(typed) = Query::parse_typing(&text) {
            prop_assert_eq!(Query::parse(&Query::finished(&text)), Ok(typed));
        }
    }
}
