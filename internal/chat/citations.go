package chat

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"portico/internal/provider"
	"portico/internal/rawjson"
	"portico/internal/retrieval"
)

// citations are the sources of one chat: what the model reads of them, and
// what the client is told.
type citations struct {
	got     *retrieval.Gathered
	context string // "" when there is no passage
	members []byte // `"sources":[…],"warnings":[…]`, or empty
	quotes  []provider.Quote
}

func newCitations(got *retrieval.Gathered) *citations {
	c := &citations{got: got}
	c.context = c.render()
	var shown []source
	for i := range got.Sources {
		if s := &got.Sources[i]; s.Item.Name != "" || s.Item.ID != "" {
			shown = append(shown, newSource(s))
		}
	}
	add := func(name string, value any) {
		b, err := json.Marshal(value)
		if err != nil {
			return // strings and checked JSON: cannot fail
		}
		if len(c.members) > 0 {
			c.members = append(c.members, ',')
		}
		c.members = append(append(rawjson.AppendString(c.members, name), ':'), b...)
	}
	if len(shown) > 0 {
		add("sources", shown)
	}
	if len(got.Warnings) > 0 {
		add("warnings", got.Warnings)
	}
	return c
}

// source is one member of "sources".
type source struct {
	Source    json.RawMessage   `json:"source"`
	Document  []string          `json:"document"`
	Metadata  []json.RawMessage `json:"metadata"`
	Distances []float64         `json:"distances,omitempty"`
}

func newSource(s *retrieval.Source) source {
	out := source{Source: s.Item.Raw, Document: []string{}, Metadata: []json.RawMessage{}}
	if len(out.Source) == 0 {
		out.Source, _ = json.Marshal(s.Item) // strings and checked JSON: cannot fail
	}
	scored := false
	for i := range s.Passages {
		p := &s.Passages[i]
		out.Document = append(out.Document, p.Text)
		out.Metadata = append(out.Metadata, metadata(p))
		out.Distances = append(out.Distances, p.Score)
		scored = scored || p.Score != 0
	}
	if !scored {
		out.Distances = nil
	}
	return out
}

// metadata is what retrieval knows of a passage, or what the client said.
func metadata(p *retrieval.Passage) json.RawMessage {
	if rawjson.IsObject(p.Metadata) {
		return p.Metadata
	}
	known := map[string]string{}
	if p.Name != "" {
		known["name"] = p.Name
	}
	if p.Source != "" && p.Source != p.Name {
		known["source"] = p.Source
	}
	b, _ := json.Marshal(known) // strings: cannot fail
	return b
}

// render writes one line for each passage. Passages of the same source have
// the same number, which is what the model cites them by.
func (c *citations) render() string {
	var b strings.Builder
	numbers := map[string]int{}
	for i := range c.got.Sources {
		s := &c.got.Sources[i]
		for j := range s.Passages {
			p := &s.Passages[j]
			key := p.Source
			if key == "" {
				key = p.Name + "\x00" + p.FileID
			}
			n, ok := numbers[key]
			if !ok {
				n = len(numbers) + 1
				numbers[key] = n
			}
			tag(&b, n, s, p)
			c.quotes = append(c.quotes, provider.Quote{Text: p.Text, Name: first(p.Name, s.Item.Name), Page: pages(p), Number: n})
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func tag(b *strings.Builder, n int, s *retrieval.Source, p *retrieval.Passage) {
	b.WriteString(`<source id="` + strconv.Itoa(n) + `"`)
	attribute(b, "name", first(s.Item.Name, p.Name))
	attribute(b, "page", pages(p))
	attribute(b, "resource-type", s.Item.Type)
	attribute(b, "resource-id", s.Item.ID)
	b.WriteByte('>')
	if p.Context != "" {
		b.WriteString(inert(p.Context) + "\n")
	}
	b.WriteString(inert(p.Text) + "</source>\n")
}

// ours is how our tags begin, as a model would still take them: in any case,
// with any space.
var ours = regexp.MustCompile(`(?i)<(\s*/?\s*(?:source|context)\b)`)

// inert keeps a document from closing the tag around it, or from opening one.
func inert(text string) string { return ours.ReplaceAllString(text, "<\u200b$1") }

func attribute(b *strings.Builder, name, value string) {
	if value != "" {
		b.WriteString(" " + name + `="` + strings.NewReplacer(`"`, "'", "<", "‹", ">", "›", "\n", " ").Replace(value) + `"`)
	}
}

func pages(p *retrieval.Passage) string {
	if p.LastPage != "" && p.LastPage != p.Page {
		return p.Page + "–" + p.LastPage
	}
	return p.Page
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// inAnswer puts the members in front of those of an answer that is a JSON
// object.
func (c *citations) inAnswer(body []byte) []byte {
	const space = " \t\r\n"
	rest, ok := bytes.CutPrefix(bytes.TrimLeft(body, space), []byte("{"))
	if !ok || len(c.members) == 0 {
		return body
	}
	out := append(make([]byte, 0, len(body)+len(c.members)+2), '{')
	out = append(out, c.members...)
	if tail := bytes.TrimLeft(rest, space); len(tail) > 0 && tail[0] != '}' {
		out = append(out, ',')
	}
	return append(out, rest...)
}

// event is the first chunk of a stream: one that strict readers accept, with
// no choice in it.
func (c *citations) event(id, model string, now time.Time) []byte {
	b := rawjson.AppendString([]byte(`data: {"id":`), "chatcmpl-"+id)
	b = append(b, `,"object":"chat.completion.chunk","created":`...)
	b = strconv.AppendInt(b, now.Unix(), 10)
	b = rawjson.AppendString(append(b, `,"model":`...), model)
	b = append(b, `,"choices":[],`...)
	return append(append(b, c.members...), "}\n\n"...)
}

// cited is a stream with one event in front.
type cited struct {
	provider.Stream
	first []byte
}

// Next gives the event, then what the stream gives.
func (c *cited) Next() ([]byte, error) {
	if b := c.first; b != nil {
		c.first = nil
		return b, nil
	}
	return c.Stream.Next()
}

// Wait implements provider.Waiter.
func (c *cited) Wait() error {
	if w, ok := c.Stream.(provider.Waiter); ok && c.first == nil {
		return w.Wait()
	}
	return nil
}

// WaitUntil implements relay.PatientWaiter.
func (c *cited) WaitUntil(until time.Time) (bool, error) {
	if w, ok := c.Stream.(interface {
		WaitUntil(time.Time) (bool, error)
	}); ok && c.first == nil {
		return w.WaitUntil(until)
	}
	return true, nil
}
