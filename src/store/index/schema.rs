//! What the index keeps of an activity, and why; all of it counts in bytes an activity.
//!
//! - `text`: every searchable word with its positions; the detail first, then a gap, action, user, app, target and
//!   attributes, each behind a gap, so that no phrase crosses fields. By far the largest part.
//! - `part`: the words of the target and of each attribute once more under their field's name, for `target:` and
//!   `attr.NAME:`; costs only those who send them. `detail:` needs no such copy: what stands before `detail_end` in `text` is
//!   the detail's, and that is a column of some four bits.
//! - Values that count as a whole (user, action, app, outcome, session, country, city, device, os, browser), one term each
//!   without frequencies: `folded NUL as-written`, the second half empty where it equals the first. The one dictionary
//!   serves the exact value (a range of one term), prefixes, facets and completion in the original spelling. The words of
//!   city, device, os and browser are looked up in the dictionary, which is small, and cost nothing.
//! - `ip`: 16 bytes big-endian, IPv4 mapped, so that a network is a range of the dictionary.
//! - Columns: `time` (the order of the segment) and `id`.

use std::net::IpAddr;

use tantivy::{
    Index, IndexSettings, IndexSortByField, Order, TantivyError,
    directory::Directory,
    schema::{
        BytesOptions, Field, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions,
    },
    store::{Compressor, ZstdCompressor},
};

use super::tokenizer;
use crate::model::query::fold_value;

/// The number of the format. It changes with anything that changes what a file or a term means, the way words are cut
/// included; an index of another number is built anew.
pub(super) const VERSION: u32 = 3;

/// Between a value as it is compared and the value as it was written.
pub(super) const NUL: char = '\0';

/// The fields of the index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    pub(super) text: Field,
    pub(super) part: Field,
    pub(super) user: Field,
    pub(super) action: Field,
    pub(super) app: Field,
    pub(super) outcome: Field,
    pub(super) session: Field,
    pub(super) country: Field,
    pub(super) city: Field,
    pub(super) device: Field,
    pub(super) os: Field,
    pub(super) browser: Field,
    pub(super) ip: Field,
    pub(super) time: Field,
    pub(super) id: Field,
    pub(super) detail_end: Field,
}

/// The column that orders a segment: milliseconds since 1970.
pub(super) const TIME: &str = "time";
/// The column of ids.
pub(super) const ID: &str = "id";
/// The column of the position behind the detail's last word.
pub(super) const DETAIL_END: &str = "detail_end";

/// The schema and its fields.
pub(super) fn schema() -> (Schema, Fields) {
    let words = |tokenizer: &str| {
        let indexing = TextFieldIndexing::default()
            .set_tokenizer(tokenizer)
            .set_index_option(IndexRecordOption::WithFreqsAndPositions)
            .set_fieldnorms(false);
        TextOptions::default().set_indexing_options(indexing)
    };
    // Bytes, because a text would be handed to a tokenizer first.
    let value = || BytesOptions::default().set_indexed();
    let column = || NumericOptions::default().set_fast();
    let mut schema = Schema::builder();
    let fields = Fields {
        text: schema.add_text_field("text", words(tokenizer::WORDS)),
        part: schema.add_text_field("part", words(tokenizer::NAMED_WORDS)),
        user: schema.add_bytes_field("user", value()),
        action: schema.add_bytes_field("action", value()),
        app: schema.add_bytes_field("app", value()),
        outcome: schema.add_bytes_field("outcome", value()),
        session: schema.add_bytes_field("session", value()),
        country: schema.add_bytes_field("country", value()),
        city: schema.add_bytes_field("city", value()),
        device: schema.add_bytes_field("device", value()),
        os: schema.add_bytes_field("os", value()),
        browser: schema.add_bytes_field("browser", value()),
        ip: schema.add_bytes_field("ip", value()),
        time: schema.add_i64_field(TIME, column()),
        id: schema.add_u64_field(ID, column()),
        detail_end: schema.add_u64_field(DETAIL_END, column()),
    };
    (schema.build(), fields)
}

/// How segments are laid out.
pub(super) fn settings() -> IndexSettings {
    IndexSettings {
        sort_by_field: Some(IndexSortByField { field: TIME.to_owned(), order: Order::Desc }),
        // Nothing is stored, but where nothing ends is written down for every document: 5 bytes, or 1.7 compressed in
        // blocks of 256 documents, which Tantivy counts as 9 bytes each.
        docstore_compression: Compressor::Zstd(ZstdCompressor::default()),
        docstore_blocksize: 256 * 9,
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    }
}

/// A new index in an empty directory.
pub(super) fn create(directory: impl Into<Box<dyn Directory>>) -> Result<Index, TantivyError> {
    let index = Index::builder().schema(schema().0).settings(settings()).open_or_create(directory)?;
    tokenizer::register(&index);
    Ok(index)
}

/// A value as it begins its term.
pub(super) fn value_key(text: &str) -> String {
    let mut key = String::with_capacity(text.len() + NUL.len_utf8());
    push_value_key(&mut key, text);
    key
}

/// Appends a value as it begins its term.
pub(super) fn push_value_key(key: &mut String, text: &str) {
    let spaced = |c| if c == NUL { ' ' } else { c };
    if text.is_ascii() {
        key.extend(text.trim().chars().map(|c| spaced(c.to_ascii_lowercase())));
    } else {
        key.extend(fold_value(text).chars().map(spaced));
    }
}

/// The value a term was made from, as it is compared.
pub(super) fn folded(term: &str) -> &str {
    term.split_once(NUL).map_or(term, |(folded, _)| folded)
}

/// The value a term was made from, as it was written.
pub(super) fn written(term: &str) -> &str {
    match term.split_once(NUL) {
        Some((folded, "")) => folded,
        Some((_, written)) => written,
        None => term,
    }
}

/// In front of the words of the target in `part`.
pub(super) fn target_key() -> String {
    format!("t{NUL}")
}

/// In front of the words of the attribute `name` in `part`.
pub(super) fn attribute_key(name: &str) -> String {
    format!("a{}{NUL}", name.to_lowercase().replace(NUL, " "))
}

/// An address as it is ordered.
pub(super) fn ip_term(ip: IpAddr) -> [u8; 16] {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}
