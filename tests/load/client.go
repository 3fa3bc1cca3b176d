package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"time"
)

// client is one keep-alive connection, driven by hand, so that the driver
// costs as little as a driver can.
type client struct {
	conn    net.Conn
	r       *bufio.Reader
	request []byte
}

// target is one of the ways to the same answer.
type target struct {
	Name string
	URL  string
	Key  string
	PID  int // of the process whose CPU time is counted; 0 is none
}

// chat is the request that everything is measured with: about 1 KiB, or a
// prompt of size bytes; over a MiB it is an image.
func chat(t target, model string, stream bool, size int) ([]byte, string, error) {
	u, err := url.Parse(t.URL)
	if err != nil {
		return nil, "", err
	}
	text := bytes.Repeat([]byte("Why is the sky blue? "), max(43, size/21))
	content := fmt.Sprintf("%q", text)
	if size > 1<<20 {
		image := base64.StdEncoding.EncodeToString(text[:size/4*3])
		content = fmt.Sprintf(`[{"type":"text","text":"What is it?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}]`, image)
	}
	body := fmt.Sprintf(`{"model":%q,"stream":%v,"messages":[{"role":"user","content":%s}],"temperature":0.7}`, model, stream, content)
	auth := ""
	if t.Key != "" {
		auth = "Authorization: Bearer " + t.Key + "\r\n"
	}
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s",
		u.Path, u.Host, auth, len(body), body), u.Host, nil
}

func dial(host string, request []byte) (*client, error) {
	c, err := net.DialTimeout("tcp", host, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &client{conn: c, r: bufio.NewReaderSize(c, 16<<10), request: request}, nil
}

// answered is what one call took.
type answered struct {
	status       int
	bytes        int
	first, total time.Duration
}

var errFraming = errors.New("an answer without Content-Length or chunks")

// call sends the request and reads the whole answer.
func (c *client) call() (a answered, err error) {
	start := time.Now()
	if _, err = c.conn.Write(c.request); err != nil {
		return a, err
	}
	length, chunked, err := c.head(&a)
	if err != nil {
		return a, err
	}
	switch {
	case chunked:
		for {
			n, err := c.chunk()
			if err != nil {
				return a, err
			}
			if a.first == 0 {
				a.first = time.Since(start)
			}
			if a.bytes += n; n == 0 {
				break
			}
		}
	case length >= 0:
		a.first = time.Since(start)
		if _, err = c.r.Discard(length); err != nil {
			return a, err
		}
		a.bytes = length
	default:
		return a, errFraming
	}
	a.total = time.Since(start)
	return a, nil
}

// head reads the answer's head.
func (c *client) head(a *answered) (length int, chunked bool, err error) {
	length = -1
	for first := true; ; first = false {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return 0, false, err
		}
		switch {
		case first:
			if len(line) < 12 {
				return 0, false, io.ErrUnexpectedEOF
			}
			a.status, _ = strconv.Atoi(string(line[9:12]))
		case len(line) <= 2:
			return length, chunked, nil
		case len(line) > 15 && bytes.EqualFold(line[:15], []byte("Content-Length:")):
			length, err = strconv.Atoi(string(bytes.TrimSpace(line[15:])))
			if err != nil {
				return 0, false, err
			}
		case len(line) > 18 && bytes.EqualFold(line[:18], []byte("Transfer-Encoding:")):
			chunked = bytes.Contains(line, []byte("chunked"))
		}
	}
}

// chunk reads one chunk and gives its length.
func (c *client) chunk() (int, error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 31)
	if err != nil {
		return 0, err
	}
	_, err = c.r.Discard(int(n) + 2)
	return int(n), err
}
