package model_test

import (
	"fmt"
	"testing"
	"time"

	"portico/internal/access"
	"portico/internal/model"
	"portico/internal/provider"
	"portico/internal/user"
)

// large is n models on 20 connections; every second one has a row that one of
// 200 groups, or everybody, may read.
func large(t testing.TB, n int) (w *world, who *access.Principal) {
	hosts := make([]string, 20)
	for i := range hosts {
		hosts[i] = fmt.Sprint("h", i)
	}
	w = newWorld(t, model.Config{TTL: time.Hour}, map[string]any{"openai.api_base_urls": openAI(hosts...)}, hosts...)
	for i, h := range hosts {
		ids := make([]string, n/len(hosts))
		for j := range ids {
			ids[j] = fmt.Sprintf("model-%d-%d", i, j)
			if j%2 == 0 {
				grants := []access.Grant{group(fmt.Sprint("group-", j%200)), group("all")}
				w.row(ids[j], "", grants...)
			}
		}
		w.upstreams[h].set(provider.OpenAI, ids...)
	}
	w.start()
	who = &access.Principal{UserID: "u", Role: user.Member, Groups: []string{"all"}, SetID: "u"}
	w.list(admin)
	return w, who
}

// No statement is run for a list or for a model that is known, for anybody.
func TestReadingRunsNoStatement(t *testing.T) {
	t.Parallel()
	w, who := large(t, 200)
	before := w.db.Statements()
	for _, p := range []*access.Principal{admin, who, stranger} {
		w.list(p)
		w.resolve(admin, "model-3-2")
		w.resolve(who, "model-3-2")
	}
	if n := w.db.Statements() - before; n != 0 {
		t.Fatalf("%d statements", n)
	}
	if a, b := len(w.list(admin)), len(w.list(who)); a != 200 || b != 100 {
		t.Fatalf("the administrator sees %d, the member %d", a, b)
	}
}

func BenchmarkResolve(b *testing.B) {
	w, who := large(b, 1000)
	for _, c := range []struct {
		name string
		who  *access.Principal
	}{{"admin", admin}, {"member", who}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.reg.Resolve(b.Context(), c.who, "model-7-20"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkList(b *testing.B) {
	w, who := large(b, 1000)
	fresh := *who
	for _, c := range []struct {
		name string
		who  func(i int) *access.Principal
	}{
		{"admin", func(int) *access.Principal { return admin }},
		{"member", func(int) *access.Principal { return who }},
		{"new set", func(i int) *access.Principal { fresh.SetID = fmt.Sprint(i); return &fresh }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := w.reg.List(b.Context(), c.who(i), false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkChange is the first list after one grant of many has changed.
func BenchmarkChange(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w, who := large(b, n)
			for i := 0; b.Loop(); i++ {
				w.grant("model-0-0", group("all"), group(fmt.Sprint(i)))
				if _, err := w.reg.List(b.Context(), who, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
