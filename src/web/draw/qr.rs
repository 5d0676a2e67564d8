//! A QR code, for the camera of an authenticator.

use std::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc};

/// The light margin that a reader needs, in modules (ISO/IEC 18004).
const MARGIN: i32 = 4;

/// A picture of a short text.
#[derive(Clone, Debug)]
pub struct Qr {
    /// Its width and height with the margin, in modules.
    pub size: i32,
    /// The path of its dark modules.
    pub path: String,
}

impl Qr {
    /// The picture of `text`; none of a text that is too long for one (some 2,300 bytes).
    pub fn of(text: &str) -> Option<Self> {
        let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
        let mut path = String::new();
        for y in 0..code.size() {
            let mut x = 0;
            while x < code.size() {
                let run = (x..code.size()).take_while(|x| code.get_module(*x, y)).count();
                let run = i32::try_from(run).unwrap_or_default();
                if run > 0 {
                    let _ = write!(path, "M{} {}h{run}v1h-{run}z", x + MARGIN, y + MARGIN);
                }
                x += run.max(1);
            }
        }
        Some(Self { size: code.size() + 2 * MARGIN, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dark_module_is_drawn_once_and_no_light_one() {
        let text = "otpauth://totp/Rollcall:ann?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Rollcall";
        let qr = Qr::of(text).unwrap();
        let code = QrCode::encode_text(text, QrCodeEcc::Medium).unwrap();
        let mut drawn = std::collections::BTreeSet::new();
        for run in qr.path.split('M').skip(1) {
            let (at, rest) = run.split_once('h').unwrap();
            let (x, y) = at.split_once(' ').unwrap();
            let long: i32 = rest.split_once('v').unwrap().0.parse().unwrap();
            let (x, y): (i32, i32) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((x..x + long).all(|x| drawn.insert((x - MARGIN, y - MARGIN))));
        }
        let all = (0..code.size()).flat_map(|y| (0..code.size()).map(move |x| (x, y)));
        assert!(all.clone().all(|(x, y)| drawn.contains(&(x, y)) == code.get_module(x, y)));
        assert_eq!(qr.size, code.size() + 8);
        assert!(Qr::of(&"x".repeat(4000)).is_none());
    }
}
