//! From what is looked for to a plan for one segment. This is the only place where a scope and a horizon become
//! conditions, and no plan is made without them.

use std::{net::Ipv4Addr, ops::Range, sync::Arc};

use ipnet::IpNet;
use tantivy::{DocId, columnar::ColumnValues, schema::Field as Column};

use super::{
    bits::Bits,
    deadline::Deadline,
    dictionary::{Dictionary, unaccented, worded},
    phrase::{Beginnings, Begun, Phrase, PhraseWord, Places},
    plan::Plan,
    schema::{self, Fields, NUL},
    search::SearchError,
    segment::Segment,
    terms::{FEW, Posting, Span},
};
use crate::model::{
    activity::Outcome,
    country,
    filter::Filter,
    query::{self, Field, Node, Term, Value, words},
    session::Scope,
};

/// What it takes to look things up in one segment.
pub(super) struct Compiler<'a> {
    pub(super) segment: &'a Segment,
    pub(super) fields: &'a Fields,
    /// The documents of the period; what is gathered beforehand is gathered from these.
    pub(super) docs: Range<DocId>,
    /// What else everything must be; what is dear to gather is gathered from this alone, so it may be less than it is asked for.
    within: Plan,
    pub(super) deadline: &'a Deadline,
}

type Planned = Result<Plan, SearchError>;

impl<'a> Compiler<'a> {
    pub(super) fn new(
        segment: &'a Segment,
        fields: &'a Fields,
        docs: Range<DocId>,
        deadline: &'a Deadline,
    ) -> Self {
        Self { segment, fields, docs, within: Plan::Everything, deadline }
    }

    /// What of `nodes` are all to be, within `within`, which is not looked at again.
    fn all<'n>(&self, nodes: impl Iterator<Item = &'n Node>, within: Plan) -> Planned {
        // What is dear to gather comes last: everything else leaves less to gather it from.
        let (dear, cheap): (Vec<&Node>, Vec<&Node>) = nodes.partition(|node| is_dear(node));
        let mut plans = vec![within];
        for node in cheap {
            plans.push(self.node(node)?);
        }
        let mut kept = Plan::all(plans);
        for node in dear {
            if matches!(kept, Plan::Nothing) {
                break;
            }
            let within = Plan::all(vec![self.within.clone(), kept.clone()]);
            let inner = Compiler { within, docs: self.docs.clone(), ..*self };
            kept = Plan::all(vec![kept, inner.node(node)?]);
        }
        Ok(kept)
    }

    /// The documents that `filter` is after and that may be seen in `scope`, without those that are gone.
    pub(super) fn filter(&self, filter: &Filter, scope: &Scope, gone: Plan) -> Planned {
        let mut plans = vec![Plan::not(gone)];
        if let Scope::Own(user) = scope {
            plans.push(self.value(self.fields.user, user.as_str(), false)?);
        }
        let exact = [
            (self.fields.user, filter.user.as_deref()),
            (self.fields.app, filter.app.as_deref()),
            (self.fields.action, filter.action.as_deref()),
            (self.fields.session, filter.session.as_deref()),
            (self.fields.outcome, filter.outcome.map(Outcome::as_str)),
        ];
        for (column, text) in exact {
            if let Some(text) = text {
                plans.push(self.value(column, text, false)?);
            }
        }
        if let Some(net) = &filter.ip {
            plans.push(self.network(net)?);
        }
        self.all(filter.query.root().into_iter(), Plan::all(plans))
    }

    /// The depth of a query is limited by its parser.
    fn node(&self, node: &Node) -> Planned {
        match node {
            Node::All(nodes) => self.all(nodes.iter(), Plan::Everything),
            Node::Any(nodes) => {
                Ok(Plan::any(nodes.iter().map(|node| self.node(node)).collect::<Result<_, _>>()?))
            }
            Node::Not(inner) => Ok(Plan::not(self.node(inner)?)),
            Node::Term(term) => self.term(term),
        }
    }

    fn term(&self, term: &Term) -> Planned {
        let (text, prefix) = match &term.value {
            Value::Network(net) => return self.network(net),
            Value::Outcome(outcome) => return self.value(self.fields.outcome, outcome.as_str(), false),
            Value::Text(text) => (text.as_str(), false),
            Value::Prefix(text) => (text.as_str(), true),
        };
        let fields = self.fields;
        match &term.field {
            Field::Anywhere => self.words(fields.text, "", &words::asked(text, prefix)),
            Field::Target => self.words(fields.part, &schema::target_key(), &words::asked(text, prefix)),
            Field::Attribute(name) => {
                self.words(fields.part, &schema::attribute_key(name), &words::asked(text, prefix))
            }
            Field::Detail => self.detail(&words::asked(text, prefix)),
            Field::User => self.person(text, prefix),
            Field::App => self.value(fields.app, text, prefix),
            Field::Session => self.value(fields.session, text, prefix),
            Field::Country => {
                let mut plans = vec![self.value(fields.country, text, prefix)?];
                for alias in country::aliases(text, prefix) {
                    plans.push(self.value(fields.country, &alias, false)?);
                }
                Ok(Plan::any(plans))
            }
            Field::Outcome => self.value(fields.outcome, text, prefix),
            Field::Action if words::is_one_word(text) => {
                let whole = self.value(fields.action, text, prefix)?;
                Ok(Plan::any(vec![whole, self.value_by_words(fields.action, text, prefix)?]))
            }
            Field::Action => self.value(fields.action, text, prefix),
            Field::City => self.value_by_words(fields.city, text, prefix),
            Field::Device => self.value_by_words(fields.device, text, prefix),
            Field::Os => self.value_by_words(fields.os, text, prefix),
            Field::Browser => self.value_by_words(fields.browser, text, prefix),
            Field::Ip => Ok(Plan::Nothing),
        }
    }

    /// Those with this whole value, in any case, or one that begins so.
    fn value(&self, column: Column, text: &str, prefix: bool) -> Planned {
        let index = self.segment.inverted(column)?;
        let mut key = schema::value_key(text);
        if !prefix {
            key.push(NUL);
        }
        Span::prefix(index, &key).all_documents(&self.docs, self.deadline)
    }

    /// Those by whom this is the name, or the beginning of it, with or without its accents. No scope is ever made of it: there
    /// Zoe and Zoë are two people.
    fn person(&self, text: &str, prefix: bool) -> Planned {
        let index = self.segment.inverted(self.fields.user)?;
        let plain = query::fold(&schema::value_key(text));
        let is = |name: &str| if prefix { name.starts_with(&plain) } else { name == plain };
        let accented = index.accented(self.deadline)?.map(|known| {
            let those = known.iter().filter(|known| is(&known.value)).take(FEW + 1);
            those.map(|known| Posting::of(&index.index, &known.info)).collect::<Vec<_>>()
        });
        let Some(accented) = accented.filter(|those| those.len() <= FEW) else {
            // There are too many to be known, or to be read side by side.
            return Span::all(index).known_documents(
                &unaccented(&plain, prefix),
                &self.docs,
                self.deadline,
                |term| {
                    std::str::from_utf8(term).is_ok_and(|term| {
                        let name = schema::folded(term);
                        if name.is_ascii() { is(name) } else { is(&query::fold(name)) }
                    })
                },
            );
        };
        let mut plans = vec![Plan::few(accented)];
        if plain.is_ascii() {
            let mut key = plain.clone();
            if !prefix {
                key.push(NUL);
            }
            plans.push(Span::prefix(index, &key).all_documents(&self.docs, self.deadline)?);
        }
        Ok(Plan::any(plans))
    }

    /// Those with this whole value, in any case, which may be empty.
    pub(super) fn whole(&self, column: Column, text: &str) -> Planned {
        if !schema::value_key(text).is_empty() {
            return self.value(column, text, false);
        }
        let index = self.segment.inverted(column)?;
        Ok(Plan::not(Span::all(index).all_documents(&self.docs, self.deadline)?))
    }

    /// Those whose value has these words. The dictionary is read through: it holds cities, devices, systems, browsers or
    /// actions, of which there are mostly few.
    fn value_by_words(&self, column: Column, text: &str, prefix: bool) -> Planned {
        let index = self.segment.inverted(column)?;
        let asked = words::asked(text, prefix);
        Span::all(index).known_documents(&worded(text, prefix), &self.docs, self.deadline, |term| {
            std::str::from_utf8(term).is_ok_and(|term| {
                // Most values are ruled out without being cut into words.
                let folded = schema::folded(term);
                let possible =
                    !folded.is_ascii() || asked.first().is_some_and(|word| folded.contains(&word.text));
                possible && query::has_words(schema::written(term), &asked)
            })
        })
    }

    fn network(&self, net: &IpNet) -> Planned {
        let index = self.segment.inverted(self.fields.ip)?;
        let mut to = schema::ip_term(net.broadcast()).to_vec();
        to.push(0);
        let span = Span { dictionary: index, from: schema::ip_term(net.network()).to_vec(), to };
        // IPv4 stands among the addresses of IPv6, but lies in none of its networks.
        let v4 = schema::ip_term(Ipv4Addr::UNSPECIFIED.into());
        let v4 = v4.get(..12).unwrap_or_default();
        match net {
            IpNet::V6(net) if net.contains(&Ipv4Addr::UNSPECIFIED.to_ipv6_mapped()) => {
                span.documents(&self.docs, self.deadline, |term| !term.starts_with(v4))
            }
            _ => span.all_documents(&self.docs, self.deadline),
        }
    }

    /// Those with these words one behind the other, in `column`, under `key`.
    fn words(&self, column: Column, key: &str, asked: &[words::Asked]) -> Planned {
        let index = self.segment.inverted(column)?;
        match asked {
            [] => Ok(Plan::Nothing),
            [word] if word.prefix => {
                let key = format!("{key}{}", word.text);
                Span::prefix(index, &key).all_documents(&self.docs, self.deadline)
            }
            [word] => {
                let term = format!("{key}{}", word.text);
                Ok(Posting::exact(index, term.as_bytes())?.map_or(Plan::Nothing, Plan::One))
            }
            several => self.phrase(index, key, several, None),
        }
    }

    /// Those with these words one behind the other in the detail.
    fn detail(&self, asked: &[words::Asked]) -> Planned {
        let index = self.segment.inverted(self.fields.text)?;
        match asked {
            [] => Ok(Plan::Nothing),
            [word] if word.prefix => {
                let span = Span::prefix(index, &word.text);
                span.documents_by_detail(self.segment, &self.docs, self.deadline)
            }
            words => self.phrase(index, "", words, Some(Arc::clone(&self.segment.detail_end))),
        }
    }

    /// Those with these words one behind the other, in the detail if `before` is the column of its end.
    fn phrase(
        &self,
        index: &Dictionary,
        key: &str,
        asked: &[words::Asked],
        before: Option<Arc<dyn ColumnValues<u64>>>,
    ) -> Planned {
        let mut words = Vec::with_capacity(asked.len());
        let mut begun = Vec::new();
        for &words::Asked { ref text, offset, prefix } in asked {
            let term = format!("{key}{text}");
            if prefix {
                begun.push(Begun { offset, span: Span::prefix(index, &term) });
                continue;
            }
            let Some(posting) = Posting::exact(index, term.as_bytes())? else { return Ok(Plan::Nothing) };
            words.push(PhraseWord { offset, places: Places::Listed(posting) });
        }
        let among = if begun.is_empty() { None } else { self.candidates(&words)? };
        let listed = Phrase { words, before };
        Beginnings { listed, begun, docs: &self.docs, among, deadline: self.deadline }.plan()
    }

    /// The documents in which a phrase with these words may be, besides others; none if they may be any.
    fn candidates(&self, words: &[PhraseWord]) -> Result<Option<Bits>, SearchError> {
        let listed = words.iter().filter_map(|word| match &word.places {
            Places::Listed(posting) => Some(Plan::One(posting.clone())),
            Places::Gathered(_) => None,
        });
        let plan = Plan::all(listed.chain([self.within.clone()]).collect());
        match plan {
            Plan::Everything => Ok(None),
            plan => plan.gather(self.segment, &self.docs, self.deadline).map(Some),
        }
    }
}

/// Whether all words that begin in some way have to be gone through with their places, which may be many.
fn is_dear(node: &Node) -> bool {
    match node {
        Node::All(nodes) | Node::Any(nodes) => nodes.iter().any(is_dear),
        Node::Not(inner) => is_dear(inner),
        Node::Term(Term { value: Value::Prefix(text), .. }) => words::asked(text, true).len() > 1,
        // Of a single character of a script without spaces there are pairs that begin with it.
        Node::Term(Term { value: Value::Text(text), .. }) if !text.is_ascii() => {
            let asked = words::asked(text, false);
            asked.len() > 1 && asked.iter().any(|word| word.prefix)
        }
        Node::Term(_) => false,
    }
}
