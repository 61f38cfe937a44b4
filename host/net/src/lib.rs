//! Connections to servers, below any protocol: TCP, TLS, and the secrets by which one connection differs from another.

mod hidden;
mod tls;

pub use hidden::Hidden;
pub use tls::{Tls, Written};

use std::io;
use tokio::net::{TcpStream, lookup_host};
use wythe_blocks::{Error, Result, Wrong};

/// Connects to the first address of a name that answers; `setting` is where the name is written. The caller bounds the time.
pub async fn reach(setting: &str, host: &str, port: u16) -> Result<TcpStream> {
    let unknown = |error: io::Error| {
        let message = format!("the host of `{setting}` has no address: check its name");
        Error::unavailable(message).with_source(error)
    };
    let addresses = lookup_host((host, port)).await.map_err(unknown)?;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(unknown)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(Error::unavailable("the server takes no connection").with_source(last))
}

/// A setting that does not fit.
pub fn wrong(setting: &'static str, why: &str) -> Wrong {
    Wrong::new(setting, Error::invalid(format!("{setting}: {why}")))
}
