// Package docset makes the documents that the server is measured with: 120
// files of eight formats, about 240,000 tokens, always the same. A part of them
// is the corpus of tests/eval, whose questions are asked over all of them; the
// rest is an office that keeps old railways, which has questions of its own.
package docset

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// Doc is one file.
type Doc struct {
	Name string
	Body []byte
}

// Question is one golden question, in the form of portico eval.
type Question struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"`
	Question string `json:"question"`
	File     string `json:"file"`
	Answer   string `json:"answer"`
}

// article is what a file says, before it has a format.
type article struct {
	title    string
	sections []section
	table    [][]string // the first row is the header
}

type section struct {
	heading    string
	paragraphs []string
}

// formats are how articles are written, in turn.
func formats() []struct {
	ext   string
	write func(*article) []byte
} {
	return []struct {
		ext   string
		write func(*article) []byte
	}{
		{"md", markdown}, {"txt", plain}, {"html", html}, {"docx", docx},
		{"pdf", pdf}, {"csv", csv}, {"xlsx", xlsx}, {"json", jsonFile},
	}
}

// Make makes count files, those of the folder corpus first, and questions on
// the others. What it makes depends on its arguments alone.
func Make(corpus string, count int) ([]Doc, []Question, error) {
	names, err := filepath.Glob(filepath.Join(corpus, "*"))
	if err != nil {
		return nil, nil, err
	}
	var docs []Doc
	for _, name := range names[:min(len(names), count/3)] {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, nil, err
		}
		docs = append(docs, Doc{filepath.Base(name), b})
	}
	var questions []Question
	for i := 0; len(docs) < count; i++ {
		w := &writer{r: rand.New(rand.NewPCG(uint64(i), 11)), place: placeName(i), number: i}
		f := formats()[i%len(formats())]
		a := w.article(f.ext)
		name := fmt.Sprintf("%s-%s.%s", strings.ToLower(w.place), w.kind(), f.ext)
		docs = append(docs, Doc{name, f.write(a)})
		for _, q := range w.asked {
			q.ID, q.File = fmt.Sprintf("t%03d", len(questions)+1), name
			questions = append(questions, q)
		}
	}
	return docs, questions, nil
}

// Report is a PDF of so many pages, about two and a half chunks of text each.
// Another seed gives another text.
func Report(pages int, seed uint64) []byte {
	w := &writer{r: rand.New(rand.NewPCG(seed, 12)), place: placeName(int(seed % 97))}
	a := &article{title: fmt.Sprintf("The works at %s, report %d", w.place, seed)}
	for range pages {
		s := section{heading: w.pick(headings) + " at " + w.place}
		for n := 0; n < 2100; {
			p := w.paragraph()
			s.paragraphs = append(s.paragraphs, p)
			n += len(p)
		}
		a.sections = append(a.sections, s)
	}
	return pagedPDF(a)
}

// Note is a short text file with a number that no other one has.
func Note(i int) Doc {
	w := &writer{r: rand.New(rand.NewPCG(uint64(i), 13)), place: placeName(i)}
	text := fmt.Sprintf("Note %d of %s, mark N%06d.\n\n%s\n\n%s\n", i, w.place, i, w.paragraph(), w.paragraph())
	return Doc{fmt.Sprintf("note-%05d.txt", i), []byte(text)}
}

// Text is prose of about n bytes, for rows of a database.
func Text(r *rand.Rand, n int) string {
	w := &writer{r: r, place: placeName(r.IntN(5000))}
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(w.sentence())
		b.WriteByte(' ')
	}
	return b.String()
}

// Ask is a question of about twelve tokens on such prose.
func Ask(r *rand.Rand) string {
	w := &writer{r: r, place: placeName(r.IntN(5000))}
	return w.fill(w.pick([]string{
		"How often does the {role} of {place} look at the {thing}?", "Who repaired the {thing} in {month} at {place}?",
		"Why was the {thing} made of {stuff} taken out?", "What did the {role} write about the {thing} near {place}?",
	}))
}
