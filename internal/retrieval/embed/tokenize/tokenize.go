// Package tokenize turns text into the numbers that an encoder was trained on,
// as the tokenizer.json beside its weights describes it (the format of Hugging
// Face's tokenizers library), and gives the very numbers that library gives.
//
// Known are WordPiece behind BERT's normaliser and Unigram behind
// SentencePiece's: what encoders of the BERT family come with.
package tokenize

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Tokenizer is safe for concurrent use.
type Tokenizer struct {
	prefix, suffix []int32 // around every text
	raw            []added // found in the text as it stands
	words          pipeline
	spare          sync.Pool // of *[]int32, for Count
}

// pipeline encodes text that holds no added token.
type pipeline interface {
	// encode appends the numbers of a text to dst and may stop once dst holds
	// limit of them. first says that the text begins here, and is not the rest
	// behind an added token.
	encode(dst []int32, text string, limit int, first bool) []int32
}

// unlimited is a limit that no text reaches.
const unlimited = int(^uint(0) >> 1)

// Encode appends the numbers of a text to dst: at most limit of them, those
// around every text included. A limit of 0 cuts nowhere.
func (t *Tokenizer) Encode(dst []int32, text string, limit int) []int32 {
	if limit <= 0 {
		limit = unlimited
	}
	start := len(dst)
	dst = append(dst, t.prefix...)
	end := limit
	if limit != unlimited {
		end = start + max(limit-len(t.suffix), len(t.prefix))
	}
	dst = t.encode(dst, text, end)
	if len(dst) > end {
		dst = dst[:end]
	}
	return append(dst, t.suffix...)
}

// Count tells how many numbers Encode would give without a limit.
func (t *Tokenizer) Count(text string) int {
	ids, _ := t.spare.Get().(*[]int32)
	if ids == nil {
		ids = new([]int32)
	}
	*ids = t.encode((*ids)[:0], text, unlimited)
	n := len(*ids) + len(t.prefix) + len(t.suffix)
	if cap(*ids) <= spareRoom {
		t.spare.Put(ids)
	}
	return n
}

// spareRoom bounds the buffers that Count keeps.
const spareRoom = 64 << 10

func (t *Tokenizer) encode(dst []int32, text string, limit int) []int32 {
	first := true
	for len(t.raw) > 0 && len(dst) < limit {
		at, a := nextAdded(t.raw, text)
		if a == nil {
			break
		}
		before, after := a.around(text, at)
		if before > 0 {
			dst = t.words.encode(dst, text[:before], limit, first)
			first = false
		}
		dst = append(dst, a.ID)
		first, text = false, text[after:]
	}
	if text == "" || len(dst) >= limit {
		return dst
	}
	return t.words.encode(dst, text, limit, first)
}

// file is what a tokenizer.json holds of interest.
type file struct {
	Added         []added         `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Model         struct {
		Type string `json:"type"`
	} `json:"model"`
}

// Parse reads a tokenizer.json.
func Parse(b []byte) (*Tokenizer, error) {
	var f file
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("tokenizer.json cannot be read: %w", err)
	}
	t := &Tokenizer{}
	if err := t.around(f.PostProcessor); err != nil {
		return nil, err
	}
	for _, a := range f.Added {
		if a.Content == "" {
			continue
		}
		if a.Normalized {
			return nil, fmt.Errorf("tokenizer.json has the added token %q, which is looked for in normalised text; that is not supported", a.Content)
		}
		t.raw = append(t.raw, a)
	}
	var err error
	switch f.Model.Type {
	case "WordPiece", "": // older files do not name it
		t.words, err = newWordPiece(&f, b)
	case "Unigram":
		t.words, err = newUnigram(&f, b)
	default:
		err = fmt.Errorf("tokenizer.json has a model of type %q; WordPiece and Unigram are supported", f.Model.Type)
	}
	return t, err
}

// template is a post-processor: what is put around one text.
type template struct {
	Type   string `json:"type"`
	Single []struct {
		SpecialToken *struct {
			ID string `json:"id"`
		} `json:"SpecialToken"`
		Sequence *struct {
			ID string `json:"id"`
		} `json:"Sequence"`
	} `json:"single"`
	SpecialTokens map[string]struct {
		IDs []int32 `json:"ids"`
	} `json:"special_tokens"`
	Cls        pair              `json:"cls"` // of BertProcessing and RobertaProcessing: ["[CLS]",101]
	Sep        pair              `json:"sep"`
	Processors []json.RawMessage `json:"processors"`
}

// pair is a JSON array of a token and its number.
type pair struct{ id int32 }

func (p *pair) UnmarshalJSON(b []byte) error {
	var word string
	parts := []any{&word, &p.id}
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	if len(parts) != 2 {
		return errors.New("a pair of a token and its number was expected")
	}
	return nil
}

// around reads what is put before and behind every text.
func (t *Tokenizer) around(b json.RawMessage) error {
	if len(b) == 0 || string(b) == "null" {
		return nil
	}
	var p template
	if err := json.Unmarshal(b, &p); err != nil {
		return fmt.Errorf("the post-processor of tokenizer.json cannot be read: %w", err)
	}
	switch p.Type {
	case "BertProcessing", "RobertaProcessing":
		t.prefix, t.suffix = []int32{p.Cls.id}, []int32{p.Sep.id}
	case "ByteLevel": // changes offsets alone
	case "Sequence":
		for _, q := range p.Processors {
			if err := t.around(q); err != nil {
				return err
			}
		}
	case "TemplateProcessing":
		seen := false
		for _, s := range p.Single {
			switch {
			case s.Sequence != nil:
				seen = true
			case s.SpecialToken == nil:
				return errors.New("the post-processor of tokenizer.json has a step that is neither a token nor a text")
			case seen:
				t.suffix = slices.Concat(t.suffix, p.SpecialTokens[s.SpecialToken.ID].IDs)
			default:
				t.prefix = slices.Concat(t.prefix, p.SpecialTokens[s.SpecialToken.ID].IDs)
			}
		}
	default:
		return fmt.Errorf("tokenizer.json has a post-processor of type %q, which is not supported", p.Type)
	}
	return nil
}
