package relay

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// outside is a middleware's ResponseWriter.
type outside struct {
	http.ResponseWriter
	ends chan End
}

func (o *outside) Unwrap() http.ResponseWriter { return o.ResponseWriter }
func (o *outside) Past() func(End)             { return func(end End) { o.ends <- end } }

// wrapped is another one, between the first and Send.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// However a stream is carried, Done is told of all of it, once; a middleware
// is told as well, for what is sent is sent past it.
func TestEndIsTold(t *testing.T) {
	t.Parallel()
	for _, park := range []time.Duration{-1, time.Nanosecond} {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l := NewListener(tcp)
		src, done, ends := newScript(), make(chan End, 2), make(chan End, 2)
		srv := &http.Server{ConnContext: l.ConnContext, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			life, cancel := Context(r)
			defer cancel()
			src.life = life
			Send(wrapped{&outside{w, ends}}, r, Head{}, src, Options{Life: life, ParkAfter: park, Done: func(end End) { done <- end }})
		})}
		go srv.Serve(l)
		began := time.Now()
		go func() {
			src.blocks <- "12345"
			time.Sleep(30 * time.Millisecond)
			src.blocks <- "678"
			close(src.blocks)
		}()
		resp, err := http.Get("http://" + l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		end := <-done
		if end.Err != nil || end.Bytes != 8 || end.Took < 30*time.Millisecond || end.Took > time.Since(began) {
			t.Errorf("park %v: %+v", park, end)
		}
		if seen := <-ends; seen != end {
			t.Errorf("the middleware was told %+v, Done %+v", seen, end)
		}
		http.DefaultClient.CloseIdleConnections()
		srv.Close()
		l.Close()
		if len(done)+len(ends) != 0 {
			t.Errorf("park %v: told more than once", park)
		}
	}
}
