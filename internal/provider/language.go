package provider

import (
	"strings"
	"unicode"
)

// Words that say in which of the two languages a question is.
var (
	wordsPortuguese = set("o os as um uma uns umas de do da dos das em no na nos nas ao à às por pelo pela para com sem sob sobre entre que quem qual quais quando onde como quanto quantos quantas quê porque é são foi era ser está estão tem têm há não sim mais mas ou se seu sua seus suas este esta isto esse essa isso aquele meu minha me eu você ele ela nós eles explique resuma diga liste mostre documento arquivo")
	wordsEnglish    = set("the an of to in on at by for with from about is are was were be been do does did has have had who what which when where why how much many not yes and or if this that these those it its they he she we you i my your can could should would explain summarize tell list show document file")
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
	score := 0
	for w := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) }) {
		switch {
		case wordsPortuguese[w] && !wordsEnglish[w]:
			score++
		case wordsEnglish[w] && !wordsPortuguese[w]:
			score--
		}
		if strings.ContainsAny(w, "ãõçáéíóúâêôà") {
			score++
		}
	}
	return score > 0
}
