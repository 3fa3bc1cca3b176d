package lexical

import (
	"strings"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/english"
	"github.com/blevesearch/snowballstem/portuguese"
)

// language is one that words are stemmed in.
type language uint8

const (
	en language = iota
	pt
	languages
)

// stem gives the stem of a folded word. Only words of Latin letters have one:
// numbers and identifiers stay as they are.
func stem(word string, l language) string {
	for i := range len(word) {
		if word[i] < 'a' || word[i] > 'z' {
			return word
		}
	}
	if len(word) < 3 {
		return word
	}
	if l == pt {
		return stemPortuguese(word)
	}
	env := snowballstem.NewEnv(word)
	english.Stem(env)
	return env.Current()
}

// endings turn the end of a Portuguese word that was written without accents,
// or folded, into one that the stemmer knows; plurals that it does not join to
// their singular become it. The first that fits is taken.
var endings = []struct{ is, becomes string }{
	{"coes", "ção"}, {"cao", "ção"},
	{"soes", "são"}, {"oes", "ão"}, {"aes", "ão"}, {"aos", "ão"}, {"ao", "ão"},
	{"aveis", "ável"}, {"avel", "ável"}, {"iveis", "ível"}, {"ivel", "ível"},
	{"encias", "ência"}, {"encia", "ência"}, {"ancias", "ância"}, {"ancia", "ância"},
	{"ais", "al"}, {"eis", "el"}, {"ois", "ol"}, {"ns", "m"},
	{"avamos", "ávamos"}, {"aramos", "áramos"}, {"essemos", "êssemos"}, {"issemos", "íssemos"},
	{"iamos", "íamos"}, {"ario", "ário"}, {"arios", "ário"},
}

func stemPortuguese(word string) string {
	for _, e := range endings {
		if root, ok := strings.CutSuffix(word, e.is); ok && len(root) >= 2 {
			word = root + e.becomes
			break
		}
	}
	env := snowballstem.NewEnv(word)
	portuguese.Stem(env)
	return foldString(env.Current())
}

func foldString(s string) string {
	var b []byte
	for _, r := range s {
		b = appendFold(b, r)
	}
	return string(b)
}

// stopWords have no weight of their own: a question is searched without them,
// unless it holds nothing else, and they do not count in the length of a chunk.
// The bits say in which languages.
var stopWords = func() map[string]uint8 {
	m := map[string]uint8{}
	for l, words := range stopLists {
		for w := range strings.FieldsSeq(words) {
			m[foldString(w)] |= 1 << l
		}
	}
	return m
}()

var stopLists = [languages]string{
	en: `a an the and or but if then than so as at by for from in into of on onto to with about
is are was were be been being am do does did done has have had having will would can could shall should may might must
i me my we us our you your he him his she her it its they them their this that these those there here
what which who whom whose when where why how no not nor such very just also too
isnt arent wasnt werent dont doesnt didnt hasnt havent hadnt wont wouldnt cant couldnt shouldnt cannot
im ive ill id youre youve youll hes shes theyre theyve weve thats whats theres lets please`,
	pt: `a o as os um uma uns umas e ou mas se que de do da dos das em no na nos nas num numa por pelo pela pelos pelas
para pra com sem sob sobre entre até ao aos à às como quando onde quem qual quais quanto quantos quanta quantas porque porquê
é são foi foram era eram ser sendo sido está estão estava estar esteve há havia ter tem têm tinha teve
eu tu ele ela nós vós eles elas você vocês me te lhe lhes meu minha meus minhas seu sua seus suas nosso nossa nossos nossas
este esta estes estas esse essa esses essas isto isso aquele aquela aqueles aquelas aquilo
não nem já também muito mais pode podem posso deve devem`,
}
