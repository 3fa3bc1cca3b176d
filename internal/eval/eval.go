// Package eval judges retrieval by golden questions: each says which passage
// of which file answers it, or that none does. It reads questions and counts
// hits; who searches is the caller's affair.
package eval

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Question is one line of a file of golden questions, a JSON object:
//
//	{"id":"q1","kind":"table","question":"…","file":"prices.csv","answer":"HV-210"}
//
// With file alone, any passage of that file answers; with answer alone, any
// passage that holds it; with neither, nothing answers, and the honest result
// is to say so.
type Question struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"` // groups the report; "" is "all"
	Question string `json:"question"`
	File     string `json:"file,omitempty"`   // name of the file
	Answer   string `json:"answer,omitempty"` // text that the passage holds
}

// Answerable reports whether anything answers it.
func (q *Question) Answerable() bool { return q.File != "" || q.Answer != "" }

// maxLine bounds one question.
const maxLine = 1 << 20

// Read reads questions, one a line. Empty lines and lines that begin with "#"
// are passed over.
func Read(r io.Reader) ([]Question, error) {
	var all []Question
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		q := Question{ID: fmt.Sprintf("line %d", n), Kind: "all"}
		if err := json.Unmarshal([]byte(line), &q); err != nil {
			return nil, fmt.Errorf("line %d is not a question: %w", n, err)
		}
		if strings.TrimSpace(q.Question) == "" {
			return nil, fmt.Errorf("line %d has no \"question\"", n)
		}
		all = append(all, q)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no question in it")
	}
	return all, nil
}

// Passage is one result of a search.
type Passage struct {
	File string // name
	Text string
}

// Rank gives the place, from 1, of the first passage that answers q, and of
// the first of the right file; 0 is nowhere.
func Rank(q *Question, found []Passage) (answer, file int) {
	if !q.Answerable() {
		return 0, 0
	}
	want := plain(q.Answer)
	for i := range found {
		p := &found[i]
		right := q.File == "" || p.File == q.File
		if right && q.File != "" && file == 0 {
			file = i + 1
		}
		if right && strings.Contains(plain(p.Text), want) {
			return i + 1, file
		}
	}
	return 0, file
}

// plain makes texts alike that differ in spaces, marks of tables and case only.
func plain(text string) string {
	return strings.ToLower(strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return r == ' ' || r == '\n' || r == '\t' || r == '|' || r == '\u00a0' || r == '\r'
	}), " "))
}
