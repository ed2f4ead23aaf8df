//! **The question:** is this connection HTTP's at all? Its first byte tells, and what is not leaves as it came.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::base::limits;

/// Where connections go that are not HTTP's.
#[derive(Clone)]
pub struct Aside {
    /// Whether one that begins with this byte is another's.
    pub takes: fn(u8) -> bool,
    /// Takes it, nothing of it read.
    pub hand: Arc<dyn Fn(std::net::TcpStream) + Send + Sync>,
}

impl fmt::Debug for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aside(…)")
    }
}

impl Aside {
    /// Waits for the first byte; gives the connection back if it is HTTP's, or as soon as it `must_go`, which its
    /// stream will find out.
    ///
    /// # Errors
    /// When it is not HTTP's, or says nothing.
    pub(super) async fn sort(
        self,
        stream: TcpStream,
        mut must_go: impl FnMut(&mut Context<'_>) -> bool + Unpin,
    ) -> io::Result<TcpStream> {
        let mut first = [0];
        let peeked = {
            let mut peek = Box::pin(stream.peek(&mut first));
            let look = poll_fn(|context| match Pin::new(&mut peek).poll(context) {
                Poll::Pending if must_go(context) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                polled => polled,
            });
            timeout(limits::HTTP_HEAD_SPAN, look).await.map_err(io::Error::from)?
        };
        match peeked {
            Ok(1..) if (self.takes)(first[0]) => {
                (self.hand)(stream.into_std()?);
                Err(io::Error::other("it is not HTTP's"))
            }
            Ok(_) => Ok(stream),
            Err(error) => Err(error),
        }
    }
}
