//! A database that is open: one file, mapped.

use std::{fs::File, net::IpAddr, path::Path};

use jiff::Timestamp;
use maxminddb::{MaxMindDbError, Reader};

use super::{
    Attribution, GeoError, Info, Source,
    record::{Whole, clean},
};
use crate::{model::place::Place, store::Map};

#[derive(Debug)]
pub(super) struct Database {
    reader: Reader<Map>,
    /// What it calls itself, fit to be shown.
    kind: String,
    built: Timestamp,
    /// Some files of 6 hold no address of 4, but none of 4 can be asked for one of 6.
    ipv6: bool,
}

/// What the licences of free databases ask for, by how the databases' types begin.
const ATTRIBUTIONS: [(&str, Attribution); 3] = [
    ("DBIP", Attribution { text: "IP Geolocation by DB-IP", link: "https://db-ip.com" }),
    (
        "GeoLite2",
        Attribution {
            text: "This product includes GeoLite Data created by MaxMind",
            link: "https://www.maxmind.com",
        },
    ),
    ("ipinfo", Attribution { text: "IP address data powered by IPinfo", link: "https://ipinfo.io" }),
];

impl Database {
    /// Opens a private copy.
    pub(super) fn open(copy: &Path) -> Result<Self, GeoError> {
        let map = File::open(copy).and_then(|file| Map::of(&file)).map_err(GeoError::Unreadable)?;
        let reader = Reader::from_source(map)?;
        let metadata = reader.metadata();
        let ipv6 = metadata.ip_version == 6;
        let built =
            i64::try_from(metadata.build_epoch).ok().and_then(|second| Timestamp::from_second(second).ok());
        let built = built.ok_or_else(|| MaxMindDbError::invalid_input("its date is no date"))?;
        let kind = clean(&metadata.database_type).unwrap_or_default();
        Ok(Self { reader, kind, built, ipv6 })
    }

    /// What the database has for an address; nothing where it has nothing, or nothing legible.
    pub(super) fn place(&self, ip: IpAddr) -> Place {
        match self.find(ip) {
            Ok(found) => found.place,
            Err(error) => {
                log::debug!("no place for {ip}: {error}");
                Place::default()
            }
        }
    }

    /// What the database has for an address, and for the network around it.
    pub(super) fn find(&self, ip: IpAddr) -> Result<Found, MaxMindDbError> {
        if ip.is_ipv6() && !self.ipv6 {
            return Ok(Found { place: Place::default(), prefix: 0 });
        }
        let found = self.reader.lookup(ip)?;
        let place = found.decode::<Whole<'_>>()?.map(Place::from).unwrap_or_default();
        let prefix = found.network().map(|network| network.prefix())?;
        Ok(Found { place, prefix })
    }

    pub(super) fn knows_ipv6(&self) -> bool {
        self.ipv6
    }

    pub(super) fn database_type(&self) -> &str {
        &self.kind
    }

    pub(super) fn info(&self, source: Source) -> Info {
        let metadata = self.reader.metadata();
        let attribution = ATTRIBUTIONS.iter().find(|(start, _)| self.kind.starts_with(start));
        Info {
            database_type: self.kind.clone(),
            built: self.built,
            nodes: metadata.node_count,
            ip_version: metadata.ip_version,
            source,
            attribution: attribution.map(|(_, attribution)| *attribution),
            problem: None,
        }
    }
}

/// An answer.
pub(super) struct Found {
    pub(super) place: Place,
    /// The network that shares the answer.
    pub(super) prefix: u8,
}
