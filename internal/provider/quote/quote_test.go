package quote

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"portico/internal/provider"
	"portico/internal/rawjson"
)

func ask(t *testing.T, question string, stream bool, g *provider.Ground) string {
	t.Helper()
	p := &Provider{now: func() time.Time { return time.Unix(7, 0) }, newID: func() string { return "1" }}
	body, _ := json.Marshal(map[string]any{"messages": []any{map[string]string{"role": "user", "content": question}}})
	var doc rawjson.Doc
	if err := doc.Parse(body, rawjson.Limits{}); err != nil {
		t.Fatal(err)
	}
	reply, err := p.Chat(t.Context(), &provider.ChatRequest{Doc: &doc, Requested: ID, Stream: stream, Ground: g})
	if err != nil || reply.Status != 200 {
		t.Fatal(reply, err)
	}
	if !stream {
		var a struct {
			Object  string
			Choices []struct{ Message struct{ Content string } }
		}
		if err := json.Unmarshal(reply.Body, &a); err != nil || a.Object != "chat.completion" {
			t.Fatal(err, string(reply.Body))
		}
		return a.Choices[0].Message.Content
	}
	block, err := reply.Stream.Next()
	if err != nil || !strings.HasSuffix(string(block), "data: [DONE]\n\n") {
		t.Fatalf("%v %s", err, block)
	}
	if _, err := reply.Stream.Next(); err != io.EOF {
		t.Error(err)
	}
	var text strings.Builder
	for event := range strings.SplitSeq(strings.TrimSuffix(string(block), "data: [DONE]\n\n"), "\n\n") {
		if event == "" {
			continue
		}
		var c struct {
			Choices []struct{ Delta struct{ Content string } }
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(event, "data: ")), &c); err != nil {
			t.Fatal(err, event)
		}
		text.WriteString(c.Choices[0].Delta.Content)
	}
	return text.String()
}

func quoted(question string, quotes ...provider.Quote) *provider.Ground {
	return &provider.Ground{Question: question, Quotes: quotes}
}

func TestQuotes(t *testing.T) {
	t.Parallel()
	const question = "Who built the zorblax engine?"
	g := quoted(question,
		provider.Quote{Name: "history.pdf", Page: "3", Number: 1, Text: "The town is old. The zorblax engine was built by Zed Quillon in 1907. It rained often."},
		provider.Quote{Name: "b.txt", Number: 2, Text: strings.Repeat("Nothing of that here. ", 60)})
	want := "This is what your documents say:\n\n> The zorblax engine was built by Zed Quillon in 1907.\n\n— history.pdf, page 3 [1]"
	for _, stream := range []bool{false, true} {
		if got := ask(t, question, stream, g); !strings.HasPrefix(got, want) {
			t.Errorf("stream %v: %s", stream, got)
		}
	}
}

func TestLongTextsAreCut(t *testing.T) {
	t.Parallel()
	got := ask(t, "q", false, quoted("q", provider.Quote{Text: strings.Repeat("palavra", 500)}))
	if n := len([]rune(got)); n > longest+100 {
		t.Errorf("%d characters", n)
	}
}

func TestNothingToQuote(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		question string
		g        *provider.Ground
		want     string
	}{
		{"Who built it?", nil, english.noFiles},
		{"Quem construiu o motor?", nil, portuguese.noFiles},
		{"Who built it?", quoted("Who built it?"), english.nothing},
		{"Quem construiu o motor?", quoted("Quem construiu o motor?"), portuguese.nothing},
	} {
		if got := ask(t, tt.question, false, tt.g); got != tt.want {
			t.Errorf("%q: %s", tt.question, got)
		}
	}
}
