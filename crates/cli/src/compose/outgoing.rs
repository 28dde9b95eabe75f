//! `[outgoing]`: how calls leave this machine.

use anyhow::{Context, ensure};
use upstream::Outgoing;
use url::Url;

use crate::config::{RawConfig, Variables};

/// Has every client of this process go the configured way, or that of the environment. Before any client is made.
pub(crate) fn apply(config: &RawConfig, variables: &Variables) -> anyhow::Result<()> {
    build(config, variables)?.apply();
    Ok(())
}

fn build(config: &RawConfig, variables: &Variables) -> anyhow::Result<Outgoing> {
    let raw = &config.outgoing;
    let of_environment = |names: [&str; 2]| {
        let found = names
            .into_iter()
            .find_map(|name| Some((name, variables.get(name)?)));
        found.map(|(name, proxy)| (name.to_owned(), proxy.to_owned()))
    };
    let (https, http) = match raw.proxy.as_deref() {
        Some("") => (None, None),
        Some(proxy) => {
            let url = Url::parse(proxy)
                .with_context(|| format!("outgoing.proxy `{proxy}` is not a web address"))?;
            ensure!(
                url.username().is_empty() && url.password().is_none(),
                "outgoing.proxy must not hold a user name or password: leave it out, and set HTTPS_PROXY and HTTP_PROXY"
            );
            let proxy = Some(("outgoing.proxy".to_owned(), proxy.to_owned()));
            (proxy.clone(), proxy)
        }
        None => {
            let all = || of_environment(["ALL_PROXY", "all_proxy"]);
            (
                of_environment(["HTTPS_PROXY", "https_proxy"]).or_else(all),
                of_environment(["HTTP_PROXY", "http_proxy"]).or_else(all),
            )
        }
    };
    let no_proxy = match &raw.no_proxy {
        Some(hosts) => hosts.join(","),
        None => {
            of_environment(["NO_PROXY", "no_proxy"]).map_or_else(String::new, |(_, hosts)| hosts)
        }
    };
    let mut outgoing = Outgoing::default();
    if let Some((name, proxy)) = https {
        outgoing = outgoing
            .through_for_https(&proxy, &no_proxy)
            .context(name)?;
    }
    if let Some((name, proxy)) = http {
        outgoing = outgoing.through_for_http(&proxy, &no_proxy).context(name)?;
    }
    if let Some(path) = &raw.ca_file {
        let named = || format!("outgoing.ca_file ({})", path.display());
        let pem = std::fs::read(path).with_context(named)?;
        outgoing = outgoing.trusting(&pem).with_context(named)?;
    }
    Ok(outgoing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn refusal(text: &str, variables: &[(&str, &str)]) -> String {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let error = build(&config::parse(text).unwrap(), &variables).unwrap_err();
        format!("{error:#}")
    }

    #[test]
    fn a_mistake_is_named_and_no_password_repeated() {
        let said = refusal("outgoing.proxy = \"http://ada:secret@proxy.test\"", &[]);
        assert!(
            said.contains("HTTPS_PROXY") && !said.contains("secret"),
            "{said}"
        );
        let said = refusal("", &[("HTTPS_PROXY", "http://ada:secret@[")]);
        assert!(
            said.starts_with("HTTPS_PROXY") && !said.contains("secret"),
            "{said}"
        );
        // As people write them.
        for proxy in [
            "proxy.test:3128",
            "10.0.0.1:3128",
            "socks5h://127.0.0.1:1080",
            "http://ada:secret@proxy.test",
        ] {
            let variables = [("ALL_PROXY".to_owned(), proxy.to_owned())]
                .into_iter()
                .collect();
            assert!(
                build(&config::parse("").unwrap(), &variables).is_ok(),
                "{proxy}"
            );
        }
        let said = refusal("outgoing.ca_file = \"Cargo.toml\"", &[]);
        assert!(
            said.contains("Cargo.toml") && said.contains("no certificate"),
            "{said}"
        );
        let said = refusal("outgoing.ca_file = \"no such file\"", &[]);
        assert!(said.contains("no such file"), "{said}");
    }
}
