package ollama

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"portico/internal/errdefs"
	"portico/internal/provider"
)

func TestModels(t *testing.T) {
	t.Parallel()
	tags, ps := record(t, "tags"), record(t, "ps")
	for _, without := range []bool{false, true} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			switch {
			case r.URL.Path == "/api/tags":
				_, _ = io.WriteString(w, tags.answer)
			case r.URL.Path == "/api/ps" && !without:
				_, _ = io.WriteString(w, ps.answer)
			default:
				http.NotFound(w, r)
			}
		})
		entries, err := c.Models(ctx(t))
		if err != nil || len(entries) != 1 {
			t.Fatal(entries, err)
		}
		e := entries[0]
		if e.ID != "gemma:latest" || !json.Valid(e.Raw) || e.Loaded == without {
			t.Errorf("%+v", e)
		}
		if at := time.Unix(e.ExpiresAt, 0).UTC(); !without && at.Format(time.DateOnly) != "2026-11-22" {
			t.Errorf("expires at %v", at)
		}
	}
}

func TestModelsOfSomethingElse(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	if _, err := c.Models(ctx(t)); !errdefs.Is(err, errdefs.Upstream) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Version(ctx(t)); !errdefs.Is(err, errdefs.Upstream) {
		t.Errorf("got %v", err)
	}
	if v, err := playing(t, "version", nil).Version(ctx(t)); v != "0.0.0" || err != nil {
		t.Errorf("%q %v", v, err)
	}
}

func TestEmbed(t *testing.T) {
	t.Parallel()
	var sent string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent = string(body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"model":"m","embeddings":[[0.5,-1e-3],[2,3]],"prompt_eval_count":4}`)
	})
	embed := func(body string) string {
		t.Helper()
		reply, err := c.Embed(ctx(t), &provider.EmbedRequest{Doc: doc(t, body), Model: "m"})
		if err != nil {
			t.Fatal(err)
		}
		if reply.Usage.Prompt != 4 {
			t.Errorf("usage %+v", reply.Usage)
		}
		return string(reply.Body)
	}
	got := embed(`{"input":["a","b"],"dimensions":2,"user":"u","encoding_format":"float"}`)
	if sent != `{"model":"m","input":["a","b"],"dimensions":2}` {
		t.Errorf("sent %s", sent)
	}
	if want := `{"object":"list","data":[{"object":"embedding","embedding":[0.5,-1e-3],"index":0},{"object":"embedding","embedding":[2,3],"index":1}],` +
		`"model":"m","usage":{"prompt_tokens":4,"total_tokens":4}}`; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	var packed struct{ Data []struct{ Embedding string } }
	if err := json.Unmarshal([]byte(embed(`{"input":"a","encoding_format":"base64"}`)), &packed); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(packed.Data[0].Embedding)
	if err != nil || len(raw) != 8 || math.Float32frombits(binary.LittleEndian.Uint32(raw[4:])) != -1e-3 {
		t.Errorf("%x %v", raw, err)
	}
	if _, err := c.Embed(ctx(t), &provider.EmbedRequest{Doc: doc(t, `{}`), Model: "m"}); !errdefs.Is(err, errdefs.Invalid) {
		t.Errorf("without input: %v", err)
	}
}

func TestEmbedRefused(t *testing.T) {
	t.Parallel()
	_, err := playing(t, "embed", nil).Embed(ctx(t), &provider.EmbedRequest{Doc: doc(t, `{"input":"a"}`), Model: "m"})
	if e := errdefs.From(err); e.HTTPStatus() != 501 || e.Detail != "this model does not support embeddings" {
		t.Errorf("%d %v", e.HTTPStatus(), err)
	}
	for _, answer := range []string{`{}`, `[]`, `{"error":"no"}`, `{"embeddings":[["a"]]}`} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) })
		_, err := c.Embed(ctx(t), &provider.EmbedRequest{Doc: doc(t, `{"input":"a","encoding_format":"base64"}`), Model: "m"})
		if !errdefs.Is(err, errdefs.Upstream) {
			t.Errorf("%s gave %v", answer, err)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	var got http.Header
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		_, _ = io.WriteString(w, record(t, "chat").answer)
	})
	conn := *c.conn
	conn.Config = provider.ConnectionConfig{Key: "sk-x", Headers: map[string]string{"X-User": "{{USER_ID}} {{USER_ROLE}}"}}
	req := chat(t, hello, false)
	req.Caller = provider.Caller{ID: "u1", Role: "admin"}
	if _, err := connect(t, conn).Chat(ctx(t), req); err != nil {
		t.Fatal(err)
	}
	if got.Get("Authorization") != "Bearer sk-x" || got.Get("X-User") != "u1 admin" || !strings.HasPrefix(got.Get("Content-Type"), "application/json") {
		t.Errorf("%v", got)
	}
}
