//! A TCP proxy before a server, for a network that fails: it cuts, swallows, delays and throttles.

use parking_lot::Mutex;
use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

/// Bytes that are passed on at once.
const CHUNK: usize = 16 << 10;
/// The time between two looks at a switch.
const LOOK: Duration = Duration::from_millis(10);

/// Servers that tell their clients where to come: by their address, the port of the one proxy that they know, and the
/// address to which it passes on.
static PLACES: Mutex<Vec<(SocketAddr, u16, SocketAddr)>> = Mutex::new(Vec::new());

/// Notes that such a server knows of a proxy at a port.
pub(crate) fn place(server: SocketAddr, port: u16, upstream: SocketAddr) {
    let mut places = PLACES.lock();
    places.retain(|(known, ..)| *known != server);
    places.push((server, port, upstream));
}

/// The proxy; it ends, with all of its connections, when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: SocketAddr,
    is_over: AtomicBool,
    is_cut: AtomicBool,
    is_silent: AtomicBool,
    delay: AtomicU64,
    bytes_per_second: AtomicU64,
    accepted: AtomicU64,
    streams: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        let places = PLACES.lock();
        let mut places = places.iter().filter(|(server, ..)| *server == upstream);
        let (port, upstream) = places
            .next()
            .map_or((0, upstream), |(_, port, far)| (*port, *far));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream,
            is_over: AtomicBool::new(false),
            is_cut: AtomicBool::new(false),
            is_silent: AtomicBool::new(false),
            delay: AtomicU64::new(0),
            bytes_per_second: AtomicU64::new(u64::MAX),
            accepted: AtomicU64::new(0),
            streams: Mutex::default(),
        });
        let accepting = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if accepting.is_over.load(SeqCst) {
                    break;
                }
                accepting.accepted.fetch_add(1, SeqCst);
                // A connection that fails is closed, which is all that its client sees.
                let _ = accepting.clone().join(stream);
            }
        });
        Ok(Proxy { address, shared })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections so far, those that were cut at once too.
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(SeqCst)
    }

    /// Ends every connection, and each new one at once, until `restore`.
    pub fn cut(&self) {
        self.shared.is_cut.store(true, SeqCst);
        self.drop_connections();
    }

    /// Ends every connection that there is now.
    pub fn drop_connections(&self) {
        for stream in self.shared.streams.lock().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Passes nothing on, in no direction, until `restore`; connections stay open.
    pub fn silence(&self) {
        self.shared.is_silent.store(true, SeqCst);
    }

    /// Passes everything on again.
    pub fn restore(&self) {
        self.shared.is_cut.store(false, SeqCst);
        self.shared.is_silent.store(false, SeqCst);
    }

    /// Delays each chunk of up to 16 KiB, in both directions.
    pub fn delay(&self, delay: Duration) {
        let milliseconds = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.shared.delay.store(milliseconds, SeqCst);
    }

    /// Passes on so many bytes a second of each connection and direction.
    pub fn throttle(&self, bytes_per_second: u64) {
        self.shared
            .bytes_per_second
            .store(bytes_per_second.max(1), SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, SeqCst);
        self.drop_connections();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn join(self: Arc<Self>, client: TcpStream) -> io::Result<()> {
        if self.is_cut.load(SeqCst) {
            return client.shutdown(Shutdown::Both);
        }
        let server = TcpStream::connect_timeout(&self.upstream, Duration::from_secs(10))?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let ends = [
            (client.try_clone()?, server.try_clone()?),
            (server.try_clone()?, client.try_clone()?),
        ];
        self.streams.lock().extend([client, server]);
        for (from, to) in ends {
            let shared = self.clone();
            thread::spawn(move || shared.pass(from, to));
        }
        Ok(())
    }

    /// Passes one direction on, and ends both when it ends.
    fn pass(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; CHUNK];
        loop {
            let rate = self.bytes_per_second.load(SeqCst);
            let limit = usize::try_from(rate / 10).unwrap_or(CHUNK).clamp(1, CHUNK);
            let Ok(count @ 1..) = from.read(&mut buffer[..limit]) else {
                break;
            };
            thread::sleep(Duration::from_millis(self.delay.load(SeqCst)));
            if rate != u64::MAX {
                thread::sleep(Duration::from_secs_f64(count as f64 / rate as f64));
            }
            while self.is_silent.load(SeqCst) && !self.is_over.load(SeqCst) {
                thread::sleep(LOOK);
            }
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}
