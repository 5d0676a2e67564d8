//! Writing a query back, in one canonical form that parses to the same query.

use std::fmt;

use super::{Node, Query, Term, Value, lex};

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root().map_or(Ok(()), |root| node(root, f))
    }
}

fn node(node: &Node, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match node {
        Node::All(nodes) => joined(nodes, " ", |inner| matches!(inner, Node::Any(_)), f),
        Node::Any(nodes) => joined(nodes, " OR ", |_| false, f),
        Node::Not(inner) => {
            f.write_str("-")?;
            let group = |inner: &Node| matches!(inner, Node::All(_) | Node::Any(_));
            joined(std::slice::from_ref(&**inner), "", group, f)
        }
        Node::Term(inner) => term(inner, f),
    }
}

fn joined(
    nodes: &[Node],
    between: &str,
    group: fn(&Node) -> bool,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    for (index, inner) in nodes.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        if group(inner) {
            f.write_str("(")?;
            node(inner, f)?;
            f.write_str(")")?;
        } else {
            node(inner, f)?;
        }
    }
    Ok(())
}

fn term(term: &Term, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{}", term.field)?;
    match &term.value {
        Value::Outcome(outcome) => write!(f, "{outcome}"),
        Value::Network(net) if net.prefix_len() == net.max_prefix_len() => write!(f, "{}", net.addr()),
        Value::Network(net) => write!(f, "{net}"),
        Value::Text(text) => text_or_quoted(term, text, "", f),
        Value::Prefix(text) => text_or_quoted(term, text, "*", f),
    }
}

/// The text as it is, where that parses to this very term; else in quotes.
fn text_or_quoted(term: &Term, text: &str, star: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let bare = format!("{}{text}{star}", term.field);
    let plain = !text.contains('*')
        && !text.chars().any(|c| lex::is_end(c) || lex::is_quote(c))
        && matches!(Query::parse(&bare).as_ref().map(Query::root), Ok(Some(Node::Term(parsed))) if parsed == term);
    if plain {
        return write!(f, "{text}{star}");
    }
    lex::quote(text, f)?;
    f.write_str(star)
}
