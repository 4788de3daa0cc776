//! A way to a server that a test can close in the middle: what passes is held there until the test has done what it wants.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Where it is closed.
struct Stop {
    command: String,
    after: u64,
    reached: Sender<()>,
    open: Receiver<()>,
}

/// A closed passage; it opens when this is dropped.
pub(crate) struct Gate {
    reached: Receiver<()>,
    _open: Sender<()>,
}

impl Gate {
    /// Waits until somebody stands before it.
    #[track_caller]
    pub(crate) fn wait(&self) {
        self.reached.recv_timeout(Duration::from_secs(90)).expect("nobody came to the gate");
    }
}

/// A port whose connections lead to a server.
pub(crate) struct Passage {
    /// Its address: `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    stop: Arc<Mutex<Option<Stop>>>,
}

impl Passage {
    /// One to the server at this address, `http://127.0.0.1:PORT`, which may go and come again.
    pub(crate) fn to(url: &str) -> Self {
        let server = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let stop: Arc<Mutex<Option<Stop>>> = Arc::default();
        let shared = Arc::clone(&stop);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (server, stop) = (server.clone(), Arc::clone(&shared));
                std::thread::spawn(move || join(client, &server, &stop));
            }
        });
        Self { url, stop }
    }

    /// Closes it once, after so many bytes of a request for this command of the RPC: `dag/import`.
    pub(crate) fn close_at(&self, command: &str, after: u64) -> Gate {
        let ((reached, is_reached), (open, is_open)) = (channel(), channel());
        let stop = Stop { command: format!("/api/v0/{command}?"), after, reached, open: is_open };
        *self.stop.lock().expect("a lock") = Some(stop);
        Gate { reached: is_reached, _open: open }
    }
}

fn join(mut client: TcpStream, server: &str, stop: &Mutex<Option<Stop>>) {
    // A server that is down ends the connection.
    let Ok(mut server) = TcpStream::connect(server) else { return };
    let (mut from, mut back) = (server.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let (mut buffer, mut head, mut passed) = (vec![0; 256 << 10], String::new(), 0);
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        // A head is sent in one piece, and no body begins like one.
        if buffer.starts_with(b"POST /") {
            head = String::from_utf8_lossy(&buffer[..count.min(300)]).into_owned();
            passed = 0;
        }
        passed += count as u64;
        let found = {
            let mut stop = stop.lock().expect("a lock");
            let is_here = stop.as_ref().is_some_and(|stop| head.contains(&stop.command) && passed >= stop.after);
            if is_here { stop.take() } else { None }
        };
        if let Some(stop) = found {
            // The test may be over.
            let _ = stop.reached.send(());
            let _ = stop.open.recv();
        }
        if server.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Write);
}
