package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Profile is who brought a URL.
type Profile uint8

// The profiles, strictest first.
const (
	Untrusted Profile = iota
	Admin
)

// ErrURL is a URL that is refused for its spelling.
var ErrURL = errors.New("egress: the URL is not acceptable")

func refuse(why string) error { return fmt.Errorf("%w: %s", ErrURL, why) }

// ParseURL reads an absolute http or https URL. It refuses every spelling that
// two readers could understand differently: user parts, backslashes, control
// bytes and spaces, zone ids, names outside ASCII, percent signs in the host,
// and IPv4 addresses in any form but four decimal numbers. With Untrusted, it
// also refuses addresses that are not public; names are decided on when they
// are dialled.
func ParseURL(raw string, profile Profile) (*url.URL, error) {
	if len(raw) > 8<<10 {
		return nil, refuse("it is longer than 8 KiB")
	}
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c <= ' ', c == 0x7f, c == '\\':
			return nil, refuse("it holds a space, a control byte or a backslash")
		case c >= 0x80:
			return nil, refuse("it holds bytes outside ASCII")
		}
	}
	lower := strings.ToLower(raw)
	if !strings.HasPrefix(lower, "http://") && !strings.HasPrefix(lower, "https://") {
		return nil, refuse("it must begin with http:// or https://")
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, refuse("it cannot be read")
	case u.Opaque != "" || u.Host == "":
		return nil, refuse("it names no host")
	case u.User != nil || strings.Contains(u.Host, "@"):
		return nil, refuse("it holds a user or a password")
	}
	if err := checkPort(u); err != nil {
		return nil, err
	}
	if err := checkHost(u, profile); err != nil {
		return nil, err
	}
	return u, nil
}

func checkPort(u *url.URL) error {
	port := u.Port()
	if port == "" {
		if strings.HasSuffix(u.Host, ":") {
			return refuse("its port is empty")
		}
		return nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' {
		return refuse("its port is not a number from 1 to 65535")
	}
	return nil
}

func checkHost(u *url.URL, profile Profile) error {
	host := u.Hostname()
	if strings.HasPrefix(u.Host, "[") {
		addr, err := netip.ParseAddr(host)
		if err != nil || addr.Zone() != "" || !addr.Is6() {
			return refuse("its IPv6 address cannot be read, or has a zone")
		}
		return checkLiteral(addr, profile)
	}
	name := strings.TrimSuffix(host, ".")
	if name == "" || len(name) > 253 {
		return refuse("its host is empty or too long")
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if err := checkLabel(label); err != nil {
			return err
		}
	}
	// A last label that is a number makes the name an IPv4 address to browsers
	// and to the C library, in octal, hexadecimal and short forms too.
	if last := labels[len(labels)-1]; numeric(last) {
		addr, err := netip.ParseAddr(host)
		if err != nil {
			return refuse("its host is a number in an unusual form")
		}
		return checkLiteral(addr, profile)
	}
	return nil
}

func checkLiteral(addr netip.Addr, profile Profile) error {
	if profile == Untrusted && !Public(addr) {
		return fmt.Errorf("%w: %s is not a public address", ErrBlocked, addr)
	}
	return nil
}

func checkLabel(label string) error {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return refuse("its host has an empty, too long or ill-formed part")
	}
	if len(label) >= 4 && strings.EqualFold(label[:4], "xn--") {
		return refuse("its host is written in a script whose letters can look like others'")
	}
	for i := 0; i < len(label); i++ {
		c := label[i] | 0x20
		if (c < 'a' || c > 'z') && (label[i] < '0' || label[i] > '9') && label[i] != '-' && label[i] != '_' {
			return refuse("its host holds a byte that names do not have")
		}
	}
	return nil
}

// numeric reports whether a label could be read as a number.
func numeric(label string) bool {
	if len(label) >= 2 && label[0] == '0' && label[1]|0x20 == 'x' {
		label = label[2:]
		for i := 0; i < len(label); i++ {
			c := label[i] | 0x20
			if (c < 'a' || c > 'f') && (label[i] < '0' || label[i] > '9') {
				return false
			}
		}
		return true
	}
	for i := 0; i < len(label); i++ {
		if label[i] < '0' || label[i] > '9' {
			return false
		}
	}
	return true
}
