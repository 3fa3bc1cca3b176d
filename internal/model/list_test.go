package model_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"portico/internal/access"
	"portico/internal/model"
	"portico/internal/provider"
)

// merged is two OpenAI connections and two of Ollama.
func merged(t testing.TB) *world {
	w := newWorld(t, model.Config{}, map[string]any{
		"openai.api_base_urls": openAI("a", "b", "c"),
		"openai.api_configs":   json.RawMessage(`{"1":{"prefix_id":"p","tags":[{"name":"x"}],"connection_type":"local"},"2":{"model_ids":["fixed"]}}`),
		"ollama.base_urls":     openAI("o1", "o2"),
	}, "a", "b", "c", "o1", "o2")
	w.upstreams["a"].set(provider.OpenAI, "gpt", "both", "twice")
	w.upstreams["b"].set(provider.OpenAI, "gpt")
	w.upstreams["o1"].set(provider.Ollama, "llama:latest", "both")
	w.upstreams["o2"].set(provider.Ollama, "llama:latest", "tiny:1b")
	return w.start()
}

func TestListMerges(t *testing.T) {
	t.Parallel()
	w := merged(t)
	if got, want := w.ids(admin), "gpt both twice p.gpt fixed llama:latest tiny:1b"; got != want {
		t.Fatalf("the list is %q, want %q", got, want)
	}
	for _, c := range []struct{ id, want string }{
		{"gpt", `{"actions":[],"connection_type":"external","created":1700000000,"filters":[],"id":"gpt","name":"gpt","object":"model","openai":{"connection_type":"external","created":1700000000,"id":"gpt","object":"model","owned_by":"them"},"owned_by":"openai","provider":"","tags":[],"urlIdx":0}`},
		{"p.gpt", `{"actions":[],"connection_type":"local","created":1700000000,"filters":[],"id":"p.gpt","name":"p.gpt","object":"model","openai":{"connection_type":"local","created":1700000000,"id":"p.gpt","object":"model","owned_by":"them","tags":[{"name":"x"}]},"owned_by":"openai","provider":"","tags":[{"name":"x"}],"urlIdx":1}`},
		{"fixed", `{"actions":[],"connection_type":"external","created":0,"filters":[],"id":"fixed","name":"fixed","object":"model","openai":{"connection_type":"external","id":"fixed"},"owned_by":"openai","provider":"","tags":[],"urlIdx":2}`},
		{"llama:latest", `{"actions":[],"connection_type":"local","created":0,"filters":[],"id":"llama:latest","loaded":false,"name":"llama:latest","object":"model","ollama":{"connection_type":"local","details":{"family":"f"},"digest":"d","model":"llama:latest","modified_at":"2026-01-01T00:00:00Z","name":"llama:latest","size":5,"urls":[0,1]},"owned_by":"ollama","tags":[]}`},
	} {
		for _, e := range w.list(admin) {
			if e["id"] != c.id {
				continue
			}
			if got, err := json.Marshal(e); err != nil || string(got) != c.want {
				t.Errorf("%s is\n%s, want\n%s", c.id, got, c.want)
			}
		}
	}
	if n := w.upstreams["c"].calls.Load(); n != 0 {
		t.Errorf("a connection with model_ids was asked %d times", n)
	}
	if b := w.reg.Backends(provider.OpenAI); len(b) != 3 || b[1].Config.PrefixID != "p" {
		t.Errorf("the OpenAI backends are %v", b)
	}
	if got := w.resolve(admin, "p.gpt"); got.Upstream != "gpt" || got.Backends[0].Index != 1 || got.Kind != provider.OpenAI {
		t.Errorf("p.gpt is %+v", got)
	}
	if got := w.resolve(admin, "llama"); got.ID != "llama:latest" || len(got.Backends) != 2 || got.Kind != provider.Ollama {
		t.Errorf("llama is %+v", got)
	}
	if got := w.resolve(admin, "both"); got.Kind != provider.Ollama {
		t.Errorf("an id of both kinds is %+v", got)
	}
}

func TestOtherForms(t *testing.T) {
	t.Parallel()
	w := merged(t)
	w.row("llama:latest", "", everybody())
	w.row("preset", "llama", everybody())
	w.list(admin)
	for _, c := range []struct {
		name string
		list func() (*model.Listing, error)
		key  string
		want string
	}{
		{"plain", func() (*model.Listing, error) { return w.reg.ListPlain(t.Context(), member) }, "id", "llama:latest preset"},
		{"openai", func() (*model.Listing, error) { return w.reg.ListOpenAI(t.Context(), admin) }, "id", "gpt twice p.gpt fixed"},
		{"openai of a member", func() (*model.Listing, error) { return w.reg.ListOpenAI(t.Context(), member) }, "id", ""},
		{"tags", func() (*model.Listing, error) { return w.reg.ListOllama(t.Context(), admin) }, "model", "both llama:latest tiny:1b"},
		{"tags of a member", func() (*model.Listing, error) { return w.reg.ListOllama(t.Context(), member) }, "model", "llama:latest"},
		{"ollama plain", func() (*model.Listing, error) { return w.reg.ListOllamaPlain(t.Context(), member) }, "id", "llama:latest"},
		{"base", func() (*model.Listing, error) { return w.reg.ListBase(t.Context(), admin) }, "id", "gpt both twice p.gpt fixed llama:latest tiny:1b"},
		{"base of a member", func() (*model.Listing, error) { return w.reg.ListBase(t.Context(), member) }, "id", ""},
	} {
		l, err := c.list()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range decode(t, l.Body) {
			got = append(got, e[c.key].(string))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	views, err := w.reg.OllamaModels(t.Context(), member)
	if err != nil || len(views) != 1 || views[0].ID != "llama:latest" || len(views[0].Target.Backends) != 2 || !bytes.Contains(views[0].Upstream, []byte(`"urls":[0,1]`)) {
		t.Errorf("views are %+v, %v", views, err)
	}
	one, err := w.reg.One(t.Context(), member, "preset")
	if err != nil || string(one) != `{"id":"preset","object":"model","created":7,"owned_by":"ollama"}` {
		t.Errorf("one is %s, %v", one, err)
	}
}

func TestRowsLieOver(t *testing.T) {
	t.Parallel()
	w := merged(t)
	w.row("gpt", "", everybody())
	w.row("preset", "gpt", everybody())
	w.row("both", "gpt") // taken by a base model
	off := w.row("twice", "", everybody())
	off.IsActive = false
	if err := w.db.SaveModels(t.Context(), []model.Change{{Row: off}}, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := w.ids(admin), "gpt both p.gpt fixed llama:latest tiny:1b preset"; got != want {
		t.Fatalf("the list is %q, want %q", got, want)
	}
	if got, want := w.ids(member), "gpt preset"; got != want {
		t.Fatalf("a member's list is %q, want %q", got, want)
	}
	for _, e := range w.list(member) {
		info := e["info"].(map[string]any)
		meta := info["meta"].(map[string]any)
		if _, ok := meta["profile_image_url"]; ok || len(info["params"].(map[string]any)) > 0 || meta["description"] != "d" {
			t.Errorf("info of %s is %v", e["id"], info)
		}
		if e["name"] != "Name of "+e["id"].(string) || len(info["access_grants"].([]any)) != 1 {
			t.Errorf("%v", e)
		}
		if tags := e["tags"].([]any); len(tags) != 1 || tags[0].(map[string]any)["name"] != "t" {
			t.Errorf("tags are %v", e["tags"])
		}
		if preset := e["preset"] == true; preset != (e["id"] == "preset") {
			t.Errorf("preset is %v", e["preset"])
		}
	}
	w.forbidden(member, "twice", "llama", "nope")
	w.forbidden(admin, "twice")
	got := w.resolve(member, "preset")
	if got.Upstream != "gpt" || got.Row == nil || got.Row.ID != "preset" || got.Backends[0].Index != 0 {
		t.Errorf("preset is %+v", got)
	}
	w.change(map[string]any{"ui.model_order_list": []string{"preset", "tiny:1b"}})
	if got, want := w.ids(admin), "preset tiny:1b gpt both fixed llama:latest p.gpt"; !strings.HasPrefix(got, "preset tiny:1b ") {
		t.Errorf("in order the list is %q, want %q", got, want)
	}
}

func TestAccess(t *testing.T) {
	t.Parallel()
	w := merged(t)
	w.row("gpt", "", group("g"))
	w.row("preset", "gpt", everybody()) // its base is for the group only
	inGroup := &access.Principal{UserID: "ida", Role: member.Role, Groups: []string{"g"}, SetID: "ida"}
	scoped := *inGroup
	scoped.Models, scoped.KeyID, scoped.SetID = []string{"preset"}, "k", "ida-k"
	for _, c := range []struct {
		name string
		who  *access.Principal
		want string
	}{
		{"nobody", nil, ""}, {"pending", pending, ""}, {"stranger", stranger, ""},
		{"in the group", inGroup, "gpt preset"}, {"a key for one model", &scoped, "preset"},
	} {
		if got := w.ids(c.who); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	w.forbidden(stranger, "preset", "gpt")
	w.forbidden(nil, "gpt")
	w.forbidden(&scoped, "gpt")
	if got := w.resolve(&scoped, "preset"); got.Upstream != "gpt" {
		t.Errorf("with a key for it, preset is %+v", got)
	}
	before := w.list(inGroup)
	w.grant("gpt") // taken away: at once
	w.forbidden(inGroup, "gpt", "preset")
	if got := w.ids(inGroup); got != "" || len(before) != 2 {
		t.Errorf("without the grant: %q", got)
	}
	w.grant("gpt", everybody())
	if got := w.ids(stranger); got != "gpt preset" {
		t.Errorf("shared with everybody: %q", got)
	}
}

func TestChains(t *testing.T) {
	t.Parallel()
	w := merged(t)
	base := "gpt"
	for _, id := range []string{"c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"} {
		w.row(id, base)
		base = id
	}
	w.row("x", "y")
	w.row("y", "x")
	w.row("self", "self")
	w.row("orphan", "gone")
	w.row("short", "tiny")
	if got := w.resolve(admin, "c7"); got.Upstream != "gpt" {
		t.Errorf("c7 is %+v", got)
	}
	if got := w.resolve(admin, "short"); got.Upstream != "tiny:1b" {
		t.Errorf("short is %+v", got)
	}
	w.forbidden(admin, "c8", "c9", "x", "y", "self", "orphan")
}

func TestNothingAtAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, model.Config{}, nil).start()
	w.row("preset", "gone", everybody())
	l, err := w.reg.List(t.Context(), admin, false)
	if err != nil || string(l.Body) != `{"object":"list","data":[]}` {
		t.Fatalf("%s, %v", l.Body, err)
	}
}

func TestEqualListsAreOne(t *testing.T) {
	t.Parallel()
	w := merged(t)
	w.row("gpt", "", everybody())
	one, err := w.reg.List(t.Context(), member, false)
	if err != nil {
		t.Fatal(err)
	}
	two, err := w.reg.List(t.Context(), stranger, false)
	if err != nil || one != two || one.ETag == "" {
		t.Fatalf("two people with the same models have two lists (%v)", err)
	}
	w.row("preset", "gpt", everybody())
	three, err := w.reg.List(t.Context(), member, false)
	if err != nil || three.ETag == one.ETag {
		t.Fatalf("the tag did not change with the list (%v)", err)
	}
}

// A hostile upstream must not speak for the server.
func TestHostileEntries(t *testing.T) {
	t.Parallel()
	w := newWorld(t, model.Config{MaxModels: 4}, map[string]any{"openai.api_base_urls": openAI("a")}, "a")
	w.upstreams["a"].entries = []provider.Entry{
		{ID: "m", Raw: []byte(`{"id":"m","id":"other","name":5,"info":{"x":1},"\u0069nfo":2,"preset":true,"pipe":{},"ollama":{},"created":"now","urlIdx":9,"extra":1,"extra":2}`)},
		{ID: "broken", Raw: []byte(`{"id":`)},
		{ID: "long", Raw: append(append([]byte(`{"id":"long","x":"`), bytes.Repeat([]byte("x"), 1<<20)...), `"}`...)},
		{ID: strings.Repeat("x", 5000), Raw: []byte(`{}`)},
		{ID: "fifth", Raw: []byte(`{}`)},
	}
	w.start()
	if got := w.ids(admin); got != "m broken long" {
		t.Fatalf("the list is %q", got)
	}
	l, err := w.reg.List(t.Context(), admin, false)
	if err != nil || len(l.Body) > 4000 {
		t.Fatalf("%d bytes, %v", len(l.Body), err)
	}
	m := w.list(admin)[0]
	for _, key := range []string{"info", "preset", "pipe", "ollama"} {
		if _, ok := m[key]; ok {
			t.Errorf("%q of the upstream got through", key)
		}
	}
	if m["name"] != "m" || m["created"] != 0.0 || m["urlIdx"] != 0.0 || m["extra"] != 2.0 {
		t.Errorf("%v", m)
	}
	if n := bytes.Count(l.Body, []byte(`"extra"`)); n > 4 {
		t.Errorf("repeated members are repeated: %s", l.Body)
	}
}

func (w *world) forbidden(who *access.Principal, ids ...string) {
	w.Helper()
	for _, id := range ids {
		if target, err := w.reg.Resolve(w.Context(), who, id); err == nil || err.Error() != "Model not found" {
			w.Errorf("%s: %+v, %v", id, target, err)
		}
	}
}
