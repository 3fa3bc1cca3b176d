package tokenize

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// unigram is SentencePiece's pipeline: normalise, mark the beginnings of words
// with ▁, and cut each word into the pieces whose scores add up to most.
type unigram struct {
	steps []step
	split bool // at white space first
	mark  string
	begin string // "always", "first" or "never": where a mark is put in front
	apart bool   // marks part words

	trie    *trie
	scores  []float64
	unknown int32
	penalty float64 // score of an unknown character

	spare sync.Pool // of *viterbi
}

// beyond is how much worse than the worst piece an unknown character is.
const beyond = 10

func newUnigram(f *file, all []byte) (*unigram, error) {
	var m struct {
		Model struct {
			Unknown *int32            `json:"unk_id"`
			Vocab   []json.RawMessage `json:"vocab"`
			Bytes   bool              `json:"byte_fallback"`
		} `json:"model"`
	}
	if err := json.Unmarshal(all, &m); err != nil {
		return nil, fmt.Errorf("the vocabulary of tokenizer.json cannot be read: %w", err)
	}
	if m.Model.Bytes {
		return nil, errors.New("tokenizer.json asks for pieces of single bytes, which is not supported")
	}
	if m.Model.Unknown == nil || *m.Model.Unknown < 0 || int(*m.Model.Unknown) >= len(m.Model.Vocab) {
		return nil, errors.New("the vocabulary of tokenizer.json lacks its own unknown token")
	}
	u := &unigram{unknown: *m.Model.Unknown, scores: make([]float64, len(m.Model.Vocab))}
	pieces := make([]string, len(m.Model.Vocab))
	for i, raw := range m.Model.Vocab {
		pair := []any{&pieces[i], &u.scores[i]}
		if err := json.Unmarshal(raw, &pair); err != nil || len(pair) != 2 {
			return nil, errors.New("the vocabulary of tokenizer.json has a piece without a score")
		}
		if i == 0 || u.scores[i] < u.penalty {
			u.penalty = u.scores[i]
		}
	}
	u.penalty -= beyond
	u.trie = newTrie(pieces)
	var err error
	if u.steps, err = newSteps(f.Normalizer); err != nil {
		return nil, err
	}
	u.begin = "never"
	return u, u.words(f.PreTokenizer)
}

// words reads how the text is cut into words.
func (u *unigram) words(b json.RawMessage) error {
	if len(b) == 0 || string(b) == "null" {
		return nil
	}
	var p struct {
		Type   string            `json:"type"`
		All    []json.RawMessage `json:"pretokenizers"`
		Mark   string            `json:"replacement"`
		Prefix *bool             `json:"add_prefix_space"` // older files
		Scheme string            `json:"prepend_scheme"`
		Split  *bool             `json:"split"`
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return fmt.Errorf("the pre-tokenizer of tokenizer.json cannot be read: %w", err)
	}
	switch p.Type {
	case "Sequence":
		for _, q := range p.All {
			if err := u.words(q); err != nil {
				return err
			}
		}
		return nil
	case "WhitespaceSplit":
		if u.mark != "" {
			return errors.New("tokenizer.json splits at white space that it has replaced before, which is not supported")
		}
		u.split = true
		return nil
	case "Metaspace":
		u.mark, u.begin, u.apart = p.Mark, p.Scheme, p.Split == nil || *p.Split
		if u.begin == "" {
			u.begin = "always"
			if p.Prefix != nil && !*p.Prefix {
				u.begin = "never"
			}
		}
		return nil
	}
	return fmt.Errorf("tokenizer.json has a pre-tokenizer of type %q, which is not supported with Unigram", p.Type)
}

// viterbi is the work on one text.
type viterbi struct {
	text, more []byte
	word       []byte
	ends       []end
	path       []int32
}

// end is the best way to cut a word up to a byte.
type end struct {
	score float64
	from  int32 // where the last piece begins; -1 is no way
	piece int32
}

func (u *unigram) encode(dst []int32, text string, limit int, first bool) []int32 {
	v, _ := u.spare.Get().(*viterbi)
	if v == nil {
		v = new(viterbi)
	}
	defer u.spare.Put(v)
	v.text = append(v.text[:0], strings.ToValidUTF8(text, "\uFFFD")...)
	for _, s := range u.steps {
		v.more = s(v.more[:0], v.text)
		v.text, v.more = v.more, v.text
	}
	rest := v.text
	for len(rest) > 0 && len(dst) < limit {
		n := len(rest)
		if u.split {
			if n = space8(rest); n > 0 {
				rest, first = rest[n:], false
				continue
			}
			n = word8(rest)
		}
		dst = u.section(dst, rest[:n], limit, first, v)
		rest, first = rest[n:], false
	}
	return dst
}

// space8 is the length of the white space that b begins with, word8 that of
// what is none.
func space8(b []byte) (n int) { return run8(b, true) }
func word8(b []byte) (n int)  { return run8(b, false) }

func run8(b []byte, space bool) (n int) {
	for n < len(b) {
		r, size := utf8.DecodeRune(b[n:])
		if unicode.IsSpace(r) != space {
			break
		}
		n += size
	}
	return n
}

// section encodes a part of the text that the pre-tokenizer sees as one.
func (u *unigram) section(dst []int32, b []byte, limit int, first bool, v *viterbi) []int32 {
	if u.mark == "" {
		return u.cut(dst, b, v)
	}
	v.word = v.word[:0]
	begins := strings.HasPrefix(string(b[:min(len(b), len(u.mark))]), u.mark) || b[0] == ' '
	if !begins && (u.begin == "always" || u.begin == "first" && first) {
		v.word = append(v.word, u.mark...)
	}
	for len(b) > 0 && len(dst) < limit {
		_, n := utf8.DecodeRune(b)
		c := b[:n]
		if b[0] == ' ' {
			c = []byte(u.mark)
		}
		b = b[n:]
		if u.apart && len(v.word) > 0 && string(c) == u.mark {
			dst = u.cut(dst, v.word, v)
			v.word = v.word[:0]
		}
		v.word = append(v.word, c...)
	}
	if len(dst) >= limit {
		return dst
	}
	return u.cut(dst, v.word, v)
}

// cut appends the pieces of a word; unknown characters side by side are one.
func (u *unigram) cut(dst []int32, word []byte, v *viterbi) []int32 {
	if len(word) == 0 {
		return dst
	}
	if cap(v.ends) <= len(word) {
		v.ends = make([]end, 2*len(word)+1)
	}
	ends := v.ends[:len(word)+1]
	for i := range ends {
		ends[i] = end{from: -1}
	}
	reach := func(at, from int, piece int32, score float64) {
		if e := &ends[at]; e.from < 0 || score > e.score {
			*e = end{score, int32(from), piece}
		}
	}
	for at := 0; at < len(word); {
		_, width := utf8.DecodeRune(word[at:])
		here, single := ends[at].score, false
		node := uint32(0)
		for i := at; i < len(word); i++ {
			if node = u.trie.next(node, word[i]); node == 0 {
				break
			}
			if p := u.trie.piece[node]; p >= 0 {
				reach(i+1, at, p, here+u.scores[p])
				single = single || i+1-at == width
			}
		}
		if !single {
			reach(at+width, at, u.unknown, here+u.penalty)
		}
		at += width
	}
	v.path = v.path[:0]
	for at := len(word); at > 0; at = int(ends[at].from) {
		p := ends[at].piece
		if p == u.unknown && len(v.path) > 0 && v.path[len(v.path)-1] == p {
			continue
		}
		v.path = append(v.path, p)
	}
	for i := len(v.path) - 1; i >= 0; i-- {
		dst = append(dst, v.path[i])
	}
	return dst
}
