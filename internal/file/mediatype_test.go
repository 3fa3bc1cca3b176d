package file_test

import (
	"strings"
	"testing"

	"portico/internal/file"
	"portico/internal/user"
)

// TestMediaType: what a client says of its file counts, unless it says nothing
// worth knowing.
func TestMediaType(t *testing.T) {
	w := newWorld(t, nil)
	ana := w.person(t, "ana", user.Admin)
	for _, c := range []struct{ name, said, body, want string }{
		{"a.txt", "text/plain", "x", "text/plain"},
		{"a.txt", "Text/Plain; charset=utf-8", "x", "text/plain"},
		{"a.txt", "application/pdf", "x", "application/pdf"},
		{"a.txt", "", "x", "text/plain"},
		{"a.txt", "application/octet-stream", "x", "text/plain"},
		{"a.MD", "application/octet-stream", "# x", "text/markdown"},
		{"a.docx", "no type", "PK\x03\x04", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		{"a.tar.pdf", "", "%PDF-1.7", "application/pdf"},
		{"README", "", "Read me.", "text/plain"},
		{"scan", "application/octet-stream", "%PDF-1.7", "application/pdf"},
		{"raw.bin", "application/octet-stream", "\x00\x01\x02", ""},
		{"raw.bin", strings.Repeat("a", 200) + "/" + strings.Repeat("b", 200), "\x00\x01\x02", ""},
	} {
		f, err := w.Upload(t.Context(), ana, file.UploadInput{Filename: c.name, ContentType: c.said, Body: strings.NewReader(c.body)})
		if err != nil {
			t.Errorf("%s said to be %q: %v", c.name, c.said, err)
		} else if f.ContentType != c.want {
			t.Errorf("%s said to be %q is %q, want %q", c.name, c.said, f.ContentType, c.want)
		}
	}
}
