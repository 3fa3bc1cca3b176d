// Package realmodel asks a real language model, behind a real
// OpenAI-compatible server, through the real binary.
package realmodel

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portico/tests/stage"
)

// upstream starts the model and gives its address.
func upstream(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(stage.Tool(t, "py/bin/python"), filepath.Join(stage.Root(), "scripts", "realmodel.py"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // it ends with its stdin
		_ = cmd.Wait()
	})
	address := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(out).ReadString('\n')
		address <- strings.TrimSpace(line)
	}()
	select {
	case a := <-address:
		if a == "" {
			t.Fatal("the model did not start")
		}
		return a
	case <-time.After(2 * time.Minute):
		_ = cmd.Process.Kill()
		t.Fatal("the model did not start in time")
	}
	return ""
}

// TestWhyIsTheSkyBlue: a stranger signs up, makes a key, and gets a streamed
// answer of a real model.
func TestWhyIsTheSkyBlue(t *testing.T) {
	binary, err := stage.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := stage.Must(t, binary, "OPENAI_API_BASE_URL="+upstream(t)+"/v1", "OPENAI_API_KEY=none")
	_, key, err := s.Admin()
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/chat/completions", strings.NewReader(
		`{"model":"gemma-3-270m","stream":true,"temperature":0,"max_tokens":40,"messages":[{"role":"user","content":"Why is the sky blue?"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(resp.Body)
		t.Fatalf("status %d: %s", resp.StatusCode, b)
	}
	var answer strings.Builder
	words, done := 0, false
	var first, last time.Time
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" {
			done = true
			continue
		}
		var chunk struct {
			Choices []struct{ Delta struct{ Content string } }
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			t.Fatalf("%v: %s", err, data)
		}
		if len(chunk.Choices) == 0 || chunk.Choices[0].Delta.Content == "" {
			continue
		}
		if words == 0 {
			first = time.Now()
		}
		last = time.Now()
		words++
		answer.WriteString(chunk.Choices[0].Delta.Content)
	}
	t.Logf("%d pieces over %v: %s", words, last.Sub(first).Round(time.Millisecond), answer.String())
	if words < 10 || !done {
		t.Errorf("%d pieces, done %v", words, done)
	}
	if last.Sub(first) < 10*time.Millisecond {
		t.Error("the answer came at once: it was not streamed")
	}
}
