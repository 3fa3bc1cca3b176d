// Package script plays stories on the real binary: each file of testdata is
// one, and together they hold every example of the user's guide. Beside the
// commands of testscript there are:
//
//	serve [NAME=value...]     start the server (again) on $DATA; sets $B, its address, and $SETUP
//	terminate                 end it with SIGTERM; it must exit with 0
//	http [flags] METHOD PATH  one request; -s status (200), -k key, -d body, -H 'Name: value', -F file;
//	                          -w asks again for up to a second, until the status is right
//	take PATH NAME            read a member of the last answer into $NAME, such as data.0.id
package script

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"portico/tests/stage"
)

func TestStories(t *testing.T) {
	binary, err := stage.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	openai, ollama := stage.OpenAI(), stage.Ollama()
	t.Cleanup(openai.Close)
	t.Cleanup(ollama.Close)
	python := stage.Tool(t, "py/bin/python")
	t.Run("stories", func(t *testing.T) {
		testscript.Run(t, testscript.Params{
			Dir:                 "testdata",
			RequireExplicitExec: true,
			RequireUniqueNames:  true,
			Setup: func(e *testscript.Env) error {
				e.Setenv("DATA", filepath.Join(e.WorkDir, "data"))
				e.Setenv("OPENAI", openai.URL+"/v1")
				e.Setenv("OLLAMA", ollama.URL)
				e.Setenv("PYTHON", python)
				e.Setenv("PORTICO", binary)
				e.Setenv("DATA_DIR", filepath.Join(e.WorkDir, "data"))
				e.Values["binary"], e.Values["running"] = binary, new(running)
				return nil
			},
			Cmds: map[string]func(*testscript.TestScript, bool, []string){
				"serve": serve, "terminate": terminate, "http": call, "take": take,
			},
		})
	})
}

// running is the server of one story.
type running struct{ *stage.Server }

func serve(ts *testscript.TestScript, _ bool, args []string) {
	env := append([]string{"ENABLE_OLLAMA_API=true", "OLLAMA_BASE_URL=" + ts.Getenv("OLLAMA"),
		"OPENAI_API_BASE_URL=" + ts.Getenv("OPENAI"), "OPENAI_API_KEY=upstream"}, args...)
	s, err := stage.Start(ts.Value("binary").(string), ts.Getenv("DATA"), env...)
	ts.Check(err)
	ts.Setenv("B", s.URL)
	ts.Setenv("SETUP", s.Setup)
	ts.Value("running").(*running).Server = s
	ts.Defer(func() {
		if s.Running() {
			ts.Check(s.Stop())
		}
	})
}

func terminate(ts *testscript.TestScript, _ bool, _ []string) {
	s := ts.Value("running").(*running)
	ts.Check(s.Stop())
	ts.Check(os.WriteFile(ts.MkAbs("server.log"), []byte(s.Log()), 0o600))
}

func call(ts *testscript.TestScript, neg bool, args []string) {
	var headers, files list
	f := flag.NewFlagSet("http", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	status := f.Int("s", 200, "")
	key := f.String("k", "", "")
	body := f.String("d", "", "")
	wait := f.Bool("w", false, "")
	f.Var(&headers, "H", "")
	f.Var(&files, "F", "")
	ts.Check(f.Parse(args))
	if neg || f.NArg() != 2 {
		ts.Fatalf("usage: http [-s status] [-k key] [-d body] [-H header] [-F file] [-w] METHOD PATH")
	}
	patience := time.Now()
	if *wait {
		patience = patience.Add(time.Second)
	}
	for {
		resp, answer := ask(ts, f, headers, files, *key, *body)
		if resp.StatusCode != *status && time.Now().Before(patience) {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		_, _ = fmt.Fprintf(ts.Stdout(), "%s", answer)
		_, _ = fmt.Fprintf(ts.Stderr(), "%s\n", resp.Status)
		ts.Check(resp.Header.WriteSubset(ts.Stderr(), nil))
		ts.Check(os.WriteFile(ts.MkAbs("answer"), answer, 0o600))
		if resp.StatusCode != *status {
			ts.Fatalf("status %d, want %d: %.500s", resp.StatusCode, *status, answer)
		}
		return
	}
}

// ask sends the request that f describes once.
func ask(ts *testscript.TestScript, f *flag.FlagSet, headers, files list, key, body string) (*http.Response, []byte) {
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	contentType := ""
	for _, name := range files {
		content, contentType = form(ts, name)
	}
	req, err := http.NewRequest(f.Arg(0), ts.Getenv("B")+f.Arg(1), content)
	ts.Check(err)
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		req.Header.Set(name, strings.TrimSpace(value))
	}
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	ts.Check(err)
	return resp, answer
}

func form(ts *testscript.TestScript, name string) (io.Reader, string) {
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	part, err := m.CreateFormFile("file", filepath.Base(name))
	ts.Check(err)
	_, err = part.Write([]byte(ts.ReadFile(name)))
	ts.Check(err)
	ts.Check(m.Close())
	return &b, m.FormDataContentType()
}

// take reads one member of the last answer.
func take(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: take PATH NAME")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("answer")), &v))
	for _, step := range strings.Split(args[0], ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			ts.Check(err)
			if i >= len(at) {
				ts.Fatalf("%s: the list has %d elements", args[0], len(at))
			}
			v = at[i]
		default:
			ts.Fatalf("%s: nothing at %s", args[0], step)
		}
	}
	if v == nil {
		ts.Fatalf("%s is not there", args[0])
	}
	ts.Setenv(args[1], fmt.Sprint(v))
}

type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }
