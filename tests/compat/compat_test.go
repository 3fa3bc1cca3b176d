// Package compat replays requests whose answers were measured on the server
// that this one is compatible with, in the order of one life of a server, and
// holds ours against them: equal status, equal media type, and every recorded
// key there with its type. Further keys are free.
package compat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portico/tests/stage"
)

// step is one recorded request and its answer.
type step struct {
	Name    string
	Request struct {
		Method, Path, As string
		File             string // to upload
		JSON             json.RawMessage
		Raw              *string
		Query            map[string]string
		Headers          map[string]string
	}
	Status int
	Ctype  string
	Shape  any
}

// deliberate are the steps that we answer otherwise, and why.
var deliberate = map[string]struct {
	status int
	ctype  string
	why    string
}{
	"chat no messages":  {400, "application/json", "a chat without messages is a mistake of the caller's"},
	"unknown api route": {404, "application/json", "programs get a JSON error, never the web page"},
}

// lacking are recorded keys that our answers do not have, and why. The keys are
// those of any step.
var lacking = map[string]string{
	".sources[].metadata[].producer":     aboutPDF,
	".sources[].metadata[].creator":      aboutPDF,
	".sources[].metadata[].creationdate": aboutPDF,
	".sources[].metadata[].total_pages":  "a citation names its page; how long the file is, the file tells",
}

const aboutPDF = "which program wrote a PDF says nothing about the passage that is cited"

// later are steps of routes that do not exist yet.
var later = map[string]string{
	"messages anthropic":           "the Anthropic dialect",
	"messages anthropic stream":    "the Anthropic dialect",
	"messages anthropic x-api-key": "the Anthropic dialect",
}

func TestShapes(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "shapes.json"))
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	if err := json.Unmarshal(b, &steps); err != nil {
		t.Fatal(err)
	}
	binary, err := stage.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	openai, ollama := stage.OpenAI(), stage.Ollama()
	t.Cleanup(openai.Close)
	t.Cleanup(ollama.Close)
	server := stage.Must(t, binary, "ENABLE_API_KEYS=true", "BYPASS_MODEL_ACCESS_CONTROL=true",
		"ENABLE_OLLAMA_API=true", "OLLAMA_BASE_URL="+ollama.URL,
		"OPENAI_API_BASE_URL="+openai.URL+"/v1", "OPENAI_API_KEY=upstream-key")
	actors := map[string]string{}
	for _, s := range steps {
		t.Run(s.Name, func(t *testing.T) {
			if why, ok := later[s.Name]; ok {
				t.Logf("later: %s", why)
				return
			}
			play(t, server.URL, s, actors)
		})
	}
}

// play sends one step and compares the answer. Steps depend on those before.
func play(t *testing.T, base string, s step, actors map[string]string) {
	t.Helper()
	resp, body := send(t, base, s, actors)
	for strings.HasSuffix(s.Name, " settled") && unsettled.Match(body) {
		time.Sleep(20 * time.Millisecond)
		resp, body = send(t, base, s, actors)
	}
	learn(s, body, actors)
	status, ctype, shape := s.Status, s.Ctype, s.Shape
	if d, ok := deliberate[s.Name]; ok {
		status, ctype, shape = d.status, d.ctype, nil
	}
	if resp.StatusCode != status {
		t.Fatalf("status %d, recorded %d: %.300s", resp.StatusCode, status, body)
	}
	got, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if got != ctype {
		t.Errorf("media type %q, recorded %q", got, ctype)
	}
	if shape == nil {
		return
	}
	for _, fault := range compare("", shape, read(t, ctype, shape, body)) {
		if key, missing := strings.CutSuffix(fault, " is missing"); !missing || lacking[key] == "" {
			t.Error(fault)
		}
	}
}

func send(t *testing.T, base string, s step, actors map[string]string) (*http.Response, []byte) {
	t.Helper()
	target := base + named(s.Request.Path, "{", "}", actors)
	if len(s.Request.Query) > 0 {
		q := url.Values{}
		for k, v := range s.Request.Query {
			q.Set(k, v)
		}
		target += "?" + q.Encode()
	}
	var body io.Reader
	contentType := "application/json"
	switch {
	case s.Request.File != "":
		body, contentType = upload(t, s.Request.File)
	case s.Request.Raw != nil:
		body = strings.NewReader(*s.Request.Raw)
	case len(s.Request.JSON) > 0 && string(s.Request.JSON) != "null":
		body = strings.NewReader(named(string(s.Request.JSON), "<<", ">>", actors))
	}
	req, err := http.NewRequestWithContext(t.Context(), s.Request.Method, target, body)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	if as := s.Request.As; as != "" {
		credential, ok := actors[as]
		if !ok {
			credential = as // a literal one
		}
		req.Header.Set("Authorization", "Bearer "+credential)
	}
	for k, v := range s.Request.Headers {
		for name, credential := range actors {
			v = strings.ReplaceAll(v, "<"+name+">", credential)
		}
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, b
}

// learn keeps the credentials and ids that the steps hand out.
func learn(s step, body []byte, actors map[string]string) {
	var got struct {
		ID    string
		Token string
		Key   string `json:"api_key"`
	}
	if json.Unmarshal(body, &got) != nil {
		return
	}
	for name, keep := range map[string]struct{ actor, value string }{
		"signup first is admin": {"jwt", got.Token},
		"signin":                {"jwt", got.Token},
		"api key create":        {"admin", got.Key},
		"admin adds user":       {"user", got.Token},
		"admin adds pending":    {"pending", got.Token},
		"knowledge create":      {"k1", got.ID},
	} {
		if s.Name == name && keep.value != "" {
			actors[keep.actor] = keep.value
		}
	}
	if name := files[s.Request.File]; name != "" && got.ID != "" {
		actors[name] = got.ID
	}
}

// read brings an answer into the form in which shapes are recorded.
func read(t *testing.T, ctype string, shape any, body []byte) any {
	t.Helper()
	switch ctype {
	case "text/event-stream":
		return readEvents(t, body)
	case "application/x-ndjson":
		var all []any
		for line := range bytes.Lines(body) {
			all = append(all, parse(t, line))
		}
		return map[string]any{"ndjson": merge(all), "lines": "many"}
	case "application/json":
		return parse(t, body)
	}
	return shape
}

func readEvents(t *testing.T, body []byte) any {
	t.Helper()
	var chunks []any
	done := false
	for line := range strings.Lines(string(body)) {
		data, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "data: ")
		switch {
		case !ok:
		case data == "[DONE]":
			done = true
		default:
			chunks = append(chunks, parse(t, []byte(data)))
		}
	}
	return map[string]any{"sse_done": done, "merged": merge(chunks)}
}

func parse(t *testing.T, b []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("not JSON: %v: %.200s", err, b)
	}
	return v
}

// merge lays the elements of a list over each other, as the recording did: a
// key is there when any element has it, null gives way, and the first stays.
func merge(list []any) any {
	var out any
	for _, v := range list {
		out = over(out, v)
	}
	return out
}

func over(a, b any) any {
	switch b := b.(type) {
	case nil:
		return a
	case map[string]any:
		m, ok := a.(map[string]any)
		if !ok {
			return b
		}
		for k, v := range b {
			m[k] = over(m[k], v)
		}
		return m
	case []any:
		if l, ok := a.([]any); ok {
			return append(l, b...)
		}
	}
	if a != nil {
		return a
	}
	return b
}

// compare names what of the recorded shape is missing or of another type.
func compare(at string, want, got any) (faults []string) {
	switch want := want.(type) {
	case nil:
		return nil
	case bool:
		if got != want {
			faults = append(faults, fmt.Sprintf("%s is %v, recorded %v", at, got, want))
		}
	case string:
		if kind := kindOf(got); want != "null" && want != "many" && want != "text" && kind != want {
			faults = append(faults, fmt.Sprintf("%s is %s, recorded %s", at, kind, want))
		}
	case []any:
		list, ok := got.([]any)
		if len(want) == 0 {
			return nil
		}
		if !ok {
			return []string{fmt.Sprintf("%s is %s, recorded a list", at, kindOf(got))}
		}
		if len(list) == 0 {
			return []string{at + " is empty, recorded with elements"}
		}
		return compare(at+"[]", want[0], merge(list))
	case map[string]any:
		m, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %s, recorded an object", at, kindOf(got))}
		}
		for k, v := range want {
			if k == "sse_first" || k == "sse_kinds" {
				continue // what they say is in "merged" as well
			}
			if _, ok := m[k]; !ok {
				faults = append(faults, fmt.Sprintf("%s.%s is missing", at, k))
				continue
			}
			faults = append(faults, compare(at+"."+k, v, m[k])...)
		}
	}
	return faults
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case string:
		return "string"
	case float64:
		return "number"
	case []any:
		return "a list"
	}
	return "an object"
}
