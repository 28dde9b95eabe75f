//! The documented configurations of reverse proxies (docs/proxies), each with the program that it is for: streams come as
//! they are said, clients keep their addresses, files fit, and a part of a site is one.

use std::{fs, net::SocketAddr, time::Duration};

use futures::StreamExt as _;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::{Certificate, Client, Response, Version, multipart};
use serde_json::{Value, json};
use testkit::{
    fake_model::{FakeModel, Reply},
    services::{ReverseProxy, ReverseProxyKind, free_port},
};

use crate::harness::{House, Server, first_message};

const SITE: &str = "chat.example.com";
/// Where browsers come from: not where the proxy does.
const BROWSER: [u8; 4] = [127, 0, 0, 2];

/// A server behind a proxy, and a browser before it.
struct Site {
    client: Client,
    url: String,
    model: FakeModel,
    house: House,
    server: Server,
    _proxy: ReverseProxy,
}

impl Site {
    /// Below a path, if it is not empty.
    async fn start(kind: ReverseProxyKind, base_path: &str) -> Self {
        let model = FakeModel::scripted([]).await.unwrap();
        let (port, outside) = (free_port().await.unwrap(), free_port().await.unwrap());
        let house = House::empty();
        let config = format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\ntrusted_proxies = [\"127.0.0.1/32\"]\n\
             public_url = \"https://{SITE}:{outside}{base_path}\"\nbase_path = \"{base_path}\"\n\
             [[models]]\nid = \"m\"\nkind = \"chat-completions\"\nmodel = \"m\"\nbase_url = \"{}\"\n\
             [[workflows]]\nid = \"wf_one\"\nopen = true\ntitles = \"off\"\n",
            model.base_url()
        );
        fs::write(house.path("vestibule.toml"), config).unwrap();
        let mut server = Server::start(&mut house.command(&["serve", "--dev"]));
        // It says where browsers reach it.
        server.address = format!("127.0.0.1:{port}");
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([SITE.to_owned()]).unwrap();
        let (certificate, key) = (house.path("site.pem"), house.path("site.key"));
        let both = format!("{}{}", cert.pem(), signing_key.serialize_pem());
        fs::write(&certificate, both).unwrap();
        fs::write(&key, signing_key.serialize_pem()).unwrap();
        let documented = match kind {
            ReverseProxyKind::Nginx => include_str!("../../../../docs/proxies/nginx.conf"),
            ReverseProxyKind::HaProxy => include_str!("../../../../docs/proxies/haproxy.cfg"),
            ReverseProxyKind::Caddy => include_str!("../../../../docs/proxies/Caddyfile"),
        };
        let mut config = documented
            .replace("127.0.0.1:8000", &format!("127.0.0.1:{port}"))
            .replace("listen 443", &format!("listen 127.0.0.1:{outside}"))
            .replace("bind :443", &format!("bind 127.0.0.1:{outside}"))
            .replace(
                "/etc/ssl/chat.example.com.pem",
                certificate.to_str().unwrap(),
            )
            .replace("/etc/ssl/chat.example.com.key", key.to_str().unwrap());
        if kind == ReverseProxyKind::Caddy {
            // It would ask the world for a certificate.
            let tls = format!("tls {} {}", certificate.display(), key.display());
            config = config.replace(
                &format!("{SITE} {{"),
                &format!("{{\nadmin off\nauto_https disable_redirects\n}}\nhttps://{SITE}:{outside} {{\n{tls}"),
            );
        }
        let proxy = ReverseProxy::start(kind, &config, outside).await.unwrap();
        #[expect(
            clippy::disallowed_methods,
            reason = "a bare client, as a browser is one"
        )]
        let client = Client::builder()
            .tls_certs_only([Certificate::from_pem(cert.pem().as_bytes()).unwrap()])
            .resolve(SITE, SocketAddr::from(([127, 0, 0, 1], outside)))
            .local_address(std::net::IpAddr::from(BROWSER))
            .no_proxy()
            .build()
            .unwrap();
        let url = format!("https://{SITE}:{outside}{base_path}");
        let site = Self {
            client,
            url,
            model,
            house,
            server,
            _proxy: proxy,
        };
        site.until_ready().await;
        site
    }

    /// Until the proxy has seen that the server is healthy.
    async fn until_ready(&self) {
        for _ in 0..100 {
            let answer = self.client.get(format!("{}/readyz", self.url)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nothing behind {}", self.url);
    }

    /// A token of the development issuer, which speaks to this machine only.
    fn token(&self) -> String {
        let (_, token) = self
            .server
            .post("/dev/token", &[], &json!({ "user": "ada" }));
        let token: Value = serde_json::from_str(&token).unwrap();
        token["token"].as_str().unwrap().to_owned()
    }

    async fn chat(&self, body: &Value) -> Response {
        let request = self.client.post(format!("{}/api/chat", self.url));
        request
            .bearer_auth(self.token())
            .json(body)
            .send()
            .await
            .unwrap()
    }
}

async fn passes_everything_on(kind: ReverseProxyKind, base_path: &str) {
    let site = Site::start(kind, base_path).await;

    // Words come before the model says the next ones.
    site.model.push(
        Reply::text(["The first words."])
            .and_hold()
            .and_text([" The last."]),
    );
    let answer = site.chat(&first_message("Talk.")).await;
    assert_eq!(
        (answer.status().as_u16(), answer.version()),
        (200, Version::HTTP_2)
    );
    let mut body = answer.bytes_stream();
    let mut read = String::new();
    while !read.contains("The first words.") {
        let piece = tokio::time::timeout(Duration::from_secs(20), body.next()).await;
        read += &String::from_utf8_lossy(
            &piece
                .expect("words while the model waits")
                .unwrap()
                .unwrap(),
        );
    }
    assert!(!read.contains("The last."), "{read}");
    site.model.release();
    while let Some(piece) = body.next().await {
        read += &String::from_utf8_lossy(&piece.unwrap());
    }
    assert!(read.contains("The last."), "{read}");

    // Files of more than what proxies take unasked.
    let file = multipart::Part::bytes(vec![b'a'; 5 << 20]).file_name("long.txt");
    let form = multipart::Form::new().part("file", file.mime_str("text/plain").unwrap());
    let upload = site.client.post(format!("{}/v1/chatkit/files", site.url));
    let uploaded = upload
        .bearer_auth(site.token())
        .multipart(form)
        .send()
        .await
        .unwrap();
    assert_eq!(uploaded.status(), 200);

    // Addresses that the server writes are those of the site, and hold.
    let announce = json!({
        "type": "attachments.create",
        "params": { "name": "b.txt", "size": 5, "mime_type": "text/plain" },
    });
    let announced: Value = site.chat(&announce).await.json().await.unwrap();
    let url = announced["upload_descriptor"]["url"].as_str().unwrap();
    assert!(
        url.starts_with(&format!("{}/v1/chatkit/files/", site.url)),
        "{announced}"
    );
    let sent = site.client.put(url).body("12345").send().await.unwrap();
    assert!(sent.status().is_success(), "{}", sent.status());

    // Who is refused reads why, however much they were about to send, and sends nothing again for a 502.
    let refuse = async |path: &str, token: String, kind: &str, bytes: usize| {
        let request = site.client.post(format!("{}{path}", site.url));
        let request = request.bearer_auth(token).header("content-type", kind);
        let answer = request.body(vec![b'x'; bytes]).send().await;
        answer.unwrap().status().as_u16()
    };
    let (json, form) = ("application/json", "multipart/form-data; boundary=b");
    for bytes in [20_000, 300_000, 3_000_000] {
        for _ in 0..5 {
            let expired = || "eyJx.y.z".to_owned();
            let files = "/v1/chatkit/files";
            assert_eq!(refuse("/api/chat", expired(), json, bytes).await, 401);
            assert_eq!(refuse(files, expired(), form, bytes).await, 401);
        }
    }
    for _ in 0..5 {
        let refused = refuse("/api/chat", site.token(), json, 3_000_000).await;
        assert_eq!(refused, 413);
    }

    // Who the client is, nobody can make up.
    let stranger = site.client.post(format!("{}/api/chat", site.url));
    let refused = stranger
        .header("x-forwarded-for", "6.6.6.6")
        .bearer_auth("nonsense")
        .json(&json!({}));
    assert_eq!(refused.send().await.unwrap().status(), 401);
    let log = loop {
        let log = site.house.run(&["audit", "--json"]);
        if log.contains("127.0.0.2") {
            break log;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(!log.contains("6.6.6.6"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_passes_everything_on() {
    passes_everything_on(ReverseProxyKind::Nginx, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_passes_everything_on() {
    passes_everything_on(ReverseProxyKind::HaProxy, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy_passes_everything_on() {
    passes_everything_on(ReverseProxyKind::Caddy, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_site_is_one() {
    passes_everything_on(ReverseProxyKind::Nginx, "/support").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_a_part_of_a_site_stay_in_it() {
    let site = Site::start(ReverseProxyKind::Caddy, "/support").await;
    // Without the slash at its end relative links would lead beside it.
    let page = site.client.get(&site.url).send().await.unwrap();
    assert_eq!(page.url().path(), "/support/");
    for (page, links) in [
        ("", ["demo/demo.js", "chatkit.js"]),
        (
            "demo/launcher.html",
            ["launcher.js", "../chatkit/launcher.js"],
        ),
        ("chatkit/gallery", ["../demo/gallery.js", "../chatkit.js"]),
    ] {
        let page = site.client.get(format!("{}/{page}", site.url)).send();
        let page = page.await.unwrap();
        let address = page.url().clone();
        let text = page.text().await.unwrap();
        for link in links {
            assert!(text.contains(&format!("=\"{link}\"")), "{link}: {text}");
            let target = address.join(link).unwrap();
            assert!(target.path().starts_with("/support/"), "{target}");
            let script = site.client.get(target).send().await.unwrap();
            assert_eq!(script.status(), 200, "{link}");
        }
        // Nothing of it is looked for at the root of the site.
        assert!(!text.contains("=\"/"), "{text}");
    }
    let moved = site
        .client
        .get(format!("{}/demo/index.html", site.url))
        .send();
    assert_eq!(moved.await.unwrap().url().path(), "/support/");
}
