package vector

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/internal/retrieval/float16"
	"portico/internal/retrieval/index"
)

var millionChunks = flag.Int("chunks", 50_000, "`number` of vectors of the large benchmark: 1000000 for the figures")

// BenchmarkLarge prints the figures of a large index: 100 chunks a set, one set
// a collection. For those of docs/performance.md:
//
//	go test ./internal/retrieval/vector -run '^$' -bench Large -benchtime 1x -chunks 1000000 -vectors FILE -model FOLDER
func BenchmarkLarge(b *testing.B) {
	const dims, perSet, questions, k = 384, 100, 200, 10
	real := realVectors(b, 5000+questions, dims)
	asked, bases := real[:questions], real[questions:]
	c := newCloud(b, bases, 1)
	dir := b.TempDir()
	x := openIn(b, dir, "instance", Options{})
	sets := *millionChunks / perSet
	scope := make(index.Scope, sets)
	truth := make([]nearest, questions)
	for i := range truth {
		truth[i].k = k
	}
	var adding time.Duration
	few := make(map[int64][][]float32)
	for i := range sets {
		set := int64(i + 1)
		scope[i] = set
		var vectors []float32
		for range perSet {
			vectors = c.next(vectors)
		}
		kept, _ := float16.Append(nil, vectors) // as the database keeps them
		vectors = float16.Values(vectors[:0], kept)
		if i%(sets/20) == 0 {
			few[set] = rowsOf(vectors, dims)
		}
		start := time.Now()
		if err := x.Add(b.Context(), set, set, "s", dims, vectors); err != nil {
			b.Fatal(err)
		}
		adding += time.Since(start)
		judge(truth, asked, set, vectors)
	}
	fmt.Printf("\n%d × %d from %d real vectors, %d segments\n", sets*perSet, dims, len(bases), len(x.segments))
	fmt.Printf("%-34s %12.0f chunks/s\n", "written", float64(sets*perSet)/adding.Seconds())
	reopen(b, x, dir)
	x = openIn(b, dir, "instance", Options{})
	mapped := 0
	for _, s := range x.segments {
		mapped += len(s.mapped)
	}
	fmt.Printf("%-34s %12.1f MB\n", "mapped", float64(mapped)/1e6)

	for _, cores := range []int{runtime.GOMAXPROCS(0), 1} {
		x.opt.Cores = cores
		times, sum := ask(b, x, asked, func(int) index.Scope { return scope }, func(i int, hits []index.Hit) float64 { return recall(hits, truth[i].hits()) })
		report(fmt.Sprintf("search, whole, %d cores", cores), times, sum)
	}
	var one []int64
	for set := range few {
		one = append(one, set)
	}
	slices.Sort(one)
	times, sum := ask(b, x, asked, func(i int) index.Scope { return index.Scope{one[i%len(one)]} },
		func(i int, hits []index.Hit) float64 {
			set := one[i%len(one)]
			return recall(hits, exactHits(few, asked[i], index.Scope{set}, k))
		})
	report("search, 100 chunks of one set", times, sum)
	fmt.Printf("%-34s %12.1f MB\n", "resident", residentMB())
}

func rowsOf(vectors []float32, dims int) [][]float32 {
	var all [][]float32
	for v := range slices.Chunk(vectors, dims) {
		all = append(all, v)
	}
	return all
}

func reopen(b *testing.B, x *Index, dir string) {
	if err := x.Close(); err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	again, err := Open(dir, "instance", Options{})
	if err != nil {
		b.Fatal(err)
	}
	fmt.Printf("%-34s %12v\n", "opened in", time.Since(start).Round(time.Microsecond))
	if err := again.Close(); err != nil {
		b.Fatal(err)
	}
}

// ask asks each question some times, one after another.
func ask(b *testing.B, x *Index, asked [][]float32, scope func(i int) index.Scope, judge func(i int, hits []index.Hit) float64) (times []time.Duration, mean float64) {
	for round := range 4 {
		for i, q := range asked {
			start := time.Now()
			hits := find(b, x, q, scope(i), 10)
			if round > 0 { // the first brings the file into memory
				times = append(times, time.Since(start))
			} else {
				mean += judge(i, hits) / float64(len(asked))
			}
		}
	}
	return times, mean
}

func report(name string, times []time.Duration, recall float64) {
	fmt.Printf("%-34s %12v p50 %12v p99   recall@10 %.4f\n", name, median(times).Round(time.Microsecond), quantile(times, 99).Round(time.Microsecond), recall)
}

// nearest is the k best of a stream, by exact products.
type nearest struct {
	k   int
	all []index.Hit
}

func (n *nearest) add(h index.Hit) {
	if len(n.all) == n.k && index.Compare(h, n.all[n.k-1]) > 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(n.all, h, index.Compare)
	n.all = slices.Insert(n.all, i, h)[:min(len(n.all)+1, n.k)]
}

func (n *nearest) hits() []index.Hit { return n.all }

// judge does the exact work of all questions for the vectors of one set.
func judge(truth []nearest, asked [][]float32, set int64, vectors []float32) {
	dims := len(asked[0])
	var half sync.WaitGroup
	cores := runtime.GOMAXPROCS(0)
	for core := range cores {
		half.Go(func() {
			for i := core; i < len(asked); i += cores {
				for n := range len(vectors) / dims {
					truth[i].add(index.Hit{Set: set, N: n, Score: single(asked[i], vectors[n*dims:(n+1)*dims])})
				}
			}
		})
	}
	half.Wait()
}

// single is the product in float32, as a reference would compute it.
func single(a, b []float32) float32 {
	var s [8]float32
	for len(a) >= 8 {
		for i := range s {
			s[i] += a[i] * b[i]
		}
		a, b = a[8:], b[8:]
	}
	return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))
}

// residentMB is what of this process is in memory, or 0 where nobody says.
func residentMB() float64 {
	b, _ := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(fields[1])
	return float64(pages*os.Getpagesize()) / 1e6
}
