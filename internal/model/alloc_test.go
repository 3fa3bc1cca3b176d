//go:build !race

package model_test

import "testing"

func TestReadingAllocatesNothing(t *testing.T) {
	w, who := large(t, 200)
	w.list(who)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := w.reg.Resolve(t.Context(), who, "model-3-2"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.reg.List(t.Context(), who, false); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
