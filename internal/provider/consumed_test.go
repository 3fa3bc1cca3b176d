package provider

import "testing"

func TestLookalike(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]bool{
		"model": false, "stream": false, "messages": false, "stream_options": false, "tools": false,
		"MODEL": true, "Model": true, "modeL": true, "Stream": true, "\u017ftream": true, "me\u017f\u017fages": true, "tool\u017f": true, "Stream_Options": true,
		"models": false, "mode": false, "": false, "Temperature": false, "m\u00f6del": false, "model\u0000": false, "\xffodel": false,
	} {
		if Lookalike([]byte(key)) != want {
			t.Errorf("%q: %v", key, !want)
		}
	}
}
