package rawjson

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in     string
		offset int // of a *SyntaxError; -1 is none
		err    error
	}{
		{`{}`, -1, nil},
		{" \r\n\t{ \"a\" : [ 1 , {} ] , \"b\":null } ", -1, nil},
		{`{"a":-0.5e+10,"b":0,"c":"\u00e9\n","d":true,"e":false}`, -1, nil},
		{`{"a":"\ud800"}`, -1, nil},
		{`[]`, -1, ErrNotObject},
		{`"x"`, -1, ErrNotObject},
		{`12`, -1, ErrNotObject},
		{``, 0, nil},
		{`{not json`, 1, nil},
		{`{"a"`, 4, nil},
		{`{"a":1`, 6, nil},
		{`{"a":1,}`, 7, nil},
		{`{"a" 1}`, 5, nil},
		{`{"a":01}`, 6, nil},
		{`{"a":1.}`, 7, nil},
		{`{"a":.5}`, 5, nil},
		{`{"a":+1}`, 5, nil},
		{`{"a":nul}`, 8, nil},
		{`{"a":NaN}`, 5, nil},
		{`{"a":[1 2]}`, 8, nil},
		{`{"a":"\x"}`, 6, nil},
		{`{"a":"\u12g4"}`, 6, nil},
		{"{\"a\":\"line\nbreak\"}", 10, nil},
		{"{\"a\":\"01234567\xff\"}", 14, nil},
		{"{\"a\":\"\xed\xa0\x80\"}", 6, nil},
		{"{\"a\":\"\x00\"}", 6, nil},
		{"\xef\xbb\xbf{}", 0, nil},
		{`{} {}`, 3, nil},
		{`{}x`, 2, nil},
		{strings.Repeat("[", 65) + strings.Repeat("]", 65), -1, ErrDepth},
		{`{"a":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`, -1, nil},
		{`{"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`, -1, ErrDepth},
	}
	for _, tt := range tests {
		var d Doc
		err := d.Parse([]byte(tt.in), Limits{})
		var syn *SyntaxError
		switch {
		case tt.offset >= 0:
			if !errors.As(err, &syn) || syn.Offset != tt.offset {
				t.Errorf("%q: got %v, want a fault at %d", tt.in, err, tt.offset)
			}
		case !errors.Is(err, tt.err):
			t.Errorf("%q: got %v, want %v", tt.in, err, tt.err)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	body := []byte(`{"a":{"b":1,"c":[{"d":2}]}}`)
	var d Doc
	if err := d.Parse(body, Limits{Keys: 4, Depth: 4}); err != nil {
		t.Errorf("at the limits: %v", err)
	}
	if err := d.Parse(body, Limits{Keys: 3}); !errors.Is(err, ErrKeys) {
		t.Errorf("a key too many: %v", err)
	}
	if err := d.Parse(body, Limits{Depth: 3}); !errors.Is(err, ErrDepth) {
		t.Errorf("a level too many: %v", err)
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	var d Doc
	err := d.Parse([]byte(`{"mod\u0065l":"a\"\u00e9\ud83d\ude00","stream":true,"n":12,"off":false,"x":[1],"f":2.5,"k\n":1}`), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := d.String("model"); !ok || s != "a\"é😀" {
		t.Errorf("String: %q %v", s, ok)
	}
	if v, ok := d.Bool("stream"); !v || !ok {
		t.Error("Bool stream")
	}
	if v, ok := d.Bool("off"); v || !ok {
		t.Error("Bool off")
	}
	if _, ok := d.Bool("n"); ok {
		t.Error("a number is no bool")
	}
	if n, ok := d.Int("n"); !ok || n != 12 {
		t.Errorf("Int: %d %v", n, ok)
	}
	if _, ok := d.Int("f"); ok {
		t.Error("2.5 is not whole")
	}
	if string(d.Get("x")) != "[1]" || d.Get("y") != nil || string(d.Get("k\n")) != "1" {
		t.Error("Get")
	}
	if d.Duplicate {
		t.Error("no key came twice")
	}
	if d.Parse([]byte(`{"a":[[1,2,3],4],"b":[]}`), Limits{}) != nil || d.Longest != 3 {
		t.Errorf("the longest array has 3 elements, not %d", d.Longest)
	}
}

func TestDuplicate(t *testing.T) {
	t.Parallel()
	many := `{"model":"a",` + strings.Repeat(`"x":1,"y":2,`, 30) + `"m\u006fdel":"b"}`
	for _, body := range []string{`{"model":"a","z":1,"m\u006fdel":"b"}`, many} {
		var d Doc
		if err := d.Parse([]byte(body), Limits{}); err != nil {
			t.Fatal(err)
		}
		if s, _ := d.String("model"); s != "b" || !d.Duplicate {
			t.Errorf("the last one must win and be told: %q %v", s, d.Duplicate)
		}
		out := string(d.Append(nil, nil, nil))
		if strings.Contains(out, `"a"`) || strings.Count(out, `"x"`) > 1 {
			t.Errorf("an earlier one is still there: %s", out)
		}
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	body := []byte(`{ "model" : "a", "chat_id":"c" , "messages":[ {"role":"user"} ]}`)
	drop := func(key []byte) bool { return string(key) == "chat_id" }
	tests := []struct {
		drop func([]byte) bool
		set  []Set
		want string
	}{
		{nil, nil, `{"model" : "a","chat_id":"c","messages":[ {"role":"user"} ]}`},
		{drop, nil, `{"model" : "a","messages":[ {"role":"user"} ]}`},
		{drop, []Set{{"model", []byte(`"b"`)}, {"n", []byte("1")}}, `{"model":"b","messages":[ {"role":"user"} ],"n":1}`},
		{func([]byte) bool { return true }, nil, `{}`},
		{func([]byte) bool { return true }, []Set{{"n", []byte("1")}}, `{"n":1}`},
	}
	var d Doc
	if err := d.Parse(body, Limits{}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		if got := string(d.Append([]byte("> "), tt.drop, tt.set)); got != "> "+tt.want {
			t.Errorf("got  %s\nwant > %s", got, tt.want)
		}
	}
}

func TestEachElements(t *testing.T) {
	t.Parallel()
	var got []string
	if !Each([]byte(` { "a" : 1 , "b":[ {"c":2} ] } `), func(k, v []byte) { got = append(got, string(k)+"="+string(v)) }) {
		t.Error("an object")
	}
	if s := strings.Join(got, "|"); s != `a=1|b=[ {"c":2} ]` {
		t.Error(s)
	}
	got = nil
	if !Elements([]byte(`[1, "x" ,{"a":[]}]`), func(v []byte) { got = append(got, string(v)) }) {
		t.Error("an array")
	}
	if s := strings.Join(got, "|"); s != `1|"x"|{"a":[]}` {
		t.Error(s)
	}
	for _, bad := range []string{``, `1`, `{`, `[`, `[1`, `[1,]`, `{"a":}`, `{"a":1}x`, `[]]`} {
		if Each([]byte(bad), func(_, _ []byte) {}) || Elements([]byte(bad), func([]byte) {}) {
			t.Errorf("%q is neither", bad)
		}
	}
	if string(Lookup([]byte(`{"a":1,"b":2,"a":3}`), "a")) != "3" {
		t.Error("Lookup takes the last")
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]int64{"0": 0, "-7": -7, "2.0": 2, "1e3": 1000, "9223372036854775807": 1<<63 - 1} {
		if n, ok := Int([]byte(raw)); !ok || n != want {
			t.Errorf("%s: %d %v", raw, n, ok)
		}
	}
	for _, raw := range []string{"", "1.5", "1e300", `"1"`, "null", "9223372036854775808"} {
		if n, ok := Int([]byte(raw)); ok {
			t.Errorf("%s is not a whole number that fits, got %d", raw, n)
		}
	}
	if f, ok := Float([]byte("-1.5e2")); !ok || f != -150 {
		t.Error(f)
	}
}

// FuzzParse holds Parse against encoding/json, which takes bad UTF-8 where we
// do not and knows neither limits nor our wish for an object.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":[1,2.5e-3,"\u00e9"],"b":{"c":null}}`, `{"a":"é😀"}`, `{"a":1,"a":2}`, `[1]`, "{\"a\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var d Doc
		err := d.Parse(b, Limits{Depth: 1000, Keys: 1 << 20})
		if errors.Is(err, ErrDepth) || errors.Is(err, ErrKeys) {
			return // limits are our own
		}
		legal := err == nil || errors.Is(err, ErrNotObject)
		if want := json.Valid(b) && utf8.Valid(b); legal != want {
			t.Fatalf("%q: %v, encoding/json says %v", b, err, want)
		}
		if err != nil {
			return
		}
		var want, got map[string]any
		if json.Unmarshal(b, &want) != nil {
			return // a number out of range, say
		}
		out := d.Append(nil, nil, nil)
		if err := json.Unmarshal(out, &got); err != nil || len(got) != len(want) {
			t.Fatalf("%q became %q: %v", b, out, err)
		}
		for _, m := range d.Members {
			if _, ok := want[string(m.Key)]; !ok {
				t.Fatalf("%q: key %q is not there", b, m.Key)
			}
			var s string
			if m.Value[0] == '"' && json.Unmarshal(m.Value, &s) == nil {
				if text, ok := Unquote(m.Value); !ok || text != s {
					t.Fatalf("%q: %q, want %q", m.Value, text, s)
				}
			}
		}
		a, _ := json.Marshal(want)
		c, _ := json.Marshal(got)
		if string(a) != string(c) {
			t.Fatalf("%s\n%s", a, c)
		}
	})
}

// FuzzString holds AppendString and Unquote against encoding/json.
func FuzzString(f *testing.F) {
	f.Add("a\"\\\n\x00é\xff😀")
	f.Fuzz(func(t *testing.T, s string) {
		raw := AppendString(nil, s)
		var want string
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatalf("%q became %q", s, raw)
		}
		if got, ok := Unquote(raw); !ok || got != want || want != string([]rune(s)) {
			t.Fatalf("%q became %q became %q, want %q", s, raw, got, want)
		}
		if string(AppendString(nil, []byte(s))) != string(raw) {
			t.Fatal("bytes and text differ")
		}
		AppendUnquoted(nil, []byte(s))
		Plain([]byte(s))
		Each([]byte(s), func(_, _ []byte) {})
		Elements([]byte(s), func([]byte) {})
	})
}
