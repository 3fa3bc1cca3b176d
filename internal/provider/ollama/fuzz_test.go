package ollama

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"portico/internal/provider"
	"portico/internal/rawjson"
)

// parsed gives the document, or nil when body is not a JSON object.
func parsed(body string) *rawjson.Doc {
	d := new(rawjson.Doc)
	if d.Parse([]byte(body), rawjson.Limits{}) != nil {
		return nil
	}
	return d
}

func encoding() *Client {
	return &Client{secret: provider.NewRedactor(&provider.Connection{}), opt: Options{
		Now:     func() time.Time { return time.Unix(1_700_000_000, 0) },
		NewID:   func() string { return "00000000-0000-4000-8000-000000000000" },
		MaxLine: 8 << 20,
	}}
}

// Whatever a line says, what is made of it is one event of valid JSON.
func FuzzChunk(f *testing.F) {
	for _, l := range strings.Split(record(f, "chat_stream").answer, "\n") {
		f.Add(l)
	}
	f.Add(`{"message":{"tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},"done":true,"logprobs":[1]}`)
	f.Add(`{"error":"x"}`)
	c := encoding()
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsRune(line, '\n') {
			t.Skip() // a line has none
		}
		var doc rawjson.Doc
		e := c.newEncoder("m")
		got, err := e.chunk(nil, &doc, []byte(line))
		if err != nil {
			return
		}
		data := strings.TrimSuffix(strings.TrimPrefix(string(got), "data: "), "\n\n")
		if len(data)+8 != len(got) || strings.ContainsAny(data, "\r\n") || !json.Valid([]byte(data)) {
			t.Fatalf("%q", got)
		}
		e = encoder{client: c}
		if got, err := e.completion([]byte(line), "m"); err == nil && !json.Valid(got) {
			t.Fatalf("%q", got)
		}
	})
}

func BenchmarkChunk(b *testing.B) {
	line := []byte(strings.TrimSpace(say(" the")))
	var doc rawjson.Doc
	e := encoding().newEncoder("gemma:latest")
	var out []byte
	b.ReportAllocs()
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		var err error
		if out, err = e.chunk(out[:0], &doc, line); err != nil {
			b.Fatal(err)
		}
	}
}

func TestChunkAllocatesNothing(t *testing.T) {
	line := []byte(strings.TrimSpace(say(" the")))
	all := strings.Split(strings.TrimSpace(record(t, "chat_stream").answer), "\n")
	last := []byte(all[len(all)-1])
	var doc rawjson.Doc
	e := encoding().newEncoder("gemma:latest")
	out := make([]byte, 0, 4096)
	for _, l := range [][]byte{line, last} {
		n := testing.AllocsPerRun(100, func() {
			if _, err := e.chunk(out, &doc, l); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%v allocations for %s", n, l)
		}
	}
}
