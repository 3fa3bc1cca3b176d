package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"portico/internal/store"
	"portico/tests/load/docset"
)

// scanned is what became of one long PDF: seconds since it was sent.
type scanned struct {
	acked, words, vectors float64
	chunks                int
}

const pages = 100

// pdf sends PDFs of 100 pages and measures when they can be searched, and what
// chats feel of it meanwhile.
func pdf(args []string) error {
	flags := flag.NewFlagSet("pdf", flag.ExitOnError)
	program := flags.String("program", "bin/portico", "the server")
	models := flags.String("models", ".cache/testenv/models", "folder of models")
	rounds := flags.Int("rounds", 3, "rounds, each of a PDF alone, chats alone, and both together")
	flags.Parse(args)
	up, err := upstream()
	if err != nil {
		return err
	}
	for _, kind := range []struct {
		name  string
		env   []string
		limit float64
	}{{"fp32", nil, 18}, {"int8", []string{"RAG_EMBEDDING_INT8=true"}, 11}} {
		dir, err := os.MkdirTemp("", "load-pdf")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o, err := openOffice(*program, dir, *models, append(kind.env, up...)...)
		if err != nil {
			return err
		}
		err = o.pdfs(kind.name, kind.limit, *rounds)
		o.close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *office) pdfs(name string, limit float64, rounds int) error {
	first, err := o.pdf(1)
	if err != nil {
		return err
	}
	fmt.Printf("%s, the first PDF ever, %d chunks: acknowledged after %.0f ms, found by words after %.2f s, by vectors after %.1f s\n",
		name, first.chunks, first.acked*1000, first.words, first.vectors)
	var acked, words, vectors, ratios []float64
	for round := range rounds {
		one, err := o.pdf(2*round + 2)
		if err != nil {
			return err
		}
		acked, words, vectors = append(acked, one.acked*1000), append(words, one.words), append(vectors, one.vectors)
		if name == "int8" {
			continue // chats feel no more of it
		}
		ratio, err := o.chatsBeside(2*round + 3)
		if err != nil {
			return err
		}
		ratios = append(ratios, ratio)
	}
	fmt.Printf("%s, 100 pages, median of %d: acknowledged after %.0f ms, found by words after %.2f s, by vectors after %.1f s\n",
		name, rounds, medianOf(acked), medianOf(words), medianOf(vectors))
	all := []figure{atMost("100-page PDF: found by vectors, "+name, medianOf(vectors), "s", limit)}
	if name != "int8" {
		all = append(all, atMost("100-page PDF: acknowledged", medianOf(acked), "ms", 50), atMost("100-page PDF: found by words", medianOf(words), "s", 2),
			atMost("the first PDF ever: found by words", first.words, "s", 10), atMost("chats while one is read and embedded: p99 / p99 alone", medianOf(ratios), "×", 1.5))
	}
	return record(all...)
}

// pdf sends one and waits until it can be searched wholly.
func (o *office) pdf(seed int) (s scanned, err error) {
	content := docset.Report(pages, uint64(seed))
	began := time.Now()
	id, err := o.upload(fmt.Sprintf("report-%d.pdf", seed), content)
	if err != nil {
		return s, err
	}
	s.acked = time.Since(began).Seconds()
	for _, index := range []struct {
		name string
		took *float64
	}{{"text", &s.words}, {"vectors", &s.vectors}} {
		when, err := o.fileIndexed(id, index.name)
		if err != nil {
			return s, err
		}
		*index.took = when.Sub(began).Seconds()
		if err := o.readable(id, "report"); err != nil {
			return s, err
		}
	}
	return s, beside(o.Dir, func(ctx context.Context, db *store.DB) error {
		profile, _, err := db.InstanceProfiles(ctx)
		if err != nil {
			return err
		}
		set, err := db.SetOf(ctx, id, profile)
		if err == nil {
			s.chunks = set.Chunks
		}
		return err
	})
}

// chatsBeside gives how much longer the slowest of a hundred chats take while a
// PDF is worked on.
func (o *office) chatsBeside(seed int) (float64, error) {
	alone, err := o.chats(func(began time.Time) bool { return time.Since(began) > 6*time.Second })
	if err != nil {
		return 0, err
	}
	done, fault := make(chan struct{}), error(nil)
	go func() {
		defer close(done)
		_, fault = o.pdf(seed)
	}()
	beside, err := o.chats(func(time.Time) bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	<-done
	if fault != nil || err != nil {
		return 0, fmt.Errorf("a PDF beside chats: %w, %w", fault, err)
	}
	a, b := quantile(alone, 99), quantile(beside, 99)
	fmt.Printf("chats, 50 a second: p50 %v, p99 %v alone; p50 %v, p99 %v beside a PDF\n", quantile(alone, 50), a, quantile(beside, 50), b)
	return float64(b) / float64(a), nil
}

// chats asks the mock through the server, fifty times a second, until stop.
func (o *office) chats(stop func(began time.Time) bool) ([]time.Duration, error) {
	request, host, err := chat(target{URL: o.URL + "/api/chat/completions", Key: o.key}, "mock-0", false, 0)
	if err != nil {
		return nil, err
	}
	c, err := warm(host, request)
	if err != nil {
		return nil, err
	}
	defer c.conn.Close()
	var took []time.Duration
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); !stop(began); <-tick.C {
		a, err := c.call()
		if err != nil {
			return nil, err
		}
		if a.status != 200 {
			return nil, fmt.Errorf("a chat was answered with status %d", a.status)
		}
		took = append(took, a.total)
	}
	return took, nil
}
