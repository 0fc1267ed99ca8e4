//! Where the API listens: an address on loopback that nobody else has.
//!
//! The socket is bound before anything else is started, so that the address is known and a taken
//! port is told at once.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use super::{DEFAULT_PORT, StartError};

/// Binds the address that was asked for, else the default port, else a free one.
///
/// Others are not let in, with or without a token: it would travel in the clear.
pub(super) fn bind(asked: Option<SocketAddr>) -> Result<TcpListener, StartError> {
    let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let (address, listener) = match asked {
        Some(address) if !address.ip().is_loopback() => {
            return Err(StartError::NotLoopback { address });
        }
        Some(address) => (address, TcpListener::bind(address)),
        None => {
            let usual = loopback(DEFAULT_PORT);
            let free = || TcpListener::bind(loopback(0));
            (usual, TcpListener::bind(usual).or_else(|_taken| free()))
        }
    };
    let refused = |source: io::Error| StartError::Listen { address, source };
    let listener = listener.map_err(refused)?;
    // The API's own runtime waits on it.
    listener.set_nonblocking(true).map_err(refused)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_that_others_can_reach_is_refused_with_a_cure() {
        for address in ["0.0.0.0:0", "192.168.1.7:80", "[::]:0"] {
            let error = bind(Some(address.parse().unwrap())).unwrap_err();
            assert!(matches!(error, StartError::NotLoopback { .. }));
            assert!(error.to_string().contains("127.0.0.1"), "{error}");
        }
    }

    #[test]
    fn asked_port_that_is_taken_is_an_error() {
        let first = bind(Some("127.0.0.1:0".parse().unwrap())).unwrap();
        let taken = first.local_addr().unwrap();
        let error = bind(Some(taken)).unwrap_err();
        assert!(matches!(error, StartError::Listen { address, .. } if address == taken));
    }

    #[test]
    fn without_an_asked_port_a_taken_one_is_no_obstacle() {
        // Whoever is first has the usual port; the second finds a free one.
        let (first, second) = (bind(None).unwrap(), bind(None).unwrap());
        assert_ne!(first.local_addr().unwrap(), second.local_addr().unwrap());
        assert!(second.local_addr().unwrap().ip().is_loopback());
    }
}
