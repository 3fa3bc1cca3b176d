package worker

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"portico/internal/errdefs"
	"portico/internal/retrieval/embed"
)

// The kinds of frames.
const (
	frameOpen    = 'o'
	frameTexts   = 't'
	frameVectors = 'v'
	frameError   = 'e'
)

// maxFrame bounds a frame: 64 texts, or their vectors, are far below.
const maxFrame = 64 << 20

// opening is the first frame.
type opening struct {
	Dir     string             `json:"dir"`
	Options embed.LocalOptions `json:"options"`
	Space   string             `json:"space"` // that the parent means
	Memory  int64              `json:"memory"`
	Nice    int                `json:"nice"`
}

// fault is an error on its way to the parent.
type fault struct {
	Kind   errdefs.Kind `json:"kind"`
	Detail string       `json:"detail"`
	Cause  string       `json:"cause"`
}

func writeFrame(w io.Writer, kind byte, body []byte) error {
	b := make([]byte, 0, 5+len(body))
	b = append(b, kind)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
	_, err := w.Write(append(b, body...))
	return err
}

func writeJSON(w io.Writer, kind byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeFrame(w, kind, b)
}

// readFrame reads one frame into buf. io.EOF is an end between two.
func readFrame(r io.Reader, buf []byte) (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.LittleEndian.Uint32(head[1:])
	if n > maxFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes", n)
	}
	if cap(buf) < int(n) {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := io.ReadFull(r, buf); err != nil {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return head[0], buf, nil
}

// appendTexts writes texts as their lengths and bytes.
func appendTexts(b []byte, texts []string) []byte {
	for _, t := range texts {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(t)))
		b = append(b, t...)
	}
	return b
}

func parseTexts(b []byte) (texts []string, err error) {
	for len(b) > 0 {
		if len(b) < 4 {
			return nil, errors.New("a text without its length")
		}
		n := binary.LittleEndian.Uint32(b)
		if b = b[4:]; uint64(n) > uint64(len(b)) {
			return nil, errors.New("a text that is cut off")
		}
		texts, b = append(texts, string(b[:n])), b[n:]
	}
	return texts, nil
}

func appendVectors(b []byte, v []float32) []byte {
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}

// parseVectors appends n numbers to dst; every one must be a number.
func parseVectors(dst []float32, b []byte, n int) ([]float32, error) {
	if len(b) != 4*n {
		return dst, fmt.Errorf("%d bytes of vectors instead of %d", len(b), 4*n)
	}
	start := len(dst)
	for ; len(b) > 0; b = b[4:] {
		f := math.Float32frombits(binary.LittleEndian.Uint32(b))
		if f != f || math.IsInf(float64(f), 0) {
			return dst[:start], errors.New("a vector with a part that is no number")
		}
		dst = append(dst, f)
	}
	return dst, nil
}
