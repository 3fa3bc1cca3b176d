package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// static serves one file as net/http does it best, to compare lists with.
func static(args []string) error {
	flags := flag.NewFlagSet("static", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:9003", "address to listen on")
	file := flags.String("file", "", "the file")
	flags.Parse(args)
	return http.ListenAndServe(*listen, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		http.ServeFile(w, r, *file)
	}))
}

// list gets the same bytes of a file server and of targets, in turn.
func list(args []string) error {
	flags := flag.NewFlagSet("list", flag.ExitOnError)
	rounds := flags.Int("rounds", 9, "rounds")
	slot := flags.Duration("slot", 400*time.Millisecond, "time of one target in one round")
	c := flags.Int("c", 1, "connections")
	var targets []target
	flags.Func("target", "name=URL[,key=K][,pid=N]; the first is the file server", func(s string) error {
		t, err := parseTarget(s)
		targets = append(targets, t)
		return err
	})
	flags.Parse(args)
	if len(targets) < 2 {
		return fmt.Errorf("name the file server and at least one other -target")
	}
	samples := make([][]sample, len(targets))
	for round := range *rounds + 1 {
		for _, i := range rand.Perm(len(targets)) {
			t := targets[i]
			u, err := url.Parse(t.URL)
			if err != nil {
				return err
			}
			request := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", u.RequestURI(), u.Host, t.Key)
			s, err := drive(t, u.Host, request, *c, *slot)
			if err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
			if round > 0 {
				samples[i] = append(samples[i], s)
			}
		}
	}
	for i, t := range targets[1:] {
		ratio := func(of func(sample) float64) float64 {
			var all []float64
			for n, s := range samples[i+1] {
				all = append(all, of(s)/of(samples[0][n]))
			}
			slices.Sort(all)
			return all[len(all)/2]
		}
		p50 := ratio(func(s sample) float64 { return float64(s.P50) })
		p99 := ratio(func(s sample) float64 { return float64(s.P99) })
		rate := ratio(func(s sample) float64 { return 1 / s.Rate })
		fmt.Printf("%s, c=%d: latency p50 %.2f, p99 %.2f, time per answer %.2f of a static file's (p50 %v)\n", t.Name, *c, p50, p99, rate, samples[i+1][0].P50)
		if err := record(atMost(fmt.Sprintf("%s, c=%d: p50 / static file", t.Name, *c), p50, "×", 1.2),
			atMost(fmt.Sprintf("%s, c=%d: time per answer / static file", t.Name, *c), rate, "×", 1.2)); err != nil {
			return err
		}
	}
	return nil
}
