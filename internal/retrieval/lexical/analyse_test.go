package lexical

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// indexed gives what a text is found by, in a language.
func indexed(text string, l language) []string {
	a := newAnalyser()
	a.read(text)
	var out []string
	for _, t := range a.tokens {
		out = append(out, t.stem(l))
	}
	return out
}

func TestWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		lang language
		want string
	}{
		{"", en, ""},
		{"The running dogs' owners", en, "the run dog owner"},
		{"Configurações avançadas", pt, "configur avanc"},
		{"configuracoes avancadas", pt, "configur avanc"},
		{"configuração", pt, "configur"},
		{"versões versão", pt, "versa versa"},
		{"responsáveis responsável", pt, "respons respons"},
		{"user's don’t d'água O'Reilly", en, "user dont dagua d agua oreilli o reilli"},
		{"OLLAMA_BASE_URL", en, "ollama base url ollama_base_url"},
		{"getHTTPServerName", en, "gethttpservernam get http server name"},
		{"JavaScript", en, "javascript java script"},
		{"E-1042 ORA-00942 0x80070005", en, "e 1042 e-1042 e1042 ora 00942 ora-00942 ora00942 0x80070005"},
		{"v0.12.4", en, "v0 12 4 v0.12.4 0.12.4"},
		{"report-2024_final.pdf", en, "report 2024 final pdf report-2024_final.pdf"},
		{"joao.silva@example.com", en, "joao silva exampl com joao.silva example.com joao.silva@example.com"},
		{"/etc/portico/config.yaml", en, "etc portico config yaml config.yaml etc/portico/config.yaml"},
		{`C:\Temp\a.txt`, en, `c temp a txt a.txt c\temp\a.txt`},
		{"https://example.com/a", en, "https exampl com a example.com https:example.com/a"},
		{"std::vector", en, "std vector std:vector"},
		{"C++ and C#.", en, "c c++ and c c#"},
		{"sha256 GPT-4 5GB", en, "sha256 sha 256 gpt 4 gpt-4 gpt4 5gb 5 gb"},
		{"1,234.56 1.234,56 1234.56", en, "1 234 56 1,234.56 1234.56 1 234 56 1.234,56 1234.56 1234 56 1234.56"},
		{"192.168.1.1 10,5", en, "192 168 1 1 192.168.1.1 10 5 10,5 10.5"},
		{"U.S.A. e-mail", en, "u s a u.s.a usa e mail e-mail email"},
		{"検索エンジン", en, "検索 索エ エン ンジ ジン"},
		{"東 ﬁle Ｆｕｌｌ", en, "東 file full"},
		{"한국어 ภาษา", en, "한국 국어 ภา าษ ษา"},
		{"cafe\u0301 Straße ŁÓDŹ Ёлка", en, "cafe strass lodz елка"},
		{"co\u00adoperate a\u200bb", en, "cooper a b"},
		{"...--- !!! 😀", en, ""},
	} {
		if got := strings.Join(indexed(c.text, c.lang), " "); got != c.want {
			t.Errorf("%q gives\n %s\nnot\n %s", c.text, got, c.want)
		}
	}
}

func TestLongWordsAreCut(t *testing.T) {
	t.Parallel()
	for _, w := range indexed(strings.Repeat("é1", 5000)+" "+strings.Repeat("a.b/", 3000)+strings.Repeat("字", 3000), en) {
		if len(w) > maxWhole {
			t.Fatalf("a word of %d bytes", len(w))
		}
	}
}

func TestLanguageOfText(t *testing.T) {
	t.Parallel()
	for text, portuguese := range map[string]bool{
		"The server reads its settings from a file.":     false,
		"O servidor lê as configurações de um arquivo.":  true,
		"Para reiniciar o servico, use o comando abaixo": true,
		"":                        false,
		"Configurações avançadas": true,
		"func main() { return }":  false,
	} {
		a := newAnalyser()
		a.read(text)
		if got := a.votes() > 0; got != portuguese {
			t.Errorf("%q is Portuguese: %v", text, got)
		}
	}
}

func TestQuestion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"What is the OLLAMA_BASE_URL?", "ollama,ollam base,bas url ollama_base_url"},
		{"to be or not to be", "to×2 be×2 or not"},
		{"Quais são as configurações?", "configuraco,configur"},
		{"error Error ERROR", "error×3"},
		{" ?!", ""},
	} {
		var out []string
		for _, g := range newAnalyser().question(c.text) {
			s := strings.Join(g.terms(), ",")
			if g.times > 1 {
				s += "×" + string(rune('0'+int(g.times)))
			}
			out = append(out, s)
		}
		if got := strings.Join(out, " "); got != c.want {
			t.Errorf("%q gives %q, not %q", c.text, got, c.want)
		}
	}
	if n := len(newAnalyser().question(strings.Repeat("a1 b2 c3 d4 e5 f6 g7 h8 ", 2))); n != 8 {
		t.Errorf("%d words", n)
	}
}

func FuzzAnalyser(f *testing.F) {
	f.Add("OLLAMA_BASE_URL v0.12.4 a@b.c /x/y C++ d'água 検索 1,234.5")
	f.Add("\xff\xfe a\u0301\u0301 \u1100\u1161 ﷺ ǆ İ")
	f.Fuzz(func(t *testing.T, text string) {
		a := newAnalyser()
		a.read(text)
		first := slices.Clone(a.tokens)
		for _, w := range first {
			for l := range languages {
				if s := w.stem(l); s == "" || len(s) > maxTerm || !utf8.ValidString(s) {
					t.Fatalf("word %q", s)
				}
			}
		}
		a.read(text)
		if !slices.Equal(first, a.tokens) {
			t.Fatal("the same text has other words")
		}
		a.question(text)
	})
}
