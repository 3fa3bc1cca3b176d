package bert

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Tensors is a safetensors file, mapped: its length as 8 bytes, a header in
// JSON that names each tensor with its type, shape and place, then the bytes.
// https://github.com/huggingface/safetensors#format
type Tensors struct {
	mapped []byte
	header []byte
	data   []byte
	all    map[string]entry
}

type entry struct {
	Type  string    `json:"dtype"`
	Shape []int     `json:"shape"`
	At    [2]uint64 `json:"data_offsets"`
}

// maxHeader is what the reference reads, too.
const maxHeader = 100 << 20

// openTensors maps a safetensors file and checks that every tensor lies in it.
func openTensors(path string) (*Tensors, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < 8 {
		return nil, errors.New("the weights are cut off")
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("the weights cannot be mapped: %w", err)
	}
	t := &Tensors{mapped: b}
	if err := t.parse(b); err != nil {
		_ = t.Close()
		return nil, err
	}
	return t, nil
}

// parse reads the header of b.
func (t *Tensors) parse(b []byte) error {
	if len(b) < 8 {
		return errors.New("the weights are cut off")
	}
	n := binary.LittleEndian.Uint64(b)
	if n > maxHeader || n > uint64(len(b)-8) {
		return errors.New("the weights are cut off, or no safetensors file")
	}
	t.header, t.data = b[8:8+n], b[8+n:]
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(t.header, &raw); err != nil {
		return fmt.Errorf("the header of the weights cannot be read: %w", err)
	}
	delete(raw, "__metadata__")
	t.all = make(map[string]entry, len(raw))
	for name, r := range raw {
		var e entry
		if err := json.Unmarshal(r, &e); err != nil {
			return fmt.Errorf("the header of the weights cannot be read: %w", err)
		}
		if err := e.check(uint64(len(t.data))); err != nil {
			return fmt.Errorf("the tensor %.100q of the weights %w", name, err)
		}
		t.all[name] = e
	}
	return nil
}

// check compares the place of a tensor with its shape and with the file.
func (e *entry) check(size uint64) error {
	width, known := map[string]uint64{"F32": 4, "F16": 2, "BF16": 2}[e.Type]
	if e.At[0] > e.At[1] || e.At[1] > size {
		return errors.New("lies outside the file")
	}
	if !known {
		return nil // not for us; it is refused when it is asked for
	}
	n := width
	for _, d := range e.Shape {
		if d < 0 || d > 1<<31 || (d > 0 && n > (1<<40)/uint64(d)) {
			return errors.New("has no possible shape")
		}
		n *= uint64(d)
	}
	if e.At[1]-e.At[0] != n {
		return errors.New("has not the length of its shape")
	}
	return nil
}

// Close unmaps the file.
func (t *Tensors) Close() error {
	b := t.mapped
	t.mapped, t.data, t.header = nil, nil, nil
	if b == nil {
		return nil
	}
	return unix.Munmap(b)
}

// rest lets the system take back the memory of the mapping until it is read again.
func (t *Tensors) rest() { _ = unix.Madvise(t.mapped, unix.MADV_DONTNEED) }

// table is a matrix whose rows are read one at a time.
type table struct {
	kind string
	raw  []byte
	rows int
	cols int
}

// table gives a matrix of any number of rows with cols columns each.
func (t *Tensors) table(name string, cols int) (*table, error) {
	e, ok := t.all[name]
	if !ok {
		return nil, fmt.Errorf("the weights lack %s", name)
	}
	if len(e.Shape) != 2 || e.Shape[1] != cols {
		return nil, fmt.Errorf("the tensor %s of the weights has shape %v; %d columns were expected", name, e.Shape, cols)
	}
	switch e.Type {
	case "F32", "F16", "BF16":
		return &table{e.Type, t.data[e.At[0]:e.At[1]], e.Shape[0], cols}, nil
	}
	return nil, fmt.Errorf("the tensor %s of the weights is of type %.20s; F32, F16 and BF16 can be read", name, e.Type)
}

// floats gives a tensor of exactly this shape: where it lies if that can be
// used as it is, else a copy.
func (t *Tensors) floats(name string, shape ...int) ([]float32, error) {
	e, ok := t.all[name]
	if !ok {
		return nil, fmt.Errorf("the weights lack %s", name)
	}
	n := 1
	for _, d := range shape {
		n *= d
	}
	if fmt.Sprint(e.Shape) != fmt.Sprint(shape) {
		return nil, fmt.Errorf("the tensor %s of the weights has shape %v instead of %v", name, e.Shape, shape)
	}
	raw := t.data[e.At[0]:e.At[1]]
	if e.Type == "F32" && n > 0 && uintptr(unsafe.Pointer(&raw[0]))%4 == 0 && littleEndian {
		return unsafe.Slice((*float32)(unsafe.Pointer(&raw[0])), n), nil
	}
	out := make([]float32, n)
	if err := decode(out, e.Type, raw); err != nil {
		return nil, fmt.Errorf("the tensor %s of the weights %w", name, err)
	}
	return out, nil
}

// add adds row i to dst.
func (t *table) add(dst []float32, i int) {
	width := len(t.raw) / (t.rows * t.cols)
	row := t.raw[i*t.cols*width : (i+1)*t.cols*width]
	switch t.kind {
	case "F32":
		for j := range dst {
			dst[j] += math.Float32frombits(binary.LittleEndian.Uint32(row[4*j:]))
		}
	case "F16":
		for j := range dst {
			dst[j] += half(binary.LittleEndian.Uint16(row[2*j:]))
		}
	case "BF16":
		for j := range dst {
			dst[j] += math.Float32frombits(uint32(binary.LittleEndian.Uint16(row[2*j:])) << 16)
		}
	}
}

func decode(dst []float32, kind string, raw []byte) error {
	switch kind {
	case "F32", "F16", "BF16":
		clear(dst)
		(&table{kind, raw, 1, len(dst)}).add(dst, 0)
		return nil
	}
	return fmt.Errorf("is of type %.20s; F32, F16 and BF16 can be read", kind)
}

// half is the number of an IEEE 754 half.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&1023
	switch exp {
	case 0:
		v := float32(frac) / (1 << 24)
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31:
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1
