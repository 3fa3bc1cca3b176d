package chat_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// parkTime is longer than a stream stays with net/http.
const parkTime = 1300 * time.Millisecond

// TestParked: a stream that lives long ends as well as a short one, and its
// connection takes the next request.
func TestParked(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *conn, r *request) {
		c.Stream("text/event-stream")
		c.Chunk(delta("one", "null"))
		time.Sleep(parkTime)
		c.Chunk(delta("two", "null"))
		if strings.Contains(string(r.Body), "break") {
			c.Reset()
			return
		}
		c.Chunk(doneEvent)
		c.End()
	})
	for range 2 {
		if a := s.ask(question(true)); a.err != nil || a.body != delta("one", "null")+delta("two", "null")+doneEvent {
			t.Errorf("%q %v", a.body, a.err)
		}
	}
	line := fmt.Sprintf(`"bytes":%d,`, len(delta("one", "null")+delta("two", "null")+doneEvent))
	eventually(t, "the log tells of all of both", func() bool { return strings.Count(s.log.String(), line) == 2 })
	a := s.ask(strings.Replace(question(true), "hi", "break", 1))
	if a.err != nil || strings.Count(a.body, `data: {"error"`) != 1 || !strings.HasSuffix(a.body, doneEvent) {
		t.Errorf("%q %v", a.body, a.err)
	}
	if a := s.ask(`{"model":"m0"}`); a.status != 400 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestParkedClientLeaves: who leaves a parked stream is seen to have left, too.
func TestParkedClientLeaves(t *testing.T) {
	t.Parallel()
	const streams = 20
	s := start(t, func(c *conn, _ *request) {
		c.Stream("text/event-stream")
		c.Chunk(delta("one", "null"))
		c.Gone(20 * time.Second)
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var bodies []io.Closer
	for range streams {
		resp, err := s.client.Do(s.request(ctx, question(true)))
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, resp.Body)
	}
	time.Sleep(parkTime)
	if n := s.up[0].Cancelled.Load(); n != 0 {
		t.Errorf("%d streams ended by themselves", n)
	}
	cancel()
	for _, b := range bodies {
		b.Close()
	}
	eventually(t, "the upstream sees every client leave", func() bool { return s.up[0].Cancelled.Load() == streams })
}
