//! What may stand behind the `?` of an address, where platforms and people put what their other drivers want.

use tokio_postgres::Config;

use crate::error::Error;
use crate::postgres::address::Encryption;

/// Those that our driver knows, and that are left to it.
const DRIVERS: &[&str] = &[
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "sslnegotiation",
    "host",
    "hostaddr",
    "port",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
];

/// Those that change nothing here, whatever their value is: pools and caches of other drivers, and what we decide ourselves.
const PASSED_OVER: &[&str] = &[
    "pgbouncer",
    "connection_limit",
    "pool_timeout",
    "pool_size",
    "pool_mode",
    "max_pool_size",
    "min_pool_size",
    "max_client_conn",
    "socket_timeout",
    "statement_timeout",
    "lock_timeout",
    "statement_cache_size",
    "prepared_statements",
    "prepareThreshold",
    "uselibpqcompat",
    "fallback_application_name",
    "keepalives_count",
    "krbsrvname",
    "gsslib",
    "sslcompression",
    "sslsni",
    "workaround",
    "supa",
];

/// Those that change nothing with some values, and would with others: then this is what to do.
const SOMETIMES: &[(&str, &[&str], &str)] = &[
    ("schema", &["public"], SCHEMA),
    ("currentSchema", &["public"], SCHEMA),
    ("search_path", &["public"], SCHEMA),
    (
        "gssencmode",
        &["disable", "prefer"],
        "asks for GSSAPI, which is not supported: take it out; sslmode encrypts",
    ),
    (
        "client_encoding",
        &["utf8", "UTF8", "utf-8", "UTF-8", "auto"],
        "asks for other texts than UTF-8: take it out",
    ),
    (
        "ssl_min_protocol_version",
        &["TLSv1", "TLSv1.1", "TLSv1.2"],
        "cannot be set: take it out; TLS 1.2 and 1.3 are spoken",
    ),
    (
        "ssl_max_protocol_version",
        &["TLSv1.3"],
        "cannot be set: take it out; TLS 1.2 and 1.3 are spoken",
    ),
    ("sslcert", &[], CERTIFICATE),
    ("sslkey", &[], CERTIFICATE),
    ("sslpassword", &[], CERTIFICATE),
    ("sslidentity", &[], CERTIFICATE),
    ("sslcrl", &[], NOT_LOOKED_AT),
    ("sslcrldir", &[], NOT_LOOKED_AT),
    ("requirepeer", &[], NOT_LOOKED_AT),
    ("require_auth", &[], NOT_LOOKED_AT),
    (
        "requiressl",
        &[],
        "is an old way to write sslmode=require: write that instead",
    ),
    (
        "sslaccept",
        &[],
        "is for another driver: write sslmode=verify-full instead, with sslrootcert=FILE where the authority is yours",
    ),
    (
        "sslfactory",
        &[],
        "is for another driver: write sslmode=verify-full instead",
    ),
    ("service", &[], OUTSIDE),
    ("servicefile", &[], OUTSIDE),
    ("passfile", &[], OUTSIDE),
    (
        "replication",
        &[],
        "asks for a connection without tables: take it out",
    ),
];

const SCHEMA: &str =
    "names a schema for another driver: write options=-c%20search_path%3DNAME instead";
const CERTIFICATE: &str = "belongs to a certificate by which a client logs in, which is not supported: take it out, and log in by a password";
const NOT_LOOKED_AT: &str = "asks for a check that is not made: take it out if you can do without";
const OUTSIDE: &str =
    "names settings outside of the address, which are not read: write them into the address";

/// What a parameter means.
pub(super) enum Meaning {
    /// Our driver knows.
    OurDrivers,
    /// Nothing; this is its name.
    Nothing(&'static str),
}

/// What a parameter means that is not read by [`Server::parse`](super::Server::parse) itself; `None` for one that nobody
/// knows.
pub(super) fn meaning(name: &str, value: &str, pair: &str) -> Result<Option<Meaning>, Error> {
    let of = |names: &[&'static str]| names.iter().copied().find(|known| *known == name);
    if let Some(name) = of(DRIVERS) {
        return match format!("postgres://user@host/database?{pair}").parse::<Config>() {
            Ok(_config) => Ok(Some(Meaning::OurDrivers)),
            Err(_error) => Err(Error::Parameter {
                name,
                what: "has a value that cannot be read",
            }),
        };
    }
    if let Some(name) = of(PASSED_OVER) {
        return Ok(Some(Meaning::Nothing(name)));
    }
    match SOMETIMES.iter().find(|(known, ..)| *known == name) {
        Some((name, harmless, _)) if harmless.contains(&value) => Ok(Some(Meaning::Nothing(name))),
        Some((name, _, what)) => Err(Error::Parameter { name, what }),
        None => Ok(None),
    }
}

/// What other drivers write in place of `sslmode`.
pub(super) fn ssl(value: &str) -> Result<Encryption, Error> {
    match value {
        "true" | "1" | "require" | "no-verify" => Ok(Encryption::Require),
        "false" | "0" | "disable" => Ok(Encryption::Disable),
        "verify-ca" => Ok(Encryption::VerifyCa),
        "verify-full" => Ok(Encryption::VerifyFull),
        _ => Err(Error::Parameter {
            name: "ssl",
            what: "is true or false; sslmode says more: disable, prefer, require, verify-ca or verify-full",
        }),
    }
}
