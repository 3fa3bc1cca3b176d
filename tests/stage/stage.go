// Package stage sets up what the stories need to play on: the real binary,
// built once, started with its own data folder, beside upstreams that answer
// by script. It is for tests only.
package stage

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Root is the folder of the module.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Tool gives the path of a file in .cache/testenv, and fails the test with
// what to do when it is not there.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(Root(), ".cache", "testenv", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is missing: run make testenv", name)
	}
	return path
}

// Build builds the binary into dir and gives its path. Main packages of tests
// call it once.
func Build(dir string) (string, error) {
	path := filepath.Join(dir, "portico")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/portico")
	cmd.Dir = Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the binary does not build: %w\n%s", err, out)
	}
	return path, nil
}

// Server is a running server process.
type Server struct {
	URL   string // without a trailing slash
	Setup string // the set-up link, when there was nobody yet
	Dir   string // DATA_DIR

	Metrics string // address of /metrics, when it is on

	cmd  *exec.Cmd
	out  log
	done chan struct{}
	err  error
}

// log collects output while it is written.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Quiet is the environment that keeps a server from finding the Ollama of the
// machine that the tests run on.
func Quiet() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir(), "PORT=0", "HOST=127.0.0.1", "ENABLE_OLLAMA_API=false"}
}

// Start starts binary with its data in dir and with env over Quiet, and waits
// until it serves.
func Start(binary, dir string, env ...string) (*Server, error) {
	s := &Server{Dir: dir, done: make(chan struct{})}
	s.cmd = exec.Command(binary, "serve", "--json")
	s.cmd.Env = append(append(Quiet(), "DATA_DIR="+dir), env...)
	s.cmd.Stderr = &s.out
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	first := make(chan string, 1)
	go func() {
		r := bufio.NewReader(stdout)
		line, _ := r.ReadString('\n')
		first <- line
		_, _ = io.Copy(&s.out, r)
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	var block struct{ Address, Setup, Metrics string }
	select {
	case line := <-first:
		if err := json.Unmarshal([]byte(line), &block); err != nil {
			_ = s.cmd.Process.Kill()
			<-s.done
			return nil, fmt.Errorf("the server did not start: %q\n%s", line, s.out.String())
		}
	case <-time.After(20 * time.Second):
		_ = s.cmd.Process.Kill()
		return nil, fmt.Errorf("the server did not start in time\n%s", s.out.String())
	}
	s.URL, s.Setup, s.Metrics = strings.TrimSuffix(block.Address, "/"), block.Setup, block.Metrics
	return s, nil
}

// Log is what the server wrote so far, beside its first line.
func (s *Server) Log() string { return s.out.String() }

// PID is of the process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Running reports whether the process has not ended yet.
func (s *Server) Running() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// Signal sends a signal to the process.
func (s *Server) Signal(sig syscall.Signal) error { return s.cmd.Process.Signal(sig) }

// Wait waits for the end of the process and gives its error.
func (s *Server) Wait(ctx context.Context) error {
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stop asks the server to stop, and kills it when it does not within 40 s.
func (s *Server) Stop() error {
	_ = s.Signal(syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	if err := s.Wait(ctx); err != nil {
		_ = s.cmd.Process.Kill()
		return fmt.Errorf("the server did not stop well: %w\n%s", err, s.Log())
	}
	return nil
}

// Must starts a server for one test and stops it at its end.
func Must(t testing.TB, binary string, env ...string) *Server {
	t.Helper()
	s, err := Start(binary, t.TempDir(), env...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("log of the server:\n%s", s.Log())
		}
	})
	return s
}

// Post sends v as JSON with a credential, or none, and reads the answer into
// answer unless that is nil.
func (s *Server) Post(path, credential string, v, answer any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, s.URL+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if credential != "" {
		req.Header.Set("Authorization", "Bearer "+credential)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("POST %s: status %d: %s", path, resp.StatusCode, body)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(body, answer)
}

// Admin signs the first person up and gives a session token and an API key.
func (s *Server) Admin() (token, key string, err error) {
	var session struct{ Token string }
	err = s.Post("/api/v1/auths/signup", "", map[string]string{
		"name": "Ana", "email": "ana@example.com", "password": "s3cret-Pass!"}, &session)
	if err != nil {
		return "", "", err
	}
	var made struct {
		Key string `json:"api_key"`
	}
	if err := s.Post("/api/v1/auths/api_key", session.Token, struct{}{}, &made); err != nil {
		return "", "", err
	}
	return session.Token, made.Key, nil
}
