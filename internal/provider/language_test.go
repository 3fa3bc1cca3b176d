package provider

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
