//! Addresses that are not of the public Internet: the one list for grants, for names that resolve, and for drivers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The IANA IPv4 Special-Purpose Address Registry, with multicast. What is inside of another entry is left out.
const V4: [(Ipv4Addr, u32); 17] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(192, 175, 48, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, what is reserved, and the broadcast.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// The network of public addresses, which begin with `001`; all else has a special purpose or none as yet: loopback,
/// mapped and translated addresses (`64:ff9b::/96`), `100::/64`, `5f00::/16`, `fc00::/7`, `fe80::/10`, `fec0::/10`,
/// multicast.
const PUBLIC_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// The exceptions in it, from the IANA IPv6 Special-Purpose Address Registry: protocols such as Teredo, documentation,
/// 6to4, AS112.
const V6: [(Ipv6Addr, u32); 5] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Returns whether an address is of this machine or of a private or special network, so that only a grant which writes
/// the address itself allows it. Names are to be checked again once they are resolved.
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => V4.iter().any(|network| is_in_v4(address, network)),
        IpAddr::V6(address) => {
            !is_in_v6(address, &PUBLIC_V6) || V6.iter().any(|network| is_in_v6(address, network))
        }
    }
}

fn is_in_v4(address: Ipv4Addr, (network, length): &(Ipv4Addr, u32)) -> bool {
    let shift = 32 - length;
    address.to_bits() >> shift == network.to_bits() >> shift
}

fn is_in_v6(address: Ipv6Addr, (network, length): &(Ipv6Addr, u32)) -> bool {
    let shift = 128 - length;
    address.to_bits() >> shift == network.to_bits() >> shift
}

#[cfg(test)]
mod tests {
    use super::is_private;

    fn check(addresses: &str, expected: bool) {
        for address in addresses.split_whitespace() {
            let parsed = address.parse().expect("an address");
            assert_eq!(is_private(parsed), expected, "{address}");
        }
    }

    #[test]
    fn the_first_and_the_last_of_each_special_network_is_private() {
        check(
            "0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.255
             169.254.0.0 169.254.169.254 169.254.255.255 172.16.0.0 172.31.255.255 192.0.0.0 192.0.0.255 192.0.2.0
             192.0.2.255 192.31.196.1 192.52.193.1 192.88.99.1 192.168.0.0 192.168.255.255 192.175.48.1 198.18.0.0
             198.19.255.255 198.51.100.0 198.51.100.255 203.0.113.0 203.0.113.255 224.0.0.1 239.255.255.255 240.0.0.1
             255.255.255.255",
            true,
        );
        check(
            ":: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::127.0.0.1 ::8.8.8.8 64:ff9b::8.8.8.8 64:ff9b::10.0.0.1
             64:ff9b:1::1 100::1 100:0:0:1::1 2001::1 2001:2::1 2001:1ff:ffff::1 2001:db8::1 2002:808:808::1
             2620:4f:8000::1 3fff::1 3fff:fff::1 5f00::1 fc00::1 fd00::1 fdff:ffff::1 fe80::1 febf::1 fec0::1 feff::1
             ff02::1 4000::1",
            true,
        );
    }

    #[test]
    fn their_neighbours_are_public() {
        check(
            "1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255
             169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.167.255.255 192.169.0.0 198.17.255.255
             198.20.0.0 203.0.112.255 203.0.114.0 223.255.255.255 ::ffff:8.8.8.8 2001:200::1 2001:4860:4860::8888
             2003::1 2606:4700::1111 2620:4f:8001::1 2a00::1 3ffe::1",
            false,
        );
    }
}
