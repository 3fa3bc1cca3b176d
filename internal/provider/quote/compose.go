package quote

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"portico/internal/language"
	"portico/internal/provider"
)

const (
	most    = 3   // quotes in an answer
	longest = 420 // characters of one
)

// compose writes the answer. files tells whether any were asked for.
func compose(question string, quotes []provider.Quote, files bool) string {
	w := english
	if language.Portuguese(question) {
		w = portuguese
	}
	switch {
	case !files:
		return w.noFiles
	case len(quotes) == 0:
		return w.nothing
	}
	terms := words(question)
	found := make([]excerpt, len(quotes))
	for i, q := range quotes {
		found[i] = best(q, terms)
		found[i].score += 1 / float64(2+i) // the order of the search counts, too
	}
	slices.SortStableFunc(found, func(a, b excerpt) int { return cmp.Compare(b.score, a.score) })
	var b strings.Builder
	b.WriteString(w.intro)
	for _, e := range found[:min(len(found), most)] {
		fmt.Fprintf(&b, "\n\n> %s\n\n— %s [%d]", strings.ReplaceAll(e.text, "\n", "\n> "), w.place(e.quote), e.quote.Number)
	}
	return b.String()
}

// wording is the text of an answer in one language.
type wording struct{ intro, nothing, noFiles, document, page string }

var (
	english = wording{
		intro:    "This is what your documents say:",
		nothing:  "I found nothing about this in the documents that you named.",
		noFiles:  "No language model is connected yet, so I can only quote from documents. Add files or a collection to the question, or ask the administrator to connect a provider.",
		document: "document", page: "page",
	}
	portuguese = wording{
		intro:    "Isto é o que seus documentos dizem:",
		nothing:  "Não encontrei nada sobre isso nos documentos que você indicou.",
		noFiles:  "Ainda não há um modelo de linguagem conectado, por isso só consigo citar documentos. Acrescente arquivos ou uma coleção à pergunta, ou peça ao administrador que conecte um provedor.",
		document: "documento", page: "página",
	}
)

func (w *wording) place(q provider.Quote) string {
	name := q.Name
	if name == "" {
		name = w.document
	}
	if q.Page != "" {
		return name + ", " + w.page + " " + q.Page
	}
	return name
}

// excerpt is the part of a quote that fits the question best.
type excerpt struct {
	quote provider.Quote
	text  string
	score float64
}

// best finds the run of sentences that holds most of the question's words.
func best(q provider.Quote, terms map[string]bool) excerpt {
	parts := sentences(q.Text)
	e := excerpt{quote: q}
	for i := range parts {
		text := ""
		for _, next := range parts[i:] {
			if longer := strings.TrimSpace(text + next); text == "" || utf8.RuneCountInString(longer) <= longest {
				text += next
				if s := score(text, terms); s > e.score || e.text == "" {
					e.text, e.score = strings.TrimSpace(text), s
				}
				continue
			}
			break
		}
	}
	if utf8.RuneCountInString(e.text) > longest {
		e.text = string([]rune(e.text)[:longest]) + "…"
	}
	return e
}

// score is how many of the question's words a text has, less a little for its
// length, so that of equal texts the shorter one is quoted.
func score(text string, terms map[string]bool) float64 {
	hits := 0
	for w := range words(text) {
		if terms[w] {
			hits++
		}
	}
	return float64(hits) - float64(len(text))/4000
}

// words are the words of a text, without their endings and the short ones.
func words(text string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' }) {
		if r := []rune(w); len(r) > 3 {
			m[string(r[:min(len(r), 6)])] = true
		} else if len(r) > 1 && unicode.IsDigit(r[0]) {
			m[w] = true
		}
	}
	return m
}

// sentences cuts a text behind its sentences and lines.
func sentences(text string) []string {
	var all []string
	from := 0
	for i, r := range text {
		end := i + utf8.RuneLen(r)
		next, _ := utf8.DecodeRuneInString(text[end:])
		if r == '\n' || (r == '.' || r == '!' || r == '?') && (end == len(text) || unicode.IsSpace(next)) {
			all = append(all, text[from:end])
			from = end
		}
	}
	if from < len(text) {
		all = append(all, text[from:])
	}
	return all
}
