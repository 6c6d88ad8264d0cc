//! The pipes of an MCP server that runs in the sandbox. Only answers come through: what a server asks or tells unasked would be answered by tasks
//! that wait for it to read, without bound. One that says far more than it was asked for is heard no further.

use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::service::RoleClient;
use rmcp::transport::Transport;
use rmcp::transport::async_rw::AsyncRwTransport;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::pipe::{Receiver, Sender};

/// Most bytes of one message.
const MESSAGE: usize = 4 << 20;

/// Most bytes between two messages to the server.
const FLOOD: usize = 16 << 20;

/// Speaks to a server over its stdin and stdout.
pub(super) struct Pipes {
    lines: AsyncRwTransport<RoleClient, Heard, Sender>,
    heard: Arc<AtomicUsize>,
}

/// What a server says, counted.
struct Heard {
    pipe: Receiver,
    /// Bytes since it was last spoken to.
    bytes: Arc<AtomicUsize>,
}

impl Pipes {
    pub fn new(output: Receiver, input: Sender) -> Self {
        let heard = Arc::new(AtomicUsize::new(0));
        let output = Heard { pipe: output, bytes: heard.clone() };
        Self { lines: AsyncRwTransport::new_client(output, input).with_max_line_length(MESSAGE), heard }
    }
}

impl Transport<RoleClient> for Pipes {
    type Error = io::Error;

    fn send(&mut self, message: ClientJsonRpcMessage) -> impl Future<Output = io::Result<()>> + Send + 'static {
        self.heard.store(0, Ordering::Relaxed);
        self.lines.send(message)
    }

    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        loop {
            match self.lines.receive().await? {
                answer @ (ServerJsonRpcMessage::Response(_) | ServerJsonRpcMessage::Error(_)) => return Some(answer),
                ServerJsonRpcMessage::Request(_) | ServerJsonRpcMessage::Notification(_) => {}
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.lines.close().await
    }
}

impl AsyncRead for Heard {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.pipe).poll_read(context, buffer))?;
        let read = buffer.filled().len() - before;
        let is_flood = self.bytes.fetch_add(read, Ordering::Relaxed) + read > FLOOD;
        Poll::Ready(if is_flood { Err(io::Error::other("it says far more than it was asked for")) } else { Ok(()) })
    }
}
