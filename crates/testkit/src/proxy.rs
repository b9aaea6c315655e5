//! A network that can be slow, narrow, silent or cut: a relay on loopback.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::{Duration, Instant};

/// What the network does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// Each way takes so long.
    pub delay: Duration,
    /// Bytes in a second, each way; 0: no limit.
    pub rate: u64,
    /// The connection is cut after so many bytes to the host; 0: never. Once only.
    pub cut_after_up: u64,
    /// The same for bytes from the host.
    pub cut_after_down: u64,
    /// Nothing comes through any more after so many bytes to the host; 0: never.
    pub stall_after_up: u64,
}

/// A relay to one port; new connections end with it.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    weather: Mutex<Weather>,
    changed: Condvar,
    stalled: AtomicBool,
    closed: AtomicBool,
    up: AtomicU64,
    down: AtomicU64,
    connections: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// Relays to a port of loopback.
    pub fn to(port: u16, weather: Weather) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own = listener.local_addr().expect("its port").port();
        let shared = Arc::new(Shared {
            weather: Mutex::new(weather),
            changed: Condvar::new(),
            stalled: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            open: Mutex::new(Vec::new()),
        });
        let relay = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if relay.closed.load(Ordering::Acquire) {
                    return;
                }
                if let Ok(host) = TcpStream::connect(("127.0.0.1", port)) {
                    connect(&relay, client, host);
                }
            }
        });
        Self { port: own, shared }
    }

    /// Bytes so far to the host, and from it.
    pub fn bytes(&self) -> (u64, u64) {
        (self.shared.up.load(Ordering::Acquire), self.shared.down.load(Ordering::Acquire))
    }

    /// Connections so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Acquire)
    }

    /// The weather changes.
    pub fn set(&self, weather: Weather) {
        *self.shared.weather.lock().unwrap() = weather;
    }

    /// Nothing comes through, until further notice.
    pub fn stall(&self, stalled: bool) {
        let _guard = self.shared.weather.lock().unwrap();
        self.shared.stalled.store(stalled, Ordering::Release);
        self.shared.changed.notify_all();
    }

    /// Cuts every connection.
    pub fn cut(&self) {
        self.shared.cut();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        self.stall(false);
        self.shared.cut();
        // The listener wakes up and sees that it is closed.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn cut(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn connect(shared: &Arc<Shared>, client: TcpStream, host: TcpStream) {
    shared.connections.fetch_add(1, Ordering::AcqRel);
    for stream in [&client, &host] {
        let _ = stream.set_nodelay(true);
        shared.open.lock().unwrap().push(stream.try_clone().expect("a socket"));
    }
    let (client_too, host_too) =
        (client.try_clone().expect("a socket"), host.try_clone().expect("a socket"));
    pump(shared.clone(), client, host, true);
    pump(shared.clone(), host_too, client_too, false);
}

/// One direction: a thread reads, another writes when the time has come.
fn pump(shared: Arc<Shared>, mut from: TcpStream, mut to: TcpStream, up: bool) {
    let (queue, queued) = mpsc::sync_channel::<(Instant, Vec<u8>)>(64);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count) = from.read(&mut buffer) {
            if count == 0 || queue.send((Instant::now(), buffer[..count].to_vec())).is_err() {
                break;
            }
        }
    });
    std::thread::spawn(move || {
        for (came, bytes) in queued {
            let weather = *shared.weather.lock().unwrap();
            std::thread::sleep((came + weather.delay).saturating_duration_since(Instant::now()));
            let narrow = (bytes.len() as u64 * 1_000_000_000).checked_div(weather.rate);
            std::thread::sleep(Duration::from_nanos(narrow.unwrap_or_default()));
            let mut guard = shared.weather.lock().unwrap();
            while shared.stalled.load(Ordering::Acquire) {
                guard = shared.changed.wait(guard).unwrap();
            }
            drop(guard);
            if to.write_all(&bytes).is_err() {
                break;
            }
            let counter = if up { &shared.up } else { &shared.down };
            let sum = counter.fetch_add(bytes.len() as u64, Ordering::AcqRel) + bytes.len() as u64;
            let mut weather = shared.weather.lock().unwrap();
            if up && weather.stall_after_up > 0 && sum >= weather.stall_after_up {
                weather.stall_after_up = 0;
                shared.stalled.store(true, Ordering::Release);
            }
            let cut_after =
                if up { &mut weather.cut_after_up } else { &mut weather.cut_after_down };
            if *cut_after > 0 && sum >= *cut_after {
                *cut_after = 0;
                drop(weather);
                shared.cut();
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
