package bert

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"portico/internal/retrieval/embed/tensor"
)

var tiny = filepath.Join("..", "testdata", "bert")

// A text's vector must not depend on what else is run with it.
func TestNeighboursDoNotMatter(t *testing.T) {
	t.Parallel()
	for _, kernels := range tensor.All() {
		for _, int8 := range []bool{false, true} {
			m, err := Open(tiny, kernels, int8)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			var w Work
			var tokens []int32
			lengths := []int{1, 5, 40, 2, 13, 12, 30}
			for i, n := range lengths {
				for j := range n {
					tokens = append(tokens, int32(2+(7*i+j)%300))
				}
			}
			together, err := m.Run(nil, tokens, lengths, &w)
			if err != nil {
				t.Fatal(err)
			}
			at := 0
			for i, n := range lengths {
				alone, err := m.Run(nil, tokens[at:at+n], []int{n}, &w)
				if err != nil {
					t.Fatal(err)
				}
				for j, f := range alone {
					if math.Abs(float64(f-together[i*m.Hidden+j])) > 2e-5 {
						t.Fatalf("%s, int8 %v: text %d has another vector alone", kernels.Name, int8, i)
					}
				}
				at += n
			}
		}
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	m, err := Open(tiny, tensor.Best(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, c := range []struct {
		tokens  []int32
		lengths []int
	}{
		{[]int32{1}, []int{2}}, {[]int32{1, 2}, []int{1}}, {[]int32{-1}, []int{1}}, {[]int32{1 << 30}, []int{1}},
		{[]int32{}, []int{0}}, {make([]int32, 141), []int{141}},
	} {
		if _, err := m.Run(nil, c.tokens, c.lengths, new(Work)); err == nil {
			t.Errorf("%v of %d tokens is run", c.lengths, len(c.tokens))
		}
	}
}

func TestHalf(t *testing.T) {
	t.Parallel()
	for h, want := range map[uint16]float32{0: 0, 0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 1: 5.9604645e-08, 0x3555: 0.33325195, 0x0400: 6.1035156e-05} {
		if got := half(h); got != want {
			t.Errorf("%04x is %v", h, got)
		}
	}
	if !math.IsInf(float64(half(0xfc00)), -1) || half(0x7e00) == half(0x7e00) {
		t.Error("infinities and NaN")
	}
}

func TestIdentityTellsWeightsApart(t *testing.T) {
	t.Parallel()
	m, err := Open(tiny, tensor.Best(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	other := *m
	changed := *m.tensors
	changed.data = slices.Clone(changed.data)
	changed.data[len(changed.data)/2] ^= 1
	other.tensors = &changed
	if m.Identity() == other.Identity() {
		t.Error("other weights are the same model")
	}
}

func FuzzTensors(f *testing.F) {
	b, err := os.ReadFile(filepath.Join(tiny, "model.safetensors"))
	if err != nil {
		f.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(b)
	f.Add(b[:8+n+64])
	small := `{"a":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]}}`
	f.Add(append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(small))), small...), 1, 2, 3, 4, 5, 6, 7, 8))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Tensors
		if s.parse(b) != nil {
			return
		}
		for name, e := range s.all {
			if v, err := s.floats(name, e.Shape...); err == nil {
				for _, x := range v {
					_ = x
				}
			}
			if len(e.Shape) != 2 {
				continue
			}
			if tab, err := s.table(name, e.Shape[1]); err == nil && tab.rows > 0 && tab.cols > 0 {
				tab.add(make([]float32, tab.cols), tab.rows-1)
			}
		}
	})
}
