package model_test

import (
	"errors"
	"strings"
	"testing"

	"portico/internal/model"
	"portico/internal/provider"
)

// The fallback is there, for everybody, as long as nobody else is.
func TestFallback(t *testing.T) {
	t.Parallel()
	spare := new(upstream)
	spare.set(provider.OpenAI, "spare")
	backend := provider.NewBackend(&provider.Connection{Kind: provider.Builtin, Index: -1}, spare)
	w := newWorld(t, model.Config{Fallback: backend}, map[string]any{"openai.api_base_urls": []string{"http://a"}, "openai.api_keys": []string{"k"}}, "a")
	w.upstreams["a"].err = errors.New("down")
	w.start()
	target := func() (*model.Target, error) { return w.reg.Resolve(t.Context(), member, "spare") }
	eventually(t, "the fallback is listed", func() bool { _, err := target(); return err == nil })
	got, err := target()
	if err != nil || got.Kind != provider.Builtin || len(got.Backends) != 1 {
		t.Fatal(got, err)
	}
	list, err := w.reg.List(t.Context(), member, false)
	if err != nil || !strings.Contains(string(list.Body), `"id":"spare"`) || !strings.Contains(string(list.Body), `"pipe":{"type":"pipe"}`) {
		t.Errorf("%v %s", err, list.Body)
	}
	for name, ask := range map[string]func() (*model.Listing, error){
		"openai": func() (*model.Listing, error) { return w.reg.ListOpenAI(t.Context(), member) },
		"ollama": func() (*model.Listing, error) { return w.reg.ListOllama(t.Context(), member) },
	} {
		if l, err := ask(); err != nil || strings.Contains(string(l.Body), "spare") {
			t.Errorf("%s: %v %s", name, err, l.Body)
		}
	}

	w.upstreams["a"].mu.Lock()
	w.upstreams["a"].err = nil
	w.upstreams["a"].mu.Unlock()
	w.upstreams["a"].set(provider.OpenAI, "real")
	if _, err := w.reg.List(t.Context(), member, true); err != nil {
		t.Fatal(err)
	}
	if _, err := target(); err == nil {
		t.Error("the fallback is still there")
	}
}
