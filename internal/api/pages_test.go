package api

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http/httptest"
	"strings"
	"testing"
)

// A page may run the script that it came with and no other.
func TestPagePolicy(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]page{"root": rootPage, "404": notFoundPage} {
		w := httptest.NewRecorder()
		if err := p.write(w, 200); err != nil {
			t.Fatal(err)
		}
		policy, html := w.Header().Get("Content-Security-Policy"), w.Body.String()
		if strings.Contains(policy, "script-src 'unsafe") || !strings.HasPrefix(policy, "default-src 'none'") {
			t.Errorf("%s: %s", name, policy)
		}
		_, rest, has := strings.Cut(html, "<script>")
		if !has {
			if strings.Contains(policy, "script-src") {
				t.Errorf("%s has no script but may run one", name)
			}
			continue
		}
		text, _, _ := strings.Cut(rest, "</script>")
		sum := sha256.Sum256([]byte(text))
		if want := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
			t.Errorf("%s: the policy does not let the page run its script", name)
		}
		if strings.Contains(html, "innerHTML") || strings.Contains(html, "http://") || strings.Contains(html, "https://") {
			t.Errorf("%s puts text in as markup, or names another place", name)
		}
	}
}
