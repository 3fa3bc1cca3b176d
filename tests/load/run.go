package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// sample is one target's share of one round.
type sample struct {
	Calls  int           `json:"calls"`
	Failed int           `json:"failed"`
	Rate   float64       `json:"rate"` // calls per second
	P50    time.Duration `json:"p50"`
	P99    time.Duration `json:"p99"`
	First  time.Duration `json:"first"` // median time to the first byte of the body
	Late   time.Duration `json:"late"`  // the same, of the 99th of a hundred
	Peak   int           `json:"peak"`  // KiB by which the target's process grew at most
	CPU    float64       `json:"cpu"`   // microseconds of the target's process per call
}

// row is one line of the table: medians over the rounds of ratios within each.
type row struct {
	Name, Mode  string
	C           int
	Rate        float64 // of the target to the proxy
	AddedP50    float64 // (target - direct) / (proxy - direct), of medians; -1 is noise
	AddedP99    float64
	AddedFirst  float64
	AddedLate   float64
	Size        int // of the prompt, when it is not the usual one
	Peak        int // median of the target's growth, KiB
	PeakProxy   int
	FailedProxy int
	CPU         float64 // of the target to the proxy
	OfDirect    float64 // rate of the target to direct
	ProxyDirect float64 // rate of the proxy to direct
	PerSecond   float64 // median rate of the target
	Failed      int
}

type plan struct {
	targets []target
	model   string
	rounds  int
	slot    time.Duration
}

// run measures the targets against each other: in each round each of them has
// its turn, in an order of its own, and only ratios within a round count.
func run(args []string) error {
	flags := flag.NewFlagSet("run", flag.ExitOnError)
	p := plan{}
	flags.StringVar(&p.model, "model", "mock-0", "model to ask for")
	flags.IntVar(&p.rounds, "rounds", 9, "rounds of each mode")
	flags.DurationVar(&p.slot, "slot", 700*time.Millisecond, "time of one target in one round")
	asJSON := flags.Bool("json", false, "print JSON only")
	modes := flags.String("modes", "1,16,16s", "numbers of connections, s is streamed, @N with a prompt of N bytes")
	direct := flags.String("direct", "http://127.0.0.1:9000/v1/chat/completions", "the mock itself")
	flags.Func("target", "name=URL[,key=K][,pid=N]; the first is the proxy to compare with", func(s string) error {
		t, err := parseTarget(s)
		p.targets = append(p.targets, t)
		return err
	})
	flags.Parse(args)
	if len(p.targets) < 2 {
		return fmt.Errorf("name the proxy and at least one other -target")
	}
	p.targets = append([]target{{Name: "direct", URL: *direct}}, p.targets...)
	var rows []row
	for _, mode := range strings.Split(*modes, ",") {
		count, large, _ := strings.Cut(mode, "@")
		count, stream := strings.CutSuffix(count, "s")
		c, err := strconv.Atoi(count)
		if err != nil {
			return err
		}
		size, err := strconv.Atoi("0" + large)
		if err != nil {
			return err
		}
		more, err := p.mode(c, stream, size)
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	if *asJSON {
		return json.NewEncoder(os.Stdout).Encode(rows)
	}
	table(rows)
	return nil
}

func parseTarget(s string) (t target, err error) {
	name, rest, ok := strings.Cut(s, "=")
	if !ok {
		return t, fmt.Errorf("-target %q: want name=URL", s)
	}
	parts := strings.Split(rest, ",")
	t.Name, t.URL = name, parts[0]
	for _, part := range parts[1:] {
		switch key, value, _ := strings.Cut(part, "="); key {
		case "key":
			t.Key = value
		case "pid":
			t.PID, err = strconv.Atoi(value)
		default:
			return t, fmt.Errorf("-target %q: unknown %q", s, key)
		}
	}
	return t, err
}

// mode runs all rounds of one number of connections.
func (p *plan) mode(c int, stream bool, size int) ([]row, error) {
	samples := make([][]sample, len(p.targets))
	for round := range p.rounds + 1 {
		for _, i := range rand.Perm(len(p.targets)) {
			t := p.targets[i]
			request, host, err := chat(t, p.model, stream, size)
			if err != nil {
				return nil, err
			}
			s, err := drive(t, host, request, c, p.slot)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.targets[i].Name, err)
			}
			if round > 0 { // the first one warms up
				samples[i] = append(samples[i], s)
			}
		}
	}
	var rows []row
	for i := 2; i < len(p.targets); i++ {
		r := compare(p.targets[i].Name, c, stream, samples[0], samples[1], samples[i])
		r.Size = size
		if err := r.record(); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func compare(name string, c int, stream bool, direct, proxy, ours []sample) row {
	r := row{Name: name, C: c, Mode: "whole"}
	if stream {
		r.Mode = "stream"
	}
	over := func(f func(d, p, o sample) float64) float64 {
		var all []float64
		for i := range ours {
			all = append(all, f(direct[i], proxy[i], ours[i]))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	// What the proxy adds can be nothing in a single noisy round: medians first.
	added := func(of func(sample) time.Duration) float64 {
		ours := over(func(d, _, o sample) float64 { return float64(of(o) - of(d)) })
		proxys := over(func(d, p, _ sample) float64 { return float64(of(p) - of(d)) })
		if proxys <= 0 {
			return -1 // the proxy adds nothing that can be told from noise
		}
		return ours / proxys
	}
	r.Rate = over(func(d, p, o sample) float64 { return o.Rate / p.Rate })
	r.OfDirect = over(func(d, p, o sample) float64 { return o.Rate / d.Rate })
	r.ProxyDirect = over(func(d, p, o sample) float64 { return p.Rate / d.Rate })
	r.PerSecond = over(func(d, p, o sample) float64 { return o.Rate })
	r.CPU = over(func(d, p, o sample) float64 { return o.CPU / max(p.CPU, 1e-9) })
	r.AddedP50 = added(func(s sample) time.Duration { return s.P50 })
	r.AddedP99 = added(func(s sample) time.Duration { return s.P99 })
	r.AddedFirst = added(func(s sample) time.Duration { return s.First })
	r.AddedLate = added(func(s sample) time.Duration { return s.Late })
	r.Peak = int(over(func(_, _, o sample) float64 { return float64(o.Peak) }))
	r.PeakProxy = int(over(func(_, p, _ sample) float64 { return float64(p.Peak) }))
	for i, s := range ours {
		r.Failed += s.Failed
		r.FailedProxy += proxy[i].Failed
	}
	return r
}

// record notes what the row says of the goals.
func (r *row) record() error {
	name := fmt.Sprintf("%s c=%d", r.Mode, r.C)
	limit := 1.0
	if r.Size > 0 {
		name, limit = fmt.Sprintf("%s, prompt of %d KB", name, r.Size/1000), 1.1
	}
	all := []figure{atMost(name+": added latency p50 / proxy's", r.AddedP50, "×", limit)}
	if r.Size == 0 {
		all = append(all, atLeast(name+": throughput / proxy's", r.Rate, "×", 1), atMost(name+": added latency p99 / proxy's", r.AddedP99, "×", limit))
	}
	if r.Mode == "stream" {
		all = append(all, atMost(name+": added time to the first chunk p50 / proxy's", r.AddedFirst, "×", limit),
			atMost(name+": the same, p99", r.AddedLate, "×", limit), atMost(name+": CPU / proxy's", r.CPU, "×", 1.2))
	}
	return record(slices.DeleteFunc(all, func(f figure) bool { return f.value == -1 })...) // noise says nothing
}

// drive asks one target over c connections in a closed loop for a while.
func drive(t target, host string, request []byte, c int, d time.Duration) (s sample, err error) {
	clients := make([]*client, c)
	for i := range clients {
		if clients[i], err = warm(host, request); err != nil {
			return s, err
		}
	}
	forgetPeak(t.PID)
	resting, _ := resident(t.PID) // nothing is known of a target without a process
	before := cpuTime(t.PID)
	start := time.Now()
	var mu sync.Mutex
	var whole, first []time.Duration
	var group sync.WaitGroup
	for _, c := range clients {
		group.Go(func() {
			var mine, firsts []time.Duration
			failed := 0
			for time.Since(start) < d {
				a, err := c.call()
				if err != nil || a.status != 200 {
					failed++
					c.conn.Close()
					if c, err = warm(host, request); err != nil {
						break
					}
					continue
				}
				mine, firsts = append(mine, a.total), append(firsts, a.first)
			}
			if c != nil {
				c.conn.Close()
			}
			mu.Lock()
			whole, first, s.Failed = append(whole, mine...), append(first, firsts...), s.Failed+failed
			mu.Unlock()
		})
	}
	group.Wait()
	took := time.Since(start)
	if s.Calls = len(whole); s.Calls == 0 {
		return s, fmt.Errorf("no call succeeded")
	}
	slices.Sort(whole)
	slices.Sort(first)
	s.Rate = float64(s.Calls) / took.Seconds()
	s.P50, s.P99, s.First = whole[s.Calls/2], whole[s.Calls*99/100], first[s.Calls/2]
	s.Late = first[s.Calls*99/100]
	if most, err := peak(t.PID); err == nil {
		s.Peak = max(most-resting, 0)
	}
	s.CPU = float64((cpuTime(t.PID) - before).Microseconds()) / float64(s.Calls)
	return s, nil
}

// warm opens a connection and makes a first call, which is not counted. The
// bare proxy breaks off one stream in some thousands: that is tried again.
func warm(host string, request []byte) (*client, error) {
	for try := 0; ; try++ {
		c, err := dial(host, request)
		if err != nil {
			return nil, err
		}
		a, err := c.call()
		if err == nil && a.status == 200 {
			return c, nil
		}
		c.conn.Close()
		if try == 3 {
			return nil, fmt.Errorf("status %d, %v", a.status, err)
		}
	}
}

// table prints the rows in Markdown.
func table(rows []row) {
	fmt.Println("| target | mode | c | throughput / proxy | added p50 / proxy's | p99 | first byte p50 | p99 | CPU / proxy | of direct (proxy) | calls/s | grew KiB (proxy) | failed (proxy) |")
	fmt.Println("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, r := range rows {
		mode := r.Mode
		if r.Size > 0 {
			mode = fmt.Sprintf("%s, %d KB", mode, r.Size/1000)
		}
		fmt.Printf("| %s | %s | %d | %.2f | %s | %s | %s | %s | %.2f | %.2f (%.2f) | %.0f | %d (%d) | %d (%d) |\n",
			r.Name, mode, r.C, r.Rate, ratio(r.AddedP50), ratio(r.AddedP99), ratio(r.AddedFirst), ratio(r.AddedLate), r.CPU, r.OfDirect, r.ProxyDirect,
			r.PerSecond, r.Peak, r.PeakProxy, r.Failed, r.FailedProxy)
	}
}

// ratio writes what could be measured.
func ratio(f float64) string {
	if f == -1 {
		return "noise"
	}
	return fmt.Sprintf("%.2f", f)
}
