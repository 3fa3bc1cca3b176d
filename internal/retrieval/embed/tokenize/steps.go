package tokenize

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// step is one normaliser: it appends what becomes of text to dst.
type step func(dst, text []byte) []byte

// newSteps reads a normaliser, which may be a sequence of them.
func newSteps(b json.RawMessage) ([]step, error) {
	if len(b) == 0 || string(b) == "null" {
		return nil, nil
	}
	var n struct {
		Type     string            `json:"type"`
		All      []json.RawMessage `json:"normalizers"`
		Charsmap []byte            `json:"precompiled_charsmap"`
		Left     bool              `json:"strip_left"`
		Right    bool              `json:"strip_right"`
		Pattern  struct {
			String *string `json:"String"`
			Regex  *string `json:"Regex"`
		} `json:"pattern"`
		Content string `json:"content"`
		Prepend string `json:"prepend"`
	}
	if err := json.Unmarshal(b, &n); err != nil {
		return nil, fmt.Errorf("the normaliser of tokenizer.json cannot be read: %w", err)
	}
	one := func(s step) ([]step, error) { return []step{s}, nil }
	switch n.Type {
	case "Sequence":
		var steps []step
		for _, q := range n.All {
			more, err := newSteps(q)
			if err != nil {
				return nil, err
			}
			steps = append(steps, more...)
		}
		return steps, nil
	case "Precompiled":
		m, err := newCharsmap(n.Charsmap)
		if err != nil {
			return nil, err
		}
		return one(func(dst, text []byte) []byte { return m.apply(dst, string(text)) })
	case "NFC", "NFD", "NFKC", "NFKD":
		form := map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}[n.Type]
		return one(func(dst, text []byte) []byte { return form.Append(dst, text...) })
	case "Lowercase":
		return one(func(dst, text []byte) []byte { return append(dst, bytes.ToLower(text)...) })
	case "Strip":
		return one(func(dst, text []byte) []byte {
			if n.Left {
				text = bytes.TrimLeftFunc(text, unicode.IsSpace)
			}
			if n.Right {
				text = bytes.TrimRightFunc(text, unicode.IsSpace)
			}
			return append(dst, text...)
		})
	case "Prepend":
		return one(func(dst, text []byte) []byte {
			if len(text) > 0 {
				dst = append(dst, n.Prepend...)
			}
			return append(dst, text...)
		})
	case "Replace":
		return newReplace(n.Pattern.String, n.Pattern.Regex, n.Content)
	}
	return nil, fmt.Errorf("tokenizer.json has a normaliser of type %q, which is not supported with Unigram", n.Type)
}

func newReplace(text, pattern *string, by string) ([]step, error) {
	switch {
	case text != nil:
		old := []byte(*text)
		return []step{func(dst, text []byte) []byte { return append(dst, bytes.ReplaceAll(text, old, []byte(by))...) }}, nil
	case pattern != nil && *pattern == " {2,}": // in every file of this kind, and slow as an expression
		return []step{func(dst, text []byte) []byte { return replaceSpaces(dst, text, by) }}, nil
	case pattern != nil:
		expr, err := regexp.Compile(*pattern)
		if err != nil {
			return nil, fmt.Errorf("tokenizer.json has the pattern %.60q, which is not supported", *pattern)
		}
		return []step{func(dst, text []byte) []byte { return append(dst, expr.ReplaceAllLiteral(text, []byte(by))...) }}, nil
	}
	return nil, fmt.Errorf("tokenizer.json has a replacement without a pattern")
}

// replaceSpaces replaces two or more spaces by one text.
func replaceSpaces(dst, text []byte, by string) []byte {
	for i := 0; i < len(text); {
		n := i
		for n < len(text) && text[n] == ' ' {
			n++
		}
		switch {
		case n-i >= 2:
			dst, i = append(dst, by...), n
		default:
			dst = append(dst, text[i])
			i++
		}
	}
	return dst
}
