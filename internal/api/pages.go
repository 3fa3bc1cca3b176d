package api

import (
	"crypto/sha256"
	_ "embed" // the pages
	"encoding/base64"
	"net/http"
	"regexp"
)

var (
	//go:embed pages/root.html
	rootHTML []byte
	//go:embed pages/404.html
	notFoundHTML []byte

	rootPage     = newPage(rootHTML)
	notFoundPage = newPage(notFoundHTML)
)

// page is one of our own, with a policy that lets it use its own inline styles
// and scripts and this server, and nothing else.
type page struct {
	html   []byte
	policy string
}

func newPage(html []byte) page {
	policy := "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	if hashes := scriptHashes(html); hashes != "" {
		policy += "; connect-src 'self'; script-src" + hashes
	}
	return page{html, policy}
}

var inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)

// scriptHashes names the inline scripts of a page for its policy, each behind
// a space.
func scriptHashes(html []byte) string {
	var list string
	for _, m := range inlineScript.FindAllSubmatch(html, -1) {
		sum := sha256.Sum256(m[1])
		list += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return list
}

func (p page) write(w http.ResponseWriter, status int) error {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache")
	w.WriteHeader(status)
	_, err := w.Write(p.html)
	return err
}
