package main

import (
	"flag"
	"net/http"
	"net/http/httputil"
	_ "net/http/pprof" // the proxy and the lab can be profiled
	"net/url"
	"time"
)

// proxy is what everything is compared with: the standard library's reverse
// proxy, set up as well as it can be. It checks nothing and counts nothing.
func proxy(args []string) error {
	flags := flag.NewFlagSet("proxy", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:9001", "address to listen on")
	upstream := flags.String("upstream", "http://127.0.0.1:9000", "where to send what comes")
	strip := flags.String("strip", "/api", "prefix of the path to take off, so that it answers our paths")
	flags.Parse(args)
	target, err := url.Parse(*upstream)
	if err != nil {
		return err
	}
	p := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		FlushInterval: -1,
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 16384,
			MaxIdleConns:        16384,
			IdleConnTimeout:     90 * time.Second,
			DisableCompression:  true,
		},
	}
	return (&http.Server{Addr: *listen, Handler: http.StripPrefix(*strip, p)}).ListenAndServe()
}
