package embed

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// newSpace makes the space of an engine's model. What else makes its vectors
// differ, such as prefixes, goes into its id with them.
func newSpace(engine, model string, dims int, more ...string) Space {
	parts := append([]string{engine, model, strconv.Itoa(dims)}, more...)
	h := sha256.New()
	for _, p := range parts {
		// Lengths keep ("ab","c") and ("a","bc") apart.
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(p))))
		h.Write([]byte(p))
	}
	return Space{ID: hex.EncodeToString(h.Sum(nil)[:16]), Engine: engine, Model: model, Dims: dims}
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
