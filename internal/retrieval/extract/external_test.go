package extract

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"portico/internal/hop"
)

// upstream is a server that says one thing, and what it was asked.
func upstream(t *testing.T, status int, body string) (up *hop.Upstream, asked *http.Request, sent *string) {
	t.Helper()
	asked, sent = &http.Request{}, new(string)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		*asked, *sent = *r, string(b)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	up, err := hop.New(s.URL, hop.Options{Dialer: &net.Dialer{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { up.Close(); s.Close() })
	return up, asked, sent
}

func TestTika(t *testing.T) {
	t.Parallel()
	up, asked, sent := upstream(t, 200, `{"X-TIKA:content":"\n\n\nHello\r\nworld","dc:title":"T","Content-Type":"text/plain"}`)
	d, err := NewTika(up, Limits{}).Extract(t.Context(), Input{Name: "secret name.doc", ContentType: "application/msword", Content: strings.NewReader("bytes"), Size: 5})
	if err != nil || d.Text != "Hello\nworld" || d.Title != "T" {
		t.Fatalf("%+v, %v", d, err)
	}
	if asked.Method != "PUT" || asked.URL.Path != "/tika/text" || asked.Header.Get("Content-Type") != "application/msword" || *sent != "bytes" {
		t.Errorf("asked %s %s %v with %q", asked.Method, asked.URL, asked.Header, *sent)
	}
}

func TestDocling(t *testing.T) {
	t.Parallel()
	up, asked, sent := upstream(t, 200, `{"document":{"md_content":"# Title\n\n<!-- image -->\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"},"status":"partial_success"}`)
	d, err := NewDocling(up, "k", Limits{}).Extract(t.Context(), Input{Name: "secret name.pdf", Content: strings.NewReader("bytes"), Size: 5})
	if err != nil || len(d.Headings) != 1 || len(d.Tables) != 1 || d.Title != "Title" || len(d.Warnings) != 1 {
		t.Fatalf("%+v, %v", d, err)
	}
	if asked.Method != "POST" || asked.URL.Path != "/v1/convert/file" || asked.Header.Get("X-Api-Key") != "k" {
		t.Errorf("asked %s %s %v", asked.Method, asked.URL, asked.Header)
	}
	if !strings.Contains(*sent, `filename="file.pdf"`) || strings.Contains(*sent, "secret") || !strings.Contains(*sent, "bytes") {
		t.Errorf("sent %q", *sent)
	}
}

// TestExternalFaults: what the file is to blame for is an *Error, what the
// server is to blame for is none, so that it is tried again.
func TestExternalFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		code   string
	}{
		{422, "", "unsupported"},
		{415, "", "unsupported"},
		{500, "secret", ""},
		{200, "no json", ""},
		{200, "{}", "no_text"},
	} {
		up, _, _ := upstream(t, c.status, c.body)
		for _, x := range []Extractor{NewTika(up, Limits{}), NewDocling(up, "", Limits{})} {
			_, err := x.Extract(t.Context(), Input{Name: "a", Content: strings.NewReader("x"), Size: 1})
			var e *Error
			if err == nil || errors.As(err, &e) != (c.code != "") || e != nil && e.Code != c.code || strings.Contains(err.Error(), "secret") {
				t.Errorf("%d %q: %v", c.status, c.body, err)
			}
		}
	}
	up, _, _ := upstream(t, 200, `{"X-TIKA:content":"`+strings.Repeat("x", 100)+`"}`)
	var e *Error
	if _, err := NewTika(up, Limits{Text: 99}).Extract(t.Context(), Input{Content: strings.NewReader("x"), Size: 1}); !errors.As(err, &e) || e.Code != "limit:text" {
		t.Errorf("over the limit: %v", err)
	}
}
