package egress

import "net/netip"

// special are the ranges that are no destination for somebody else's URL: the
// IANA special-purpose registries, multicast, and addresses at which clouds
// talk to their own machines. An IPv6 range that carries an IPv4 address is
// refused as a whole, whatever it carries.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
	"192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"168.63.129.16/32", // Azure's platform; 100.100.100.200 of Alibaba's lies in 100.64.0.0/10

	"::/128", "::1/128", "::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", // unspecified, loopback, three ways to carry IPv4
	"64:ff9b::/96", "64:ff9b:1::/48", // NAT64
	"100::/64", "100:0:0:1::/64", // discarded
	"2001::/23", "2001:db8::/32", "3fff::/20", // protocols (Teredo among them), documentation
	"2002::/16", "2620:4f:8000::/48", "5f00::/16", // 6to4, AS112, segment routing
	"fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", // unique local (fd00:ec2::254), link and site local, multicast
)

// global is the only part of IPv6 that is given out to anybody.
var global = netip.MustParsePrefix("2000::/3")

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// Public reports whether addr is an address of the open internet.
func Public(addr netip.Addr) bool {
	if !addr.IsValid() || addr.Zone() != "" {
		return false
	}
	if addr.Is4In6() {
		addr = addr.Unmap()
	}
	if addr.Is6() && !global.Contains(addr) {
		return false
	}
	for _, p := range special {
		if p.Contains(addr) {
			return false
		}
	}
	return true
}
