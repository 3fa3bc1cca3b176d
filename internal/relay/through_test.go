package relay

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Where the connection cannot be had (no Listener, HTTP/2) a stream goes through
// net/http and is the same to the byte.
func TestThroughNetHTTP(t *testing.T) {
	t.Parallel()
	blocks := []string{"data: 1\n\n", "data: " + strings.Repeat("x", 80<<10) + "\n\n", "data: [DONE]\n\n"}
	ends := make(chan End, 1)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		life, cancel := Context(r)
		defer cancel()
		src := newScript()
		src.life = life
		go func() {
			for _, b := range blocks {
				src.blocks <- b
			}
			close(src.blocks)
		}()
		Send(w, r, Head{ContentType: "text/event-stream"}, src, Options{Life: life, Done: func(end End) { ends <- end }})
	})
	plain, second := httptest.NewServer(handler), httptest.NewUnstartedServer(handler)
	second.EnableHTTP2 = true
	second.StartTLS()
	defer plain.Close()
	defer second.Close()
	for _, s := range []*httptest.Server{plain, second} {
		resp, err := s.Client().Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		want := strings.Join(blocks, "")
		if err != nil || string(b) != want {
			t.Errorf("%s: %d bytes, %v, want %d", resp.Proto, len(b), err, len(want))
		}
		if end := <-ends; end.Err != nil || end.Bytes != int64(len(want)) {
			t.Errorf("%s: %+v", resp.Proto, end)
		}
	}
}
