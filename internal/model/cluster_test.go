package model_test

import (
	"testing"
	"time"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/model"
	"portico/internal/provider"
	"portico/internal/setting"
	"portico/internal/store"
	"portico/internal/store/storetest"
)

// twoServers are two registries on one database, with one upstream that has m.
func twoServers(t *testing.T) (one, two *world) {
	t.Helper()
	url := storetest.Postgres(t)
	up := new(upstream)
	up.set(provider.OpenAI, "m")
	server := func() *world {
		w := &world{TB: t, bus: new(event.Bus)}
		var err error
		if w.db, err = store.Open(t.Context(), url, store.Options{Bus: w.bus}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.db.Close() })
		if w.settings, err = setting.New(t.Context(), w.db, nil, w.bus); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.settings.Close)
		w.config = model.Config{
			Settings: w.settings, Rows: w.db, Grants: w.db, Bus: w.bus, Policy: access.Policy{AdminSeesAll: true},
			Connect: func(c *provider.Connection) (*provider.Backend, error) { return provider.NewBackend(c, up), nil },
		}
		return w.start()
	}
	return server(), server()
}

// Two servers on one database: what one changes, the other knows within a
// second, be it a grant, a row or a setting.
func TestTwoServers(t *testing.T) {
	t.Parallel()
	one, two := twoServers(t)
	within := func(what string, ok func() bool) {
		t.Helper()
		begun := time.Now()
		eventually(t, what, ok)
		if took := time.Since(begun); took > time.Second {
			t.Errorf("%s: after %v", what, took)
		}
	}
	can := func() bool {
		_, err := two.reg.Resolve(t.Context(), member, "m")
		if err != nil && !errdefs.Is(err, errdefs.NotFound) {
			t.Fatal(err)
		}
		return err == nil
	}

	one.change(map[string]any{"openai.api_base_urls": openAI("a"), "ollama.base_urls": []string{}})
	within("the connection", func() bool { return two.ids(admin) == "m" })
	if can() {
		t.Fatal("a model that was not shared can be used")
	}
	one.row("m", "", everybody())
	within("the row and its grant", can)
	one.grant("m")
	within("the grant taken away", func() bool { return !can() })
	one.change(map[string]any{"webui.name": "Ours"})
	within("the name", func() bool { return setting.Get(two.settings, setting.WebUIName) == "Ours" })
}
