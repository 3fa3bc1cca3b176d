package main

import (
	"flag"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"portico/internal/egress"
	"portico/internal/hop"
	"portico/internal/relay"
	"portico/internal/sse"
)

// lab is hop, sse and relay with nothing around them: what the server's hot
// path cannot be faster than. Its answers are not checked for anything.
func lab(args []string) error {
	flags := flag.NewFlagSet("lab", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:9002", "address to listen on")
	upstream := flags.String("upstream", "http://127.0.0.1:9000", "where to send what comes")
	debug := flags.String("debug", "", "address for profiles, if any")
	park := flags.Duration("park", 0, "how long a stream stays with net/http; 0 is the default")
	flags.Parse(args)
	up, err := hop.New(*upstream, hop.Options{Dialer: egress.NewAdmin(egress.Config{}), MaxIdle: 16384})
	if err != nil {
		return err
	}
	tcp, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	if *debug != "" {
		go http.ListenAndServe(*debug, nil)
	}
	l := relay.NewListener(tcp)
	srv := &http.Server{ConnContext: l.ConnContext, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := labAnswer(w, r, up, *park); err != nil {
			http.Error(w, "upstream failed", http.StatusBadGateway)
		}
	})}
	return srv.Serve(l)
}

func labAnswer(w http.ResponseWriter, r *http.Request, up *hop.Upstream, park time.Duration) error {
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		return err
	}
	life, cancel := relay.Context(r)
	defer cancel()
	resp, err := up.Do(life, &hop.Request{Method: "POST", Path: "/v1/chat/completions", ContentType: "application/json", Body: body, Events: true})
	if err != nil {
		return err
	}
	if !strings.HasPrefix(resp.ContentType, "text/event-stream") {
		b, err := resp.ReadAll(body[:0], 64<<20)
		if err != nil {
			return err
		}
		w.Header()["Content-Type"] = []string{resp.ContentType}
		w.Write(b)
		return nil
	}
	return relay.Send(w, r, relay.Head{ContentType: resp.ContentType}, &labStream{Response: resp}, relay.Options{Life: life, ParkAfter: park})
}

// labStream is the least that a stream needs.
type labStream struct {
	*hop.Response
	frames sse.Framer
	ended  bool
}

func (s *labStream) Next() ([]byte, error) {
	for !s.ended {
		b, err := s.Response.Next()
		if err == io.EOF {
			s.ended = true
			if b = s.frames.Finish(); len(b) > 0 {
				return b, nil
			}
			break
		}
		if err != nil {
			return nil, err
		}
		if b, err = s.frames.Feed(b); err != nil {
			return nil, err
		}
		if len(b) > 0 {
			s.Progress()
			return b, nil
		}
	}
	return nil, io.EOF
}
