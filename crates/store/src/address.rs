//! Which database an address means.

use std::path::PathBuf;

use crate::error::Error;
use crate::postgres::Server;

/// A database that this build can open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A file, made when it is not there.
    SqliteFile(PathBuf),
    /// A database that is gone when it is closed, for tests.
    SqliteMemory,
    /// A server.
    Postgres(Box<Server>),
}

const KNOWN: &str = "the database address must look like sqlite://data/vestibule.db \
     (a file below the working directory), sqlite:///var/lib/vestibule.db (an absolute path) or \
     postgres://user:password@host:5432/database";

impl Address {
    /// Reads, without white space around it, `sqlite://path`, `sqlite:path` and `sqlite::memory:`, whose path is taken as it is written, and
    /// `postgres://user:password@host/database`.
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let url = url.trim();
        if url.starts_with(['"', '\'', '`']) {
            return Err(Error::Address(
                "the database address stands in quotation marks, which are no part of it: take them away",
            ));
        }
        let (scheme, rest) = url.split_once(':').ok_or(Error::Address(KNOWN))?;
        match scheme {
            "sqlite" => Self::parse_sqlite(rest),
            "postgres" | "postgresql" => {
                Server::parse(url).map(|server| Self::Postgres(Box::new(server)))
            }
            _ => Err(Error::Address(KNOWN)),
        }
    }

    fn parse_sqlite(rest: &str) -> Result<Self, Error> {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if path == ":memory:" {
            return Ok(Self::SqliteMemory);
        }
        if path.is_empty() || path.ends_with('/') {
            return Err(Error::Address(KNOWN));
        }
        if path.contains('?') {
            return Err(Error::Address(
                "the address of a SQLite database takes no options: remove everything from the `?` on",
            ));
        }
        Ok(Self::SqliteFile(path.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_paths_as_they_are_written() {
        for (url, path) in [
            ("sqlite://data/vestibule.db", "data/vestibule.db"),
            ("sqlite://./data/vestibule.db", "./data/vestibule.db"),
            ("sqlite:///var/lib/vestibule.db", "/var/lib/vestibule.db"),
            ("sqlite:/var/lib/vestibule.db", "/var/lib/vestibule.db"),
            ("sqlite:vestibule.db", "vestibule.db"),
            ("sqlite:///a b%20c.db", "/a b%20c.db"),
            (" sqlite:///var/lib/vestibule.db\n", "/var/lib/vestibule.db"),
        ] {
            assert_eq!(
                Address::parse(url).unwrap(),
                Address::SqliteFile(path.into()),
                "{url}"
            );
        }
        for url in ["sqlite::memory:", "sqlite://:memory:"] {
            assert_eq!(Address::parse(url).unwrap(), Address::SqliteMemory);
        }
    }

    #[test]
    fn says_what_to_write_and_repeats_no_password() {
        for (url, expected) in [
            ("", "must look like sqlite://"),
            ("data/vestibule.db", "must look like sqlite://"),
            ("sqlite:", "must look like sqlite://"),
            ("sqlite://", "must look like sqlite://"),
            ("sqlite:///var/lib/", "must look like sqlite://"),
            ("mysql://me:hunter2@host/db", "must look like sqlite://"),
            ("sqlite://data.db?mode=rwc", "takes no options"),
            ("\"postgres://me:hunter2@host/db\"", "quotation marks"),
            (" 'sqlite://data/vestibule.db'\n", "quotation marks"),
            (
                "postgres://me:hunter2@host:db",
                "must look like postgres://",
            ),
        ] {
            let message = Address::parse(url).unwrap_err().to_string();
            assert!(message.contains(expected), "{url}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
