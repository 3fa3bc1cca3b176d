package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// ErrBlocked is a destination that the profile does not allow.
var ErrBlocked = errors.New("egress: the address is not allowed")

// Config is what an operator may change.
type Config struct {
	// Rules are looked at in order, for Untrusted only; the first that holds
	// the address decides, before the built-in ranges do.
	Rules []Rule
	// Ports that Untrusted may use; nil is 80 and 443.
	Ports []uint16
	// Resolver looks names up; nil is the system's.
	Resolver *net.Resolver
	// Timeout is for one connection, looking the name up included (5 s).
	Timeout time.Duration
}

// Rule allows or denies a range of addresses.
type Rule struct {
	Prefix netip.Prefix
	Allow  bool
}

// Dialer opens connections under a profile. It never uses a proxy.
type Dialer struct {
	dialer net.Dialer
	rules  []Rule
	ports  []uint16
}

// NewAdmin makes the dialer for what an administrator configured: any address.
func NewAdmin(cfg Config) *Dialer { return &Dialer{dialer: plain(cfg)} }

// NewUntrusted makes the dialer for URLs that anybody else brought: public
// addresses and the usual ports only.
func NewUntrusted(cfg Config) *Dialer {
	d := &Dialer{dialer: plain(cfg), rules: cfg.Rules, ports: cfg.Ports}
	if d.ports == nil {
		d.ports = []uint16{80, 443}
	}
	d.dialer.ControlContext = func(_ context.Context, network, address string, _ syscall.RawConn) error {
		return d.check(network, address)
	}
	return d
}

func plain(cfg Config) net.Dialer {
	if cfg.Timeout <= 0 {
		cfg.Timeout = 5 * time.Second
	}
	return net.Dialer{
		Timeout:         cfg.Timeout,
		Resolver:        cfg.Resolver,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 15 * time.Second, Count: 4},
	}
}

// DialContext connects to host:port over "tcp", "tcp4" or "tcp6".
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
		return d.dialer.DialContext(ctx, network, address)
	}
	return nil, fmt.Errorf("%w: network %q", ErrBlocked, network)
}

// check decides on the address that is about to be connected to: after the
// name was resolved, for each answer, with nothing in between.
func (d *Dialer) check(_, address string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q", ErrBlocked, address)
	}
	allowed := false
	for _, port := range d.ports {
		allowed = allowed || port == to.Port()
	}
	if !allowed {
		return fmt.Errorf("%w: port %d", ErrBlocked, to.Port())
	}
	return d.checkAddr(to.Addr())
}

func (d *Dialer) checkAddr(addr netip.Addr) error {
	plain := addr.Unmap()
	for _, rule := range d.rules {
		if !rule.Prefix.Contains(plain.WithZone("")) {
			continue
		}
		if rule.Allow && plain.Zone() == "" {
			return nil
		}
		return fmt.Errorf("%w: %s is in %s", ErrBlocked, addr, rule.Prefix)
	}
	if !Public(addr) {
		return fmt.Errorf("%w: %s is not a public address", ErrBlocked, addr)
	}
	return nil
}
