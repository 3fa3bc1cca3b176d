// Package language tells English from Portuguese by the little words of a
// sentence: enough to choose the wording of an answer, and to know when a model
// of one language is asked in another. It is no general detector.
package language

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Words that say in which of the two languages a question is.
var (
	portuguese = set("o os as um uma uns umas de do da dos das em no na nos nas ao à às por pelo pela para com sem sob sobre entre que quem qual quais quando onde como quanto quantos quantas quê porque é são foi era ser está estão tem têm há não mais mas ou se seu sua seus suas este esta isto esse essa isso aquele meu minha me eu você ele ela nós eles explique resuma diga liste mostre documento arquivo")
	english    = set("the an of to in on at by for with from about is are was were be been do does did has have had who what which when where why how much many not yes and or if this that these those it its they he she we you i my your can could should would explain summarize tell list show document file no")
	// other are little words of other languages of Europe.
	other = set("der das und ist ein eine wie viele wer wann wo warum nicht mit für von zu den dem le la les des est une dans combien pourquoi où quand el los las una cuándo cuántos cuánto dónde qué il lo gli che di perché dove quanti")
)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// Portuguese reports whether a text looks more like Portuguese than English.
func Portuguese(text string) bool {
	p, e := votes(text)
	return p > e
}

// English reports whether a text does not look like another language.
func English(text string) bool {
	others := 0
	for w := range words(text) {
		if w = strings.ToLower(w); other[w] && !english[w] {
			others++
		}
	}
	p, e := votes(text)
	return e >= p && e >= others
}

// votes counts what speaks for each of the two languages.
func votes(text string) (p, e int) {
	for w := range words(text) {
		small := strings.ToLower(w)
		switch {
		case portuguese[small] && !english[small]:
			p++
		case english[small] && !portuguese[small]:
			e++
		}
		// A name with an accent says nothing.
		if first, _ := utf8.DecodeRuneInString(w); unicode.IsLower(first) && strings.ContainsAny(w, "ãõçáéíóúâêôà") {
			p++
		}
	}
	return p, e
}

func words(text string) iter.Seq[string] {
	return strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) })
}
