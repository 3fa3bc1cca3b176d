package vector_test

import (
	"testing"

	"portico/internal/retrieval/vector"
	"portico/internal/retrieval/vector/vectortest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]vector.Options{"memory": {}, "files": {Memory: 100, Candidates: 300}} {
		t.Run(name, func(t *testing.T) {
			vectortest.Run(t, func(t *testing.T) *vectortest.Fixture {
				x, err := vector.Open(t.TempDir(), "instance", opt)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if err := x.Close(); err != nil {
						t.Error(err)
					}
				})
				next := int64(0)
				return &vectortest.Fixture{Vectors: x, Least: 0.98, NewSet: func(*testing.T, string, int) (int64, int64) {
					next++
					return next, next
				}}
			})
		})
	}
}
