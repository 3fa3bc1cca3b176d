package hop

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Options say how an Upstream is reached.
type Options struct {
	Dialer   Dialer      // required
	Header   [][2]string // sent with every request, before the request's own
	TLS      *tls.Config // for https; nil takes the system's roots. It is cloned.
	Timeouts Timeouts
	MaxIdle  int // connections kept open between calls; 0 is 256
}

const (
	defaultMaxIdle = 256
	idleLife       = 75 * time.Second // how long a kept connection may wait for its next call
	badName        = 10 * time.Minute // how long an upstream is distrusted that answers unasked
)

var errClosed = errors.New("hop: the answer was closed before its end")

// Upstream is one base URL and the connections kept to it. It is safe for
// concurrent use.
type Upstream struct {
	dialer   Dialer
	tls      *tls.Config // nil for http
	address  string      // host:port
	prefix   string      // the base URL's path, without a trailing slash
	head     []byte      // Host and the fixed headers, each line ended
	timeouts Timeouts
	maxIdle  int
	now      func() time.Time

	mu     sync.Mutex
	idle   []*conn // the longest idle first
	reaper *time.Timer
	closed bool
	// An upstream that has sent something unasked gets a fresh connection for
	// each call until then.
	distrusted time.Time
}

// New makes an Upstream for an http or https base URL such as
// "https://api.example.com/v1". It opens no connection yet.
func New(baseURL string, opt Options) (*Upstream, error) {
	if opt.Dialer == nil {
		return nil, errors.New("hop: no dialer given")
	}
	base, err := url.Parse(baseURL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("hop: the base URL cannot be read: %w", err)
	case base.Scheme != "http" && base.Scheme != "https":
		return nil, errors.New("hop: the base URL must begin with http:// or https://")
	case base.Hostname() == "":
		return nil, errors.New("hop: the base URL names no host")
	case base.User != nil, base.RawQuery != "", base.Fragment != "":
		return nil, errors.New("hop: the base URL may hold no user, query or fragment")
	}
	u := &Upstream{
		dialer:   opt.Dialer,
		prefix:   strings.TrimRight(base.EscapedPath(), "/"),
		timeouts: opt.Timeouts.or(Timeouts{5 * time.Second, 300 * time.Second, 60 * time.Second, 3600 * time.Second}),
		maxIdle:  opt.MaxIdle,
		now:      time.Now,
	}
	if u.maxIdle == 0 {
		u.maxIdle = defaultMaxIdle
	}
	port := base.Port()
	if base.Scheme == "https" {
		u.tls = clientTLS(opt.TLS, base.Hostname())
		if port == "" {
			port = "443"
		}
	} else if port == "" {
		port = "80"
	}
	u.address = net.JoinHostPort(base.Hostname(), port)
	u.head, err = appendHeaders([]byte(" HTTP/1.1\r\nHost: "+base.Host+"\r\n"), opt.Header)
	if err == nil && !validPath(u.prefix) {
		err = errors.New("hop: the base URL's path holds a space or a control byte")
	}
	return u, err
}

func clientTLS(config *tls.Config, host string) *tls.Config {
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	config = config.Clone()
	config.NextProtos = []string{"http/1.1"}
	if config.ServerName == "" {
		config.ServerName = host
	}
	if config.ClientSessionCache == nil {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(32)
	}
	return config
}

// or fills the zero fields of t from d.
func (t Timeouts) or(d Timeouts) Timeouts {
	pick := func(a, b time.Duration) time.Duration {
		if a > 0 {
			return a
		}
		return b
	}
	return Timeouts{pick(t.Connect, d.Connect), pick(t.FirstByte, d.FirstByte), pick(t.Idle, d.Idle), pick(t.Total, d.Total)}
}

// Close closes the idle connections and keeps none from then on. Calls in
// flight run to their end, and a call that was about to begin still works, on a
// connection of its own: whoever chose this Upstream a moment ago cannot know.
func (u *Upstream) Close() {
	u.mu.Lock()
	idle := u.idle
	u.idle, u.closed = nil, true
	if u.reaper != nil {
		u.reaper.Stop()
	}
	u.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}

// take gives the idle connection that has rested longest and is still sound, or
// nil. The longer it rests, the likelier is a second answer, which would be
// taken for somebody else's, found out in time.
func (u *Upstream) take() *conn {
	for {
		u.mu.Lock()
		n := len(u.idle)
		if n == 0 {
			u.mu.Unlock()
			return nil
		}
		c := u.idle[0]
		copy(u.idle, u.idle[1:])
		u.idle[n-1] = nil
		u.idle = u.idle[:n-1]
		u.mu.Unlock()
		if u.now().Sub(c.idleSince) < idleLife && c.quiet() {
			c.reused = true
			return c
		}
		if c.spoke {
			u.distrust()
		}
		c.close()
	}
}

// distrust makes an end of keeping connections for a while: what one of them
// said unasked, another may say as the answer to somebody else's request.
func (u *Upstream) distrust() {
	u.mu.Lock()
	u.distrusted = u.now().Add(badName)
	idle := u.idle
	u.idle = nil
	u.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}

// keep puts a connection whose last answer was read to its exact end back.
func (u *Upstream) keep(c *conn) {
	c.idleSince = u.now()
	u.mu.Lock()
	if u.closed || len(u.idle) >= u.maxIdle || c.idleSince.Before(u.distrusted) {
		u.mu.Unlock()
		c.close()
		return
	}
	u.idle = append(u.idle, c)
	if u.reaper == nil {
		u.reaper = time.AfterFunc(idleLife, u.reap)
	} else if len(u.idle) == 1 {
		u.reaper.Reset(idleLife)
	}
	u.mu.Unlock()
}

// reap closes what has been idle for too long and comes again while anything is.
func (u *Upstream) reap() {
	u.mu.Lock()
	now, n := u.now(), 0
	for n < len(u.idle) && now.Sub(u.idle[n].idleSince) >= idleLife {
		n++
	}
	old := append([]*conn(nil), u.idle[:n]...)
	u.idle = append(u.idle[:0], u.idle[n:]...)
	if len(u.idle) > 0 {
		u.reaper.Reset(max(idleLife-now.Sub(u.idle[0].idleSince), time.Second))
	}
	u.mu.Unlock()
	for _, c := range old {
		c.close()
	}
}

// dial opens a fresh connection.
func (u *Upstream) dial(ctx context.Context, timeout time.Duration) (*conn, error) {
	dialing, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	nc, err := u.dialer.DialContext(dialing, "tcp", u.address)
	if err != nil {
		return nil, err
	}
	c := &conn{nc: nc}
	c.stop = c.interrupt
	if socket, ok := nc.(syscall.Conn); ok {
		if raw, err := socket.SyscallConn(); err == nil {
			c.bind(raw, u.tls == nil)
		}
	}
	if u.tls == nil {
		return c, nil
	}
	shaking, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	secured := tls.Client(nc, u.tls)
	if err := secured.HandshakeContext(shaking); err != nil {
		nc.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	c.nc = secured
	return c, nil
}
