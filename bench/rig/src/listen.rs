//! How every server of the rig listens: loopback only, a long backlog, no Nagle.

use std::net::Ipv4Addr;

use tokio::net::{TcpListener, TcpSocket};

/// Binds `127.0.0.1:port` with a backlog long enough for thousands of streams opened at once.
pub fn bind(port: u16) -> std::io::Result<TcpListener> {
    const BACKLOG: u32 = 4096;
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    socket.listen(BACKLOG)
}
