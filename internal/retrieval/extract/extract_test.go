package extract

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"portico/internal/retrieval/document"
)

var updateText = flag.Bool("update-text", false, "write the golden documents of text formats anew")

// readAs reads content under a name.
func readAs(t testing.TB, lim Limits, name, content string) (*document.Document, error) {
	t.Helper()
	p := New(lim, Options{})
	defer p.Close()
	return p.Extract(t.Context(), Input{Name: name, Content: strings.NewReader(content), Size: int64(len(content))})
}

// sound checks what every document promises.
func sound(t testing.TB, d *document.Document) {
	t.Helper()
	if !utf8.ValidString(d.Text) || strings.ContainsAny(d.Text, "\x00\r\ufeff") {
		t.Errorf("the text is not clean: %.200q", d.Text)
	}
	within := func(what string, last *int, s document.Span) {
		if s.Start < *last || s.End < s.Start || s.End > len(d.Text) {
			t.Errorf("%s %v of %d bytes, after %d", what, s, len(d.Text), *last)
			return
		}
		if !utf8.ValidString(d.Text[s.Start:s.End]) {
			t.Errorf("%s %v cuts a letter", what, s)
		}
		*last = s.Start
	}
	var at [4]int
	for _, p := range d.Pages {
		within("page", &at[0], document.Span{Start: p.Start, End: p.Start})
	}
	for _, h := range d.Headings {
		within("heading", &at[1], h.Span)
		if h.Level < 1 {
			t.Errorf("heading of level %d", h.Level)
		}
	}
	for _, s := range d.Tables {
		within("table", &at[2], s.Span)
		if !strings.Contains(d.Text[s.Start:s.End], s.Header) {
			t.Errorf("header %q is not in its table %q", s.Header, d.Text[s.Start:s.End])
		}
	}
	for _, s := range d.Solid {
		within("solid", &at[3], s)
	}
}

// TestText compares what is read in testdata/text with golden documents.
func TestText(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/text/*")
	if err != nil {
		t.Fatal(err)
	}
	tested := 0
	for _, path := range files {
		if strings.HasSuffix(path, ".golden.json") {
			continue
		}
		tested++
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		d, err := readAs(t, Limits{}, filepath.Base(path), string(content))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		sound(t, d)
		got, _ := json.MarshalIndent(d, "", "  ")
		if *updateText {
			if err := os.WriteFile(path+".golden.json", append(got, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, _ := os.ReadFile(path + ".golden.json")
		if string(got)+"\n" != string(want) {
			t.Errorf("%s reads as\n%s", path, got)
		}
	}
	if tested < 10 {
		t.Errorf("only %d files", tested)
	}
}

// TestEncodings: text is read in whatever encoding it is.
func TestEncodings(t *testing.T) {
	t.Parallel()
	const want = "São João — é"
	utf16 := func(s string, be bool) string {
		var b strings.Builder
		for _, r := range s {
			if be {
				b.WriteString(string([]byte{byte(r >> 8), byte(r)}))
			} else {
				b.WriteString(string([]byte{byte(r), byte(r >> 8)}))
			}
		}
		return b.String()
	}
	for name, content := range map[string]string{
		"utf-8":          want,
		"utf-8 mark":     "\ufeff" + want,
		"utf-16le mark":  "\xff\xfe" + utf16(want, false),
		"utf-16be mark":  "\xfe\xff" + utf16(want, true),
		"utf-16le":       utf16(want, false),
		"utf-16be":       utf16(want, true),
		"windows-1252":   "S\xe3o Jo\xe3o \x97 \xe9",
		"utf-32le mark":  "\xff\xfe\x00\x00S\x00\x00\x00\xe3\x00\x00\x00o\x00\x00\x00 \x00\x00\x00J\x00\x00\x00o\x00\x00\x00\xe3\x00\x00\x00o\x00\x00\x00 \x00\x00\x00\x14\x20\x00\x00 \x00\x00\x00\xe9\x00\x00\x00",
		"line ends, NUL": "S\u00e3o\x01 Jo\u00e3o \u2014 \x07\u00e9",
	} {
		d, err := readAs(t, Limits{}, "a.txt", content)
		if err != nil || d.Text != want {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
	d, err := readAs(t, Limits{}, "a.txt", "a\r\nb\rc\nd\r")
	if err != nil || d.Text != "a\nb\nc\nd\n" {
		t.Errorf("line ends: %q, %v", d.Text, err)
	}
	p := New(Limits{}, Options{})
	d, err = p.Extract(t.Context(), Input{Name: "a", ContentType: "text/plain; charset=koi8-r", Content: strings.NewReader("\xf0\xf2\xe9"), Size: 3})
	if err != nil || d.Text != "ПРИ" {
		t.Errorf("a declared encoding: %+v, %v", d, err)
	}
}

// TestSniff: what the bytes show counts before the name, and that before what
// the client says.
func TestSniff(t *testing.T) {
	t.Parallel()
	p := New(Limits{}, Options{})
	for _, c := range []struct{ name, said, content, want string }{
		{"a.png", "image/png", "just text", "text"},
		{"a.mp4", "video/mp4", "just text\nof two lines", "text"},
		{"a.pdf", "application/pdf", "# not a PDF", "text"},
		{"a.txt", "text/plain", "%PDF-1.4\n", "PDF"},
		{"a.txt", "text/plain", "\x89PNG\r\n\x1a\n\x00\x00", "image"},
		{"a.docx", "", "\x89PNG\r\n\x1a\n\x00\x00", "image"},
		{"a.bin", "", "\x00\x01\x02\x03\x04\x05\x06\x07", "unknown"},
		{"a.txt", "text/plain", "\x00\x01\x02\x03\x04\x05\x06\x07", "unknown"},
		{"a.mp4", "", "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00", "video"},
		{"a.md", "", "<html><body>", "Markdown"},
		{"page", "", "<!DOCTYPE html>\n<html>", "HTML"},
		{"page", "text/html; charset=utf-8", "<p>x", "HTML"},
		{"data", "application/json", "{}", "JSON"},
		{"data", "", "<?xml version=\"1.0\"?><a/>", "XML"},
		{"Makefile", "", "all:\n\tgo build", "source code"},
		{"..\\..\\x.PY", "", "print(1)", "source code"},
		{"a.unknown", "", "text", "text"},
		{"a.txt", "", "{\\rtf1 x}", "RTF document"},
		{"x", "", "From: a@b.c\nSubject: hi\n\nx", "mail"},
		{"a.gz", "", "\x1f\x8b\x08\x00", "archive"},
		{"a.exe", "", "MZ\x90\x00\x03", "program"},
		{"a.doc", "", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 512) + "W\x00o\x00r\x00d\x00D\x00o\x00c\x00u\x00m\x00e\x00n\x00t\x00", "old Word document"},
		{"a.docx", "", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 512) + "E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00", "encrypted Office file"},
	} {
		got := p.sniff(&Input{Name: c.name, ContentType: c.said, Content: strings.NewReader(c.content), Size: int64(len(c.content))})
		if got.name != c.want {
			t.Errorf("%s (%s) %.20q is %s, want %s", c.name, c.said, c.content, got.name, c.want)
		}
	}
}

// TestFormats: the table names each extension and type once, and magic names
// formats that are there.
func TestFormats(t *testing.T) {
	t.Parallel()
	p := New(Limits{}, Options{})
	seen := map[string]string{}
	for _, f := range formats() {
		if f.read == nil && f.why == "" {
			t.Errorf("%s is neither read nor explained", f.name)
		}
		for _, w := range append(strings.Fields(f.exts), strings.Fields(f.types)...) {
			if seen[w] != "" {
				t.Errorf("%s is of %s and of %s", w, seen[w], f.name)
			}
			seen[w] = f.name
		}
	}
	for _, m := range magics {
		if p.byName[m.name] == nil && m.name != "OLE" {
			t.Errorf("no format %s", m.name)
		}
	}
	if n := len(strings.Fields(codeExtensions)); n < 70 {
		t.Errorf("%d extensions of source code", n)
	}
}

// TestErrors: what cannot be read has a code and a sentence.
func TestErrors(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("<a>", 300) + strings.Repeat("</a>", 300)
	for _, c := range []struct {
		name, content, code string
		lim                 Limits
	}{
		{"a.txt", "", "empty", Limits{}},
		{"a.txt", " \n\t", "no_text", Limits{}},
		{"a.txt", strings.Repeat("x", 100), "limit:text", Limits{Text: 99}},
		{"a.txt", strings.Repeat("x", 1000), "limit:text", Limits{Text: 99}},
		{"a.csv", strings.Repeat("a,b,c\n", 10), "limit:cells", Limits{Cells: 29}},
		{"a.json", strings.Repeat("[", 300) + strings.Repeat("]", 300), "limit:depth", Limits{}},
		{"a.json", "[1,2,3,4]", "limit:cells", Limits{Cells: 3}},
		{"a.xml", deep, "limit:depth", Limits{}},
		{"a.xml", `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`, "unsupported", Limits{}},
		{"a.html", strings.Repeat("<div>", 3000), "limit:depth", Limits{}},
		{"a.png", "\x89PNG\r\n\x1a\n\x00\x00", "unsupported", Limits{}},
		{"a.mp4", "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00", "media", Limits{}},
		{"a.bin", "\x00\x01\x02\x03", "unsupported", Limits{}},
	} {
		_, err := readAs(t, c.lim, c.name, c.content)
		var e *Error
		if !errors.As(err, &e) || e.Code != c.code || !strings.HasSuffix(e.Detail, ".") || strings.Contains(e.Detail, "/") {
			t.Errorf("%s %.30q: %v, want %s", c.name, c.content, err, c.code)
		}
	}
	for _, ok := range []struct{ name, content, text string }{
		{"a.json", "{broken", "{broken"},
		{"a.xml", "<a><b>x</a>", "x"},
		{"a.xml", "no xml", "no xml"},
		{"a.txt", strings.Repeat("x", 99), "x"},
	} {
		if d, err := readAs(t, Limits{Text: 99}, ok.name, ok.content); err != nil || !strings.Contains(d.Text, ok.text) {
			t.Errorf("%s: %v, %v", ok.name, d, err)
		}
	}
}

// FuzzFormats: whatever the bytes, a reader gives a sound document or a reason.
func FuzzFormats(f *testing.F) {
	names := []string{"a.txt", "a.md", "a.csv", "a.tsv", "a.json", "a.ipynb", "a.html", "a.xml", "a.rst", "a.go"}
	for i := range names {
		f.Add(uint8(i), []byte("# a\n\nb | c\n--|--\n1 | 2\n"))
		f.Add(uint8(i), []byte("a,b\r\n\"c\nd\",e\n"))
		f.Add(uint8(i), []byte(`{"cells":[{"cell_type":"code","source":["a"],"outputs":[{"text":"x"}]}]}`))
		f.Add(uint8(i), []byte(`[{"a":1,"b":"x"},{"a":2,"b":null}]`))
		f.Add(uint8(i), []byte("<html><table><tr><th>a<th>b<tr><td>1<td>2</table><pre>x</pre><ul><li>a<ol><li>b</ol></ul>"))
		f.Add(uint8(i), []byte("Title\n=====\n\n::\n\n  code\n\n+--+--+\n|a |b |\n+==+==+\n|1 |2 |\n+--+--+\n"))
		f.Add(uint8(i), []byte("\xff\xfea\x00\r\x00\n\x00"))
	}
	p := New(Limits{Text: 1 << 20}, Options{})
	f.Fuzz(func(t *testing.T, which uint8, content []byte) {
		name := names[int(which)%len(names)]
		if m := magic(content); m == "PDF" || m == "ZIP archive" || m == "OLE" {
			return
		}
		d, err := p.Extract(t.Context(), Input{Name: name, Content: strings.NewReader(string(content)), Size: int64(len(content))})
		var e *Error
		if err != nil {
			if !errors.As(err, &e) {
				t.Fatalf("no reason: %v", err)
			}
			if e.Err != nil && strings.HasPrefix(e.Err.Error(), "panic") {
				t.Fatal(e.Err)
			}
			return
		}
		sound(t, d)
	})
}
