package lexical

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"portico/internal/retrieval/index"
)

// reference is BM25 as it is written in books: it looks at every chunk.
type reference map[int64][]bag

// bag is the words of a chunk.
type bag struct {
	counts map[string]uint32
	length int
}

func (r reference) add(set int64, chunks []index.Text) {
	type read struct{ text, context []token }
	a := newAnalyser()
	all := 0
	var votes []int
	var reads []read
	for _, c := range chunks {
		a.read(c.Text)
		x := read{text: slices.Clone(a.tokens)}
		v := a.votes()
		a.read(c.Context)
		x.context = slices.Clone(a.tokens)
		v += a.votes()
		all += v
		votes = append(votes, v)
		reads = append(reads, x)
	}
	var bags []bag
	for i, x := range reads {
		l := en
		if votes[i] > 0 || votes[i] == 0 && all > 0 {
			l = pt
		}
		g := bag{counts: map[string]uint32{}}
		for weight, tokens := range map[int][]token{2: x.text, 1: x.context} {
			for _, t := range tokens {
				g.counts[t.stem(l)] += uint32(weight)
				if !t.extra && t.stop == 0 {
					g.length += weight
				}
			}
		}
		bags = append(bags, g)
	}
	r[set] = bags
}

func (r reference) search(question string, scope index.Scope, k int) []index.Hit {
	groups := newAnalyser().question(question)
	n, sum := 0, 0
	df := map[string]int{}
	for _, set := range scope {
		for _, g := range r[set] {
			n++
			sum += g.length
			for _, q := range groups {
				for _, t := range q.terms() {
					if g.counts[t] > 0 {
						df[t+"/"+strings.Join(q.terms(), "/")]++
					}
				}
			}
		}
	}
	average := max(1, float64(sum)/float64(max(1, n)))
	weights := make([]float64, len(groups))
	for i, q := range groups {
		most := 0
		for _, t := range q.terms() {
			most = max(most, df[t+"/"+strings.Join(q.terms(), "/")])
		}
		if most > 0 {
			weights[i] = q.times * math.Log(1+(float64(n)-float64(most)+0.5)/(float64(most)+0.5))
		}
	}
	weights = rarest(weights)
	var hits []index.Hit
	for _, set := range scope {
		for i, g := range r[set] {
			norm := 2 * 1.2 * (1 - 0.75 + 0.75*float64(g.length)/average)
			score := 0.0
			for j, q := range groups {
				var count uint32
				for _, t := range q.terms() {
					count += g.counts[t]
				}
				if count > 0 {
					score += weights[j] * float64(count) / (float64(count) + norm)
				}
			}
			if score > 0 {
				hits = append(hits, index.Hit{Set: set, N: i, Score: float32(score)})
			}
		}
	}
	slices.SortFunc(hits, index.Compare)
	return hits[:min(k, len(hits))]
}

// rarest takes the weight of all but the weightiest words.
func rarest(weights []float64) []float64 {
	out := slices.Clone(weights)
	for i := range weights {
		weightier := 0
		for j := range weights {
			if weights[j] > weights[i] || weights[j] == weights[i] && j < i {
				weightier++
			}
		}
		if weightier >= maxWeighty {
			out[i] = 0
		}
	}
	return out
}

// corpus makes text whose words are as unevenly common as those of a language.
type corpus struct {
	*rand.Rand
	zipf  *rand.Zipf
	words []string
}

func newCorpus(seed uint64, vocabulary int) *corpus {
	r := rand.New(rand.NewPCG(seed, 1))
	c := &corpus{Rand: r, zipf: rand.NewZipf(r, 1.1, 4, uint64(vocabulary-1))}
	syllables := strings.Fields("con fi gu ra ser ver lo ta mi de pro ce so run ning er ly ção mente able tor da co li ne pa ri sto")
	stops := strings.Fields("the of and to in is que de não com para uma as os")
	for i := range vocabulary {
		var b strings.Builder
		for n := i + 29; n > 0; n /= len(syllables) {
			b.WriteString(syllables[n%len(syllables)])
		}
		switch {
		case i < len(stops):
			b.Reset()
			b.WriteString(stops[i])
		case i%31 == 0:
			fmt.Fprintf(&b, "_%s_%d", syllables[i%len(syllables)], i)
		case i%17 == 0:
			b.WriteString(fmt.Sprint(i))
		}
		c.words = append(c.words, b.String())
	}
	return c
}

func (c *corpus) text(words int) string {
	var b strings.Builder
	for i := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(c.words[c.zipf.Uint64()])
	}
	return b.String()
}

func (c *corpus) chunks(n, words int) []index.Text {
	out := make([]index.Text, n)
	for i := range out {
		out[i].Text = c.text(c.IntN(words + 1))
		if c.IntN(3) == 0 {
			out[i].Context = c.text(1 + c.IntN(6))
		}
	}
	return out
}

// some gives part of the sets.
func (c *corpus) some(r reference, share float64) index.Scope {
	var out index.Scope
	for _, id := range slices.Sorted(maps.Keys(r)) {
		if c.Float64() < share {
			out = append(out, id)
		}
	}
	return out
}
