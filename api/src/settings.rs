//! The `[api]` section of the configuration.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

/// How the API listens and how much it takes on.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Where `/metrics` listens: never the public address.
    pub metrics_listen: SocketAddr,
    /// Proxies whose `X-Forwarded-For` is believed, as addresses or `address/prefix`.
    pub trusted_proxies: Vec<Network>,
    /// Requests served at once; more are answered 503 at once, without queueing.
    pub max_in_flight: usize,
    /// How long one request may take, in seconds.
    pub time_limit_seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            listen: local(8080),
            metrics_listen: local(9464),
            trusted_proxies: Vec::new(),
            max_in_flight: 512,
            time_limit_seconds: 30,
        }
    }
}

impl Settings {
    pub(crate) fn time_limit(&self) -> Duration {
        Duration::from_secs(self.time_limit_seconds)
    }
}

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// Whether the address lies in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(one)) => {
                same(u128::from(net.to_bits()), u128::from(one.to_bits()), 32 - self.prefix)
            }
            (IpAddr::V6(net), IpAddr::V6(one)) => same(net.to_bits(), one.to_bits(), 128 - self.prefix),
            _ => false,
        }
    }
}

fn same(net: u128, one: u128, free_bits: u32) -> bool {
    (net ^ one).checked_shr(free_bits).unwrap_or(0) == 0
}

/// A text that names no range of addresses.
#[derive(Debug, thiserror::Error)]
#[error("not an address or address/prefix")]
pub struct NotANetwork;

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address = address.parse::<IpAddr>().map_err(|_| NotANetwork)?.to_canonical();
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(widest), |prefix| prefix.parse::<u32>().map_err(|_| NotANetwork))?;
        if prefix > widest { Err(NotANetwork) } else { Ok(Self { address, prefix }) }
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_own_addresses_only() {
        let holds = |network: &str, one: &str| network.parse::<Network>().unwrap().contains(one.parse().unwrap());
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("127.0.0.1", "127.0.0.1") && !holds("127.0.0.1", "127.0.0.2"));
        assert!(holds("127.0.0.1", "::ffff:127.0.0.1") && !holds("10.0.0.0/8", "::1"));
        assert!(holds("fd00::/8", "fd12::1") && holds("0.0.0.0/0", "8.8.8.8"));
        for wrong in ["", "10.0.0.0/33", "10.0.0", "::1/129", "x/8"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
