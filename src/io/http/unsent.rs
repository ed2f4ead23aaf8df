//! **The question:** how much of what was written to a connection has its other end not acknowledged yet?

use std::os::fd::AsRawFd;

use tokio::net::TcpStream;

/// Bytes that the kernel holds, sent or not; 0 where it does not say.
pub(super) fn unacknowledged_bytes(stream: &TcpStream) -> usize {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is the stream's, which is borrowed meanwhile; for a TCP socket the call (SIOCOUTQ, tcp(7))
    // writes one int, to where `bytes` stands.
    let told = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if told == 0 { usize::try_from(bytes).unwrap_or(0) } else { 0 }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    #[tokio::test]
    async fn what_nobody_reads_is_counted_until_it_is_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut client = socket.connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        assert_eq!(unacknowledged_bytes(&server), 0);
        server.write_all(&[1; 100_000]).await.unwrap();
        assert!(unacknowledged_bytes(&server) > 50_000);
        client.read_exact(&mut [0; 100_000]).await.unwrap();
        while unacknowledged_bytes(&server) > 0 {
            tokio::task::yield_now().await;
        }
    }
}
