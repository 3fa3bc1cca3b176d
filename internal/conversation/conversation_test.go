package conversation

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"portico/internal/errdefs"
)

func TestPathEnds(t *testing.T) {
	t.Parallel()
	tr, err := parse(json.RawMessage(`{"history":{"messages":{
		"a":{"parentId":"b","role":"user"},"b":{"parentId":"a","role":"user"},"s":{"parentId":"s"},
		"r":{"parentId":null,"role":"user","content":"x"},"c":{"parentId":"r","content":[{"type":"text","text":"p"},{"type":"text","text":"q"}]},"odd":{"parentId":"r","timestamp":"soon","role":"user"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"a": "b a", "s": "s", "c": "r c", "odd": "r odd", "none": ""} {
		var got []string
		for _, m := range tr.path(id) {
			got = append(got, m.ID)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v", id, got)
		}
	}
	if text := tr.message("c").text(); text != "pq" {
		t.Errorf("got %q", text)
	}
}

func TestOver(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{`{"a":1,"b":{"x":1}}`, `{"b":{"y":1.50}}`, `{"a":1,"b":{"y":1.50}}`},
		{``, `{"a":1}`, `{"a":1}`}, {`{"a":1}`, ``, `{"a":1}`}, {`{"a":1}`, `null`, `{"a":1}`},
	} {
		if got, err := over(json.RawMessage(c[0]), json.RawMessage(c[1])); err != nil || string(got) != c[2] {
			t.Errorf("%s over %s: %s, %v", c[1], c[0], got, err)
		}
	}
	if _, err := over(nil, json.RawMessage(`[]`)); !errdefs.Is(err, errdefs.Invalid) {
		t.Errorf("got %v", err)
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	s := New(Config{MaxBody: 1 << 10})
	c := &Chat{Body: json.RawMessage(`{"title":"` + strings.Repeat("é", 300) + `"}`)}
	if err := s.settle(c); err != nil || c.Title != strings.Repeat("é", 300) {
		t.Errorf("%v %q", err, c.Title)
	}
	c.Body = json.RawMessage(`{"title":" \u0000 "}`)
	if err := s.settle(c); err != nil || c.Title != NewTitle {
		t.Errorf("%v %q", err, c.Title)
	}
	c.Body = json.RawMessage(`{"x":"` + strings.Repeat("x", 1<<10) + `"}`)
	if err := s.settle(c); !errdefs.Is(err, errdefs.TooLarge) {
		t.Errorf("got %v", err)
	}
	if got := clip(strings.Repeat("é", maxTitle)); len(got) != maxTitle {
		t.Errorf("%d bytes", len(got))
	}
}

// Pictures go to the model only when they are whole in the chat: an id or an
// address could name what is somebody else's.
func TestForModel(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"role":"user","content":"x"}`: `{"content":"x","role":"user"}`,
		`{"role":"user"}`:               `{"content":"","role":"user"}`,
		`{"role":"user","content":"x","files":[{"type":"image","url":"data:image/png;base64,AA"}]}`: `{"content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}],"role":"user"}`,
		`{"role":"user","content":"x","files":[{"type":"image","url":"some-id"},{"type":"file"}]}`:  `{"content":"x","role":"user"}`,
		`{"role":"assistant","content":""}`:    ``,
		`{"role":"tool","content":"x"}`:        ``,
		`{"role":"assistant","content":"yes"}`: `{"content":"yes","role":"assistant"}`,
	} {
		m := new(message)
		if err := json.Unmarshal([]byte(body), m); err != nil {
			t.Fatal(err)
		}
		if got, err := m.forModel(); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", body, got, err)
		}
	}
}

func TestMove(t *testing.T) {
	t.Parallel()
	var all []*Folder
	for i := range maxDepth {
		f := &Folder{ID: fmt.Sprint(i), Name: "n"}
		if i > 0 {
			f.ParentID = fmt.Sprint(i - 1)
		}
		all = append(all, f)
	}
	one := &Folder{ID: "x"}
	if err := one.moveTo(all, "62"); err != nil {
		t.Error(err)
	}
	for parent, f := range map[string]*Folder{"63": {ID: "x"}, "40": all[3], "3": all[3], "none": one} {
		if err := f.moveTo(all, parent); err == nil {
			t.Errorf("%s moved below %s", f.ID, parent)
		}
	}
	// A circle that is there already ends.
	all[0].ParentID = "63"
	if err := one.moveTo(all, "5"); !errdefs.Is(err, errdefs.Invalid) {
		t.Errorf("got %v", err)
	}
}

// FuzzBody: no body breaks the reading of it, and what is settled can be read.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{`{}`, `{"history":{"currentId":"a","messages":{"a":{"parentId":"a","content":[{"text":5}]}}}}`, `{"title":"\u0000","history":null}`, `[]`, `null`} {
		f.Add([]byte(seed))
	}
	s := New(Config{})
	f.Fuzz(func(t *testing.T, body []byte) {
		c := &Chat{Body: body}
		if s.settle(c) != nil {
			return
		}
		_, _ = c.Words(), c.Stats()
		tr, err := parse(c.Body)
		if err != nil {
			t.Fatal(err)
		}
		tr.path(c.CurrentMessage())
		if _, err := tr.join(); err != nil {
			t.Fatal(err)
		}
	})
}
