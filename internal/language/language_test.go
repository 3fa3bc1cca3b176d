package language

import "testing"

func TestLanguage(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"Explique os conceitos neste documento.":                                  true,
		"Forneça insights sobre as perspectivas históricas abordadas na coleção.": true,
		"Quem construiu o motor?":                                                 true,
		"Who built the zorblax engine?":                                           false,
		"Explain OLLAMA_BASE_URL":                                                 false,
		"What does “saudade” mean in São Tomé":                                    false,
		"": false,
	} {
		if Portuguese(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

func TestEnglish(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"Who built the zorblax engine?": true,
		"TG-1045":                       true,
		"pump motor hums, no water":     true,
		"":                              true,
		"Quantos dias de férias tem um funcionário?":        false,
		"Wie viele Urlaubstage hat ein Angestellter?":       false,
		"Combien coûte le déjeuner des invités ici":         false,
		"What does “saudade” mean in São Tomé and Príncipe": true,
	} {
		if English(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
