// Package faults holds what the real binary does when something goes wrong
// while files are taken in: it is killed, cut off, flooded, poisoned, or runs
// out of disk. What is asserted are bytes and counts, never times. Flags make
// each test larger than a test run wants it:
//
//	go test ./tests/faults -args -kills 200 -tiny 10000 -broken 500
package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/internal/store/storetest"
	"portico/tests/stage"
)

var (
	kills  = flag.Int("kills", 1, "how often the server is killed at each moment")
	tiny   = flag.Int("tiny", 400, "how many tiny files are uploaded at once")
	broken = flag.Int("broken", 24, "how many damaged PDFs are uploaded")
)

// binary is what is tested.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "portico-faults")
	if err == nil {
		binary, err = stage.Build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	storetest.Main(m)
}

// lab is a data folder, and an upstream that chats and embeds by script.
type lab struct {
	t   *testing.T
	dir string
	env []string
	key string // of the administrator, once there is one
}

func newLab(t *testing.T, env ...string) *lab {
	t.Helper()
	upstream := stage.OpenAI()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		upstream.Close()
	})
	return &lab{t: t, dir: t.TempDir(), env: append([]string{
		"RAG_EMBEDDING_ENGINE=openai", "RAG_OPENAI_API_BASE_URL=" + upstream.URL + "/v1", "RAG_OPENAI_API_KEY=x",
		"OPENAI_API_BASE_URL=" + upstream.URL + "/v1", "OPENAI_API_KEY=x", "DISK_RESERVE=0"}, env...)}
}

// server is one that runs.
type server struct {
	*stage.Server
	*lab
}

// start starts a server, which is stopped at the end of the test.
func (l *lab) start(env ...string) *server {
	l.t.Helper()
	return l.startBinary(binary, env...)
}

// startBinary is start with a program that becomes the server.
func (l *lab) startBinary(program string, env ...string) *server {
	l.t.Helper()
	s, err := stage.Start(program, l.dir, append(slices.Clone(l.env), env...)...)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		if s.Running() {
			if err := s.Stop(); err != nil {
				l.t.Error(err)
			}
		}
		if l.t.Failed() {
			l.t.Logf("the end of the log:\n%s", tail(s.Log()))
		}
	})
	if l.key == "" {
		if _, l.key, err = s.Admin(); err != nil {
			l.t.Fatal(err)
		}
	}
	return &server{s, l}
}

func tail(s string) string { return s[max(0, len(s)-3000):] }

// call sends a request and gives status and body.
func (s *server) call(method, path, contentType string, body io.Reader) (int, []byte, error) {
	req, err := http.NewRequest(method, s.URL+path, body)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	req.Header.Set("Accept", "application/json")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// form is a multipart body with a file in it.
func form(name string, content io.Reader) (contentType string, body io.Reader) {
	var head bytes.Buffer
	m := multipart.NewWriter(&head)
	if _, err := m.CreateFormFile("file", name); err != nil {
		panic(err) // a buffer takes everything
	}
	return m.FormDataContentType(), io.MultiReader(&head, content, strings.NewReader("\r\n--"+m.Boundary()+"--\r\n"))
}

// upload gives the id of a file that the server acknowledged, else the status.
func (s *server) upload(name string, content []byte) (id string, status int, err error) {
	kind, body := form(name, bytes.NewReader(content))
	status, answer, err := s.call(http.MethodPost, "/api/v1/files/", kind, body)
	if err != nil || status != http.StatusOK {
		return "", status, err
	}
	var f struct{ ID string }
	return f.ID, status, json.Unmarshal(answer, &f)
}

// state gives the state of a file and why it is in it; "" when there is none.
func (s *server) state(id string) (state, reason string) {
	s.t.Helper()
	status, answer, err := s.call(http.MethodGet, "/api/v1/files/"+id+"/process/status", "", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if status == http.StatusNotFound {
		return "", ""
	}
	var is struct{ Status, Error string }
	if err := json.Unmarshal(answer, &is); err != nil || status != http.StatusOK {
		s.t.Fatalf("status %d: %s", status, answer)
	}
	return is.Status, is.Error
}

// ended waits until a file is at its end.
func (s *server) ended(id string) (state, reason string) {
	s.t.Helper()
	eventually(s.t, "a file is at its end", func() bool {
		state, reason = s.state(id)
		return state == "completed" || state == "failed" || state == ""
	})
	return state, reason
}

// finds reports whether a question finds a marker in a file.
func (s *server) finds(id, question, marker string) bool {
	s.t.Helper()
	body, _ := json.Marshal(map[string]any{"collection_name": "file-" + id, "query": question, "k": 3})
	status, answer, err := s.call(http.MethodPost, "/api/v1/retrieval/query/doc", "application/json", bytes.NewReader(body))
	if err != nil || status != http.StatusOK {
		s.t.Fatalf("status %d, %v: %s", status, err, answer)
	}
	return bytes.Contains(answer, []byte(marker))
}

// rss is the memory of a process, in bytes, and the most that it was.
func rss(t *testing.T, pid int) (now, peak int64) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		name, value, _ := strings.Cut(line, ":")
		kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			now = kib << 10
		case "VmHWM":
			peak = kib << 10
		}
	}
	return now, peak
}

// doctor runs the check of everything and gives what it says of each part.
func (l *lab) doctor() (found map[string]string, well bool) {
	l.t.Helper()
	cmd := exec.CommandContext(l.t.Context(), binary, "doctor", "--json", "--deep")
	cmd.Env = append(append(stage.Quiet(), "DATA_DIR="+l.dir), l.env...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		l.t.Fatal(err)
	}
	var list []struct {
		Check, Note string
		OK          bool
	}
	if err := json.Unmarshal(out, &list); err != nil {
		l.t.Fatalf("doctor says %q", out)
	}
	found, well = map[string]string{}, true
	for _, f := range list {
		if found[f.Check] = f.Note; !f.OK {
			well = false
			found[f.Check] = "BAD: " + f.Note
		}
	}
	return found, well
}

// blobs are the files in the folder of blobs, without what says whose they are.
func (l *lab) blobs() (names []string, size int64) {
	l.t.Helper()
	err := filepath.WalkDir(filepath.Join(l.dir, "blobs"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "owner" {
			return nil //nolint:nilerr // removed meanwhile
		}
		names = append(names, path)
		if info, err := d.Info(); err == nil {
			size += info.Size()
		}
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return names, size
}

// killed waits until the process has ended by itself.
func (s *server) killed() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 60*time.Second)
	defer cancel()
	if err := s.Wait(ctx); ctx.Err() != nil {
		s.t.Fatalf("the server was not killed: %v", err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(80 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// each runs fn for 0…n-1, some at once.
func each(n, atOnce int, fn func(i int)) {
	var all sync.WaitGroup
	turn := make(chan int)
	for range atOnce {
		all.Go(func() {
			for i := range turn {
				fn(i)
			}
		})
	}
	for i := range n {
		turn <- i
	}
	close(turn)
	all.Wait()
}
