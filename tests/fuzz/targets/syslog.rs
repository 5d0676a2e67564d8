//! Syslog: one message as it comes in a datagram, and a stream of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollcall::{
    domain::ingest::check,
    web::{
        ingest::{Record, syslog::message},
        syslog::{Frame, Frames},
    },
};
use rollcall_fuzz::{Pieces, holds, run};

/// The longest message of a stream that is short of room, in bytes.
const SHORT: usize = 64;

/// The longest message there is.
const LONG: usize = 64 << 10;

fuzz_target!(|input: &[u8]| {
    // A date without a year is of the nearest one.
    for now in ["2026-01-01T00:00:00Z", "2026-12-31T23:59:59Z"] {
        is_kept(&message(input, "10.0.0.9".parse().unwrap(), now.parse().unwrap()), input);
    }
    for most in [SHORT, LONG] {
        let whole = read(input, LONG, most);
        for size in [1, 7] {
            assert_eq!(read(input, size, most), whole, "in pieces of {size}");
        }
        for frame in &whole.0 {
            if let Frame::Message(bytes) = frame {
                assert!(bytes.len() <= most);
                assert!(input.windows(bytes.len().max(1)).any(|part| part == bytes) || bytes.is_empty());
            }
        }
    }
    // Whatever stands in a message, with its length in front of it comes through as it is.
    let messages: Vec<&[u8]> = input.split(|byte| *byte == b'\n').filter(|part| !part.is_empty()).collect();
    let counted = messages.iter().map(|bytes| [format!("{} ", bytes.len()).as_bytes(), bytes].concat());
    let expected = messages.iter().map(|bytes| Frame::Message(bytes.to_vec())).collect();
    let counted: Vec<u8> = counted.collect::<Vec<_>>().concat();
    assert_eq!(read(&counted, 7, LONG), (expected, true));
});

/// Nobody is there to be told that a message was refused, so none is that says anything.
fn is_kept(record: &Record, sent: &[u8]) {
    holds(record, sent.len());
    match record {
        Ok(record) => {
            assert!(!record.app.is_empty());
            assert_eq!(check(record), Ok(()), "{record:?}");
        }
        Err(why) => assert_eq!(why, "the message is empty"),
    }
}

/// The messages of a stream, and whether it came to its end.
fn read(bytes: &[u8], size: usize, most: usize) -> (Vec<Frame>, bool) {
    run(async {
        let (mut frames, mut read) = (Frames::new(Pieces::of(bytes, size), most), Vec::new());
        while frames.begun().await.expect("nothing fails") {
            match frames.next().await {
                Ok(frame) => read.push(frame),
                Err(_) => return (read, false),
            }
        }
        (read, true)
    })
}
