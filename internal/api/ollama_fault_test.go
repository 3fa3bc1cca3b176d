package api_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"portico/internal/api/apitest"
)

// faulty is an Ollama that answers chats as told.
func faulty(t *testing.T, chat http.HandlerFunc) *apitest.Server {
	tags := ollamaRecord(t, "tags")
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/tags":
			_, _ = io.WriteString(w, tags.body)
		case "/api/ps":
			_, _ = io.WriteString(w, `{"models":[]}`)
		default:
			chat(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return ollamaServer(t, "", srv.URL)
}

// begin sends the head of a stream and one piece.
func begin(w http.ResponseWriter, contentType, piece string) {
	w.Header().Set("Content-Type", contentType)
	_, _ = io.WriteString(w, piece)
	_ = http.NewResponseController(w).Flush()
}

// An answer that breaks off ends with an error in the dialect of the route.
func TestOllamaBreaksOff(t *testing.T) {
	t.Parallel()
	const line = `{"message":{"role":"assistant","content":"a"},"done":false}` + "\n"
	const event = `data: {"choices":[]}` + "\n\n"
	s := faulty(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			begin(w, "text/event-stream", event+"data: {ha")
		} else {
			begin(w, "application/x-ndjson", line+`{"mess`)
		}
		time.Sleep(20 * time.Millisecond) // what is sent before a reset may be lost
		panic(http.ErrAbortHandler)
	})
	a := s.Do(t, s.Admin.Key, "POST", "/ollama/api/chat", hi)
	if rest, ok := strings.CutPrefix(a.Body, line); a.Status != 200 || !ok || !strings.HasPrefix(rest, `{"error":"`) || !strings.HasSuffix(rest, "}\n") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	a = s.Do(t, s.Admin.Key, "POST", "/ollama/v1/chat/completions", `{"model":"gemma","stream":true,"messages":[]}`)
	if rest, ok := strings.CutPrefix(a.Body, event); a.Status != 200 || !ok || !strings.HasPrefix(rest, `data: {"error":{"message":`) {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// An upstream that refuses our own key is our fault, not the caller's.
func TestOllamaRefusesUs(t *testing.T) {
	t.Parallel()
	s := faulty(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":"bad key sk-canary"}`)
	})
	if a := s.Do(t, s.Admin.Key, "POST", "/ollama/api/chat", hi); a.Status != 502 || strings.Contains(a.Body, "canary") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// A client that leaves stops the upstream: within a stream, and before the
// first byte.
func TestOllamaClientLeaves(t *testing.T) {
	t.Parallel()
	for _, streaming := range []bool{true, false} {
		asked, stopped := make(chan struct{}, 1), make(chan time.Time, 1)
		s := faulty(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if streaming {
				begin(w, "application/x-ndjson", `{"message":{"content":"a"},"done":false}`+"\n")
			}
			asked <- struct{}{}
			<-r.Context().Done()
			stopped <- time.Now()
		})
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan time.Time, 1)
		go func() {
			<-asked
			if !streaming {
				left <- time.Now()
				leave()
			}
		}()
		r, err := http.NewRequestWithContext(ctx, "POST", s.URL+"/ollama/api/chat", strings.NewReader(hi))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+s.Admin.Key)
		client := &http.Client{Transport: &http.Transport{}}
		res, err := client.Do(r)
		if streaming {
			if err != nil {
				t.Fatal(err)
			}
			if _, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			left <- time.Now()
			leave()
			_ = res.Body.Close()
		}
		select {
		case at := <-stopped:
			t.Logf("streaming %v: the upstream was stopped after %v", streaming, at.Sub(<-left))
		case <-time.After(5 * time.Second):
			t.Errorf("streaming %v: the upstream goes on", streaming)
		}
		leave()
		client.CloseIdleConnections()
	}
}

func TestOllamaStreamLimit(t *testing.T) {
	t.Parallel()
	open := make(chan struct{})
	s := faulty(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		begin(w, "application/x-ndjson", `{"message":{"content":"a"},"done":false}`+"\n")
		close(open)
		<-r.Context().Done()
	})
	s.API.Doors.MaxStreams = 1
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	r, err := http.NewRequestWithContext(ctx, "POST", s.URL+"/ollama/api/chat", strings.NewReader(hi))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.Admin.Key)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	<-open
	if a := s.Do(t, s.Admin.Key, "POST", "/ollama/api/chat", hi); a.Status != 429 || a.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}
