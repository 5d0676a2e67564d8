//! The parser of the search box. It keeps its own stack, so that no query can exhaust the program's.

use super::{
    Fault, Node, QueryError,
    lex::{Lexer, Piece, Token},
    limits,
};

/// A group that is not closed yet; the outermost is the query itself.
struct Group {
    /// Where its parenthesis stands.
    column: usize,
    /// Whether what it means is to be excluded.
    negated: bool,
    /// The finished alternatives.
    alternatives: Vec<Node>,
    /// What must all be found in the alternative at hand.
    together: Vec<Node>,
    /// What waits for something behind it.
    pending: Option<Pending>,
}

#[derive(Clone, Copy)]
struct Pending {
    word: Word,
    column: usize,
    length: usize,
    /// An odd number of negations came with it.
    negates: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    And,
    Or,
    Not,
}

/// Understands `text`; none stands for everything.
pub(super) fn parse(text: &str, typing: bool) -> Result<Option<Node>, QueryError> {
    let mut lexer = Lexer::new(text, typing)?;
    let mut stack: Vec<Group> = Vec::new();
    let mut group = Group::new(0, false);
    let mut terms = 0;
    while let Some(piece) = lexer.next()? {
        let fault = |fault| QueryError { column: piece.column, length: piece.length, fault };
        match piece.token {
            Token::And => group.join(Word::And, &piece)?,
            Token::Or => group.join(Word::Or, &piece)?,
            Token::Not | Token::Minus => group.negate(&piece),
            Token::Open => {
                if stack.len() == limits::DEPTH {
                    return Err(fault(Fault::TooDeep));
                }
                let negated = group.take_negation();
                stack.push(group);
                group = Group::new(piece.column, negated);
            }
            Token::Close => {
                let Some(outer) = stack.pop() else { return Err(fault(Fault::StrayParenthesis)) };
                let (column, negated) = (group.column, group.negated);
                let length = piece.column + 1 - column;
                let node = group.finish()?.ok_or(QueryError { column, length, fault: Fault::EmptyGroup })?;
                group = outer;
                group.add(node, negated);
            }
            Token::Term(term) => {
                terms += 1;
                if terms > limits::TERMS {
                    return Err(fault(Fault::TooManyTerms));
                }
                let negated = group.take_negation();
                group.add(Node::Term(term), negated);
            }
        }
    }
    if stack.is_empty() {
        return group.finish();
    }
    Err(QueryError { column: group.column, length: 1, fault: Fault::UnclosedParenthesis })
}

impl Group {
    fn new(column: usize, negated: bool) -> Self {
        Self { column, negated, alternatives: Vec::new(), together: Vec::new(), pending: None }
    }

    /// An AND or an OR: there must be something to its left already.
    fn join(&mut self, word: Word, piece: &Piece) -> Result<(), QueryError> {
        if let Some(pending) = self.pending {
            return Err(pending.error());
        }
        let pending = Pending { word, column: piece.column, length: piece.length, negates: false };
        if self.together.is_empty() {
            return Err(pending.error());
        }
        if word == Word::Or {
            self.alternatives.push(all(std::mem::take(&mut self.together)));
        }
        self.pending = Some(pending);
        Ok(())
    }

    /// A NOT or a minus: what follows is excluded.
    fn negate(&mut self, piece: &Piece) {
        let negates = !self.pending.is_some_and(|pending| pending.negates);
        self.pending = Some(Pending { word: Word::Not, column: piece.column, length: piece.length, negates });
    }

    fn take_negation(&mut self) -> bool {
        self.pending.take().is_some_and(|pending| pending.negates)
    }

    fn add(&mut self, node: Node, negated: bool) {
        let node = match (negated, node) {
            (false, node) => node,
            (true, Node::Not(inner)) => *inner,
            (true, node) => Node::Not(Box::new(node)),
        };
        match node {
            Node::All(nodes) => self.together.extend(nodes),
            node => self.together.push(node),
        }
    }

    fn finish(mut self) -> Result<Option<Node>, QueryError> {
        if let Some(pending) = self.pending {
            return Err(pending.error());
        }
        if self.alternatives.is_empty() {
            return Ok((!self.together.is_empty()).then(|| all(self.together)));
        }
        self.alternatives.push(all(self.together));
        let mut nodes = Vec::with_capacity(self.alternatives.len());
        for node in self.alternatives {
            match node {
                Node::Any(inner) => nodes.extend(inner),
                node => nodes.push(node),
            }
        }
        Ok(Some(Node::Any(nodes)))
    }
}

impl Pending {
    fn error(self) -> QueryError {
        let fault = match self.word {
            Word::And => Fault::Dangling("AND"),
            Word::Or => Fault::Dangling("OR"),
            Word::Not => Fault::DanglingNot,
        };
        QueryError { column: self.column, length: self.length, fault }
    }
}

fn all(mut nodes: Vec<Node>) -> Node {
    if nodes.len() == 1 { nodes.remove(0) } else { Node::All(nodes) }
}
