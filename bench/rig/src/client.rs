//! One connection of the load client: requests out, streams in.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::clock::now_micros;
use crate::fidelity::{Format, Transcript};
use crate::http1::{Body, Head};

/// A request, ready to be written.
pub struct Request {
    address: SocketAddr,
    bytes: Vec<u8>,
    statuses: Vec<u16>,
}

impl Request {
    /// A `GET`, or a `POST` of JSON when there is a body. The address must be loopback: this is a load
    /// client, and other people's machines are none of its business.
    pub fn new(
        address: SocketAddr,
        path: &str,
        bearer: Option<&str>,
        body: Option<&str>,
        keep_alive: bool,
    ) -> Result<Self> {
        ensure!(
            address.ip().is_loopback(),
            "{address} is not a loopback address"
        );
        let method = if body.is_some() { "POST" } else { "GET" };
        let connection = if keep_alive { "keep-alive" } else { "close" };
        let bearer = bearer.map_or(String::new(), |token| {
            format!("authorization: Bearer {token}\r\n")
        });
        let content = body.map_or(String::new(), |body| {
            format!(
                "accept: text/event-stream\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
                body.len()
            )
        });
        let body = body.unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: {connection}\r\n{bearer}{content}\r\n{body}"
        );
        Ok(Self {
            address,
            bytes: head.into_bytes(),
            statuses: vec![200],
        })
    }

    /// The same, for an answer of one of these statuses instead of 200.
    #[must_use]
    pub fn expecting(self, statuses: &[u16]) -> Self {
        Self {
            statuses: statuses.to_vec(),
            ..self
        }
    }
}

/// What a stream tells while it runs.
pub trait Observer {
    /// The response head came, `micros` after the request.
    fn head(&mut self, micros: u64);
    /// The first event came, whatever it says, `micros` after the request.
    fn first_event(&mut self, micros: u64);
    /// The first token came, `micros` after the request.
    fn first_token(&mut self, micros: u64);
    /// A token came, `micros` after the upstream sent it.
    fn token(&mut self, micros: u64);
}

/// One connection to the server under test.
pub struct Connection {
    stream: TcpStream,
    raw: Vec<u8>,
}

impl Connection {
    /// Connects to where `request` goes.
    pub async fn open(request: &Request) -> Result<Self> {
        let stream = TcpStream::connect(request.address)
            .await
            .context("connect")?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            raw: Vec::with_capacity(4096),
        })
    }

    /// Sends `request` and reads a stream of `tokens` tokens to its end.
    pub async fn stream(
        &mut self,
        request: &Request,
        format: Format,
        tokens: u32,
        observer: &mut impl Observer,
    ) -> Result<()> {
        let mut answer = self.begin(request, format, observer).await?;
        while !answer.body.ended() {
            self.more(&mut answer, observer).await?;
        }
        answer.transcript.finish(tokens)
    }

    /// Sends `request`, reads until the first `tokens` tokens came, and leaves the stream open.
    pub async fn stream_until(
        &mut self,
        request: &Request,
        format: Format,
        tokens: u32,
        observer: &mut impl Observer,
    ) -> Result<OpenStream> {
        let mut answer = self.begin(request, format, observer).await?;
        while answer.transcript.tokens() < tokens {
            ensure!(!answer.body.ended(), "the answer ended early");
            self.more(&mut answer, observer).await?;
        }
        Ok(OpenStream(answer))
    }

    /// Reads what comes on an open stream until it ends; errors when it does not end well.
    pub async fn drain(
        &mut self,
        stream: &mut OpenStream,
        observer: &mut impl Observer,
    ) -> Result<()> {
        while !stream.0.body.ended() {
            self.more(&mut stream.0, observer).await?;
        }
        Ok(())
    }

    /// Sends `request` and reads a whole answer that is no stream.
    pub async fn call(&mut self, request: &Request) -> Result<Vec<u8>> {
        let mut body = self.send(request).await?.body();
        let mut plain = Vec::new();
        loop {
            body.decode(&mut self.raw, &mut plain)?;
            if body.ended() {
                return Ok(plain);
            }
            if self.fill().await? == 0 {
                body.close()?;
            }
        }
    }

    async fn begin(
        &mut self,
        request: &Request,
        format: Format,
        observer: &mut impl Observer,
    ) -> Result<Answer> {
        let started = now_micros();
        let head = self.send(request).await?;
        observer.head(now_micros() - started);
        let mut answer = Answer {
            started,
            body: head.body(),
            plain: Vec::with_capacity(1024),
            transcript: Transcript::new(format),
            has_event: false,
        };
        answer.take(&mut self.raw, observer)?;
        Ok(answer)
    }

    async fn more(&mut self, answer: &mut Answer, observer: &mut impl Observer) -> Result<()> {
        if self.fill().await? == 0 {
            answer.body.close()?;
        }
        answer.take(&mut self.raw, observer)
    }

    async fn send(&mut self, request: &Request) -> Result<Head> {
        ensure!(self.raw.is_empty(), "bytes came that nobody asked for");
        self.stream
            .write_all(&request.bytes)
            .await
            .context("write")?;
        loop {
            ensure!(
                self.fill().await? > 0,
                "the server closed before it answered"
            );
            if let Some(head) = Head::take(&mut self.raw)? {
                if !request.statuses.contains(&head.status) {
                    bail!(
                        "status {}: {}",
                        head.status,
                        String::from_utf8_lossy(&self.raw)
                    );
                }
                return Ok(head);
            }
        }
    }

    async fn fill(&mut self) -> Result<usize> {
        self.stream.read_buf(&mut self.raw).await.context("read")
    }
}

/// A stream that is still open.
pub struct OpenStream(Answer);

struct Answer {
    started: u64,
    body: Body,
    plain: Vec<u8>,
    transcript: Transcript,
    has_event: bool,
}

impl Answer {
    fn take(&mut self, raw: &mut Vec<u8>, observer: &mut impl Observer) -> Result<()> {
        self.body.decode(raw, &mut self.plain)?;
        let now = now_micros();
        let mut first = self.transcript.tokens() == 0;
        let started = self.started;
        let events = self.transcript.read(&mut self.plain, |sent| {
            if std::mem::take(&mut first) {
                observer.first_token(now - started);
            }
            observer.token(now.saturating_sub(sent));
        })?;
        if events > 0 && !std::mem::replace(&mut self.has_event, true) {
            observer.first_event(now - started);
        }
        Ok(())
    }
}
