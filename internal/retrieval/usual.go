package retrieval

import "strings"

// usual are words that say nothing about what a question asks for, English and
// Portuguese.
var usual = words(`
	a about an and are as at be been but by can could did do does for from had has have how i if in into is it its
	many may me much must my not of on or our out shall should so than that the their them then there these they
	this those to under up was we were what when where which who whom whose why will with would you your
	ao aos as até com como da das de do dos e é ela ele em entre era esta está este eu foi há isso isto já lhe mais
	mas me mesmo meu minha na não nas nem no nos nós o os ou para pela pelo pode por porque qual quais quando quantas
	quanto quantos que quem se sem ser seu seus só sobre sua suas também tem ter um uma umas uns você`)

func words(list string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		out[w] = true
	}
	return out
}
