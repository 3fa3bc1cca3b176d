package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"portico/internal/retrieval/embed"
	"portico/tests/load/docset"
)

// large asks hybrid questions of a collection of 10,000 files with very many
// chunks. Its folder is made once and used again.
func large(args []string) error {
	flags := flag.NewFlagSet("large", flag.ExitOnError)
	program := flags.String("program", "bin/portico", "the server")
	models := flags.String("models", ".cache/testenv/models", "folder of models")
	vectors := flags.String("vectors", ".cache/bench/vectors.f32", "vectors of real texts, from which those of the chunks are made")
	rows := flags.Int("rows", 200_000, "chunks")
	dir := flags.String("dir", "", "folder to keep it in; .cache/bench/large-ROWS by default")
	flags.Parse(args)
	if *dir == "" {
		*dir = fmt.Sprintf(".cache/bench/large-%d", *rows)
	}
	full, err := filepath.Abs(*dir)
	if err != nil {
		return err
	}
	k, err := makeLarge(*program, full, *models, *vectors, *rows)
	if err != nil {
		return err
	}
	up, err := upstream()
	if err != nil {
		return err
	}
	if err := catchUp(*program, full, k); err != nil {
		return err
	}
	if err := startLarge(*program, full, *rows); err != nil {
		return err
	}
	local, err := embed.OpenLocal(filepath.Join(*models, modelName), embed.LocalOptions{})
	if err != nil {
		return err
	}
	defer local.Close()
	o, err := openOffice(*program, full, *models, up...)
	if err != nil {
		return err
	}
	defer o.close()
	h := &hybrid{o: o, local: local, collection: k, rows: *rows, r: rand.New(rand.NewPCG(2, 15))}
	if err := h.questions(); err != nil {
		return err
	}
	if err := h.cold(); err != nil {
		return err
	}
	return h.chats()
}

// catchUp lets the server make its indexes, which it does once.
func catchUp(program, dir, collection string) error {
	o, err := openOffice(program, dir, "")
	if err != nil {
		return err
	}
	defer o.close()
	began := time.Now()
	_, err = until(200*time.Millisecond, func() (bool, error) {
		p, err := o.query(collection, "turntable")
		if err != nil {
			return false, err
		}
		return !slices.ContainsFunc(p.Warnings, func(w string) bool { return strings.Contains(w, "up to date") }), nil
	})
	if took := time.Since(began); took > 5*time.Second {
		fmt.Printf("the indexes caught up in %.0f s\n", took.Seconds())
	}
	time.Sleep(8 * time.Second) // what is in memory goes to its file in a quiet moment
	return err
}

// startLarge measures starts on the folder.
func startLarge(program, dir string, rows int) error {
	var took []time.Duration
	kib := 0
	for round := range 5 {
		idle := time.Duration(0)
		if round == 4 {
			idle = 25 * time.Second
		}
		d, rss, err := startOnce(program, dir, idle)
		if err != nil {
			return err
		}
		took, kib = append(took, d), rss
	}
	median, mib := millis(quantile(took, 50)), float64(kib)/1024
	fmt.Printf("start on %d chunks: %.0f ms to the first answer (median of %d), %.1f MiB resident when idle\n", rows, median, len(took), mib)
	return record(atMost(fmt.Sprintf("cold start on %d chunks", rows), median, "ms", 150), atMost("idle memory then", mib, "MB", 25))
}

// hybrid asks the large collection.
type hybrid struct {
	o          *office
	local      *embed.Local
	collection string
	rows       int
	r          *rand.Rand
}

func (h *hybrid) timed(do func() error) (time.Duration, error) {
	began := time.Now()
	err := do()
	return time.Since(began), err
}

func (h *hybrid) query() (time.Duration, error) {
	q := docset.Ask(h.r)
	return h.timed(func() error { _, err := h.o.query(h.collection, q); return err })
}

// questions asks one after the other, beside the embedding of each in this
// process.
func (h *hybrid) questions() error {
	first, err := h.query()
	if err != nil {
		return err
	}
	var whole, alone []time.Duration
	for i := range 220 {
		q := docset.Ask(h.r)
		embedding, err := h.timed(func() error { _, err := h.local.Question(context.Background(), q); return err })
		if err != nil {
			return err
		}
		took, err := h.timed(func() error { _, err := h.o.query(h.collection, q); return err })
		if err != nil {
			return err
		}
		if i >= 20 {
			whole, alone = append(whole, took), append(alone, embedding)
		}
	}
	p50 := millis(quantile(whole, 50))
	kib, err := resident(h.o.PID())
	if err != nil {
		return err
	}
	fmt.Printf("a hybrid question of %d chunks over HTTP: %.1f ms (p50), %.1f ms (p99), of which its embedding %.1f ms (p50); the first after the start %.0f ms; %d MiB resident then, mapped files included\n",
		h.rows, p50, millis(quantile(whole, 99)), millis(quantile(alone, 50)), millis(first), kib/1024)
	return record(atMost(fmt.Sprintf("hybrid question, %d chunks, p50", h.rows), p50, "ms", 20))
}

// cold measures what a question costs more when the sets of the collection are
// not known any more: any change of any file or collection does that.
func (h *hybrid) cold() error {
	var warm, cold []time.Duration
	for i := range 30 {
		if _, err := h.o.collection(fmt.Sprintf("other %d", i)); err != nil {
			return err
		}
		a, err := h.query()
		if err != nil {
			return err
		}
		b, err := h.query()
		if err != nil {
			return err
		}
		cold, warm = append(cold, a), append(warm, b)
	}
	fmt.Printf("the same after a change of some collection: %.1f ms (p50), of 10,000 files known again: %.1f ms (p50)\n", millis(quantile(cold, 50)), millis(quantile(warm, 50)))
	return record(atMost("hybrid question after a change elsewhere, p50", millis(quantile(cold, 50)), "ms", 40))
}

// chats measures what the collection adds to a chat, in turns with one without.
func (h *hybrid) chats() error {
	var without, with []time.Duration
	var added []float64
	for i := range 120 {
		body := map[string]any{"model": "mock-0", "messages": []map[string]string{{"role": "user", "content": docset.Ask(h.r)}}}
		ask := func() error { return h.o.post("/api/chat/completions", body, nil) }
		a, err := h.timed(ask)
		if err != nil {
			return err
		}
		body["files"] = []map[string]string{{"type": "collection", "id": h.collection}}
		b, err := h.timed(ask)
		if err != nil {
			return err
		}
		if i >= 20 {
			without, with, added = append(without, a), append(with, b), append(added, millis(b-a))
		}
	}
	fmt.Printf("a chat: %.1f ms (p50), with the collection %.1f ms (p50), %.1f ms (p99); added %.1f ms (p50)\n",
		millis(quantile(without, 50)), millis(quantile(with, 50)), millis(quantile(with, 99)), medianOf(added))
	return record(atMost(fmt.Sprintf("chat with a collection of %d chunks: added before the upstream, p50", h.rows), medianOf(added), "ms", 20))
}
