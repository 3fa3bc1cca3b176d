package lexical

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"portico/internal/retrieval/index"
)

// benchChunks is the size of the large index: LEXICAL_CHUNKS, or 40,000.
func benchChunks(b *testing.B) int {
	n, err := strconv.Atoi(os.Getenv("LEXICAL_CHUNKS"))
	if err != nil {
		n = 40_000
	}
	return n
}

// pages gives text of about 1 KB from a pool, so that making it costs little.
func pages(n int) []string {
	c := newCorpus(1, 200_000)
	out := make([]string, n)
	for i := range out {
		out[i] = c.text(165)
	}
	return out
}

const perSet = 50

// fill adds sets of 50 chunks. Each is a different mixture of the pages.
func fill(b *testing.B, ix *Index, texts []string, chunks int) {
	r := newCorpus(2, 100)
	for set := int64(1); set <= int64(chunks/perSet); set++ {
		rows := make([]index.Text, perSet)
		for i := range rows {
			x, y := texts[r.IntN(len(texts))], texts[r.IntN(len(texts))]
			at := strings.IndexByte(x[len(x)/2:], ' ') + len(x)/2
			rows[i] = index.Text{Text: x[:at] + y[min(at, len(y)):] + fmt.Sprintf(" REF-%d", int(set)*perSet+i)}
		}
		if err := ix.Add(b.Context(), set, set, rows); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAnalyse(b *testing.B) {
	texts := pages(200)
	a := newAnalyser()
	b.SetBytes(int64(len(texts[0])))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		a.read(texts[i%len(texts)])
	}
}

func BenchmarkUnpack(b *testing.B) {
	in, out := make([]uint32, blockLen), make([]uint32, blockLen)
	for i := range in {
		in[i] = uint32(i * 37 % 2048)
	}
	packed := appendPacked(nil, in)
	for b.Loop() {
		unpack(out, packed)
	}
}

func BenchmarkAdd(b *testing.B) {
	texts := pages(2000)
	n := benchChunks(b)
	for b.Loop() {
		dir := b.TempDir()
		ix := open(b, dir, "a", Options{})
		start := time.Now()
		fill(b, ix, texts, n)
		added := time.Since(start)
		if err := ix.flush(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(n)/added.Seconds(), "chunks/s")
		b.ReportMetric(float64(size(b, dir))/float64(n), "B/chunk")
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc)/1e6, "heapMB")
		ix.Close()
	}
}

func size(b *testing.B, dir string) (n int64) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			n += info.Size()
		}
	}
	return n
}

// usualQuestions have three to six words that are as common as in text.
func usualQuestions() (questions []string) {
	c := newCorpus(9, 200_000)
	for range 500 {
		var words []string
		for len(words) < 3+c.IntN(4) {
			if w := c.words[c.zipf.Uint64()]; stopWords[w] == 0 {
				words = append(words, w)
			}
		}
		questions = append(questions, strings.Join(words, " "))
	}
	return questions
}

func BenchmarkSearch(b *testing.B) {
	texts := pages(2000)
	n := benchChunks(b)
	dir := os.Getenv("LEXICAL_DIR") // to use one again
	if dir == "" {
		dir = b.TempDir()
	}
	ix := open(b, dir, "a", Options{})
	if ix.Seq() == 0 {
		fill(b, ix, texts, n)
		if err := ix.flush(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("open", func(b *testing.B) {
		if err := ix.Close(); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			again, err := Open(dir, "a", Options{})
			if err != nil {
				b.Fatal(err)
			}
			if err := again.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	ix = open(b, dir, "a", Options{})
	var all, half index.Scope
	for set := int64(1); set <= int64(n/perSet); set++ {
		all = append(all, set)
		if set%2 == 0 {
			half = append(half, set)
		}
	}
	small := index.Scope{all[len(all)/3], all[2*len(all)/3]}
	questions := usualQuestions()
	for _, s := range []struct {
		name      string
		scope     index.Scope
		questions []string
	}{
		{"100 chunks", small, questions},
		{"half", half, questions},
		{"all", all, questions},
		{"all, 60 words", all, []string{strings.Join(questions[:13], " "), strings.Join(questions[20:33], " ")}},
	} {
		questions := s.questions
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			var times []time.Duration
			for i := 0; b.Loop(); i++ {
				start := time.Now()
				if _, err := ix.Search(b.Context(), questions[i%len(questions)], s.scope, 100); err != nil {
					b.Fatal(err)
				}
				times = append(times, time.Since(start))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Microseconds()), "µs-p50")
			b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "µs-p99")
		})
	}
}
