package api_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"portico/internal/api"
	"portico/internal/api/apitest"
	"portico/internal/file"
)

// multiform makes a multipart body. fields are names and values in turn; a name
// that begins with @ is a file of the part "file".
func multiform(t testing.TB, fields ...string) (body string, headers []string) {
	t.Helper()
	var buf strings.Builder
	m := multipart.NewWriter(&buf)
	for i := 0; i < len(fields); i += 2 {
		var w io.Writer
		var err error
		if name, isFile := strings.CutPrefix(fields[i], "@"); isFile {
			h := textproto.MIMEHeader{}
			h.Set("Content-Disposition", mime.FormatMediaType("form-data", map[string]string{"name": "file", "filename": name}))
			if kind := mime.TypeByExtension(filepath.Ext(name)); kind != "" {
				h.Set("Content-Type", kind)
			}
			w, err = m.CreatePart(h)
		} else {
			w, err = m.CreateFormField(fields[i])
		}
		if err == nil {
			_, err = io.WriteString(w, fields[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String(), []string{"Content-Type", m.FormDataContentType()}
}

func upload(t testing.TB, s *apitest.Server, credential, query string, fields ...string) *apitest.Answer {
	t.Helper()
	body, headers := multiform(t, fields...)
	return s.Do(t, credential, "POST", "/api/v1/files/"+query, body, headers...)
}

// uploaded uploads what must be accepted and gives its id.
func uploaded(t testing.TB, s *apitest.Server, credential, query string, fields ...string) string {
	t.Helper()
	a := upload(t, s, credential, query, fields...)
	if a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return a.JSON(t)["id"].(string)
}

func TestUploadAnswer(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	a := upload(t, s, s.User.Key, "", "@notes.txt", "The keeper of the light is Tadeu.")
	got := a.JSON(t)
	data, meta := got["data"].(map[string]any), got["meta"].(map[string]any)
	if a.Status != 200 || got["status"] != true || data["status"] != "completed" || data["error"] != nil || got["hash"] == nil ||
		meta["name"] != "notes.txt" || meta["content_type"] != "text/plain" || meta["size"] != 33.0 || len(meta["file_hash"].(string)) != 64 ||
		meta["collection_name"] != "file-"+got["id"].(string) || got["path"] == nil || got["user_id"] != s.User.ID {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if index := data["index"].(map[string]any); index["text"] != "ready" || index["vectors"] == "" {
		t.Errorf("%v", index)
	}
	// Stored only, with the metadata behind the file and in front of it.
	for _, fields := range [][]string{{"@a.bin", "x", "metadata", `{"k": 1}`}, {"other", "x", "metadata", `{"k": 1}`, "@a.bin", "x"}} {
		a = upload(t, s, s.User.Key, "?process=false", fields...)
		got = a.JSON(t)
		if _, has := got["status"]; has || a.Status != 200 || len(got["data"].(map[string]any)) != 0 || got["hash"] != nil || !strings.Contains(a.Body, `"data":{"k":1}`) {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
}

func TestUploadRefusals(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Env: map[string]string{"RAG_ALLOWED_FILE_EXTENSIONS": "txt", "RAG_FILE_MAX_SIZE": "1"}})
	multi := "multipart/form-data; boundary=b"
	part := func(head, body string) string { return "--b\r\n" + head + "\r\n\r\n" + body + "\r\n" }
	fileHead := `Content-Disposition: form-data; name="file"; filename="a.txt"`
	many := strings.Repeat(part(`Content-Disposition: form-data; name="x"`, "1"), 40)
	for name, c := range map[string]struct {
		body, kind string
		status     int
	}{
		"no file":             {part(`Content-Disposition: form-data; name="x"`, "1") + "--b--\r\n", multi, 422},
		"file is a text":      {part(`Content-Disposition: form-data; name="file"`, "1") + "--b--\r\n", multi, 422},
		"no form":             {"{}", "application/json", 422},
		"no boundary":         {"x", "multipart/form-data", 422},
		"nothing":             {"", multi, 400},
		"long boundary":       {"x", "multipart/form-data; boundary=" + strings.Repeat("b", 71), 400},
		"empty file":          {part(fileHead, "") + "--b--\r\n", multi, 400},
		"cut in the file":     {"--b\r\n" + fileHead + "\r\n\r\nhalf", multi, 400},
		"cut after the file":  {part(fileHead, "x"), multi, 400},
		"cut in a head":       {"--b\r\nContent-Disp", multi, 400},
		"two files":           {part(fileHead, "x") + part(fileHead, "y") + "--b--\r\n", multi, 400},
		"many parts":          {many + part(fileHead, "x") + "--b--\r\n", multi, 400},
		"large head":          {part("X: "+strings.Repeat("x", 64<<10)+"\r\n"+fileHead, "x") + "--b--\r\n", multi, 400},
		"large field":         {part(`Content-Disposition: form-data; name="metadata"`, strings.Repeat("x", 65<<10)) + part(fileHead, "x") + "--b--\r\n", multi, 400},
		"metadata no JSON":    {part(fileHead, "x") + part(`Content-Disposition: form-data; name="metadata"`, "{") + "--b--\r\n", multi, 400},
		"extension":           {part(`Content-Disposition: form-data; name="file"; filename="a.exe"`, "x") + "--b--\r\n", multi, 400},
		"a byte too much":     {part(fileHead, strings.Repeat("x", 1<<20+1)) + "--b--\r\n", multi, 413},
		"announced too large": {part(fileHead, strings.Repeat("x", 3<<20)) + "--b--\r\n", multi, 413},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := s.Do(t, s.User.Key, "POST", "/api/v1/files", c.body, "Content-Type", c.kind)
			if a.Status != c.status {
				t.Errorf("%d %s", a.Status, a.Body)
			}
			checkError(t, name, []byte(a.Body))
		})
	}
	t.Cleanup(func() {
		if n, _, err := s.DB.CountFiles(context.Background(), ""); n != 0 || err != nil {
			t.Errorf("%d files, %v", n, err)
		}
	})
}

// TestUploadPermission: who may neither chat with files nor fill collections
// may not upload.
func TestUploadPermission(t *testing.T) {
	t.Parallel()
	for env, status := range map[string]int{"": 401, "USER_PERMISSIONS_WORKSPACE_KNOWLEDGE_ACCESS": 200} {
		all := map[string]string{"USER_PERMISSIONS_CHAT_FILE_UPLOAD": "false"}
		if env != "" {
			all[env] = "true"
		}
		s := apitest.New(t, apitest.Options{Env: all})
		if a := upload(t, s, s.User.Key, "", "@a.txt", "x"); a.Status != status {
			t.Errorf("%q: %d %s", env, a.Status, a.Body)
		}
		if a := upload(t, s, s.Admin.Key, "", "@a.txt", "x"); a.Status != 200 {
			t.Errorf("%q: %d %s", env, a.Status, a.Body)
		}
	}
}

// TestForeignFiles tries every route of one file with those of somebody else,
// and with what is not there: the answers are alike.
func TestForeignFiles(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	id := uploaded(t, s, s.User.Key, "", "@marker.txt", "marker of the owner")
	for _, row := range s.API.Routes() {
		if !strings.HasPrefix(row.Path, "/api/v1/files/{id}") {
			continue
		}
		body := `{"content":"x","filename":"x"}`
		path := strings.ReplaceAll(row.Path, "{file_name}", "marker.txt")
		for _, query := range []string{"", "?stream=true"} {
			foreign := s.Do(t, s.Other.Key, row.Method, strings.ReplaceAll(path, "{id}", id)+query, body)
			absent := s.Do(t, s.Other.Key, row.Method, strings.ReplaceAll(path, "{id}", "absent")+query, body)
			if foreign.Status != 404 || foreign.Body != absent.Body || absent.Status != 404 || strings.Contains(foreign.Body, "marker") {
				t.Errorf("%s %s: %d %s, %d %s", row.Method, row.Path, foreign.Status, foreign.Body, absent.Status, absent.Body)
			}
		}
	}
	if a := s.Do(t, s.User.Key, "GET", "/api/v1/files/"+id+"/data/content", nil); a.Body != `{"content":"marker of the owner"}` && !strings.Contains(a.Body, "marker of the owner") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.Admin.Key, "GET", "/api/v1/files/"+id, nil); a.Status != 200 {
		t.Errorf("an administrator: %d %s", a.Status, a.Body)
	}
}

func TestFileLists(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	mine := uploaded(t, s, s.User.Key, "", "@Mine 1.txt", "first text")
	uploaded(t, s, s.User.Key, "?process=false", "@mine 2.MD", "second")
	uploaded(t, s, s.Other.Key, "", "@theirs.txt", "third")
	ask := func(key, path string) *apitest.Answer { return s.Do(t, key, "GET", "/api/v1/files"+path, nil) }
	for _, c := range []struct{ path, user, admin string }{
		{"/count", "2", "3"}, {"/user/count", "2", "0"},
	} {
		if u, a := ask(s.User.Key, c.path), ask(s.Admin.Key, c.path); u.Body != c.user || a.Body != c.admin {
			t.Errorf("%s: %s and %s", c.path, u.Body, a.Body)
		}
	}
	list := ask(s.User.Key, "/")
	got := list.JSON(t)
	items := got["items"].([]any)
	if got["total"] != 2.0 || len(items) != 2 || !strings.Contains(list.Body, `"content":"first text`) || strings.Contains(list.Body, "third") {
		t.Errorf("%s", list.Body)
	}
	if a := ask(s.User.Key, "/?content=false&page=1"); strings.Contains(a.Body, "first text") || !strings.Contains(a.Body, mine) {
		t.Errorf("%s", a.Body)
	}
	if a := ask(s.User.Key, "/?page=7"); a.Body != `{"items":[],"total":2}` {
		t.Errorf("%s", a.Body)
	}
	for query, want := range map[string]int{"filename=*": 2, "filename=mine+?.txt": 1, "filename=MINE*": 2, "filename=*.md": 1, "filename=*&skip=1": 1, "filename=*&limit=1": 1} {
		a := ask(s.User.Key, "/search?"+query)
		var found []any
		if err := json.Unmarshal([]byte(a.Body), &found); err != nil || len(found) != want {
			t.Errorf("%s: %d %s", query, a.Status, a.Body)
		}
	}
	for path, want := range map[string]int{"/search?filename=nothing*": 404, "/user/search?filename=nothing*": 200, "/search": 422, "/search?filename=*&limit=1001": 422,
		"/search?filename=*&limit=0": 422, "/search?filename=" + strings.Repeat("*", 257): 422, "/?page=x": 422, "/search?filename=*&skip=-1": 200} {
		if a := ask(s.User.Key, path); a.Status != want {
			t.Errorf("%.60s: %d %s", path, a.Status, a.Body)
		}
	}
	if a := ask(s.Admin.Key, "/user/search?filename=*"); a.Body != "[]" {
		t.Errorf("%s", a.Body)
	}
	if a := s.Do(t, s.User.Key, "DELETE", "/api/v1/files/all", nil); a.Status != 401 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.Admin.Key, "DELETE", "/api/v1/files/all", nil); a.Status != 200 || ask(s.Admin.Key, "/count").Body != "0" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestFileChanges(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	id := uploaded(t, s, s.User.Key, "", "@a.txt", "old text")
	do := func(method, path string, body any) *apitest.Answer {
		return s.Do(t, s.User.Key, method, "/api/v1/files/"+id+path, body)
	}
	if a := do("POST", "/rename", map[string]string{"filename": "../b.txt"}); a.Status != 200 || a.JSON(t)["filename"] != "../b.txt" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	for body, want := range map[string]int{`{}`: 422, `{"filename":""}`: 400, `{"filename":"\u0000"}`: 400, `{"filename":"` + strings.Repeat("x", 256) + `"}`: 400} {
		if a := do("POST", "/rename", body); a.Status != want {
			t.Errorf("%.40s: %d %s", body, a.Status, a.Body)
		}
	}
	if a := do("POST", "/data/content/update", map[string]string{"content": " "}); a.Status != 400 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := do("POST", "/data/content/update", map[string]string{"content": "new text"}); a.Status != 200 || !strings.Contains(a.Body, "new text") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := do("GET", "/data/content", nil); !strings.Contains(a.Body, "new text") || strings.Contains(a.Body, "old") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := do("GET", "/content", nil); a.Body != "old text" {
		t.Errorf("the bytes are %q", a.Body)
	}
	if a := do("DELETE", "", nil); a.Status != 200 || a.JSON(t)["message"] == nil {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	for _, path := range []string{"", "/content", "/data/content", "/process/status"} {
		if a := do("GET", path, nil); a.Status != 404 {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
	if a := do("DELETE", "", nil); a.Status != 404 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// TestFileContent asks for parts and for forms of one file.
func TestFileContent(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	text := strings.Repeat("0123456789", 20_000)
	id := uploaded(t, s, s.User.Key, "?process=false", "@Ünï \"x\".txt", text)
	get := func(path string, headers ...string) *apitest.Answer {
		return s.Do(t, s.User.Key, "GET", "/api/v1/files/"+id+path, nil, headers...)
	}
	whole := get("/content")
	if whole.Status != 200 || whole.Body != text || whole.Header.Get("Content-Type") != "text/plain; charset=utf-8" || whole.Header.Get("Content-Disposition") != "" || whole.Header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("%d %v", whole.Status, whole.Header)
	}
	for header, want := range map[string]string{"bytes=0-4": text[:5], "bytes=65530-65545": text[65530:65546], "bytes=-3": text[len(text)-3:], "bytes=199990-": text[199990:]} {
		if a := get("/content", "Range", header); a.Status != 206 || a.Body != want {
			t.Errorf("%s: %d, %d bytes", header, a.Status, len(a.Body))
		}
	}
	if a := get("/content", "Range", "bytes=200000-"); a.Status != 416 || a.Header.Get("Content-Range") != "bytes */200000" || a.JSON(t)["detail"] == nil {
		t.Errorf("%d %s %v", a.Status, a.Body, a.Header)
	}
	etag := whole.Header.Get("ETag")
	if a := get("/content", "If-None-Match", etag); a.Status != 304 || a.Body != "" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := get("/content", "Range", "bytes=0-4", "If-Range", `"other"`); a.Status != 200 || len(a.Body) != len(text) {
		t.Errorf("%d, %d bytes", a.Status, len(a.Body))
	}
	if a := s.Do(t, s.User.Key, "HEAD", "/api/v1/files/"+id+"/content", nil); a.Status != 200 || a.Header.Get("Content-Length") != "200000" || a.Body != "" {
		t.Errorf("%d %v", a.Status, a.Header)
	}
	for _, path := range []string{"/content?attachment=true", "/content/any%20name.txt", "/content/x"} {
		a := get(path)
		kind, params, err := mime.ParseMediaType(a.Header.Get("Content-Disposition"))
		if err != nil || kind != "attachment" || params["filename"] != `Ünï "x".txt` || !strings.Contains(a.Header.Get("Content-Disposition"), `filename="_n_ _x_.txt"; filename*=UTF-8''%C3%9Cn%C3%AF%20%22x%22.txt`) {
			t.Errorf("%s: %s (%s %v %v)", path, a.Header.Get("Content-Disposition"), kind, params, err)
		}
	}
}

// TestContentTypes: nothing that a browser would run is served as what it is,
// whatever it is called.
func TestContentTypes(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	const (
		bytesOnly = "application/octet-stream"
		png       = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
		html      = "<!DOCTYPE html><script>alert(1)</script>"
		svg       = `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`
	)
	for _, c := range []struct{ name, kind, body, served, shown string }{
		{"a.txt", "text/plain", "plain", "text/plain; charset=utf-8", ""},
		{"a.txt", "text/plain; charset=utf-7", "plain", "text/plain; charset=utf-8", ""},
		{"a.txt", "text/plain", html, "text/plain; charset=utf-8", ""},
		{"a.txt", "text/plain", "\x00\x01\x02\xff", bytesOnly, "attachment"},
		{"a.txt", "TEXT/HTML", "plain", bytesOnly, "attachment"},
		{"a.html", "text/html", html, bytesOnly, "attachment"},
		{"a.html;.png", "image/png", html, bytesOnly, "attachment"},
		{"a.xhtml", "application/xhtml+xml", `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>`, bytesOnly, "attachment"},
		{"a.svg", "image/svg+xml", svg, bytesOnly, "attachment"},
		{"a.png", "image/png", svg, bytesOnly, "attachment"},
		{"a.xml", "text/xml", `<?xml version="1.0"?><x/>`, bytesOnly, "attachment"},
		{"a.js", "text/javascript", "alert(1)", bytesOnly, "attachment"},
		{"a.mhtml", "multipart/related", "MIME-Version: 1.0\r\n", bytesOnly, "attachment"},
		{"a.md", "text/markdown", "# x", bytesOnly, "attachment"},
		{"a.png", "image/png", png + html, "image/png", "attachment"},
		{"a.html", "text/html", png + html, "image/png", "attachment"},
		{"a.pdf", "application/pdf", "%PDF-1.7 x", "application/pdf", "inline"},
		{"a.html", "text/html", "%PDF-1.7 " + html, "application/pdf", "inline"},
		{"a.pdf", "application/pdf", html, bytesOnly, "attachment"},
		{"a.pdf", "application/pdf", " %PDF-1.7", bytesOnly, "attachment"},
		{"a.htm", "x/\r\ny", "\xff\xfe<\x00s\x00c\x00r\x00", bytesOnly, "attachment"},
		{"a", "", "x", "text/plain; charset=utf-8", ""},
		{"a", "", html, bytesOnly, "attachment"},
		{"a.txt", "application/octet-stream", html, "text/plain; charset=utf-8", ""},
		{"a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "PK\x03\x04x", bytesOnly, "attachment"},
	} {
		body := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + c.name + "\"\r\nContent-Type: " + strings.ReplaceAll(c.kind, "\r\n", "") + "\r\n\r\n" + c.body + "\r\n--b--\r\n"
		a := s.Do(t, s.Admin.Key, "POST", "/api/v1/files?process=false", body, "Content-Type", "multipart/form-data; boundary=b")
		if a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		id := a.JSON(t)["id"].(string)
		for _, path := range []string{"/content", "/content/x.html", "/content?attachment=1"} {
			a = s.Do(t, s.Admin.Key, "GET", "/api/v1/files/"+id+path, nil)
			h := a.Header
			shown, _, _ := strings.Cut(h.Get("Content-Disposition"), ";")
			want := c.shown
			if path != "/content" {
				want = "attachment"
			}
			if a.Status != 200 || h.Get("Content-Type") != c.served || shown != want || h.Get("X-Content-Type-Options") != "nosniff" ||
				h.Get("Content-Security-Policy") != "sandbox; default-src 'none'" || h.Get("Cross-Origin-Resource-Policy") != "same-origin" || a.Body != c.body {
				t.Errorf("%s %s %.20q at %s: %d %s %q", c.name, c.kind, c.body, path, a.Status, h.Get("Content-Type"), shown)
			}
		}
		page := s.Do(t, s.Admin.Key, "GET", "/api/v1/files/"+id+"/content/html", nil)
		isPage := strings.Contains(c.kind, "html") && !strings.Contains(c.kind, "xhtml") && !strings.HasPrefix(c.body, png) && !strings.HasPrefix(c.body, "%PDF") || strings.HasPrefix(c.body, "<!DOCTYPE") || strings.EqualFold(c.kind, "text/html") && c.body == "plain"
		if isPage != (page.Status == 200) || isPage && !strings.HasPrefix(page.Header.Get("Content-Security-Policy"), "sandbox; default-src 'none'; ") {
			t.Errorf("the page of %s %s %.20q: %d %v", c.name, c.kind, c.body, page.Status, page.Header)
		}
	}
	// Pages of others than administrators are none.
	id := uploaded(t, s, s.User.Key, "?process=false", "@a.html", html)
	for _, key := range []string{s.User.Key, s.Admin.Key} {
		if a := s.Do(t, key, "GET", "/api/v1/files/"+id+"/content/html", nil); a.Status != 404 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
}

// TestDamagedFile: flipped bits are an error or a broken-off answer, never
// other bytes.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	for _, size := range []int{100, 9 << 20} {
		text := strings.Repeat("x", size)
		a := upload(t, s, s.User.Key, "?process=false", "@a.txt", text)
		hash := a.JSON(t)["meta"].(map[string]any)["file_hash"].(string)
		id := a.JSON(t)["id"].(string)
		path := filepath.Join(s.Documents.Dir, "blobs", hash[:2], hash)
		frame, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		frame[size*9/10] ^= 4
		if err := os.WriteFile(path, frame, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/api/v1/files/"+id+"/content", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+s.User.Key)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if size < 1<<20 {
			if resp.StatusCode != 500 || !strings.Contains(string(body), "damaged") {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
		} else if err == nil || !bytes.Equal(body, []byte(text)[:len(body)]) {
			t.Errorf("%d: %d bytes, %v", resp.StatusCode, len(body), err)
		}
		// What lies before the damage can be had.
		if a := s.Do(t, s.User.Key, "GET", "/api/v1/files/"+id+"/content", nil, "Range", "bytes=0-9"); size > 1<<20 && a.Body != text[:10] {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if a := s.Do(t, s.User.Key, "GET", "/api/v1/files/"+id+"/content", nil); a.Status != 404 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
}

// TestStatusStream follows files from pending to their end.
func TestStatusStream(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	stored := uploaded(t, s, s.User.Key, "?process=false", "@a.txt", "x")
	if a := s.Do(t, s.User.Key, "GET", "/api/v1/files/"+stored+"/process/status?stream=true", nil); a.Status != 200 || a.Body != "" || a.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("%d %q", a.Status, a.Body)
	}
	done := uploaded(t, s, s.User.Key, "", "@b.txt", "text")
	if a := s.Do(t, s.User.Key, "GET", "/api/v1/files/"+done+"/process/status?stream=true", nil); a.Body != "data: {\"status\":\"completed\"}\n\n" {
		t.Errorf("%q", a.Body)
	}
	if a := s.Do(t, s.User.Key, "GET", "/api/v1/files/"+done+"/process/status", nil); a.Body != `{"status":"completed"}` {
		t.Errorf("%q", a.Body)
	}
	ctx := context.Background()
	for _, end := range []struct{ status, reason, last string }{
		{"completed", "", `{"status":"completed"}`},
		{"failed", "The file is empty.", `{"status":"failed","error":"The file is empty."}`},
		{"", "", `{"status":"not_found"}`},
	} {
		id := pendingFile(t, s)
		events := follow(t, s, id)
		if first := <-events; !strings.HasPrefix(first, `{"status":"processing"`) {
			t.Errorf("first %q", first)
		}
		var err error
		if end.status == "" {
			_, err = s.DB.DeleteFile(ctx, id)
		} else {
			err = s.DB.SetOutcome(ctx, id, outcome(end.status, end.reason), 1)
		}
		if err != nil {
			t.Fatal(err)
		}
		var last string
		for e := range events {
			last = e
		}
		if last != end.last {
			t.Errorf("last %q, want %q", last, end.last)
		}
	}
	// A client that leaves ends it; TestMain sees whether anything stays.
	id := pendingFile(t, s)
	ctx, cancel := context.WithCancel(ctx)
	r, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/api/v1/files/"+id+"/process/status?stream=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.User.Key)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = resp.Body.Read(make([]byte, 10))
	cancel()
	_ = resp.Body.Close()
}

// pendingFile makes one that nobody works at.
func pendingFile(t *testing.T, s *apitest.Server) string {
	t.Helper()
	f := &file.File{ID: rand.Text(), UserID: s.User.ID, Kind: file.Upload, Filename: "x", Blob: "x", Status: file.Processing}
	if err := s.DB.CreateFile(t.Context(), f, false); err != nil {
		t.Fatal(err)
	}
	return f.ID
}

func outcome(status, reason string) file.Outcome {
	return file.Outcome{Status: file.Status(status), Error: reason}
}

// follow reads the events of a status stream until it ends.
func follow(t *testing.T, s *apitest.Server, id string) <-chan string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/api/v1/files/"+id+"/process/status?stream=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.User.Key)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	events := make(chan string, 100)
	go func() {
		defer close(events)
		defer resp.Body.Close()
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				events <- data
			}
		}
	}()
	return events
}

// FuzzUploadFilename: a name is a text. Whatever it is, nothing outside the
// blobs changes, the answer repeats it or refuses it, and no error has a path.
func FuzzUploadFilename(f *testing.F) {
	for _, name := range []string{"a.txt", "../../../etc/passwd", "/etc/passwd", `..\..\x`, "C:\\x", "a\x00b", "a\r\nX: y", ".", "..", "con", "\xff\xfe", "%2e%2e%2f", "a;b=\"c\"", strings.Repeat("x", 300), "‮txt.exe", "{file_name}"} {
		f.Add(name)
	}
	s := apitest.New(f, apitest.Options{})
	outside := func() string {
		var all []string
		_ = filepath.WalkDir(s.Documents.Dir, func(path string, e os.DirEntry, _ error) error {
			if rel := strings.TrimPrefix(path, s.Documents.Dir); !strings.HasPrefix(rel, "/blobs/") && !strings.HasPrefix(rel, "/lexical") && !strings.HasPrefix(rel, "/vector") {
				all = append(all, rel)
			}
			return nil
		})
		slices.Sort(all)
		return strings.Join(all, "\n")
	}
	before := outside()
	f.Fuzz(func(t *testing.T, name string) {
		quoted := strings.NewReplacer("\\", "\\\\", `"`, "\\\"", "\r", "", "\n", "").Replace(name)
		body := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + quoted + "\"\r\n\r\nx\r\n--b--\r\n"
		a := s.Do(t, s.User.Key, "POST", "/api/v1/files?process=false", body, "Content-Type", "multipart/form-data; boundary=b")
		if a.Status != 200 && a.Status != 400 && a.Status != 422 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		if a.Status >= 400 {
			checkError(t, "upload", []byte(a.Body))
			return
		}
		id := a.JSON(t)["id"].(string)
		shown := a.JSON(t)["filename"].(string)
		d := s.Do(t, s.User.Key, "GET", "/api/v1/files/"+id+"/content?attachment=true", nil)
		_, params, err := mime.ParseMediaType(d.Header.Get("Content-Disposition"))
		if err != nil || params["filename"] != shown {
			t.Errorf("%q comes back as %q (%v)", shown, params["filename"], err)
		}
		s.Do(t, s.User.Key, "DELETE", "/api/v1/files/"+id, nil)
		if after := outside(); after != before {
			t.Errorf("files outside:\n%s\n%s", before, after)
		}
	})
}

// TestUploadMemory: an upload of 64 MiB passes through one buffer.
func TestUploadMemory(t *testing.T) {
	if api.RaceEnabled {
		return
	}
	s := apitest.New(t, apitest.Options{})
	got := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			head := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\n"
			body := io.MultiReader(strings.NewReader(head), io.LimitReader(endless{}, 64<<20), strings.NewReader("\r\n--b--\r\n"))
			r, err := http.NewRequestWithContext(context.Background(), "POST", s.URL+"/api/v1/files?process=false", body)
			if err != nil {
				b.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+s.User.Key)
			r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				b.Fatal(err)
			}
			if resp.StatusCode != 200 {
				b.Fatal(resp.Status)
			}
			_ = resp.Body.Close()
		}
	})
	if n := got.AllocedBytesPerOp(); n > 1<<20 {
		t.Errorf("an upload of 64 MiB allocates %d bytes", n)
	} else {
		t.Logf("%d bytes, %d allocations, client and server", n, got.AllocsPerOp())
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestEndlessUpload: a body without an end is refused at the byte that exceeds.
func TestEndlessUpload(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Env: map[string]string{"RAG_FILE_MAX_SIZE": "1"}})
	head := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\n"
	sent := &sending{Reader: io.MultiReader(strings.NewReader(head), io.LimitReader(endless{}, 1<<30))}
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/api/v1/files", sent)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.User.Key)
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	resp, err := http.DefaultClient.Do(r)
	if err == nil {
		_ = resp.Body.Close()
		if resp.StatusCode != 413 || !resp.Close {
			t.Errorf("%s, close %v", resp.Status, resp.Close)
		}
	} // a client may also see that the connection ended
	if sent.n > 64<<20 {
		t.Errorf("%d bytes were taken", sent.n)
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		left, err := filepath.Glob(filepath.Join(s.Documents.Dir, "blobs", "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left %v", left)
		}
	}
}

type sending struct {
	io.Reader
	n int64
}

func (s *sending) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.n += int64(n)
	return n, err
}
