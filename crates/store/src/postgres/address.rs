//! Where a PostgreSQL server is, and how far it is believed to be the one that was meant.

mod parameters;

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::error::Error;
use crate::postgres::address::parameters::Meaning;

/// What is wrong with an address that cannot be read; the address may hold a password, so it is not repeated.
const UNREADABLE: &str = "the database address must look like postgres://user:password@host:5432/database; characters \
     like @ : / ? # % in the password are written as %40 %3A %2F %3F %23 %25";

/// How a connection is kept secret, in the words of PostgreSQL's own client library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Encryption {
    /// Never.
    Disable,
    /// Where the server offers it; from whomever.
    #[default]
    Prefer,
    /// Always; from whomever.
    Require,
    /// Always, and the server's certificate is from an authority that is trusted.
    VerifyCa,
    /// Always, and that certificate is for the name of the host.
    VerifyFull,
}

/// A server's address.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// Hosts, database, user and password.
    pub(crate) config: Config,
    pub(crate) encryption: Encryption,
    /// The authorities that are trusted, as PEM; the system's where there is none.
    pub(crate) root_certificates: Option<PathBuf>,
    /// Parameters for other drivers, which change nothing here.
    pub(crate) passed_over: Vec<&'static str>,
}

impl Server {
    /// Reads `postgres://user:password@host:port/database?sslmode=…&sslrootcert=…`, and the other parameters of
    /// PostgreSQL's own client library that the driver knows. Those that platforms write for other drivers are passed over
    /// where they change nothing, and named where they would.
    ///
    /// A password in which an `@` was not escaped would become a part of what is shown, so no such address is read.
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        if address.matches('@').count() > 1 || (query.contains('@') && !address.contains('@')) {
            return Err(Error::Address(UNREADABLE));
        }
        if url.contains(|letter: char| letter.is_control() || letter.is_whitespace()) {
            return Err(Error::Address(UNREADABLE));
        }
        let mut encryption = None;
        let mut ssl = None;
        let mut passed_over = Vec::new();
        let mut root_certificates = None;
        let mut others = Vec::new();
        for (pair, place) in query.split('&').filter(|pair| !pair.is_empty()).zip(1..) {
            let (name, value) = pair.split_once('=').ok_or(Error::Address(UNREADABLE))?;
            let value = percent_decode_str(value).decode_utf8();
            let value = value.map_err(|_| Error::Address(UNREADABLE))?;
            match name {
                "sslmode" => encryption = Some(mode(&value)?),
                "sslrootcert" if value == "system" => root_certificates = None,
                "sslrootcert" => root_certificates = Some(PathBuf::from(value.as_ref())),
                "ssl" => ssl = Some(parameters::ssl(&value)?),
                _ => match parameters::meaning(name, &value, pair)? {
                    Some(Meaning::OurDrivers) => others.push(pair),
                    Some(Meaning::Nothing(name)) => passed_over.push(name),
                    None => return Err(Error::UnknownParameter { place }),
                },
            }
        }
        let address = match others.as_slice() {
            [] => address.to_owned(),
            others => format!("{address}?{}", others.join("&")),
        };
        let mut config: Config = address.parse().map_err(|_| Error::Address(UNREADABLE))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(Error::Address(UNREADABLE));
        }
        if config.get_user().is_none_or(str::is_empty) {
            return Err(Error::Address(
                "the database address names no user: postgres://user:password@host:5432/database",
            ));
        }
        let encryption = encryption.or(ssl).unwrap_or_default();
        config.ssl_mode(match encryption {
            Encryption::Disable => SslMode::Disable,
            Encryption::Prefer => SslMode::Prefer,
            Encryption::Require | Encryption::VerifyCa | Encryption::VerifyFull => SslMode::Require,
        });
        Ok(Self {
            config,
            encryption,
            root_certificates,
            passed_over,
        })
    }

    /// Whether somebody on the way could pose as the server.
    pub(crate) fn may_be_another(&self) -> bool {
        let is_near = |host: &Host| match host {
            Host::Tcp(name) => {
                let address: Option<std::net::IpAddr> = name.parse().ok();
                name == "localhost" || address.is_some_and(|address| address.is_loopback())
            }
            #[cfg(unix)]
            Host::Unix(_) => true,
        };
        self.encryption != Encryption::VerifyFull && !self.config.get_hosts().iter().all(is_near)
    }
}

/// The address without its password.
impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "postgres://{}@",
            self.config.get_user().unwrap_or_default()
        )?;
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            if index > 0 {
                formatter.write_str(",")?;
            }
            match host {
                Host::Tcp(name) if name.contains(':') => write!(formatter, "[{name}]")?,
                Host::Tcp(name) => formatter.write_str(name)?,
                #[cfg(unix)]
                Host::Unix(path) => write!(formatter, "{}", path.display())?,
            }
            let ports = self.config.get_ports();
            if let Some(port) = ports.get(index).or_else(|| ports.first()) {
                write!(formatter, ":{port}")?;
            }
        }
        write!(
            formatter,
            "/{}",
            self.config.get_dbname().unwrap_or_default()
        )
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self} ({:?})", self.encryption)
    }
}

fn mode(value: &str) -> Result<Encryption, Error> {
    match value {
        "disable" => Ok(Encryption::Disable),
        "allow" | "prefer" => Ok(Encryption::Prefer),
        "require" => Ok(Encryption::Require),
        "verify-ca" => Ok(Encryption::VerifyCa),
        "verify-full" => Ok(Encryption::VerifyFull),
        _ => Err(Error::Address(
            "sslmode in the database address is one of disable, prefer, require, verify-ca and verify-full",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_without_its_password() {
        for (url, told) in [
            (
                "postgres://me:hunter2@db.example:5433/chat?sslmode=verify-full",
                "postgres://me@db.example:5433/chat",
            ),
            (
                "postgresql://me:hunter2%40@one,two:6432/chat?target_session_attrs=read-write",
                "postgres://me@one:5432,two:6432/chat",
            ),
            (
                "postgres://me@h/chat?password=hunter2&application_name=a",
                "postgres://me@h:5432/chat",
            ),
        ] {
            let server = Server::parse(url).unwrap();
            assert_eq!(server.to_string(), told);
            assert!(!format!("{server:?} {:?}", server.config).contains("hunter2"));
        }
    }

    #[test]
    fn the_words_of_libpq_say_how_far_the_server_is_believed() {
        let read = |query: &str| Server::parse(&format!("postgres://me@db.example/chat{query}"));
        assert_eq!(read("").unwrap().encryption, Encryption::Prefer);
        for (word, encryption, may_be_another) in [
            ("disable", Encryption::Disable, true),
            ("prefer", Encryption::Prefer, true),
            ("require", Encryption::Require, true),
            ("verify-ca", Encryption::VerifyCa, true),
            ("verify-full", Encryption::VerifyFull, false),
        ] {
            let server = read(&format!("?sslmode={word}&sslrootcert=/ca%20one.pem")).unwrap();
            assert_eq!(server.encryption, encryption);
            assert_eq!(server.may_be_another(), may_be_another);
            assert_eq!(server.root_certificates, Some(PathBuf::from("/ca one.pem")));
        }
        assert!(
            !Server::parse("postgres://me@127.0.0.1/x")
                .unwrap()
                .may_be_another()
        );
    }

    #[test]
    fn parameters_that_platforms_write_are_passed_over_or_named() {
        let read = |query: &str| Server::parse(&format!("postgres://me@db.example/chat?{query}"));
        let server = read(
            "schema=public&pgbouncer=true&connection_limit=1&pool_timeout=0&gssencmode=disable&client_encoding=utf8\
             &uselibpqcompat=true&connect_timeout=10&channel_binding=prefer&ssl=true",
        )
        .unwrap();
        assert_eq!(
            server.passed_over,
            [
                "schema",
                "pgbouncer",
                "connection_limit",
                "pool_timeout",
                "gssencmode",
                "client_encoding",
                "uselibpqcompat"
            ]
        );
        assert_eq!(server.encryption, Encryption::Require);
        for (query, encryption) in [
            ("ssl=false", Encryption::Disable),
            ("ssl=true&sslmode=verify-full", Encryption::VerifyFull),
            ("sslmode=verify-ca&ssl=1", Encryption::VerifyCa),
            ("ssl=no-verify", Encryption::Require),
        ] {
            assert_eq!(read(query).unwrap().encryption, encryption, "{query}");
        }
        for (query, named) in [
            ("schema=chat", "`schema`"),
            ("currentSchema=chat", "options=-c%20search_path"),
            ("gssencmode=require", "`gssencmode`"),
            ("sslcert=/a.pem&sslkey=/a.key", "`sslcert`"),
            ("sslaccept=strict", "sslmode=verify-full"),
            ("client_encoding=latin1", "`client_encoding`"),
            ("ssl=maybe", "`ssl`"),
            ("service=prod", "`service`"),
            ("connect_timeout=soon", "`connect_timeout`"),
            ("target_session_attrs=standby", "`target_session_attrs`"),
            ("sslmode=require&what=1", "at place 2"),
        ] {
            let error = read(query).unwrap_err().to_string();
            assert!(error.contains(named), "{query}: {error}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_repeated() {
        for url in [
            "postgres://me:hunter2@host:port/db",
            "postgres://me:hunter2@host/db?sslmode=hunter2",
            "postgres://me:hunter2@host/db?hunter2",
            "postgres://me:hunter2@host/db?hunter2=1",
            "postgres://:hunter2@host/db",
            "postgres:///db?password=hunter2",
            "postgres://me:p@hunter2@host/db",
            "postgres://me:p@s/hunter2@host/db",
            "postgres://me:p@s?hunter2@host/db",
            "postgres://me:p?hunter2@host/db",
            "postgres://me:1?hunter2=1@host/db",
            "postgres://me:1?a=hunter2@host/db",
            "postgres://me:hunter2@host/db\nhunter2",
        ] {
            let error = Server::parse(url).unwrap_err();
            assert!(
                matches!(error, Error::Address(_) | Error::UnknownParameter { .. }),
                "{url}: {error:?}"
            );
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
