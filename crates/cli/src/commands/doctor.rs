//! `vestibule doctor`: looks at everything the server needs, and says what to mend. It changes nothing, and makes
//! nothing that is not there.

mod files;
mod machine;
mod signing;

use auth::{
    Operator,
    audit::{AuditEvent, AuditQuery},
};
use ipnet::IpNet;
use serde_json::json;
use std::{net::IpAddr, time::Duration};

use crate::{
    commands::{findings::Findings, reach, workplace::Workplace},
    compose::{self, now},
};

/// How far back proxies that nobody trusts are looked for.
const LATELY: Duration = Duration::from_hours(7 * 24);

/// Carries it out. Whether everything is well.
pub(crate) async fn run(workplace: &Workplace<'_>) -> anyhow::Result<bool> {
    let mut findings = Findings::new(workplace.output);
    let built = match compose::check(&workplace.config, workplace.variables) {
        Ok(built) => {
            findings.good("configuration", built.summary.join("; "));
            Some(built)
        }
        Err(error) => {
            findings.wrong(
                "configuration",
                format!("{error:#}"),
                "the server does not start with it",
                "change it as it says; `vestibule config print --default` explains every key",
            );
            None
        }
    };
    machine::look(&mut findings, workplace);
    signing::look(&mut findings, workplace);
    look_at_redis(&mut findings, workplace).await;
    files::look(&mut findings, workplace).await;
    if look_at_database(&mut findings, workplace).await {
        signing::look_in_database(&mut findings, workplace).await;
        match workplace.operator().await {
            Ok(operator) => look_at_doors(&mut findings, workplace, &operator).await,
            Err(error) => unreadable(&mut findings, workplace, &error),
        }
    }
    if let Some(built) = built {
        reach::look(&mut findings, workplace, &built).await;
    }
    let is_well = findings.are_good();
    let value = json!({"ok": is_well, "findings": findings});
    workplace.output.print(&value, |_| findings.describe())?;
    Ok(is_well)
}

/// Whether what nodes say to each other gets through, where Redis is to carry it.
async fn look_at_redis(findings: &mut Findings, workplace: &Workplace<'_>) {
    let storage = &workplace.config.storage;
    let Some(url) = storage.redis_url.as_deref() else {
        return;
    };
    if !store::is_shared(&storage.url) {
        return;
    }
    let place = store::describe_redis(url);
    match store::look_at_redis(url).await {
        Ok(()) => findings.good("redis", format!("{place} can be talked and listened to, and counts")),
        Err(error) => findings.wrong(
            "redis",
            format!("{place}: {:#}", anyhow::Error::from(error)),
            "nodes talk through the database instead, at the cost of a commit for each word, and each counts for itself what a \
             person may spend",
            "see that it runs there and lets this user PUBLISH and SUBSCRIBE to channels, and EVAL, TIME, GET and SET of keys, \
             that begin with `vestibule:`; or leave storage.redis_url (REDIS_URL) away",
        ),
    }
}

/// Whether the database can be worked with.
async fn look_at_database(findings: &mut Findings, workplace: &Workplace<'_>) -> bool {
    let url = &workplace.config.storage.url;
    if let Err(error) = workplace.check_database_is_there() {
        let text = format!("{error:#}");
        let (what, advice) = text.split_once("; ").unwrap_or((&text, ""));
        findings.wrong(
            "database",
            what,
            "nothing can be kept, and nobody let in",
            advice,
        );
        return false;
    }
    if let Ok(Some(file)) = store::file_of(url)
        && let Some(defect) = machine::foreign_log(&file)
    {
        // Opening it would put what is in the log into the file.
        findings.wrong(
            "database",
            defect,
            "opened together, the one spoils the other",
            format!("stop the server, move {}-wal and {0}-shm away, and restore the database from a backup", file.display()),
        );
        return false;
    }
    let options = compose::store_options(&workplace.config);
    let is_file = matches!(store::file_of(url), Ok(Some(_)));
    let examined = store::examine(url, options);
    match findings.wait("the database's pages", examined).await {
        // What a server keeps is examined by its own tools.
        Some(Ok(_)) if !is_file => {}
        Some(Ok(defects)) if defects.is_empty() => findings.good("pages", "sound"),
        Some(Ok(defects)) => return corrupt(findings, &defects.join("; ")),
        Some(Err(error)) if error.is_corruption() => {
            return corrupt(findings, &format!("{:#}", anyhow::Error::from(error)));
        }
        Some(Err(error)) => {
            unreadable(findings, workplace, &error.into());
            return false;
        }
        None => findings.good(
            "pages",
            "too many to look at in 20 s; `sqlite3 FILE 'pragma quick_check'` takes its time",
        ),
    }
    let strict = store::Options {
        migrations: store::MigrationPolicy::Require,
        ..options
    };
    let checked = match store::connect(url, strict).await {
        Ok(database) => database.check().await,
        Err(error) => Err(error),
    };
    match checked {
        Ok(()) => {
            let place = store::describe(url);
            findings.good("database", format!("{place} can be read and written"));
            if store::may_be_another(url) {
                findings.wrong(
                    "database connection",
                    format!("nothing shows that {place} is the server that was meant: sslmode is not verify-full"),
                    "whoever is on the way could pose as the database, and read the password and everything in it",
                    "add ?sslmode=verify-full to the address, and &sslrootcert=FILE where the server's certificate is from an authority of yours",
                );
            }
            true
        }
        Err(error) => {
            unreadable(findings, workplace, &error.into());
            false
        }
    }
}

fn corrupt(findings: &mut Findings, defects: &str) -> bool {
    findings.wrong(
        "pages",
        format!("the database is corrupt: {defects}"),
        "conversations are lost or wrong, and it can get worse with every write",
        "stop the server, keep a copy of the files, and restore the last backup",
    );
    false
}

fn unreadable(findings: &mut Findings, workplace: &Workplace<'_>, error: &anyhow::Error) {
    let obstacle = compose::obstacle(&workplace.config);
    findings.wrong(
        "database",
        format!("{error:#}"),
        "nothing can be kept, and nobody let in",
        obstacle.unwrap_or_else(|| {
            "see that this user may write the file and its folder, and that the disk is not full; or that the database server \
             runs and lets this user in"
                .to_owned()
        }),
    );
}

/// Whether anybody can come in, and whether limits count the right addresses.
async fn look_at_doors(findings: &mut Findings, workplace: &Workplace<'_>, operator: &Operator) {
    let looked = async {
        let tokens = operator.tokens().await?;
        let keys = operator.keys().await?;
        let domains = operator.domains().await?;
        let query = AuditQuery {
            kind: Some(AuditEvent::UntrustedProxy.kind().to_owned()),
            since: Some(now().minus(LATELY)),
            is_newest_first: true,
            ..AuditQuery::default()
        };
        let proxies = operator.audit(&query, 100).await?;
        Ok::<_, auth::OperatorError>((tokens, keys, domains, proxies))
    };
    let (tokens, keys, domains, proxies) = match looked.await {
        Ok(looked) => looked,
        Err(error) => return unreadable(findings, workplace, &error.into()),
    };
    let config = &workplace.config;
    let doors = &config.doors;
    let takes_logins = doors.client_secret.enabled || doors.custom.enabled;
    let mut ways = Vec::new();
    if takes_logins && !config.issuers.is_empty() {
        ways.push(format!("people (issuers: {})", config.issuers.len()));
    }
    if config.dev.enabled {
        ways.push("the two people of the development mode".to_owned());
    }
    let live = tokens.iter().filter(|token| token.revoked_at.is_none());
    match live.count() {
        0 => {}
        count if doors.public_token.enabled => {
            ways.push(format!("visitors (public tokens: {count})"));
        }
        _ => {}
    }
    match keys.iter().filter(|key| key.revoked_at.is_none()).count() {
        0 => {}
        count => ways.push(format!("servers (keys: {count})")),
    }
    if ways.is_empty() {
        findings.wrong(
            "doors",
            "nobody can come in: no issuer, no public token, no server key",
            "the chat answers everybody with a refusal",
            "set BETTER_AUTH_URL or add [[issuers]], or run `vestibule token create`; `vestibule serve --dev` is for trying out",
        );
    } else {
        findings.good("doors", format!("open to {}", ways.join(", ")));
    }
    findings.good("domains", match domains.len() {
        0 => "none registered: only pages on this machine may come; `vestibule domain add ORIGIN --env live`".to_owned(),
        count => format!("{count} registered"),
    });
    if config.server.public_url.is_none() && !config.server.trusted_proxies.is_empty() {
        findings.wrong(
            "public address",
            "requests come through a proxy, and server.public_url is not set",
            "the server writes links to files, and names itself to tool servers, by the address it listens on, which browsers behind the proxy cannot reach",
            "set server.public_url to where browsers reach it, like https://chat.example.com, and start the server again",
        );
    }
    let mut unknown: Vec<_> = proxies
        .into_iter()
        .filter_map(|entry| entry.record.address)
        .filter(|address| !is_trusted(address, &config.server.trusted_proxies))
        .collect();
    unknown.sort_unstable();
    unknown.dedup();
    if !unknown.is_empty() {
        findings.wrong(
            "proxies",
            format!("X-Forwarded-For came from {}, which is not in server.trusted_proxies", unknown.join(", ")),
            "if that is your proxy, everybody behind it counts as one address, and they share its limits",
            "add your proxy's address to server.trusted_proxies, set server.public_url, and start the server again; otherwise somebody only tried",
        );
    }
}

/// Whether an address of the audit log is trusted by now. IPv6 stands there with its `/64`.
fn is_trusted(address: &str, trusted: &[String]) -> bool {
    let address = address.split('/').next().unwrap_or(address);
    let Ok(address) = address.parse::<IpAddr>() else {
        return false;
    };
    trusted
        .iter()
        .filter_map(|block| block.parse::<IpNet>().ok())
        .any(|block| block.contains(&address))
}
