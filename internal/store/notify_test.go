package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"portico/internal/event"
	"portico/internal/store"
)

func TestPayloads(t *testing.T) {
	t.Parallel()
	reset := []event.Event{{Topic: event.Reset}}
	many := func(n, size int) (all []event.Event) {
		for i := range n {
			all = append(all, event.Event{Topic: event.Model, ID: fmt.Sprintf("%d", i) + strings.Repeat(`"`, size)})
		}
		return all
	}
	for _, c := range []struct {
		name   string
		events []event.Event
		want   []event.Event
	}{
		{"none", nil, nil},
		{"one", many(1, 5), many(1, 5)},
		{"several payloads", many(200, 100), many(200, 100)},
		{"far too many", many(100_000, 5), reset},
		{"one too long", many(1, 8000), reset},
		{"just too long, once escaped", many(1, 4000), reset},
	} {
		var got []event.Event
		for _, text := range store.Payloads("me", c.events) {
			if len(text) >= 8000 {
				t.Errorf("%s: a payload of %d bytes", c.name, len(text))
			}
			if own := store.Unpack("me", text); own != nil {
				t.Errorf("%s: heard itself: %v", c.name, own)
			}
			got = append(got, store.Unpack("you", text)...)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %d events, want %d", c.name, len(got), len(c.want))
		}
	}
	if got := store.Unpack("me", "of another kind"); !slices.Equal(got, reset) {
		t.Errorf("what cannot be read gives %v", got)
	}
}
