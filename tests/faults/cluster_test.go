package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"portico/internal/store/storetest"
)

// Two servers on one database and one folder of files share the work, do none
// of it twice, and the one takes up what the other was killed at.
func TestTwoServers(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	var embedded atomic.Int64
	embedder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		embedOnce(w, r, &embedded)
	}))
	t.Cleanup(embedder.Close)
	l.env = append(l.env, "DATABASE_URL="+storetest.Postgres(t), "WEBUI_SECRET_KEY=one-secret-for-both-of-them-0123456789",
		"RAG_OPENAI_API_BASE_URL="+embedder.URL+"/v1")
	one := l.start()
	two := l.start()
	const n = 40
	ids := make([]string, n)
	each(n, 8, func(i int) {
		at := []*server{one, two}[i%2]
		var status int
		var err error
		if ids[i], status, err = at.upload(fmt.Sprintf("%d.txt", i), []byte(fmt.Sprintf("Words of qzboth%d.", i))); ids[i] == "" {
			t.Errorf("status %d, %v", status, err)
		}
	})
	for i, id := range ids {
		if state, reason := two.ended(id); state != "completed" {
			t.Errorf("%d is %q: %s", i, state, reason)
		}
	}
	if got := embedded.Load(); got != n {
		t.Errorf("%d passages were embedded for %d files of one each", got, n)
	}
	for _, s := range []*server{one, two} {
		for i := range 4 {
			marker := fmt.Sprintf("qzboth%d", i)
			eventually(t, "both find everything", func() bool { return s.finds(ids[i], marker, marker) })
		}
	}
	// Killed in the middle of a long one, the first leaves it to the second.
	id, _, err := one.upload("long.md", passage("qzlong"))
	if err != nil || id == "" {
		t.Fatal(err)
	}
	_ = one.Signal(syscall.SIGKILL)
	one.killed()
	if state, reason := two.ended(id); state != "completed" {
		t.Errorf("what the other was killed at is %q: %s", state, reason)
	}
	if !two.finds(id, "qzlong", "qzlong") {
		t.Error("it is not found")
	}
}

// embedOnce answers as an embedder that counts the passages with a marker.
func embedOnce(w http.ResponseWriter, r *http.Request, count *atomic.Int64) {
	inputs, err := inputsOf(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var b strings.Builder
	for i, text := range inputs {
		if strings.HasPrefix(text, "Words of qzboth") {
			count.Add(1)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"object":"embedding","index":%d,"embedding":[0.6,0.8,0]}`, i)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"object":"list","data":[%s],"model":"m","usage":{"prompt_tokens":1,"total_tokens":1}}`, &b)
}

// inputsOf are the texts of a request, one or many.
func inputsOf(r *http.Request) ([]string, error) {
	var in struct{ Input json.RawMessage }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	var many []string
	if json.Unmarshal(in.Input, &many) == nil {
		return many, nil
	}
	var text string
	err := json.Unmarshal(in.Input, &text)
	return []string{text}, err
}
