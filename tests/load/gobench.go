package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// gauge is a benchmark of a package, run by go test, and what of its output
// counts.
type gauge struct {
	pack, bench string
	env, args   []string
	reads       []reading
}

// reading finds one number: the first group of a pattern, which may have a unit
// of time behind it that becomes milliseconds.
type reading struct {
	pattern string
	figure  func(value float64) figure
}

// gobench runs the benchmarks of the indexes and of the database and holds
// their figures to the goals.
func gobench(args []string) error {
	flags := flag.NewFlagSet("gobench", flag.ExitOnError)
	chunks := flags.Int("chunks", 200_000, "chunks in the indexes; the goals are for 1,000,000")
	models := flags.String("models", ".cache/testenv/models", "folder of models")
	vectors := flags.String("vectors", ".cache/bench/vectors.f32", "vectors of real texts; made once if not there")
	postgres := flags.Bool("postgres", false, "measure PostgreSQL with pgvector, too")
	flags.Parse(args)
	file, err := filepath.Abs(*vectors)
	if err != nil {
		return err
	}
	model, err := filepath.Abs(filepath.Join(*models, modelName))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	all := gauges(*chunks, file, model)
	if *postgres {
		all = append(all, postgresGauges()...)
	}
	for _, g := range all {
		if err := g.run(); err != nil {
			return err
		}
	}
	return nil
}

func most(name, unit string, limit float64) func(float64) figure {
	return func(v float64) figure { return atMost(name, v, unit, limit) }
}

func least(name, unit string, limit float64) func(float64) figure {
	return func(v float64) figure { return atLeast(name, v, unit, limit) }
}

// postgresGauges are of the tests' own PostgreSQL.
func postgresGauges() []gauge {
	return []gauge{
		{
			pack: "./internal/store", bench: "Sets/(short|text)/postgres",
			reads: []reading{
				{`Sets/short/\S+\s.*?(\S+) chunks/s`, least("PostgreSQL: rows and vectors", "chunks/s", 20_000)},
				{`Sets/text/\S+\s.*?(\S+) chunks/s`, least("PostgreSQL: with texts", "chunks/s", 5_000)},
			},
		},
		{
			pack: "./internal/store", bench: "Neighbours", args: []string{"-benchtime", "1x"},
			reads: []reading{
				{`walked (\S+) at`, most("pgvector, 30,000 chunks: search", "ms", 20)},
				{`recall@10 ([\d.]+)`, least("pgvector: recall@10", "", 0.98)},
				{`one set of 100 in (\S+)`, most("pgvector: one collection of 100 chunks", "ms", 5)},
			},
		},
	}
}

func gauges(chunks int, vectors, model string) []gauge {
	n := strconv.Itoa(chunks)
	micros := func(name string, limit float64) func(float64) figure {
		return func(v float64) figure { return atMost(name, v*1000, "µs", limit) }
	}
	const whole, small = `search, whole, 2 cores +(\S+) p50`, `search, 100 chunks of one set +(\S+) p50`
	return []gauge{
		{
			pack: "./internal/retrieval/vector", bench: "Large",
			args: []string{"-benchtime", "1x", "-chunks", n, "-vectors", vectors, "-model", model},
			reads: []reading{
				{whole, most("vectors, "+n+" chunks: exact search on two cores, p50", "ms", 5)},
				{`search, whole, 2 cores .*recall@10 (\S+)`, least("vectors: recall@10", "", 0.98)},
				{small, micros("vectors: one collection of 100 chunks, p50", 100)},
				{`search, 100 chunks of one set .*recall@10 (\S+)`, least("vectors: recall@10 of it", "", 1)},
				{`mapped +(\S+) MB`, most("vectors: mapped", "MB", 450)},
				{`opened in +(\S+)`, most("vectors: opened again in", "ms", 5)},
				{`written +(\S+) chunks/s`, least("vectors: put into the index", "chunks/s", 20_000)},
			},
		},
		{
			pack: "./internal/retrieval/lexical", bench: "Search", env: []string{"LEXICAL_CHUNKS=" + n}, args: []string{"-benchtime", "200x"},
			reads: []reading{
				{`Search/all-\d+ .*?([\d.]+) µs-p50`, func(v float64) figure { return atMost("words, "+n+" chunks: search, p50", v/1000, "ms", 10) }},
				{`Search/100_chunks-\d+ .*?([\d.]+) µs-p50`, func(v float64) figure { return atMost("words: one collection of 100 chunks, p50", v, "µs", 100) }},
				{`Search/open-\d+\s+\d+\s+([\d.]+) ns/op`, func(v float64) figure { return atMost("words: opened again in", v/1e6, "ms", 5) }},
			},
		},
		{
			pack: "./internal/store", bench: "Sets/(short|text)/sqlite",
			reads: []reading{
				{`Sets/short/\S+\s.*?(\S+) chunks/s`, least("SQLite: rows and vectors", "chunks/s", 20_000)},
				{`Sets/text/\S+\s.*?(\S+) chunks/s`, least("SQLite: with texts", "chunks/s", 5_000)},
			},
		},
	}
}

func (g *gauge) run() error {
	cmd := exec.Command("go", append([]string{"test", g.pack, "-run", "^$", "-timeout", "60m", "-bench", g.bench}, g.args...)...)
	cmd.Env = append(os.Environ(), g.env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", g.pack, err, out)
	}
	for _, r := range g.reads {
		m := regexp.MustCompile(r.pattern).FindSubmatch(out)
		if m == nil {
			return fmt.Errorf("%s: nothing in its output is like %s:\n%s", g.pack, r.pattern, out)
		}
		value, err := number(string(m[1]))
		if err != nil {
			return err
		}
		f := r.figure(value)
		fmt.Printf("%s: %.4g %s\n", f.name, f.value, f.unit)
		if err := record(f); err != nil {
			return err
		}
	}
	return nil
}

// number reads a number, or a time in milliseconds.
func number(text string) (float64, error) {
	if v, err := strconv.ParseFloat(text, 64); err == nil {
		return v, nil
	}
	d, err := time.ParseDuration(text)
	return float64(d.Nanoseconds()) / 1e6, err
}
