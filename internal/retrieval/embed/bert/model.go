// Package bert runs encoders of the BERT family (BERT, DistilBERT, RoBERTa,
// XLM-RoBERTa) from a folder as sentence-transformers leaves it:
// model.safetensors, config.json and 1_Pooling. Weights are mapped and never
// copied whole.
//
// Texts of any lengths are run together, token behind token, without padding:
// only attention knows where one ends.
package bert

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"

	"portico/internal/retrieval/embed/tensor"
)

// Model is an encoder. It is safe for concurrent use; a Work is not.
type Model struct {
	Config
	m       *tensor.Kernels
	int8    bool
	tensors *Tensors

	words, places, kinds *table
	gain, shift          []float32
	layers               []layer
}

type layer struct {
	query, key, value, out, inner, outer linear
	gain1, shift1, gain2, shift2         []float32
}

// linear is y = x·wᵀ + b.
type linear struct {
	w, b    []float32
	w8      *tensor.Weights8 // instead of w
	in, out int
}

// Open maps the model in a folder. With int8 the weights of its layers are
// brought to 8 bits and kept in memory: a quarter of their size in the file.
// Those of queries, keys and values stay as they are: rounding these costs
// more than all others together, because a few parts of a layer's output are
// a hundred times greater than the rest.
func Open(dir string, m *tensor.Kernels, int8 bool) (*Model, error) {
	c, err := readConfig(dir)
	if err != nil {
		return nil, err
	}
	t, err := openTensors(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		return nil, err
	}
	model := &Model{Config: *c, m: m, int8: int8, tensors: t}
	if err := model.bind(); err != nil {
		_ = t.Close()
		return nil, err
	}
	return model, nil
}

// Close unmaps the weights. Nothing may be running.
func (m *Model) Close() error { return m.tensors.Close() }

// Rest gives the memory of the weights back to the system. They stay usable:
// they are mapped in again from the file when they are next read.
func (m *Model) Rest() { m.tensors.rest() }

// Samples of the weights that Identity looks at.
const (
	samples    = 256
	sampleSize = 4 << 10
)

// Identity is a hash of what the weights are: their names, shapes and places,
// and a megabyte taken evenly from all over them. Reading all of it would cost
// more than everything else at a start.
func (m *Model) Identity() string {
	h := sha256.New()
	h.Write(m.tensors.header)
	data := m.tensors.data
	_, _ = fmt.Fprintf(h, "%d", len(data))
	for i := range samples {
		at := len(data) / samples * i
		h.Write(data[at:min(at+sampleSize, len(data))])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// binder finds tensors and keeps the first error.
type binder struct {
	*Tensors
	prefix string
	int8   *tensor.Kernels // brings layers to 8 bits; nil leaves them
	err    error
}

func (b *binder) vec(name string, shape ...int) []float32 {
	if b.err != nil {
		return nil
	}
	var v []float32
	v, b.err = b.floats(b.prefix+name, shape...)
	return v
}

func (b *binder) linear(name string, in, out int) linear {
	return linear{w: b.vec(name+".weight", out, in), b: b.vec(name+".bias", out), in: in, out: out}
}

// coarse is linear in 8 bits, if that was asked for.
func (b *binder) coarse(name string, in, out int) linear {
	l := b.linear(name, in, out)
	if b.int8 != nil && b.err == nil {
		l.w8, l.w = b.int8.Weights8(l.w, in, in, out, l.b), nil
	}
	return l
}

func (b *binder) tab(name string, cols int) *table {
	if b.err != nil {
		return nil
	}
	var t *table
	t, b.err = b.table(b.prefix+name, cols)
	return t
}

// first gives the name that the weights have, of those given.
func (b *binder) first(names ...string) string {
	for _, n := range names {
		if _, ok := b.all[b.prefix+n]; ok {
			return n
		}
	}
	return names[0]
}

// names are those of a layer's tensors in one kind of model.
type names struct {
	layers, query, key, value, out, norm1, inner, outer, norm2 string
}

var (
	bertNames = names{"encoder.layer.%d.", "attention.self.query", "attention.self.key", "attention.self.value",
		"attention.output.dense", "attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm"}
	distilNames = names{"transformer.layer.%d.", "attention.q_lin", "attention.k_lin", "attention.v_lin",
		"attention.out_lin", "sa_layer_norm", "ffn.lin1", "ffn.lin2", "output_layer_norm"}
)

// bind finds every tensor of the model.
func (m *Model) bind() error {
	b := &binder{Tensors: m.tensors}
	if m.int8 {
		b.int8 = m.m
		defer m.Rest() // what was read for it
	}
	for _, p := range []string{"", "bert.", "roberta.", "distilbert."} { // saved with a head on top
		if _, ok := b.all[p+"embeddings.word_embeddings.weight"]; ok {
			b.prefix = p
			break
		}
	}
	h := m.Hidden
	m.words = b.tab("embeddings.word_embeddings.weight", h)
	m.places = b.tab("embeddings.position_embeddings.weight", h)
	if m.Types > 0 {
		m.kinds = b.tab("embeddings.token_type_embeddings.weight", h)
	}
	if b.err == nil && (m.words.rows < m.Vocab || m.places.rows < m.Positions || m.kinds != nil && m.kinds.rows < 1) {
		return fmt.Errorf("the weights know fewer words or positions than config.json says")
	}
	norm := b.first("embeddings.LayerNorm.weight", "embeddings.LayerNorm.gamma")
	weight, bias := ".weight", ".bias"
	if norm == "embeddings.LayerNorm.gamma" { // very old files
		weight, bias = ".gamma", ".beta"
	}
	m.gain, m.shift = b.vec("embeddings.LayerNorm"+weight, h), b.vec("embeddings.LayerNorm"+bias, h)
	n := bertNames
	if m.Type == "distilbert" {
		n = distilNames
	}
	m.layers = make([]layer, m.Layers)
	for i := range m.layers {
		at := fmt.Sprintf(n.layers, i)
		m.layers[i] = layer{
			query: b.linear(at+n.query, h, h), key: b.linear(at+n.key, h, h), value: b.linear(at+n.value, h, h),
			out: b.coarse(at+n.out, h, h), inner: b.coarse(at+n.inner, h, m.Inner), outer: b.coarse(at+n.outer, m.Inner, h),
			gain1: b.vec(at+n.norm1+weight, h), shift1: b.vec(at+n.norm1+bias, h),
			gain2: b.vec(at+n.norm2+weight, h), shift2: b.vec(at+n.norm2+bias, h),
		}
	}
	return b.err
}
