//! Calls leave through the operator's proxy, to servers whose certificates a private authority has signed: TLS, and a
//! proxy that takes `CONNECT`.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use testkit::fake_model::{FakeModel, Reply};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

use crate::harness::{House, Server};

/// A name that only the proxy can resolve.
const MODELS: &str = "models.corp.test";

/// A model server behind TLS, and a proxy in front of it, until dropped.
struct Network {
    model: FakeModel,
    /// The authority's certificate.
    authority: String,
    proxy: String,
    /// Whom the proxy was asked to connect to.
    asked: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Network {
    async fn start() -> Self {
        let model = FakeModel::scripted([Reply::text(["Through the wall."])])
            .await
            .unwrap();
        let plain = model.base_url();
        let plain = plain
            .strip_prefix("http://")
            .unwrap()
            .split('/')
            .next()
            .unwrap()
            .to_owned();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([MODELS.to_owned()])
            .unwrap()
            .signed_by(&key, &authority)
            .unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let mut tasks = JoinSet::new();
        let tls = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tls_address = tls.local_addr().unwrap();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (socket, _) = tls.accept().await.unwrap();
                let (acceptor, plain) = (acceptor.clone(), plain.clone());
                open.spawn(async move {
                    // Who does not believe the certificate hangs up.
                    if let Ok(mut socket) = acceptor.accept(socket).await {
                        let mut server = TcpStream::connect(plain).await.unwrap();
                        let _ = copy_bidirectional(&mut socket, &mut server).await;
                    }
                });
            }
        });
        let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy_address = proxy.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (socket, _) = proxy.accept().await.unwrap();
                let noted = Arc::clone(&noted);
                open.spawn(async move {
                    let mut socket = tokio::io::BufReader::new(socket);
                    let (mut first, mut line) = (String::new(), String::new());
                    socket.read_line(&mut first).await.unwrap();
                    while line != "\r\n" {
                        line.clear();
                        socket.read_line(&mut line).await.unwrap();
                    }
                    let first = first.rsplit_once(' ').unwrap().0.to_owned();
                    noted.lock().unwrap().push(first);
                    let mut server = TcpStream::connect(tls_address).await.unwrap();
                    socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                    let _ = copy_bidirectional(&mut socket, &mut server).await;
                });
            }
        });
        Self {
            model,
            authority: authority.pem(),
            proxy: format!("http://{proxy_address}"),
            asked,
            _tasks: tasks,
        }
    }

    /// What a server with this configuration answers, its model at this address.
    async fn answer(&self, base_url: &str, more: &str, variables: &[(&str, &str)]) -> String {
        let house = House::empty();
        fs::write(house.path("ca.pem"), &self.authority).unwrap();
        let config = format!(
            "{more}\n[[models]]\nid = \"m\"\nkind = \"chat-completions\"\nmodel = \"m\"\nretries = 0\n\
             base_url = \"{base_url}\"\n[[workflows]]\nid = \"wf_one\"\nopen = true\ntitles = \"off\"\n"
        );
        fs::write(house.path("vestibule.toml"), config).unwrap();
        let variables: Vec<(String, String)> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        // The model answers on this thread meanwhile.
        let said = tokio::task::spawn_blocking(move || {
            let mut command = house.command(&["serve", "--dev", "--listen", "127.0.0.1:0"]);
            Server::start(command.envs(variables)).say("Are you there?")
        });
        said.await.unwrap()
    }
}

#[tokio::test]
async fn models_are_asked_through_the_proxy_of_the_environment() {
    let network = Network::start().await;
    let url = format!("https://{MODELS}/v1");
    let trusting = "outgoing.ca_file = \"ca.pem\"";
    let proxy = network.proxy.as_str();
    let answer = network
        .answer(&url, trusting, &[("HTTPS_PROXY", proxy)])
        .await;
    assert!(answer.contains("Through the wall."), "{answer}");
    assert_eq!(
        *network.asked.lock().unwrap(),
        [format!("CONNECT {MODELS}:443")]
    );
}

#[tokio::test]
async fn the_configuration_wins_and_exceptions_are_called_directly() {
    let network = Network::start().await;
    let url = format!("https://{MODELS}/v1");
    let proxy = network.proxy.as_str();
    // Nobody else knows the name, so it cannot be reached directly.
    let trusting = "outgoing.ca_file = \"ca.pem\"";
    for (more, no_proxy) in [
        (trusting.to_owned(), ".corp.test"),
        (
            format!("{trusting}\noutgoing.no_proxy = [\"{MODELS}\"]"),
            "",
        ),
        (format!("{trusting}\noutgoing.proxy = \"\""), ""),
    ] {
        let variables = [("HTTPS_PROXY", proxy), ("NO_PROXY", no_proxy)];
        let answer = network.answer(&url, &more, &variables).await;
        assert!(!answer.contains("Through the wall."), "{more}: {answer}");
        assert!(network.asked.lock().unwrap().is_empty(), "{more}");
    }
    let more = format!("{trusting}\noutgoing.proxy = \"{proxy}\"");
    let answer = network
        .answer(&url, &more, &[("HTTPS_PROXY", "http://127.0.0.1:1")])
        .await;
    assert!(answer.contains("Through the wall."), "{answer}");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_not_believed() {
    let network = Network::start().await;
    let url = format!("https://{MODELS}/v1");
    let proxy = network.proxy.as_str();
    let answer = network.answer(&url, "", &[("HTTPS_PROXY", proxy)]).await;
    assert!(!answer.contains("Through the wall."), "{answer}");
    assert_eq!(network.model.requests().len(), 0);
}

#[tokio::test]
async fn this_machine_is_never_asked_of_a_proxy() {
    let network = Network::start().await;
    let proxy = network.proxy.as_str();
    let url = network.model.base_url();
    let variables = [
        ("HTTP_PROXY", proxy),
        ("HTTPS_PROXY", proxy),
        ("ALL_PROXY", proxy),
    ];
    let answer = network.answer(&url, "", &variables).await;
    assert!(answer.contains("Through the wall."), "{answer}");
    assert!(network.asked.lock().unwrap().is_empty());
}
