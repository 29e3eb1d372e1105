//! Loopback ports that stay ours: for a process that is told where to listen, is killed, and listens there again.
//!
//! A port that the system hands out (port 0) is free for the next connection that leaves this machine as soon as nobody listens, and for
//! the next test that asks. These lie below that range, and every test process that holds one says so in a file that it has locked.

use std::env;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};

/// Below the ports that Linux hands out to outgoing connections (`net.ipv4.ip_local_port_range` begins with 32,768).
const PORTS: RangeInclusive<u16> = 10_000..=32_000;
/// How many are looked at before there are none.
const LOOKS: usize = 200;

/// A port that no other test is given before all clones of this are gone.
#[derive(Clone, Debug)]
pub struct Port {
    number: u16,
    _lease: Arc<File>,
}

impl Port {
    /// One that nobody listens on.
    ///
    /// # Errors
    /// When none was found.
    pub fn free() -> Result<Self> {
        (0..LOOKS).find_map(|_| Self::take(rand::random_range(PORTS))).context("no port is free")
    }

    /// Takes this one, unless another test has it or anybody listens there.
    fn take(number: u16) -> Option<Self> {
        // It stays, for whoever takes the port next: two could lock a file that is removed and made again.
        let lease = File::options().create(true).append(true).open(leases().ok()?.join(number.to_string())).ok()?;
        lease.try_lock().ok()?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        Some(Self { number, _lease: Arc::new(lease) })
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// Where it is on this machine: `127.0.0.1:…`.
    pub fn address(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.number)
    }
}

/// The folder of the files that are locked: one for all tests of whoever has built this.
fn leases() -> io::Result<PathBuf> {
    let owner = fs::metadata(env::current_exe()?)?.uid();
    let folder = env::temp_dir().join(format!("innkeeper-test-ports-{owner}"));
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_to_one_test_until_it_lets_it_go() {
        let port = Port::free().unwrap();
        let number = port.number();
        let again = port.clone();
        drop(port);
        assert!(Port::take(number).is_none(), "it is given out twice");
        drop(again);
        let taken = Port::take(number).expect("nobody has it any more");
        drop(taken);
        let _somebody = TcpListener::bind((Ipv4Addr::LOCALHOST, number)).unwrap();
        assert!(Port::take(number).is_none(), "somebody listens there");
    }
}
