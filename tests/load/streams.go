package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// streams opens more and more streams and prints what each costs the server in
// resident memory. The mock must be slow: -pace 2s -chunks 1000.
func streams(args []string) error {
	flags := flag.NewFlagSet("streams", flag.ExitOnError)
	to := flags.String("target", "", "name=URL[,key=K],pid=N")
	model := flags.String("model", "mock-0", "model to ask for")
	steps := flags.String("steps", "1000,2000,4000,8000", "numbers of open streams")
	settle := flags.Duration("settle", 8*time.Second, "time before each reading")
	flags.Parse(args)
	t, err := parseTarget(*to)
	if err != nil {
		return err
	}
	request, host, err := chat(t, *model, true, 0)
	if err != nil {
		return err
	}
	var open []net.Conn
	var counts, sizes []int
	for _, step := range strings.Split(*steps, ",") {
		n, err := strconv.Atoi(step)
		if err != nil {
			return err
		}
		for len(open) < n {
			c, err := net.Dial("tcp", host)
			if err != nil {
				return err
			}
			open = append(open, c)
			if _, err := c.Write(request); err != nil {
				return err
			}
			var head [12]byte
			if _, err := c.Read(head[:]); err != nil || string(head[9:]) != "200" {
				return fmt.Errorf("stream %d: %q %v", len(open), head, err)
			}
		}
		time.Sleep(*settle)
		rss, err := resident(t.PID)
		if err != nil {
			return err
		}
		fmt.Printf("%s: %d streams, %d KiB resident\n", t.Name, n, rss)
		counts, sizes = append(counts, n), append(sizes, rss)
	}
	last := len(counts) - 1
	each := float64(sizes[last]-sizes[0]) / float64(counts[last]-counts[0])
	fmt.Printf("%s: %.1f KiB each, from %d to %d\n", t.Name, each, counts[0], counts[last])
	for _, c := range open {
		c.Close()
	}
	return record(atMost("memory of an open stream", each, "KiB", 16))
}

// cancel opens streams, leaves, and measures how soon the mock knows. The mock
// must be slow: -pace 50ms or more.
func cancel(args []string) error {
	flags := flag.NewFlagSet("cancel", flag.ExitOnError)
	to := flags.String("target", "", "name=URL[,key=K]")
	model := flags.String("model", "mock-0", "model to ask for")
	rounds := flags.Int("rounds", 300, "streams to leave")
	after := flags.Duration("after", 20*time.Millisecond, "time before leaving")
	counts := flags.String("mock", "http://127.0.0.1:9000", "the mock, which is asked what it saw")
	flags.Parse(args)
	t, err := parseTarget(*to)
	if err != nil {
		return err
	}
	request, host, err := chat(t, *model, true, 0)
	if err != nil {
		return err
	}
	asker, err := dial(strings.TrimPrefix(*counts, "http://"), []byte("GET /mock/counts HTTP/1.1\r\nHost: mock\r\n\r\n"))
	if err != nil {
		return err
	}
	var took []time.Duration
	for range *rounds {
		c, err := dial(host, request)
		if err != nil {
			return err
		}
		before, err := asker.cancelled()
		if err != nil {
			return err
		}
		c.conn.Write(request)
		c.r.Peek(1)
		time.Sleep(*after)
		c.conn.Close()
		for start := time.Now(); ; time.Sleep(200 * time.Microsecond) {
			now, err := asker.cancelled()
			if err != nil {
				return err
			}
			if now > before {
				took = append(took, time.Since(start))
				break
			}
			if time.Since(start) > 5*time.Second {
				return fmt.Errorf("the upstream was not told within 5 s")
			}
		}
	}
	slices.Sort(took)
	fmt.Printf("%s: upstream told after %v (median), %v (p99), %v (worst) in %d rounds\n", t.Name, took[len(took)/2], took[len(took)*99/100], took[len(took)-1], len(took))
	return record(atMost("client leaves: upstream told, p99", float64(took[len(took)*99/100].Microseconds())/1000, "ms", 50))
}

// cancelled asks the mock how many streams were left.
func (c *client) cancelled() (int, error) {
	if _, err := c.conn.Write(c.request); err != nil {
		return 0, err
	}
	var a answered
	n, _, err := c.head(&a)
	if err != nil {
		return 0, err
	}
	b, err := c.r.Peek(n)
	if err != nil {
		return 0, err
	}
	var counts struct{ Cancelled int }
	err = json.Unmarshal(b, &counts)
	c.r.Discard(n)
	return counts.Cancelled, err
}
