package openai

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"portico/internal/errdefs"
	"portico/internal/provider"
	"portico/internal/provider/providertest"
)

const (
	created   = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"error\":null,\"usage\":null}}\n\n"
	delta     = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hel\"}\n\n"
	completed = "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"error\":null,\"usage\":{\"input_tokens\":5,\"output_tokens\":2}}}\n\n"
)

// drain reads a stream to its end.
func drain(t *testing.T, s provider.Stream) (string, error) {
	t.Helper()
	var all strings.Builder
	for {
		b, err := s.Next()
		all.Write(b)
		if errors.Is(err, io.EOF) {
			return all.String(), nil
		}
		if err != nil {
			return all.String(), err
		}
	}
}

// send answers with a type and a body.
func send(status int, kind, body string) providertest.Script {
	return func(c *providertest.Conn, _ *providertest.Request) {
		c.Send(providertest.Head(status, "Content-Type: "+kind, "Content-Length: "+strconv.Itoa(len(body))) + body)
	}
}

func TestForward(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, path, kind, body string
		want                   string // of the body, whole or streamed
		streamed               bool
		usage                  provider.Usage
		code                   string // of the error, where there is one
	}{
		{"whole", "/responses", "application/json; charset=utf-8", `{"id":"r","usage":{"input_tokens":3,"output_tokens":4}}`,
			`{"id":"r","usage":{"input_tokens":3,"output_tokens":4}}`, false, provider.Usage{Prompt: 3, Completion: 4}, ""},
		{"streamed", "/responses", "text/event-stream; charset=utf-8", created + delta + completed,
			created + delta + completed, true, provider.Usage{Prompt: 5, Completion: 2}, ""},
		{"without a last word", "/responses", "text/event-stream", created + delta, created + delta, true, provider.Usage{}, "upstream_eof"},
		{"with CR LF and a word after the last", "/responses", "text/event-stream", strings.ReplaceAll(created+completed, "\n", "\r\n") + ": bye\n\n",
			strings.ReplaceAll(created+completed, "\n", "\r\n") + ": bye\n\n", true, provider.Usage{Prompt: 5, Completion: 2}, ""},
		{"with the last word in a text", "/responses", "text/event-stream", created + "data: {\"delta\":\"\\\"response.completed\\\"\"}\n\n",
			created + "data: {\"delta\":\"\\\"response.completed\\\"\"}\n\n", true, provider.Usage{}, "upstream_eof"},
		{"of another path", "/audio/speech", "text/event-stream", delta, delta, true, provider.Usage{}, ""},
		{"told its failure", "/responses", "text/event-stream", created + `data: {"error":{"message":"the key sk-canary-012345 is bad"}}` + "\n\n",
			created + `data: {"error":{"message":"the key [removed] is bad"}}` + "\n\n", true, provider.Usage{}, ""},
		{"sound", "/audio/speech", "audio/mpeg", "ID3\x00\xff\xfb", "ID3\x00\xff\xfb", true, provider.Usage{}, ""},
		{"a list", "/batches", "application/json", `[1]`, `[1]`, false, provider.Usage{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client, u := open(t, provider.Connection{Key: "sk-canary-012345"}, Options{}, send(200, c.kind, c.body))
			reply, err := client.Forward(t.Context(), &provider.ForwardRequest{Method: "POST", Path: c.path, Body: []byte(`{"model":"a"}`)})
			if err != nil {
				t.Fatal(err)
			}
			if got := u.Last(); got.Path != "/v1"+c.path || string(got.Body) != `{"model":"a"}` || got.Header.Get("Authorization") != "Bearer sk-canary-012345" || got.Header.Get("Content-Type") != "application/json" {
				t.Errorf("sent %+v", got)
			}
			if (reply.Stream != nil) != c.streamed {
				t.Fatalf("streamed: %v", reply.Stream != nil)
			}
			got, usage := string(reply.Body), reply.Usage
			if reply.Stream != nil {
				defer reply.Stream.Close()
				got, err = drain(t, reply.Stream)
				usage = reply.Stream.Usage()
			}
			if code := errdefs.From(err).Code; err == nil && c.code != "" || err != nil && code != c.code {
				t.Errorf("the error is %v", err)
			}
			if got != c.want || usage != c.usage {
				t.Errorf("got %q, usage %v", got, usage)
			}
		})
	}
}

func TestForwardRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		kind   string
		body   string
		path   string
		want   int
	}{
		{429, "application/json", `{"error":{"message":"slow down"}}`, "/responses", 429},
		{401, "application/json", `{"error":{"message":"bad key"}}`, "/responses", 502},
		{302, "text/html", "elsewhere", "/files", 502},
		{200, "text/html", "<html>", "/responses", 502},
		{200, "application/json", "{nonsense", "/files", 502},
	} {
		client, _ := open(t, provider.Connection{}, Options{}, send(c.status, c.kind, c.body))
		_, err := client.Forward(t.Context(), &provider.ForwardRequest{Method: "POST", Path: c.path, Body: []byte(`{}`)})
		if err == nil || errdefs.From(err).HTTPStatus() != c.want {
			t.Errorf("%d %s: %v", c.status, c.body, err)
		}
	}
	client, _ := open(t, provider.Connection{}, Options{MaxMedia: 4}, send(200, "audio/mpeg", "12345"))
	reply, err := client.Forward(t.Context(), &provider.ForwardRequest{Method: "POST", Path: "/audio/speech", Body: []byte(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Stream.Close()
	if _, err := drain(t, reply.Stream); !errdefs.Is(err, errdefs.Upstream) {
		t.Errorf("too much: %v", err)
	}
}

func TestManage(t *testing.T) {
	t.Parallel()
	const body = `{"model":"m/x","n":1}`
	for _, c := range []struct {
		server, base string
		op           provider.Operation
		method, path string // path "" is refused
		sent         string
	}{
		{"llama.cpp", "/v1", provider.ModelCatalog, "GET", "/models", ""},
		{"llama.cpp", "/deep/v1/", provider.LoadModel, "POST", "/deep/models/load", body},
		{"llama.cpp", "", provider.UnloadModel, "POST", "/models/unload", body},
		{"llama.cpp", "/v1", provider.DownloadModel, "POST", "/models", body},
		{"llama.cpp", "/v1", provider.DeleteModel, "DELETE", "/models?model=m%2Fx", ""},
		{"llama.cpp", "/v1", provider.ModelEvents, "GET", "/models/sse", ""},
		{"llama.cpp", "/v1", provider.DownloadStatus, "", "", ""},
		{"lmstudio", "/v1", provider.ModelCatalog, "GET", "/api/v1/models", ""},
		{"lmstudio", "/api/v0", provider.DownloadModel, "POST", "/api/v1/models/download", body},
		{"lmstudio", "/api/v1", provider.DownloadStatus, "GET", "/api/v1/models/download/status/job-1", ""},
		{"lmstudio", "/v1", provider.LoadModel, "POST", "/api/v1/models/load", body},
		{"lmstudio", "/v1", provider.UnloadModel, "POST", "/api/v1/models/unload", `{"instance_id":"m/x"}`},
		{"lmstudio", "/v1", provider.DeleteModel, "", "", ""},
		{"lmstudio", "/v1", provider.ModelEvents, "", "", ""},
		{"", "/v1", provider.ModelCatalog, "", "", ""},
		{"other", "/v1", provider.LoadModel, "", "", ""},
	} {
		conn := provider.Connection{BaseURL: "http://upstream" + c.base, Config: provider.ConnectionConfig{Server: c.server}}
		client, u := open(t, conn, Options{}, send(200, "application/json", `{"ok":true}`))
		reply, err := client.Manage(t.Context(), &provider.ManageRequest{Operation: c.op, Model: "m/x", Body: []byte(body), Job: "job-1"})
		if c.path == "" {
			if !errdefs.Is(err, errdefs.Invalid) {
				t.Errorf("%s %d: %v", c.server, c.op, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s %d: %v", c.server, c.op, err)
			continue
		}
		if got := u.Last(); got.Method != c.method || got.Path != c.path || string(got.Body) != c.sent || string(reply.Body) != `{"ok":true}` {
			t.Errorf("%s %d: sent %s %s %q", c.server, c.op, got.Method, got.Path, got.Body)
		}
	}
}
