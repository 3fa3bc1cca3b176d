package lexical

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"portico/internal/retrieval/index"
)

func TestPacked(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	for width := range 33 {
		for _, n := range []int{0, 1, 2, 7, 8, 9, 127, 128} {
			in := make([]uint32, n)
			for i := range in {
				in[i] = uint32(r.Uint64() & (1<<width - 1))
			}
			b := appendPacked(nil, in)
			if got := packedLen(b, n); got != len(b) {
				t.Fatalf("%d numbers of %d bits: length %d, not %d", n, width, got, len(b))
			}
			if n > 0 && len(b) > 1 && packedLen(b[:len(b)-1], n) >= 0 {
				t.Fatalf("%d numbers of %d bits are read from fewer bytes", n, width)
			}
			for _, more := range []int{0, 20} {
				out := make([]uint32, n)
				if unpack(out, append(slices.Clip(b), make([]byte, more)...)); !slices.Equal(in, out) {
					t.Fatalf("%d numbers of %d bits: %v, not %v", n, width, out, in)
				}
			}
		}
	}
}

func TestLengthCode(t *testing.T) {
	t.Parallel()
	last := uint8(0)
	for n := range 1 << 16 {
		code := lengthCode(uint16(n))
		if got := lengthOf(code); got > n || n-got > n/16 {
			t.Fatalf("%d is rounded to %d", n, got)
		}
		if code < last || code == noLength {
			t.Fatalf("%d has the code %d", n, code)
		}
		last = code
	}
}

// TestImpacts holds that no chunk of a list gives more than its impacts say.
func TestImpacts(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		var f frontier
		f.reset()
		type pair struct {
			count  uint32
			length uint16
		}
		var all []pair
		for range 1 + r.IntN(128) {
			p := pair{1 + uint32(r.ExpFloat64()*float64(1+r.IntN(100))), uint16(r.IntN(1 << (1 + r.IntN(16))))}
			f.add(p.count, p.length)
			all = append(all, p)
		}
		im := f.impacts()
		for _, p := range all {
			ok := false
			for i := 0; i < impactLen; i += 2 {
				ok = ok || (im[i] == manyTimes || p.count <= uint32(im[i])) && im[i] > 0 && int(p.length) >= lengthOf(im[i+1])
			}
			if !ok {
				t.Fatalf("%v is above %v", p, im)
			}
		}
	}
}

// sample is a segment with lists of one block and of many.
func sample() []byte {
	c := newCorpus(5, 60)
	s := newBuilder().build(7, 1, c.chunks(400, 12))
	var out bytes.Buffer
	other := newBuilder().build(9, 2, c.chunks(3, 5))
	if err := merge(context.Background(), &out, []*segment{other, s}, nil); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// FuzzSegment changes a segment and then makes its checksums right again: what
// is read may be wrong, but nothing falls over.
func FuzzSegment(f *testing.F) {
	whole := sample()
	f.Add(uint32(3), []byte{1, 2, 3}, uint32(90), []byte{255, 255, 255, 255})
	for at := uint32(0); at < uint32(len(whole)); at += 97 {
		f.Add(at, []byte{0xff}, at+31, []byte{0x80, 0})
	}
	f.Fuzz(func(t *testing.T, at uint32, x []byte, at2 uint32, y []byte) {
		data := slices.Clone(whole)
		body := data[:len(data)-footLen]
		copy(body[int(at)%len(body):], x)
		copy(body[int(at2)%len(body):], y)
		mend(data)
		s, ok := openSegment(data, false)
		if !ok {
			return
		}
		use(t, s)
	})
}

// FuzzFoot changes the foot too.
func FuzzFoot(f *testing.F) {
	whole := sample()
	f.Add(uint8(8), uint64(1<<60))
	for at := range uint8(footLen) {
		f.Add(at, uint64(3))
	}
	f.Fuzz(func(t *testing.T, at uint8, n uint64) {
		data := slices.Clone(whole)
		foot := data[len(data)-footLen:]
		binary.LittleEndian.PutUint64(foot[int(at)%(footLen-8):], n)
		binary.LittleEndian.PutUint32(foot[footLen-4:], crc32.Checksum(foot[:footLen-4], castagnoli))
		if s, ok := openSegment(data, false); ok {
			use(t, s)
		}
	})
}

// mend makes the checksums of a segment right.
func mend(data []byte) {
	var f foot
	if _, err := binary.Decode(data[len(data)-footLen:], binary.LittleEndian, &f); err != nil {
		panic(err)
	}
	sums := data[f.SumAt : len(data)-footLen]
	for page := 0; page*pageLen < int(f.SumAt); page++ {
		sum := crc32.Checksum(data[page*pageLen:min((page+1)*pageLen, int(f.SumAt))], castagnoli)
		binary.LittleEndian.PutUint32(sums[4*page:], sum)
	}
	foot := data[len(data)-footLen:]
	binary.LittleEndian.PutUint32(foot[footLen-8:], crc32.Checksum(sums, castagnoli))
	binary.LittleEndian.PutUint32(foot[footLen-4:], crc32.Checksum(foot[:footLen-4], castagnoli))
}

// use searches a segment by both ways, explains and merges it.
func use(t *testing.T, s *segment) {
	ix := &Index{segments: []*segment{s}, small: smallScope}
	ix.room = sync.NewCond(&ix.mu)
	ix.searchers.New = func() any { return newSearcher() }
	c := newCorpus(5, 60)
	for i, small := range []int{smallScope, 0} {
		ix.small = small
		for _, scope := range []index.Scope{{7}, {7, 9}} {
			for range 3 + 3*i {
				hits, err := ix.Search(t.Context(), c.text(4), scope, 10)
				if err != nil {
					return
				}
				if _, err := ix.Explain(t.Context(), c.text(4), scope, hits); err != nil {
					return
				}
			}
		}
	}
	var out bytes.Buffer
	_ = merge(t.Context(), &out, []*segment{s}, nil) // may fail, but not panic
}
