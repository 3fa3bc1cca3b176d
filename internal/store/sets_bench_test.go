package store_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"portico/internal/file"
	"portico/internal/knowledge"
	"portico/internal/retrieval"
	"portico/internal/retrieval/index"
	"portico/internal/store"
	"portico/internal/store/storetest"
)

// BenchmarkSets writes sets of 500 chunks with their vectors: rows alone, and
// with texts as documents have them.
func BenchmarkSets(b *testing.B) {
	const n, dims = 500, 384
	vectors := make([]float32, n*dims)
	for i := range vectors {
		vectors[i] = rand.Float32() - 0.5
	}
	for name, text := range map[string]string{"short": "a few words", "text": strings.Repeat("Words as documents have them. ", 30)} {
		rows := make([]retrieval.Row, n)
		for i := range rows {
			rows[i] = retrieval.Row{Text: text, Context: "Title › Heading", First: 900 * i, Last: 900*i + 900, Page: "12", LastPage: "12"}
		}
		for _, i := range []int{0, 2} {
			b.Run(name+"/"+engines[i].name, func(b *testing.B) {
				db := open(b, engines[i].url(b), store.Options{})
				files := storetest.AddFiles(b, db, "u", 400)
				b.ReportAllocs()
				at := 0
				for b.Loop() {
					set := &retrieval.Set{FileID: files[at%len(files)], Profile: "p", Space: "s"}
					at++
					if err := db.ReplaceSet(b.Context(), set, rows); err != nil {
						b.Fatal(err)
					}
					if err := db.AddVectors(b.Context(), set.ID, 0, dims, vectors); err != nil {
						b.Fatal(err)
					}
					if _, err := db.FinishVectors(b.Context(), set.ID); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "chunks/s")
			})
		}
	}
}

// BenchmarkScope is what each search of a collection of 10,000 files asks.
func BenchmarkScope(b *testing.B) {
	const n = 10_000
	for _, i := range []int{0, 2} {
		b.Run(engines[i].name, func(b *testing.B) {
			db := open(b, engines[i].url(b), store.Options{})
			files := storetest.AddFiles(b, db, "u", n)
			if err := db.CreateKnowledge(b.Context(), &knowledge.Knowledge{ID: "k", UserID: "u", Kind: knowledge.Collection}, nil); err != nil {
				b.Fatal(err)
			}
			hits := make([]index.Hit, 40)
			for at, id := range files {
				if _, _, err := db.LinkFile(b.Context(), &knowledge.Entry{KnowledgeID: "k", File: &file.File{ID: id}, UserID: "u", Twice: true}); err != nil {
					b.Fatal(err)
				}
				set := &retrieval.Set{FileID: id, Profile: "p"}
				if err := db.ReplaceSet(b.Context(), set, make([]retrieval.Row, 1)); err != nil {
					b.Fatal(err)
				}
				hits[at%len(hits)].Set = set.ID
			}
			for name, ask := range map[string]func() (int, error){
				"knowledge": func() (int, error) {
					scope, err := db.ScopeOfKnowledge(b.Context(), "k", "p")
					return len(scope), err
				},
				"files100": func() (int, error) {
					scope, err := db.ScopeOfFiles(b.Context(), files[:100], "p")
					return 100 * len(scope), err
				},
				"chunks40": func() (int, error) {
					rows, err := db.ChunksAt(b.Context(), hits)
					return 250 * len(rows), err
				},
			} {
				b.Run(name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if got, err := ask(); err != nil || got != n {
							b.Fatal(fmt.Errorf("%d of %d: %w", got, n, err))
						}
					}
				})
			}
		})
	}
}

// BenchmarkNeighbours prints what pgvector does with sets of 100 vectors around
// 500 centres, beside a comparison of all.
func BenchmarkNeighbours(b *testing.B) {
	const sets, perSet, dims, k = 300, 100, 384, 10
	db := open(b, storetest.Postgres(b), store.Options{})
	near, err := db.Neighbours(b.Context())
	if err != nil || near == nil {
		b.Fatalf("no pgvector to test with: %v", err)
	}
	centres := make([][]float32, 500)
	for i := range centres {
		centres[i] = unit(dims, nil)
	}
	start := time.Now()
	var scope index.Scope
	for i, id := range storetest.AddFiles(b, db, "u", sets) {
		set := &retrieval.Set{FileID: id, Profile: "p", Space: "s"}
		if err := db.ReplaceSet(b.Context(), set, nil); err != nil {
			b.Fatal(err)
		}
		var vectors []float32
		for range perSet {
			vectors = append(vectors, unit(dims, centres[rand.IntN(len(centres))])...)
		}
		if err := near.Add(b.Context(), set.ID, int64(i+1), "s", dims, vectors); err != nil {
			b.Fatal(err)
		}
		scope = append(scope, set.ID)
	}
	fmt.Printf("\n%d × %d: added at %.0f chunks/s\n", sets*perSet, dims, sets*perSet/time.Since(start).Seconds())
	questions := make([][]float32, 50)
	for i := range questions {
		questions[i] = unit(dims, centres[i])
	}
	ask := func(from int, scope index.Scope) (all [][]index.Hit, each time.Duration) {
		near.WalkFrom(from)
		for round := range 2 {
			start := time.Now()
			all = nil
			for _, q := range questions {
				hits, err := near.Search(b.Context(), "s", q, scope, k)
				if err != nil {
					b.Fatal(err)
				}
				all = append(all, hits)
			}
			if round == 1 {
				each = time.Since(start) / time.Duration(len(questions))
			}
		}
		return all, each
	}
	exact, slow := ask(1<<30, scope)
	walked, fast := ask(0, scope)
	found := 0
	for i := range exact {
		for _, h := range walked[i] {
			if slices.ContainsFunc(exact[i], func(e index.Hit) bool { return e.Set == h.Set && e.N == h.N }) {
				found++
			}
		}
	}
	_, one := ask(1<<30, scope[:1])
	fmt.Printf("compared %v, walked %v at recall@10 %.4f, one set of %d in %v\n", slow, fast, float64(found)/float64(k*len(exact)), perSet, one)
}

func unit(dims int, near []float32) []float32 {
	v, norm := make([]float32, dims), 0.0
	for i := range v {
		v[i] = float32(rand.NormFloat64()) * 0.05
		if near != nil {
			v[i] = near[i] + 0.7*v[i]
		}
		norm += float64(v[i]) * float64(v[i])
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(norm))
	}
	return v
}
