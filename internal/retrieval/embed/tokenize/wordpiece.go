package tokenize

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"
)

// wordPiece is BERT's pipeline: normalise, cut into words, cut each word into
// the longest pieces of the vocabulary from the left.
type wordPiece struct {
	clean, chinese bool // of the normaliser; see charclass.go
	lower, strip   bool

	whole    map[string]int32 // pieces at the start of a word
	rest     map[string]int32 // pieces behind it, without their prefix
	longest  int              // bytes of the longest piece
	unknown  int32
	maxChars int // a longer word is unknown

	spare sync.Pool // of *cutter
}

func newWordPiece(f *file, all []byte) (*wordPiece, error) {
	var m struct {
		Model struct {
			Vocab    map[string]int32 `json:"vocab"`
			Unknown  string           `json:"unk_token"`
			Prefix   *string          `json:"continuing_subword_prefix"`
			MaxChars *int             `json:"max_input_chars_per_word"`
		} `json:"model"`
	}
	if err := json.Unmarshal(all, &m); err != nil {
		return nil, fmt.Errorf("the vocabulary of tokenizer.json cannot be read: %w", err)
	}
	prefix, maxChars := "##", 100
	if m.Model.Prefix != nil {
		prefix = *m.Model.Prefix
	}
	if m.Model.MaxChars != nil {
		maxChars = *m.Model.MaxChars
	}
	w := &wordPiece{whole: make(map[string]int32, len(m.Model.Vocab)), rest: map[string]int32{}, maxChars: maxChars}
	if err := w.read(f); err != nil {
		return nil, err
	}
	id, ok := m.Model.Vocab[m.Model.Unknown]
	if !ok {
		return nil, fmt.Errorf("the vocabulary of tokenizer.json lacks its own unknown token %q", m.Model.Unknown)
	}
	w.unknown = id
	for piece, id := range m.Model.Vocab {
		w.longest = max(w.longest, len(piece))
		w.whole[piece] = id
		if rest, ok := strings.CutPrefix(piece, prefix); ok && rest != "" {
			w.rest[rest] = id
		}
	}
	return w, nil
}

// read takes over what normaliser and pre-tokenizer say.
func (w *wordPiece) read(f *file) error {
	n := struct {
		Type    string `json:"type"`
		Clean   *bool  `json:"clean_text"`
		Chinese *bool  `json:"handle_chinese_chars"`
		Strip   *bool  `json:"strip_accents"`
		Lower   *bool  `json:"lowercase"`
	}{}
	if err := json.Unmarshal(f.Normalizer, &n); err != nil || n.Type != "BertNormalizer" {
		return errors.New("tokenizer.json has WordPiece behind a normaliser that is not BertNormalizer, which is not supported")
	}
	var p struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(f.PreTokenizer, &p); err != nil || p.Type != "BertPreTokenizer" {
		return errors.New("tokenizer.json has WordPiece behind a pre-tokenizer that is not BertPreTokenizer, which is not supported")
	}
	or := func(b *bool, otherwise bool) bool {
		if b == nil {
			return otherwise
		}
		return *b
	}
	w.clean, w.chinese, w.lower = or(n.Clean, true), or(n.Chinese, true), or(n.Lower, true)
	w.strip = or(n.Strip, w.lower)
	return nil
}

// cutter is the work on one text.
type cutter struct {
	*wordPiece
	dst   []int32
	word  []byte // normalised, not yet cut
	chars int    // in it
	run   []byte // what is being normalised
	nfd   []byte
}

func (w *wordPiece) encode(dst []int32, text string, limit int, _ bool) []int32 {
	c, _ := w.spare.Get().(*cutter)
	if c == nil {
		c = &cutter{wordPiece: w}
	}
	c.dst = dst
	for i := 0; i < len(text) && len(c.dst) < limit; {
		b := text[i]
		if b >= utf8.RuneSelf {
			n := foreign(text[i:])
			c.unicode(text[i : i+n])
			i += n
			continue
		}
		i++
		switch ascii[b] {
		case letter:
			if c.lower && 'A' <= b && b <= 'Z' {
				b += 'a' - 'A'
			}
			c.word = append(c.word, b)
			c.chars++
		case space:
			c.flush()
		case mark:
			c.flush()
			c.dst = c.piece(c.dst, text[i-1:i])
		case control:
			switch {
			case c.clean:
			case b == '\v' || b == '\f':
				c.flush()
			default:
				c.word = append(c.word, b)
				c.chars++
			}
		}
	}
	c.flush()
	dst, c.dst = c.dst, nil
	w.spare.Put(c)
	return dst
}

// foreignRun bounds a run of bytes beyond ASCII that is normalised at once.
const foreignRun = 4 << 10

// foreign is the length of the run of bytes beyond ASCII that text begins with.
// A run that is too long is cut at a space or, failing that, in front of a
// character.
func foreign(text string) int {
	n := 0
	for n < len(text) && n < foreignRun && text[n] >= utf8.RuneSelf {
		n++
	}
	for n < len(text) && n > foreignRun-utf8.UTFMax && !utf8.RuneStart(text[n]) {
		n--
	}
	return n
}

// flush cuts the word that has come so far.
func (c *cutter) flush() {
	if len(c.word) == 0 {
		return
	}
	c.dst = c.cut(c.dst)
	c.word, c.chars = c.word[:0], 0
}

// piece appends a word that has one character.
func (w *wordPiece) piece(dst []int32, word string) []int32 {
	if id, ok := w.whole[word]; ok {
		return append(dst, id)
	}
	return append(dst, w.unknown)
}

// cut appends the pieces of the word, or the unknown token if there is a part
// that no piece covers.
func (c *cutter) cut(dst []int32) []int32 {
	if c.chars > c.maxChars {
		return append(dst, c.unknown)
	}
	start, pieces := len(dst), c.whole
	for word := c.word; len(word) > 0; pieces = c.rest {
		n := min(len(word), c.longest)
		id, ok := pieces[string(word[:n])]
		for !ok {
			for n--; n > 0 && !utf8.RuneStart(word[n]); n-- {
			}
			if n <= 0 {
				return append(dst[:start], c.unknown)
			}
			id, ok = pieces[string(word[:n])]
		}
		dst, word = append(dst, id), word[n:]
	}
	return dst
}
