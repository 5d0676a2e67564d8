//! Signed notes: text that somebody stands for, in the form of C2SP's `signed-note`, so that others' programs read it too.
//!
//! ```text
//! the text, some lines
//!
//! — name of the key, a space, base 64 of: the key's id (4 bytes), the Ed25519 signature of the text (64 bytes)
//! ```

use std::{fmt, str::FromStr};

use data_encoding::{BASE32_DNSSEC, BASE64, HEXLOWER_PERMISSIVE};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest, Sha256};

/// The number of Ed25519 among C2SP's kinds of signatures.
const ED25519_KIND: u8 = 1;

/// How many bytes such a signature has.
const ED25519_LENGTH: usize = 64;

/// The key of an installation, to check its signatures with. Written as `name+id+key`, as `signed-note` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    key: [u8; 32],
}

impl VerifyingKey {
    /// The name it signs under.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> [u8; 4] {
        let hash = Sha256::new().chain_update(&self.name).chain_update([b'\n', ED25519_KIND]);
        let hash: [u8; 32] = hash.chain_update(self.key).finalize().into();
        [hash[0], hash[1], hash[2], hash[3]]
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = BASE64.encode(&[&[ED25519_KIND][..], &self.key].concat());
        write!(f, "{}+{}+{key}", self.name, HEXLOWER_PERMISSIVE.encode(&self.id()))
    }
}

/// What was given is not the key of an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a key like rollcall/…+0123abcd+Ab…; Settings shows it, under Evidence")]
pub struct NotAKey;

impl FromStr for VerifyingKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        // The key itself may have a `+` in it.
        let mut parts = text.trim().splitn(3, '+');
        let mut part = || parts.next().filter(|part| !part.is_empty()).ok_or(NotAKey);
        let (name, id, key) = (part()?, part()?, part()?);
        let (id, key) = (HEXLOWER_PERMISSIVE.decode(id.as_bytes()), BASE64.decode(key.as_bytes()));
        let key =
            key.ok().and_then(|key| key.strip_prefix(&[ED25519_KIND])?.try_into().ok()).ok_or(NotAKey)?;
        let key = Self { name: name.to_owned(), key };
        if id.as_deref() == Ok(&key.id()) { Ok(key) } else { Err(NotAKey) }
    }
}

/// What an installation signs with.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: VerifyingKey,
}

impl SigningKey {
    /// The key that grows from 32 bytes, which must come from the system's random source. Its name is made of itself.
    pub fn of(seed: &[u8; 32]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let key: [u8; 32] = pair.public_key().as_ref().try_into().ok()?;
        let name = BASE32_DNSSEC.encode(&Sha256::digest(key)[..10]);
        Some(Self { pair, public: VerifyingKey { name: format!("rollcall/{name}"), key } })
    }

    /// What its signatures are checked with.
    pub const fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// Stands for a text, which ends with its last line.
    pub fn sign(&self, text: &str) -> Note {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(text.as_bytes()).as_ref());
        Note::signed(text.to_owned(), &self.public, &signature)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.name)
    }
}

/// A signature under a note, that of a key we may not know.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

/// A text that somebody has signed; whether they have is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// What was given is not a signed note, or not one as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not a signed note: some lines of text, an empty line, and a line that begins with — and ends with a signature"
)]
pub struct NotANote;

impl Note {
    /// A text with the signature of `key`.
    pub fn signed(text: String, key: &VerifyingKey, signature: &[u8; 64]) -> Self {
        let signature = Signature { name: key.name.clone(), id: key.id(), bytes: signature.to_vec() };
        Self { text, signatures: vec![signature] }
    }

    /// What is said.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature that its only key made.
    pub fn signature(&self) -> Option<[u8; 64]> {
        self.signatures.first()?.bytes.as_slice().try_into().ok()
    }

    /// Under whose names it is signed.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().map(|signature| signature.name.as_str())
    }

    /// Whether the owner of this key has signed it.
    pub fn is_of(&self, key: &VerifyingKey) -> bool {
        let public = UnparsedPublicKey::new(&ED25519, &key.key);
        self.signatures.iter().any(|signature| {
            (signature.name.as_str(), signature.id) == (key.name.as_str(), key.id())
                && public.verify(self.text.as_bytes(), &signature.bytes).is_ok()
        })
    }

    /// The notes that stand in a file one behind the other, with empty lines between them or not; and how many pieces of it are
    /// no whole note, like what was broken off at its end.
    pub fn read_all(file: &str) -> Result<(Vec<Self>, usize), NotANote> {
        let (mut notes, mut broken) = (Vec::new(), 0);
        let mut lines = file.lines().peekable();
        loop {
            while lines.next_if(|line| line.is_empty()).is_some() {}
            if lines.peek().is_none() {
                return if notes.is_empty() { Err(NotANote) } else { Ok((notes, broken)) };
            }
            let mut note = Self { text: String::new(), signatures: Vec::new() };
            while let Some(line) = lines.next_if(|line| !line.is_empty()) {
                note.text.push_str(line);
                note.text.push('\n');
            }
            lines.next();
            let mut whole = true;
            while let Some(line) = lines.next_if(|line| line.starts_with(SIGNED)) {
                let signature = Signature::read(line);
                // A part of a signature may look like one, where the file ends in it.
                let cut = lines.peek().is_none() && !file.ends_with('\n');
                whole &= signature.as_ref().is_some_and(|read| !cut || read.bytes.len() == ED25519_LENGTH);
                note.signatures.extend(signature);
            }
            if whole && !note.signatures.is_empty() {
                notes.push(note);
            } else {
                broken += 1;
            }
        }
    }
}

/// What a signature begins with: a dash as long as an m.
const SIGNED: &str = "\u{2014} ";

impl Signature {
    fn read(line: &str) -> Option<Self> {
        let (name, signed) = line.strip_prefix(SIGNED)?.split_once(' ')?;
        let signed = BASE64.decode(signed.as_bytes()).ok()?;
        let (id, bytes) = signed.split_first_chunk()?;
        Some(Self { name: name.to_owned(), id: *id, bytes: bytes.to_vec() })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for Signature { name, id, bytes } in &self.signatures {
            writeln!(f, "{SIGNED}{name} {}", BASE64.encode(&[&id[..], bytes].concat()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_and_checked_as_others_write_it() {
        // Made by Go's golang.org/x/mod/sumdb/note, in the documentation of its package.
        let key: VerifyingKey =
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
        let text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let (notes, _) = Note::read_all(text).unwrap();
        assert!(notes.len() == 1 && notes[0].is_of(&key));
        assert_eq!(notes[0].to_string(), text);
        assert_eq!(key.to_string(), "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
        let (other, _) = Note::read_all(&text.replace("answer", "question")).unwrap();
        assert!(!other[0].is_of(&key));
    }

    #[test]
    fn what_is_signed_holds_for_its_text_and_key_alone() {
        let (ours, others) = (SigningKey::of(&[1; 32]).unwrap(), SigningKey::of(&[2; 32]).unwrap());
        let note = ours.sign("one\ntwo\n");
        assert!(note.is_of(ours.public()) && !note.is_of(others.public()));
        let again = Note::signed("one\ntwo\n".into(), ours.public(), &note.signature().unwrap());
        assert_eq!(again, note);
        assert!(
            !Note::signed("one\n".into(), ours.public(), &note.signature().unwrap()).is_of(ours.public())
        );
        let key: VerifyingKey = ours.public().to_string().parse().unwrap();
        assert_eq!(&key, ours.public());
        assert_eq!(format!("{ours:?}"), format!("SigningKey({})", key.name()), "nothing of the secret");
    }

    #[test]
    fn what_was_broken_off_wherever_it_was_leaves_the_other_notes_whole() {
        let key = SigningKey::of(&[1; 32]).unwrap();
        let (first, torn, last) =
            (key.sign("one\n"), key.sign("two\nlines\n").to_string(), key.sign("three\n"));
        let first_alone = format!("{first}\n");
        for cut in 1..torn.trim_end().len() {
            let Some(part) = torn.get(..cut) else { continue };
            let (read, broken) = Note::read_all(&format!("{first_alone}{part}")).unwrap();
            assert!(read.as_slice() == std::slice::from_ref(&first) && broken > 0, "{part:?}");
            // Whoever appends to it begins anew behind an empty line.
            let (read, _) = Note::read_all(&format!("{first_alone}{part}\n\n{last}\n")).unwrap();
            assert!(read.first() == Some(&first) && read.last() == Some(&last), "{part:?}");
            assert!(read.iter().all(|note| *note == first || *note == last || !note.is_of(key.public())));
        }
    }

    #[test]
    fn many_notes_stand_in_one_file_and_what_is_none_is_refused() {
        let key = SigningKey::of(&[1; 32]).unwrap();
        let notes = [key.sign("one\n"), key.sign("two\nlines\n")];
        let file = format!("{}\n{}", notes[0], notes[1]);
        let notes = (notes.to_vec(), 0);
        assert_eq!(Note::read_all(&file).unwrap(), notes);
        let close: String = notes.0.iter().map(ToString::to_string).collect();
        assert_eq!(Note::read_all(&close).unwrap(), notes);
        assert_eq!(Note::read_all(close.trim_end()).unwrap(), notes, "it was copied from a page");
        for bad in [
            "",
            "one\n",
            "one\n\ntwo\n",
            "one\n\n\u{2014} x\n",
            "one\n\n\u{2014} x AA==\n",
            "x\n\n\u{2014} x !\n",
        ] {
            assert_eq!(Note::read_all(bad), Err(NotANote), "{bad:?}");
        }
        for bad in
            ["", "rollcall", "a+b+c", "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"]
        {
            assert_eq!(bad.parse::<VerifyingKey>(), Err(NotAKey));
        }
    }
}
