package api

import (
	"net/http"
	"testing"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/user"
)

// sink is a ResponseWriter that costs nothing, as net/http's own header map
// and connection are not ours to count.
type sink struct{ h http.Header }

func (s *sink) Header() http.Header         { return s.h }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(int)             {}

var answer = []byte(`{"ok":true}`)

func hot(tb testing.TB) (h http.Handler, w *sink, r *http.Request) {
	e := testEdge(tb, as(user.Member, access.ByKey), door(route.Verified, func(w http.ResponseWriter, _ *http.Request, _ *route.Call) error {
		_, err := w.Write(answer)
		return err
	}))
	r, err := http.NewRequest("POST", "/api/x", http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	r.Body, r.ContentLength = nopBody{}, 100
	r.RequestURI = "/api/x"
	r.Header = http.Header{
		"Authorization": {"Bearer sk-0123456789"}, "Content-Type": {"application/json"}, "Accept": {"*/*"},
		"User-Agent": {"x/1"}, "Accept-Encoding": {"gzip"},
	}
	return e, &sink{h: http.Header{}}, r
}

type nopBody struct{}

func (nopBody) Read([]byte) (int, error) { return 0, nil }
func (nopBody) Close() error             { return nil }

// The gates cost few allocations: the request id and its header, and the
// bounded body.
func TestDispatchAllocs(t *testing.T) {
	if raceEnabled {
		return // the race detector allocates, too
	}
	h, w, r := hot(t)
	n := testing.AllocsPerRun(1000, func() {
		clear(w.h)
		r.Body = nopBody{}
		h.ServeHTTP(w, r)
	})
	if n > 6 {
		t.Errorf("%v allocations, want at most 6", n)
	}
}

func BenchmarkDispatch(b *testing.B) {
	h, w, r := hot(b)
	b.ReportAllocs()
	for b.Loop() {
		clear(w.h)
		r.Body = nopBody{}
		h.ServeHTTP(w, r)
	}
}
