//! The search box's text, cut into tokens with their columns.

use super::{Fault, Field, QueryError, Term, limits, value, words};

/// A piece of the query and where it stands.
pub(super) struct Piece {
    /// The first character is 1.
    pub(super) column: usize,
    /// In characters.
    pub(super) length: usize,
    pub(super) token: Token,
}

pub(super) enum Token {
    Open,
    Close,
    And,
    Or,
    /// The keyword, which may stand apart from what it negates.
    Not,
    /// The sign, which may not.
    Minus,
    Term(Term),
}

pub(super) struct Lexer {
    chars: Vec<char>,
    at: usize,
    typing: bool,
}

impl Lexer {
    /// A lexer over `text`; `typing` lets its last word stand for all that begins so.
    pub(super) fn new(text: &str, typing: bool) -> Result<Self, QueryError> {
        let chars: Vec<char> = text.chars().take(limits::CHARS + 1).collect();
        if chars.len() > limits::CHARS {
            let length = text.chars().count() - limits::CHARS;
            return Err(QueryError { column: limits::CHARS + 1, length, fault: Fault::TooLong });
        }
        Ok(Self { chars, at: 0, typing })
    }

    /// The next piece; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Piece>, QueryError> {
        while self.peek(0).is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        let Some(first) = self.peek(0) else { return Ok(None) };
        let start = self.at;
        let token = match first {
            '(' => self.sign(Token::Open),
            ')' => self.sign(Token::Close),
            '-' => match self.peek(1) {
                Some('-') => return Err(self.fault(start, start + 2, Fault::DoubleMinus)),
                Some(c) if !c.is_whitespace() && c != ')' => self.sign(Token::Minus),
                _ => return Err(self.fault(start, start + 1, Fault::LoneMinus)),
            },
            c if is_quote(c) => {
                let (text, prefix) = self.quoted()?;
                self.term(start, start, Field::Anywhere, &text, prefix)?
            }
            '\u{2010}'..='\u{2015}' | '\u{2212}' if self.peek(1).is_some_and(char::is_alphanumeric) => {
                return Err(self.fault(start, start + 1, Fault::OtherDash));
            }
            '!' if self.peek(1).is_some_and(char::is_alphanumeric) => {
                return Err(self.fault(start, start + 1, Fault::Exclamation));
            }
            '[' | '{' if self.range_end().is_some() => {
                return Err(self.fault(start, self.range_end().unwrap_or(start), Fault::Range));
            }
            _ => self.chunk()?,
        };
        Ok(Some(Piece { column: start + 1, length: self.at - start, token }))
    }

    /// The end of what others take for a range, where it begins here: a word, TO, and a word, in brackets.
    fn range_end(&self) -> Option<usize> {
        let within = self.chars[self.at + 1..].iter().position(|c| matches!(c, ']' | '}'))?;
        let text: String = self.chars[self.at + 1..self.at + 1 + within].iter().collect();
        let words: Vec<&str> = text.split_whitespace().collect();
        matches!(words[..], [_, "TO", _]).then_some(self.at + within + 2)
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn sign(&mut self, token: Token) -> Token {
        self.at += 1;
        token
    }

    fn fault(&self, start: usize, end: usize, fault: Fault) -> QueryError {
        QueryError {
            column: start + 1,
            length: end.min(self.chars.len()).saturating_sub(start).max(1),
            fault,
        }
    }

    /// A text in quotes, and whether a star stands behind it.
    fn quoted(&mut self) -> Result<(String, bool), QueryError> {
        let open = self.at;
        let text = self.between_quotes()?;
        let prefix = self.peek(0) == Some('*');
        self.at += usize::from(prefix);
        match self.peek(0) {
            Some(c) if !is_end(c) => Err(self.fault(open, self.at + 1, Fault::GluedQuote)),
            _ => Ok((text, prefix)),
        }
    }

    /// What stands between two quotes, with a backslash before a quote or a backslash that is meant itself.
    fn between_quotes(&mut self) -> Result<String, QueryError> {
        let open = self.at;
        let mut text = String::new();
        self.at += 1;
        loop {
            match (self.peek(0), self.peek(1)) {
                (None, _) => return Err(self.fault(open, open + 1, Fault::UnclosedQuote)),
                (Some('\\'), Some(next)) if next == '\\' || is_quote(next) => {
                    text.push(next);
                    self.at += 2;
                }
                (Some(c), _) if is_quote(c) => {
                    self.at += 1;
                    return Ok(text);
                }
                (Some(c), _) => {
                    text.push(c);
                    self.at += 1;
                }
            }
        }
    }

    /// Everything up to a space, a parenthesis or a quote: a keyword, a field with its value, or a word.
    fn chunk(&mut self) -> Result<Token, QueryError> {
        let start = self.at;
        let text = self.run();
        let end = self.at;
        match text.as_str() {
            "AND" => return Ok(Token::And),
            "OR" => return Ok(Token::Or),
            "NOT" => return Ok(Token::Not),
            _ => {}
        }
        if self.peek(0).is_some_and(is_quote) && Field::is_attributes_front(&text) {
            let name = self.between_quotes()?;
            if name.trim().is_empty() || self.peek(0) != Some(':') {
                return Err(self.fault(start, self.at, Fault::UnnamedAttribute));
            }
            self.at += 1;
            return self.valued(start, Field::Attribute(name.to_lowercase()));
        }
        let Some((field, rest)) = self.field(start, &text)? else {
            if self.peek(0).is_some_and(is_quote) {
                return Err(self.fault(start, end + 1, Fault::QuoteInWord));
            }
            return self.bare(start, start, Field::Anywhere, &text);
        };
        self.at = end - rest.chars().count();
        self.valued(start, field)
    }

    /// All characters up to a space, a parenthesis or a quote.
    fn run(&mut self) -> String {
        let text: String =
            self.chars[self.at..].iter().take_while(|c| !is_end(**c) && !is_quote(**c)).collect();
        self.at += text.chars().count();
        text
    }

    /// The term of a field that begins at `start`; its value comes now.
    fn valued(&mut self, start: usize, field: Field) -> Result<Token, QueryError> {
        let at = self.at;
        let text = self.run();
        let end = self.at;
        if !text.is_empty() {
            if self.peek(0).is_some_and(is_quote) {
                return Err(self.fault(start, end + 1, Fault::QuoteInWord));
            }
            return self.bare(start, at, field, &text);
        }
        match self.peek(0) {
            Some(c) if is_quote(c) => {
                let (text, prefix) = self.quoted()?;
                self.term(start, at, field, &text, prefix)
            }
            Some('(') => Err(self.fault(start, end + 1, Fault::GroupAsValue { field: field.to_string() })),
            _ => {
                let example = value::example(&field);
                Err(self.fault(start, end, Fault::NoValue { field: field.to_string(), example }))
            }
        }
    }

    /// The field that `text` names and the rest behind its colon; none if `text` is just a word. Addresses, times,
    /// ARNs and the like, which nobody can take for a field, are words; `port:80` and `localhost:8080` could be either and
    /// are refused.
    fn field<'t>(&self, start: usize, text: &'t str) -> Result<Option<(Field, &'t str)>, QueryError> {
        let Some((name, rest)) = text.split_once(':') else { return Ok(None) };
        if let Some(field) = Field::named(name) {
            return Ok(Some((field, rest)));
        }
        let identifier = name.starts_with(|c: char| c.is_alphabetic())
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@'));
        if !identifier || rest.starts_with(['/', '\\']) {
            return Ok(None);
        }
        let (end, lower, nearest) =
            (start + name.chars().count() + 1, name.to_lowercase(), Field::nearest(name));
        // What has a second colon is no field, unless it is as good as one: `usr:arn:aws:iam::1` would find nothing, and not say why.
        if rest.contains(':') && nearest.is_none() {
            return Ok(None);
        }
        let fault = if matches!(
            lower.as_str(),
            "attr." | "labels." | "attributes." | "attr" | "labels" | "attributes"
        ) {
            Fault::UnnamedAttribute
        } else {
            Fault::UnknownField { name: name.to_owned(), nearest }
        };
        Err(self.fault(start, end, fault))
    }

    /// A value without quotes, which may end in a star.
    fn bare(&self, start: usize, at: usize, field: Field, text: &str) -> Result<Token, QueryError> {
        let star = text.chars().position(|c| c == '*');
        match star {
            None => {
                // There must be room for the star that it goes without.
                let room = self.chars.len() < limits::CHARS;
                let last = self.typing && room && self.at == self.chars.len() && words::ends_in_word(text);
                let open = !matches!(field, Field::Ip | Field::Outcome);
                self.term(start, at, field, text, last && open)
            }
            Some(0) => {
                let alone = text.chars().all(|c| c == '*');
                let fault = if alone { Fault::LoneStar } else { Fault::MisplacedStar };
                Err(self.fault(at, at + 1, fault))
            }
            Some(place) if place + 1 < text.chars().count() => {
                Err(self.fault(at + place, at + place + 1, Fault::MisplacedStar))
            }
            Some(_) => self.term(start, at, field, &text[..text.len() - 1], true),
        }
    }

    /// A term from `start`, whose value begins at `at`, up to where the lexer stands.
    fn term(
        &self,
        start: usize,
        at: usize,
        field: Field,
        text: &str,
        prefix: bool,
    ) -> Result<Token, QueryError> {
        match value::value(&field, text, prefix) {
            Ok(value) => Ok(Token::Term(Term { field, value })),
            Err(Fault::NoWord) if text.trim().is_empty() && field != Field::Anywhere => {
                let example = value::example(&field);
                Err(self.fault(start, self.at, Fault::NoValue { field: field.to_string(), example }))
            }
            Err(fault) => Err(self.fault(at, self.at, fault)),
        }
    }
}

/// Appends `text` in quotes, as it is read back.
pub(super) fn quote(text: &str, to: &mut impl std::fmt::Write) -> std::fmt::Result {
    to.write_char('"')?;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let escape =
            is_quote(c) || (c == '\\' && chars.peek().is_none_or(|next| *next == '\\' || is_quote(*next)));
        if escape {
            to.write_char('\\')?;
        }
        to.write_char(c)?;
    }
    to.write_char('"')
}

/// The straight quotation mark, and those that writing aids put in its place.
pub(super) const fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\u{201c}'..='\u{201f}')
}

/// What ends a word, beside a quotation mark.
pub(super) fn is_end(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')')
}
