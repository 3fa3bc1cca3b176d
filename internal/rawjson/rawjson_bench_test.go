package rawjson

import (
	"strings"
	"testing"
)

var bodies = map[string][]byte{
	"1KiB":   []byte(`{"model":"gpt-4o","stream":true,"temperature":0.7,"messages":[{"role":"system","content":"You are short."},{"role":"user","content":"` + strings.Repeat("Why is the sky blue? ", 42) + `"}]}`),
	"400KiB": []byte(`{"model":"gpt-4o","messages":[{"role":"user","content":"` + strings.Repeat("Why is the sky blue? ", 19_500) + `"}]}`),
	"10MiB":  []byte(`{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,` + strings.Repeat("iVBORw0KGgoAAAAN", 655_360) + `"}}]}]}`),
	"turns":  []byte(`{"model":"gpt-4o","messages":[` + strings.Repeat(`{"role":"user","content":"Why is the sky \"blue\"?\n"},`, 500) + `{"role":"user","content":"."}]}`),
	"umlaut": []byte(`{"model":"gpt-4o","messages":[{"role":"user","content":"` + strings.Repeat("Warum ist der Himmel so schön blau? 空は青い ", 2000) + `"}]}`),
}

func BenchmarkParse(b *testing.B) {
	for name, body := range bodies {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				d := Get()
				if err := d.Parse(body, Limits{}); err != nil {
					b.Fatal(err)
				}
				Put(d)
			}
		})
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	d := new(Doc)
	buf := make([]byte, 0, 64<<10)
	set := []Set{{"model", []byte(`"other"`)}}
	for _, name := range []string{"1KiB", "turns"} {
		body := bodies[name]
		n := testing.AllocsPerRun(100, func() {
			if d.Parse(body, Limits{}) != nil || d.Get("model") == nil {
				t.Fatal("not parsed")
			}
			buf = d.Append(buf[:0], nil, set)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
