package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// paced is what one target's streams were like in one round.
type paced struct {
	p50, p99 time.Duration // between two chunks
	cpu      float64       // microseconds per chunk
}

// pace opens many streams of an upstream that keeps a pace and looks at the
// time between two chunks: targets are direct, the proxy and ours, in turn.
func pace(args []string) error {
	flags := flag.NewFlagSet("pace", flag.ExitOnError)
	rounds := flags.Int("rounds", 5, "rounds")
	c := flags.Int("c", 64, "streams at once")
	model := flags.String("model", "mock-0", "model to ask for")
	var targets []target
	flags.Func("target", "name=URL[,key=K][,pid=N]: direct, the proxy, ours", func(s string) error {
		t, err := parseTarget(s)
		targets = append(targets, t)
		return err
	})
	flags.Parse(args)
	if len(targets) != 3 {
		return fmt.Errorf("name direct, the proxy and ours as -target")
	}
	samples := make([][]paced, 3)
	for round := range *rounds + 1 {
		for _, i := range rand.Perm(3) {
			p, err := follow(targets[i], *model, *c)
			if err != nil {
				return fmt.Errorf("%s: %w", targets[i].Name, err)
			}
			if round > 0 {
				samples[i] = append(samples[i], p)
			}
		}
	}
	median := func(of func(direct, proxy, ours paced) float64) float64 {
		var all []float64
		for n := range samples[0] {
			all = append(all, of(samples[0][n], samples[1][n], samples[2][n]))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	micros := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	ours := median(func(d, _, o paced) float64 { return micros(o.p99 - d.p99) })
	proxys := median(func(d, p, _ paced) float64 { return micros(p.p99 - d.p99) })
	cpu := median(func(_, p, o paced) float64 { return o.cpu / p.cpu })
	each := median(func(_, _, o paced) float64 { return o.cpu })
	fmt.Printf("%d streams: gap p99 added %.0f µs (proxy %.0f µs), CPU per chunk %.1f µs, %.2f of the proxy's\n", *c, ours, proxys, each, cpu)
	return record(atMost("paced streams: CPU per chunk / proxy", cpu, "×", 1.2),
		atMost("paced streams: gap p99 added / proxy's", ours/max(proxys, 1), "×", 1))
}

// follow reads c streams to their end.
func follow(t target, model string, c int) (paced, error) {
	request, host, err := chat(t, model, true, 0)
	if err != nil {
		return paced{}, err
	}
	var mu sync.Mutex
	var gaps []time.Duration
	failed := 0
	before := cpuTime(t.PID)
	var all sync.WaitGroup
	for range c {
		all.Go(func() {
			mine, err := gapsOf(host, request)
			mu.Lock()
			defer mu.Unlock()
			gaps = append(gaps, mine...)
			if err != nil {
				failed++
			}
		})
		time.Sleep(300 * time.Microsecond) // not all in step
	}
	all.Wait()
	if failed > 0 { // the bare proxy breaks off one stream in some thousands
		fmt.Printf("%s: %d of %d streams failed\n", t.Name, failed, c)
	}
	if failed == c {
		return paced{}, errors.New("all streams failed")
	}
	slices.Sort(gaps)
	return paced{gaps[len(gaps)/2], gaps[len(gaps)*99/100], float64((cpuTime(t.PID) - before).Microseconds()) / float64(len(gaps))}, nil
}

func gapsOf(host string, request []byte) (gaps []time.Duration, err error) {
	k, err := dial(host, request)
	if err != nil {
		return nil, err
	}
	defer k.conn.Close()
	if _, err := k.conn.Write(request); err != nil {
		return nil, err
	}
	var a answered
	if _, chunked, err := k.head(&a); err != nil || !chunked || a.status != 200 {
		return nil, fmt.Errorf("status %d, %w", a.status, err)
	}
	var last time.Time
	for {
		n, err := k.chunk()
		if err != nil || n == 0 {
			return gaps, err
		}
		now := time.Now()
		if !last.IsZero() {
			gaps = append(gaps, now.Sub(last))
		}
		last = now
	}
}
