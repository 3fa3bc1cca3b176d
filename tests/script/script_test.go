// Package script plays stories on the real binary: each file of testdata is
// one, and together they hold every example of the user's guide. Beside the
// commands of testscript there are:
//
//	serve [NAME=value...]     start the server (again) on $DATA; sets $B, its address, and $SETUP
//	terminate                 end it with SIGTERM; it must exit with 0
//	crash                     end it with SIGKILL
//	http [flags] METHOD PATH  one request; -s status (200), -k key, -d body, -H 'Name: value', -F file;
//	                          -w asks again for up to a second, until the status is right
//	take PATH NAME            read a member of the last answer into $NAME, such as data.0.id
//
// The stories of documents are played a second time with PostgreSQL. They may
// link $MODELS to $DATA/models, and then search by vectors, too.
package script

import (
	"bytes"
	"context"
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
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"portico/internal/store/storetest"
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
	play := testscript.Params{
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			data := filepath.Join(e.WorkDir, "data")
			for name, value := range map[string]string{
				"DATA": data, "DATA_DIR": data, "OPENAI": openai.URL + "/v1", "OLLAMA": ollama.URL,
				"PORTICO": binary, "PYTHON": stage.Tool(t, "py/bin/python"), "PYTHONDONTWRITEBYTECODE": "1",
				"MODELS": stage.Tool(t, "models"), "SCRIPTS": filepath.Join(stage.Root(), "scripts"),
			} {
				e.Setenv(name, value)
			}
			e.Values["binary"], e.Values["running"] = binary, new(running)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": serve, "terminate": terminate, "crash": crash, "http": call, "take": take,
		},
	}
	t.Run("stories", func(t *testing.T) {
		play := play
		play.Dir = "testdata"
		testscript.Run(t, play)
	})
	t.Run("postgres", func(t *testing.T) {
		play, setup := play, play.Setup
		for _, name := range ofDocuments {
			play.Files = append(play.Files, filepath.Join("testdata", name+".txtar"))
		}
		play.Setup = func(e *testscript.Env) error {
			e.Setenv("DATABASE_URL", storetest.Postgres(t))
			return setup(e)
		}
		testscript.Run(t, play)
	})
}

// ofDocuments are the stories that are played on both databases.
var ofDocuments = []string{"files", "knowledge", "rag", "retrieval", "sync"}

// TestMain stops the PostgreSQL of the stories.
func TestMain(m *testing.M) { storetest.Main(m) }

// running is the server of one story.
type running struct{ *stage.Server }

func serve(ts *testscript.TestScript, _ bool, args []string) {
	env := append([]string{"ENABLE_OLLAMA_API=true", "OLLAMA_BASE_URL=" + ts.Getenv("OLLAMA"),
		"OPENAI_API_BASE_URL=" + ts.Getenv("OPENAI"), "OPENAI_API_KEY=upstream", "DATABASE_URL=" + ts.Getenv("DATABASE_URL")}, args...)
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

func crash(ts *testscript.TestScript, _ bool, _ []string) {
	s := ts.Value("running").(*running)
	ts.Check(s.Signal(syscall.SIGKILL))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Wait(ctx); err == nil || ctx.Err() != nil {
		ts.Fatalf("a server that was killed ended with %v", err)
	}
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
