package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"portico/tests/load/docset"
)

// bulk puts many small files into one collection, by an embedder that costs
// nothing, and looks at memory and at what others get of the server meanwhile.
func bulk(args []string) error {
	flags := flag.NewFlagSet("bulk", flag.ExitOnError)
	program := flags.String("program", "bin/portico", "the server")
	count := flags.Int("files", 2000, "files")
	flags.Parse(args)
	c, err := listenCounted()
	if err != nil {
		return err
	}
	up, err := upstream()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "load-bulk")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o, err := openOffice(*program, dir, "", append(c.env(), up...)...)
	if err != nil {
		return err
	}
	defer o.close()
	k, err := o.collection("bulk")
	if err != nil {
		return err
	}
	before, err := o.rested()
	if err != nil {
		return err
	}
	watch := o.watch()
	began := time.Now()
	err = each(*count, 8, func(i int) error {
		note := docset.Note(i)
		id, err := o.upload(note.Name, note.Body)
		if err != nil {
			return err
		}
		return o.add(k, id)
	})
	took := time.Since(began)
	seen := watch()
	if err != nil {
		return err
	}
	if seen.fault != nil {
		return seen.fault
	}
	after, err := o.rested()
	if err != nil {
		return err
	}
	kept := float64(after-before) / float64(*count) * 1000
	slope := seen.slope() * 1000 / (float64(*count) / took.Seconds()) // KiB a second over files a second
	fmt.Printf("%d files, uploaded, read and added over 8 connections: %.0f files/s, %d chunks embedded\n", *count, float64(*count)/took.Seconds(), c.texts.Load())
	fmt.Printf("memory: %d KiB at most; over the second half it grew by %.0f KiB for each 1,000 files, part of which waits to be written into the indexes; of its own it held %d KiB before and %d KiB after, both at rest\n",
		seen.most(), slope, before, after)
	fmt.Printf("/api/models meanwhile: p50 %v, p99 %v, %d times\n", quantile(seen.answers, 50), quantile(seen.answers, 99), len(seen.answers))
	return record(atLeast(fmt.Sprintf("%d files in one collection: rate", *count), float64(*count)/took.Seconds(), "files/s", 20),
		atMost("memory kept for each 1,000 files, at rest", kept, "KiB", 1024), atMost("/api/models meanwhile, p99", millis(quantile(seen.answers, 99)), "ms", 50))
}

// rested is the memory that a server holds for itself, without mapped files,
// when it was left alone for a while.
func (o *office) rested() (kib int, err error) {
	time.Sleep(25 * time.Second)
	return status(o.PID(), "RssAnon:")
}

// observed is what a watcher saw, until it was stopped.
type observed struct {
	at       []float64 // seconds
	resident []int     // KiB then
	answers  []time.Duration
	fault    error
}

// watch asks for the list of models twenty times a second and reads the
// server's memory, until the function that it gives is called.
func (o *office) watch() (stop func() *observed) {
	seen, end := new(observed), make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		began := time.Now()
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			asked := time.Now()
			if err := o.call(http.MethodGet, "/api/models", "", nil, nil); err != nil {
				seen.fault = err
				return
			}
			seen.answers = append(seen.answers, time.Since(asked))
			kib, err := resident(o.PID())
			if err != nil {
				seen.fault = err
				return
			}
			seen.at, seen.resident = append(seen.at, time.Since(began).Seconds()), append(seen.resident, kib)
			select {
			case <-end:
				return
			case <-tick.C:
			}
		}
	})
	return func() *observed {
		close(end)
		running.Wait()
		return seen
	}
}

func (s *observed) most() (kib int) {
	for _, r := range s.resident {
		kib = max(kib, r)
	}
	return kib
}

// slope is by how many KiB a second memory grew over the second half: least
// squares.
func (s *observed) slope() float64 {
	from := len(s.at) / 2
	n := float64(len(s.at) - from)
	var x, y, xx, xy float64
	for i := from; i < len(s.at); i++ {
		kib := float64(s.resident[i])
		x, y, xx, xy = x+s.at[i], y+kib, xx+s.at[i]*s.at[i], xy+s.at[i]*kib
	}
	return (n*xy - x*y) / (n*xx - x*x)
}
