package auth

import (
	"context"
	"crypto/rand"
	"testing"
)

// BenchmarkPassword is what one sign-in costs, for docs/adr/0003-passwords.md.
func BenchmarkPassword(b *testing.B) {
	for _, algorithm := range []string{argon2id, bcrypted} {
		b.Run(algorithm, func(b *testing.B) {
			h, err := newHasher(Hashing{Algorithm: algorithm}, rand.Reader)
			if err != nil {
				b.Fatal(err)
			}
			stored, err := h.hash(context.Background(), "s3cret-Pass!")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if ok, _, err := h.verify(context.Background(), stored, "s3cret-Pass!"); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
