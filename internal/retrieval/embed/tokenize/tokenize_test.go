package tokenize

import (
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// model is the folder of the real model, which make testenv brings.
var model = filepath.Join("..", "..", "..", "..", ".cache", "testenv", "models", "all-MiniLM-L6-v2")

func open(t testing.TB, dir string) *Tokenizer {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		t.Fatalf("%v: run make testenv", err)
	}
	k, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func readGz(t testing.TB, path string, v any) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(z).Decode(v); err != nil {
		t.Fatal(err)
	}
}

// reference is a text with a checksum of the numbers that the reference gives.
type reference struct {
	text string
	sum  uint32
}

func (r *reference) UnmarshalJSON(b []byte) error {
	parts := []any{&r.text, &r.sum}
	return json.Unmarshal(b, &parts)
}

func compare(t *testing.T, k *Tokenizer, all []reference) {
	t.Helper()
	bad := 0
	for _, r := range all {
		ids := k.Encode(nil, r.text, 0)
		var b []byte
		for _, id := range ids {
			b = binary.LittleEndian.AppendUint32(b, uint32(id))
		}
		if crc32.ChecksumIEEE(b) != r.sum {
			if bad++; bad <= 10 {
				t.Errorf("%q (%x) gives %v, not what the reference gives", r.text, []rune(r.text), ids)
			}
		}
		if n := k.Count(r.text); n != len(ids) {
			t.Errorf("%q counts %d and gives %d", r.text, n, len(ids))
		}
	}
	if bad > 0 {
		t.Errorf("%d of %d texts differ", bad, len(all))
	}
}

func TestWordPieceIsTheReference(t *testing.T) {
	t.Parallel()
	var f struct{ Tokens []reference }
	readGz(t, filepath.Join("..", "testdata", "minilm.json.gz"), &f)
	if len(f.Tokens) < 3000 {
		t.Fatal("the fixture has too few texts")
	}
	compare(t, open(t, model), f.Tokens)
}

func TestTinyAreTheReference(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bert", "xlmroberta"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join("..", "testdata", name)
			var all []reference
			readGz(t, filepath.Join(dir, "tokens.json.gz"), &all)
			compare(t, open(t, dir), all)
		})
	}
}

func TestEncodeCuts(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{model, filepath.Join("..", "testdata", "xlmroberta")} {
		k := open(t, dir)
		long := strings.Repeat("some words [MASK] and more, ", 100)
		whole := k.Encode(nil, long, 0)
		for _, limit := range []int{1, 2, 3, 17, 256, len(whole), len(whole) + 1} {
			got := k.Encode([]int32{7}, long, limit)
			want := max(2, min(limit, len(whole)))
			if len(got) != 1+want || got[0] != 7 || got[1] != whole[0] || got[want] != whole[len(whole)-1] {
				t.Fatalf("a limit of %d gives %d numbers", limit, len(got)-1)
			}
			for i := 1; i < want-1; i++ {
				if got[1+i] != whole[i] {
					t.Fatalf("a limit of %d changes number %d", limit, i)
				}
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		``, `[]`, `{"model":{"type":"BPE"}}`, `{"model":{"type":"WordPiece","vocab":{}}}`,
		`{"normalizer":{"type":"BertNormalizer"},"pre_tokenizer":{"type":"BertPreTokenizer"},"model":{"type":"WordPiece","vocab":{"a":1},"unk_token":"[UNK]"}}`,
		`{"model":{"type":"Unigram","vocab":[["a"]],"unk_id":0}}`, `{"model":{"type":"Unigram","vocab":[],"unk_id":0}}`,
		`{"model":{"type":"Unigram","vocab":[["a",1]]}}`, `{"model":{"type":"Unigram","vocab":[["a",1]],"unk_id":0,"byte_fallback":true}}`,
		`{"normalizer":{"type":"Precompiled","precompiled_charsmap":"/////w=="},"model":{"type":"Unigram","vocab":[["a",1]],"unk_id":0}}`,
		`{"post_processor":{"type":"Odd"},"model":{"type":"Unigram","vocab":[["a",1]],"unk_id":0}}`,
		`{"pre_tokenizer":{"type":"ByteLevel"},"model":{"type":"Unigram","vocab":[["a",1]],"unk_id":0}}`,
	} {
		if _, err := Parse([]byte(s)); err == nil {
			t.Errorf("%s is taken", s)
		}
	}
}

func TestCountAllocates(t *testing.T) {
	k := open(t, model)
	text := strings.Repeat("Whoever wants to change the port sets the variable. ", 20)
	k.Count(text)
	if race {
		return
	}
	if n := testing.AllocsPerRun(100, func() { k.Count(text) }); n > 0 {
		t.Errorf("counting tokens allocates %v times", n)
	}
}

func FuzzWordPiece(f *testing.F) { fuzz(f, model) }
func FuzzUnigram(f *testing.F)   { fuzz(f, filepath.Join("..", "testdata", "xlmroberta")) }

func fuzz(f *testing.F, dir string) {
	k := open(f, dir)
	f.Add("Olá, [SEP] mundo!  ｅ\u0301\r\n", 8)
	f.Add("\xff\xfe\u0130\u200d한국", 0)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		ids := k.Encode(nil, text, limit)
		if limit > 0 && len(ids) > max(limit, 2) {
			t.Fatalf("%d numbers under a limit of %d", len(ids), limit)
		}
		if limit <= 0 && len(ids) != k.Count(text) {
			t.Fatal("Count and Encode differ")
		}
		if limit <= 0 && len(ids) > 2+2*utf8.RuneCountInString(text)*5 {
			t.Fatalf("%d numbers for %d characters", len(ids), utf8.RuneCountInString(text))
		}
	})
}

func FuzzParse(f *testing.F) {
	b, err := os.ReadFile(filepath.Join("..", "testdata", "xlmroberta", "tokenizer.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"normalizer":{"type":"BertNormalizer"},"pre_tokenizer":{"type":"BertPreTokenizer"},"model":{"vocab":{"a":1,"##":2},"unk_token":"a"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := Parse(b); err == nil {
			k.Encode(nil, "Olá, mundo! ｅ\u0301 a▁b", 16)
		}
	})
}

func FuzzCharsmap(f *testing.F) {
	f.Add([]byte{8, 0, 0, 0, 0, 4, 0, 0, 97, 1, 0, 0, 'b', 0}, "aé")
	f.Fuzz(func(t *testing.T, b []byte, text string) {
		if m, err := newCharsmap(b); err == nil {
			m.apply(nil, text)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	for _, dir := range []string{model, filepath.Join("..", "testdata", "xlmroberta")} {
		k := open(b, dir)
		for name, text := range map[string]string{
			"english":    strings.Repeat("Whoever wants to change the port sets the variable, restarts the service and looks into the log. ", 40),
			"portuguese": strings.Repeat("A manutenção do veículo é da responsabilidade do condutor, salvo indicação em contrário. ", 40),
		} {
			b.Run(filepath.Base(dir)+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					k.Count(text)
				}
			})
		}
	}
}
