//! `[[issuers]]` as people write it, and the issuers that come out.

use super::*;

fn variables() -> Variables {
    ["SECRET", "SUPABASE_JWT_SECRET"]
        .map(|name| {
            (
                name.to_owned(),
                "0123456789abcdef0123456789abcdef".to_owned(),
            )
        })
        .into_iter()
        .collect()
}

fn read(text: &str) -> anyhow::Result<Vec<Issuer>> {
    let config = config::parse(text)?;
    rules(&config.issuers, &variables())
}

fn refusal(text: &str) -> String {
    format!("{:#}", read(&format!("[[issuers]]\n{text}")).unwrap_err())
}

#[test]
fn a_preset_needs_what_its_user_knows_and_nothing_else() {
    for (text, expected) in [
        (
            "preset = 'better-auth'\nurl = 'https://a.example'",
            "https://a.example",
        ),
        (
            "preset = 'better-auth-oauth'\nurl = 'https://a.example'\naudience = ['x']",
            "https://a.example/api/auth",
        ),
        (
            "preset = 'auth0'\ndomain = 'a.auth0.com'\naudience = ['x']",
            "https://a.auth0.com/",
        ),
        (
            "preset = 'clerk'\ndomain = 'clerk.a.example'\nauthorized_parties = ['https://a.example']",
            "https://clerk.a.example",
        ),
        (
            "preset = 'supabase'\nproject = 'abc'",
            "https://abc.supabase.co/auth/v1",
        ),
        (
            "preset = 'supabase'\nurl = 'http://127.0.0.1:54321'",
            "http://127.0.0.1:54321/auth/v1",
        ),
        (
            "preset = 'supabase-legacy'\nproject = 'abc'\nhmac_secret_env = 'SECRET'",
            "https://abc.supabase.co/auth/v1",
        ),
        (
            "preset = 'firebase'\nproject = 'p'",
            "https://securetoken.google.com/p",
        ),
        (
            "preset = 'keycloak'\nurl = 'https://k.example/realms/r/'\nclient_ids = ['web']",
            "https://k.example/realms/r",
        ),
        (
            "preset = 'cognito'\npool = 'eu-west-1_X'\nclient_ids = ['c']",
            "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_X",
        ),
        (
            "preset = 'google'\nclient_ids = ['c']",
            "https://accounts.google.com",
        ),
    ] {
        let issuers = read(&format!("[[issuers]]\n{text}")).unwrap();
        let [issuer] = &issuers[..] else {
            panic!("{text}: {issuers:?}")
        };
        assert_eq!(issuer.issuer, expected);
        // Each is one that the server would start with.
        let config = config::parse(&format!("[[issuers]]\n{text}")).unwrap();
        issuers_of(issuers, &config).unwrap();
        // Without its last line it lacks something, and the message names the key.
        let (rest, last) = text.rsplit_once('\n').unwrap();
        let key = last.split(' ').next().unwrap();
        let message = refusal(rest);
        let named = if key == "client_ids" && text.contains("keycloak") {
            "audience"
        } else {
            key
        };
        let named = if text.contains("'supabase'") {
            "project"
        } else {
            named
        };
        assert!(message.contains(&format!("`{named}`")), "{text}: {message}");
    }
}

#[test]
fn each_tenant_of_entra_is_an_issuer_of_its_own() {
    let issuers = read(
        "[[issuers]]\npreset = 'entra'\naudience = ['api://chat']\nleeway_seconds = 5\n\
         tenants = ['11111111-2222-3333-4444-555555555555', '21111111-2222-3333-4444-555555555555']",
    )
    .unwrap();
    assert_eq!(issuers.len(), 2);
    assert_eq!(issuers[1].leeway, Duration::from_secs(5));
    for short in ["common", "11111111-2222-…", "11111111"] {
        let message = refusal(&format!(
            "preset = 'entra'\naudience = ['x']\ntenants = ['{short}']"
        ));
        assert!(
            message.contains("GUID like 11111111-2222-3333-4444-555555555555"),
            "{message}"
        );
    }
}

#[test]
fn authjs_is_refused_with_the_reason_and_the_ways_out() {
    let message = refusal("preset = 'authjs'");
    for expected in [
        "encrypted",
        "JWE",
        "POST /v1/chatkit/sessions",
        "vestibule key create",
    ] {
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_key_that_would_not_be_looked_at_is_an_error() {
    for (text, key) in [
        (
            "preset = 'better-auth'\nurl = 'https://a.example'\naudience = ['x']",
            "audience",
        ),
        (
            "preset = 'firebase'\nproject = 'p'\nalgorithms = ['HS256']",
            "algorithms",
        ),
        (
            "preset = 'google'\nclient_ids = ['c']\ntoken_use = 'id'",
            "token_use",
        ),
        (
            "issuer = 'https://a'\ndiscovery = true\naudience = ['x']\ndomain = 'a'",
            "domain",
        ),
    ] {
        let message = refusal(text);
        assert!(message.contains(&format!("`{key}`")), "{message}");
    }
}

#[test]
fn introspection_knows_its_address_or_asks_for_it() {
    let client = "introspection_client_id = 'c'\nintrospection_client_secret_env = 'SECRET'\nopaque_token_prefix = 'oat_'";
    let keycloak = "preset = 'keycloak'\nurl = 'https://k.example/realms/r'\naudience = ['x']";
    let plain = "issuer = 'https://a.example'\ndiscovery = true\naudience = ['x']";
    let issuers = read(&format!("[[issuers]]\n{keycloak}\n{client}")).unwrap();
    let rule = issuers[0].introspection.as_ref().unwrap();
    assert_eq!(
        rule.address.as_str(),
        "https://k.example/realms/r/protocol/openid-connect/token/introspect"
    );
    assert_eq!(rule.audience, Audience::aud(["x"]));
    assert_eq!(rule.auth_method, ClientAuthMethod::Basic);
    let post = "introspection_auth_method = 'client_secret_post'";
    let issuers = read(&format!("[[issuers]]\n{keycloak}\n{client}\n{post}")).unwrap();
    let rule = issuers[0].introspection.as_ref().unwrap();
    assert_eq!(rule.auth_method, ClientAuthMethod::Post);
    assert!(refusal(&format!("{plain}\n{client}")).contains("introspection_url"));
    // What is not as by default was written for a client, which is missing.
    let message = refusal(&format!("{keycloak}\n{post}"));
    assert!(message.contains("`introspection_client_id`"), "{message}");
    let address = "introspection_url = 'https://a.example/introspect'";
    assert!(refusal(&format!("{plain}\n{address}")).contains("introspection_client_id"));
    let insecure = "introspection_url = 'http://a.example/introspect'";
    let message = refusal(&format!("{plain}\n{client}\n{insecure}"));
    assert!(message.contains("not encrypted"), "{message}");
}

#[test]
fn what_the_readme_says_about_each_login_loads_as_it_stands() {
    let readme = include_str!("../../../../../README.md");
    let (_, table) = readme.split_once("| login | lines |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.contains('`')).collect();
    assert!(rows.len() >= 11, "{rows:?}");
    for row in rows {
        let (_, lines) = row.trim_matches('|').split_once('|').unwrap();
        let lines: Vec<&str> = lines.split('`').skip(1).step_by(2).collect();
        let text = format!("[[issuers]]\n{}", lines.join("\n"));
        let config = config::parse(&text).unwrap();
        let issuers = rules(&config.issuers, &variables()).unwrap();
        issuers_of(issuers, &config).unwrap();
    }
}

#[test]
fn an_issuer_with_discovery_writes_access_tokens_by_the_standard() {
    let typ = |text: &str| {
        let text = format!("[[issuers]]\nissuer = 'https://a.example'\naudience = ['x']\n{text}");
        read(&text).unwrap().remove(0).typ
    };
    let jwks = "jwks_uri = 'https://a.example/keys'";
    for (text, expected) in [
        ("discovery = true".to_owned(), TypRule::JwtOrAccessToken),
        (
            "discovery = true\ntoken_type = 'jwt'".to_owned(),
            TypRule::AbsentOrJwt,
        ),
        (
            "discovery = true\ntoken_type = 'at+jwt'".to_owned(),
            TypRule::AccessToken,
        ),
        (jwks.to_owned(), TypRule::AbsentOrJwt),
        (
            format!("{jwks}\ntoken_type = 'either'"),
            TypRule::JwtOrAccessToken,
        ),
    ] {
        assert_eq!(typ(&text), expected, "{text}");
    }
}

#[test]
fn an_issuer_is_shown_what_may_be_its_own_and_nothing_by_accident() {
    let keycloak = "preset = 'keycloak'\nurl = 'https://k.example/realms/r'\naudience = ['x']\n\
                    introspection_client_id = 'c'\nintrospection_client_secret_env = 'SECRET'";
    let shape = |text: &str| {
        let issuers = read(&format!("[[issuers]]\n{keycloak}\n{text}")).unwrap();
        issuers[0].introspection.as_ref().unwrap().shape.clone()
    };
    assert_eq!(
        shape("opaque_token_prefix = 'oat_'"),
        OpaqueShape::Prefix("oat_".to_owned())
    );
    assert_eq!(shape("introspect_unprefixed = true"), OpaqueShape::Any);
    let message = refusal(keycloak);
    assert!(
        message.contains("`opaque_token_prefix`")
            && message.contains("introspect_unprefixed = true"),
        "{message}"
    );
    let both = format!("{keycloak}\nopaque_token_prefix = 'a'\nintrospect_unprefixed = true");
    assert!(refusal(&both).contains("not both"));
}

#[test]
fn machine_tokens_are_taken_where_the_operator_says_so() {
    let better_auth = "[[issuers]]\npreset = 'better-auth'\nurl = 'https://a.example'";
    assert!(!read(better_auth).unwrap()[0].are_machines_taken);
    let open = format!("{better_auth}\nmachine_tokens = true");
    assert!(read(&open).unwrap()[0].are_machines_taken);
}
