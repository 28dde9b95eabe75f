//! The floor: bytes from one socket to another, without a look at them.

use anyhow::Result;
use clap::Parser;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

/// Relays every connection to the upstream.
#[derive(Parser)]
struct Arguments {
    /// The port to listen on.
    #[arg(long)]
    port: u16,
    /// Where connections go.
    #[arg(long)]
    upstream: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let listener = rig::listen::bind(arguments.port)?;
    loop {
        let (client, _) = listener.accept().await?;
        let upstream = arguments.upstream.clone();
        tokio::spawn(async move {
            // Either side may go away at any time; there is nobody to tell.
            let _ = relay(client, &upstream).await;
        });
    }
}

async fn relay(mut client: TcpStream, upstream: &str) -> Result<()> {
    let mut upstream = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    upstream.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut upstream).await?;
    Ok(())
}
