package embed

import (
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"portico/internal/errdefs"
	"portico/internal/retrieval/embed/tensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// model is the folder of the real model, which make testenv brings.
var model = filepath.Join("..", "..", "..", ".cache", "testenv", "models", "all-MiniLM-L6-v2")

func open(t testing.TB, dir string, opt LocalOptions, kernels *tensor.Kernels) *Local {
	t.Helper()
	l, err := openLocal(dir, opt, kernels)
	if err != nil {
		t.Fatalf("%v: run make testenv", err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// vector is what the reference gives for a text.
type vector struct {
	text string
	v    []float32
}

// UnmarshalJSON reads ["text", numbers] or ["text", "numbers of 8 bits"].
func (x *vector) UnmarshalJSON(b []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(b, &parts); err != nil || len(parts) != 2 {
		return errors.Join(err, errors.New("a pair was expected"))
	}
	if err := json.Unmarshal(parts[0], &x.text); err != nil {
		return err
	}
	var packed string
	if json.Unmarshal(parts[1], &packed) != nil {
		return json.Unmarshal(parts[1], &x.v)
	}
	raw, err := base64.StdEncoding.DecodeString(packed)
	for _, c := range raw {
		x.v = append(x.v, float32(int8(c)))
	}
	tensor.Normalize(x.v)
	return err
}

func reference(t testing.TB) []vector {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "minilm.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Vectors []vector }
	if err := json.NewDecoder(z).Decode(&all); err != nil {
		t.Fatal(err)
	}
	if len(all.Vectors) < 200 {
		t.Fatal("the fixture has too few vectors")
	}
	return all.Vectors
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return ab / math.Sqrt(aa*bb)
}

// agree embeds all texts at once and gives the least cosine with the reference.
func agree(t *testing.T, l *Local, all []vector) float64 {
	t.Helper()
	var texts []string
	for _, x := range all {
		texts = append(texts, x.text)
	}
	got, err := l.Passages(t.Context(), texts, []float32{7})
	if err != nil {
		t.Fatal(err)
	}
	dims, least := l.Space().Dims, 1.0
	if got[0] != 7 || len(got) != 1+dims*len(all) {
		t.Fatalf("%d numbers for %d texts", len(got), len(all))
	}
	for i, x := range all {
		v := got[1+i*dims : 1+(i+1)*dims]
		var length float64
		for _, f := range v {
			length += float64(f) * float64(f)
		}
		if math.Abs(length-1) > 1e-5 {
			t.Errorf("%q has a vector of length %v", x.text, length)
		}
		least = min(least, cosine(v, x.v))
	}
	return least
}

func TestReference(t *testing.T) {
	t.Parallel()
	all := reference(t)
	for _, kernels := range tensor.All() {
		for _, int8 := range []bool{false, true} {
			want, some := 0.999, all
			if int8 {
				want = 0.99
			}
			if kernels.Name != tensor.Best().Name {
				some = all[:70]
			}
			if kernels.Name == "go" { // a hundred times slower
				some = all[44:46]
			}
			t.Run(kernels.Name+map[bool]string{true: "/int8", false: "/fp32"}[int8], func(t *testing.T) {
				t.Parallel()
				least := agree(t, open(t, model, LocalOptions{Int8: int8}, kernels), some)
				t.Logf("cosine ≥ %.6f", least)
				if least < want {
					t.Errorf("a cosine of %.6f with the reference, less than %v", least, want)
				}
			})
		}
	}
}

// The tiny models are of random weights: nothing in them is forgiving.
func TestTinyReference(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bert", "distilbert", "xlmroberta"} {
		var all []vector
		b, err := os.ReadFile(filepath.Join("testdata", name, "vectors.json"))
		if err == nil {
			err = json.Unmarshal(b, &all)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, kernels := range tensor.All() {
			t.Run(name+"/"+kernels.Name, func(t *testing.T) {
				t.Parallel()
				if least := agree(t, open(t, filepath.Join("testdata", name), LocalOptions{}, kernels), all); least < 0.99999 {
					t.Errorf("a cosine of %.6f with the reference", least)
				}
				if least := agree(t, open(t, filepath.Join("testdata", name), LocalOptions{Int8: true}, kernels), all); least < 0.97 {
					t.Errorf("a cosine of %.6f with the reference in int8", least)
				}
			})
		}
	}
}

func TestPrefixesAndSpaces(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("testdata", "xlmroberta")
	bare := open(t, dir, LocalOptions{}, tensor.Best())
	with := open(t, dir, LocalOptions{QueryPrefix: "query: ", ContentPrefix: "passage: "}, tensor.Best())
	want, err := bare.Question(t.Context(), "query: the river")
	if err != nil {
		t.Fatal(err)
	}
	got, err := with.Question(t.Context(), "the river")
	if err != nil || cosine(want, got) < 0.99999 {
		t.Error("the prefix of questions is not in front of them", err)
	}
	want, _ = bare.Passages(t.Context(), []string{"passage: the river above"}, nil)
	got, err = with.Passages(t.Context(), []string{"the river\nabove"}, nil)
	if err != nil || cosine(want, got) < 0.99999 {
		t.Error("the prefix of passages is not in front of them, or line feeds are not spaces", err)
	}
	if bare.Tokens("passage: the river") != with.Tokens("the river") {
		t.Error("the prefix does not count")
	}
	seen := map[string]bool{}
	for _, opt := range []LocalOptions{{}, {QueryPrefix: "a"}, {ContentPrefix: "a"}, {Int8: true}, {Name: "other"}} {
		seen[open(t, dir, opt, tensor.Best()).Space().ID] = true
	}
	seen[open(t, filepath.Join("testdata", "bert"), LocalOptions{Name: "xlmroberta"}, tensor.Best()).Space().ID] = true
	if len(seen) != 6 {
		t.Errorf("%d spaces instead of 6", len(seen))
	}
}

func TestLongTextsAreCut(t *testing.T) {
	t.Parallel()
	l := open(t, model, LocalOptions{}, tensor.Best())
	if l.MaxTokens() != 256 {
		t.Errorf("cuts at %d tokens", l.MaxTokens())
	}
	words := strings.Repeat("river ", 300)
	if n := l.Tokens(words); n != 302 {
		t.Errorf("counts %d tokens", n)
	}
	a, err := l.Question(t.Context(), words)
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Question(t.Context(), strings.Repeat("river ", 254))
	if err != nil || cosine(a, b) < 0.99999 {
		t.Error("what is behind the cut counts", err)
	}
}

func TestUnusable(t *testing.T) {
	t.Parallel()
	if _, err := OpenLocal(t.TempDir(), LocalOptions{}); !errdefs.Is(err, errdefs.NotFound) {
		t.Error(err)
	}
	whole := filepath.Join("testdata", "bert")
	for name, spoil := range map[string]func(map[string][]byte){
		"no weights": func(f map[string][]byte) { delete(f, "model.safetensors") },
		"cut off":    func(f map[string][]byte) { f["model.safetensors"] = f["model.safetensors"][:9000] },
		"no header":  func(f map[string][]byte) { f["model.safetensors"] = f["model.safetensors"][:7] },
		"another size": func(f map[string][]byte) {
			f["config.json"] = []byte(strings.Replace(string(f["config.json"]), `"hidden_size": 16`, `"hidden_size": 32`, 1))
		},
		"another kind": func(f map[string][]byte) {
			f["config.json"] = []byte(strings.Replace(string(f["config.json"]), `"bert"`, `"t5"`, 1))
		},
		"max pooling": func(f map[string][]byte) { f["1_Pooling/config.json"] = []byte(`{"pooling_mode_max_tokens":true}`) },
		"dense": func(f map[string][]byte) {
			f["modules.json"] = []byte(`[{"type":"sentence_transformers.models.Dense"}]`)
		},
	} {
		files := map[string][]byte{}
		for _, f := range []string{"model.safetensors", "config.json", "tokenizer.json", "1_Pooling/config.json"} {
			b, err := os.ReadFile(filepath.Join(whole, f))
			if err != nil {
				t.Fatal(err)
			}
			files[f] = b
		}
		spoil(files)
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "1_Pooling"), 0o755); err != nil {
			t.Fatal(err)
		}
		for f, b := range files {
			if err := os.WriteFile(filepath.Join(dir, f), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if l, err := OpenLocal(dir, LocalOptions{}); !errdefs.Is(err, errdefs.Invalid) {
			t.Errorf("%s: %v", name, err)
			if l != nil {
				_ = l.Close()
			}
		}
	}
}

func TestClosedAndCancelled(t *testing.T) {
	t.Parallel()
	l := open(t, filepath.Join("testdata", "bert"), LocalOptions{Idle: time.Millisecond}, tensor.Best())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Passages(ctx, []string{"a"}, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	var wg sync.WaitGroup // memory given back meanwhile is no harm
	for range 4 {
		wg.Go(func() {
			for range 200 {
				if _, err := l.Question(t.Context(), "the river"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := l.Question(t.Context(), "a"); !errdefs.Is(err, errdefs.Unavailable) {
		t.Error(err)
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	if got, err := Folder("m", "sentence-transformers/all-MiniLM-L6-v2"); err != nil || got != filepath.Join("m", "all-MiniLM-L6-v2") {
		t.Error(got, err)
	}
	for _, bad := range []string{"", "..", "a/..", "a/", "/", ".hidden", "a b", `a\b`, "a\x00"} {
		if got, err := Folder("m", bad); err == nil {
			t.Errorf("%q is %s", bad, got)
		}
	}
}

func TestQuestionAllocates(t *testing.T) {
	l := open(t, model, LocalOptions{}, tensor.Best())
	ask := func() {
		if _, err := l.Question(t.Context(), "how do I change the port of the server"); err != nil {
			t.Error(err)
		}
	}
	ask()
	if race {
		return
	}
	if n := testing.AllocsPerRun(20, ask); n > 8 {
		t.Errorf("a question allocates %v times", n)
	}
}

func BenchmarkEmbed(b *testing.B) {
	question, chunk := "how do I change the port of the server", strings.Repeat("The server keeps the files of each user in a folder. ", 21)
	for _, int8 := range []bool{false, true} {
		l := open(b, model, LocalOptions{Int8: int8}, tensor.Best())
		kind := map[bool]string{true: "int8", false: "fp32"}[int8]
		if _, err := l.Question(b.Context(), question); err != nil {
			b.Fatal(err)
		}
		b.Run(kind+"/question", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Question(b.Context(), question); err != nil {
					b.Fatal(err)
				}
			}
		})
		texts := make([]string, 16)
		for i := range texts {
			texts[i] = chunk
		}
		b.Run(kind+"/chunks", func(b *testing.B) {
			b.ReportAllocs()
			var dst []float32
			var err error
			for b.Loop() {
				if dst, err = l.Passages(b.Context(), texts, dst[:0]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(texts)*b.N)/b.Elapsed().Seconds(), "chunks/s")
		})
	}
}
