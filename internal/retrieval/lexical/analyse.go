package lexical

import (
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// analyserVersion changes with every change of what words a text has: an index
// of another version is made anew.
const analyserVersion = 1

const (
	maxWord  = 64      // bytes; what is longer is found by its beginning
	maxWhole = 128     // bytes of an identifier kept whole
	maxCache = 1 << 16 // words remembered with their stems
)

// word is a folded word and what it is looked up by. It is the same for every
// text.
type word struct {
	text  string
	stems [languages]string // "" until asked for
	stop  uint8             // bit of each language in which it is a stop word
	// Where it is among the entries of a builder, in a build.
	entry [languages]int
	build int
}

// stem is what the word is indexed as.
func (w *word) stem(l language) string {
	if w.stems[l] == "" {
		w.stems[l] = stem(w.text, l)
	}
	return w.stems[l]
}

// token is one word at one place. What is read beside the words that a text is
// made of, such as the whole of an identifier whose parts are there, is extra
// and does not make the text longer.
type token struct {
	*word
	extra bool
}

// analyser turns text into words. It is for one goroutine at a time.
type analyser struct {
	words  map[string]*word
	tokens []token
	groups []group
	// accents counts letters with Portuguese accents.
	accents int

	buf   []byte // folded words of the chain, with what joins them
	chain []link
	cuts  []int
	spare []byte
}

func newAnalyser() *analyser { return &analyser{words: map[string]*word{}} }

// read makes a.tokens the words of text.
func (a *analyser) read(text string) {
	if len(a.words) > maxCache {
		clear(a.words)
	}
	a.tokens = a.tokens[:0]
	a.accents = 0
	a.more(text)
}

// more adds the words of text.
func (a *analyser) more(text string) {
	if !norm.NFC.IsNormalString(text) {
		text = norm.NFC.String(text)
	}
	a.scan(text)
}

func (a *analyser) add(folded []byte, extra bool) {
	if len(folded) == 0 {
		return
	}
	folded = folded[:min(len(folded), maxWhole)]
	w := a.words[string(folded)]
	if w == nil {
		s := strings.ToValidUTF8(string(folded), "")
		w = &word{text: s, stop: stopWords[s]}
		a.words[string(folded)] = w
	}
	a.tokens = append(a.tokens, token{w, extra})
}

// votes counts what speaks for Portuguese in the tokens, less what speaks for
// English.
func (a *analyser) votes() int {
	n := a.accents
	for _, t := range a.tokens {
		switch t.stop {
		case 1 << pt:
			n++
		case 1 << en:
			n--
		}
	}
	return n
}

// group is one word of a question: either of its stems, as the language of a
// chunk decides which of them is indexed.
type group struct {
	*word
	times float64
}

// terms gives the stems of the word, without repetition.
func (g group) terms() []string {
	if g.stem(en) == g.stem(pt) {
		return g.stems[:1]
	}
	return g.stems[:]
}

// maxGroups bounds the words of a question that are looked at, and maxWeighty
// those that are searched for: the rarest.
const (
	maxGroups  = 128
	maxWeighty = 24
)

// question gives the words to search for, in order, without repetition. They are
// good until the next one.
func (a *analyser) question(text string) []group {
	a.read(text)
	all := true
	for _, t := range a.tokens {
		all = all && t.stop != 0
	}
	a.groups = a.groups[:0]
	for _, t := range a.tokens {
		if t.stop != 0 && !all {
			continue
		}
		at := slices.IndexFunc(a.groups, func(g group) bool { return g.word == t.word })
		switch {
		case at >= 0:
			a.groups[at].times++
		case len(a.groups) < maxGroups:
			a.groups = append(a.groups, group{t.word, 1})
		}
	}
	return a.groups
}
