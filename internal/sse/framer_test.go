package sse

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// run feeds in, cut into pieces of the given sizes, the last one repeated.
func run(in []byte, sizes ...int) (out []byte, f *Framer, err error) {
	f = &Framer{}
	for i := 0; len(in) > 0 && err == nil; i++ {
		n := min(sizes[min(i, len(sizes)-1)], len(in))
		var b []byte
		b, err = f.Feed(bytes.Clone(in[:n]))
		out = append(out, b...)
		in = in[n:]
	}
	return append(out, f.Finish()...), f, err
}

const chunk = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"w"},"finish_reason":null}]}` + "\n\n"

var streams = []struct {
	name, in, out string
	dropped       int
}{
	{"plain", chunk + chunk + "data: [DONE]\n\n", "=", 0},
	{"crlf", "data: a\r\n\r\ndata: b\r\n\r\n", "=", 0},
	{"cr", "data: a\r\rdata: b\r\r", "=", 0},
	{"mixed ends", "data: a\r\n\rdata: b\n\r\ndata: c\r\r\n", "=", 0},
	{"fields", "event: x\nid: 1\nretry: 5\n: note\ndata:{\"a\":1}\ndata\n\n", "=", 0},
	{"comment", ": ping\n\n", "=", 0},
	{"blank lines", "\n\ndata: a\n\n\n", "=", 0},
	{"byte order mark", "\ufeffdata: a\n\n", "data: a\n\n", 0},
	{"done without end", chunk + "data: [DONE]", chunk + "data: [DONE]\n\n", 0},
	{"done with one end", chunk + "data: [DONE]\n", chunk + "data: [DONE]\n\n", 0},
	{"cut in JSON", chunk + `data: {"choices":[{"del`, chunk, 1},
	{"bare object", `{"error":{"message":"no"}}` + "\n", `data: {"error":{"message":"no"}}` + "\n\n", 0},
	{"bare object, blank, more", "{\"a\":1}\n\ndata: b\n\n", "data: {\"a\":1}\n\ndata: b\n\n", 0},
	{"bare object within an event", "data: a\n{\"a\":1}\ndata: b\n\n", "data: a\n\ndata: {\"a\":1}\n\ndata: b\n\n", 0},
	{"bare object without end", `{"error":"x"}`, "data: {\"error\":\"x\"}\n\n", 0},
	{"junk", "HTTP/1.1 200 OK\n<html>\n\ndata: a\n\n", "data: a\n\n", 2},
	{"junk in an event", "data: a\njunk\n\n", "data: a\n\n", 1},
	{"unknown field", "foo: bar\ndata: a\n\n", "data: a\n\n", 1},
	{"not UTF-8", "data: a\xffb\n\n", "data: a\uFFFDb\n\n", 0},
	{"rune cut", "data: é€😀\n\n", "=", 0},
	{"NUL", "data: a\x00b\n\n", "data: ab\n\n", 0},
	{"only an end", "\n", "=", 0},
	{"nothing", "", "=", 0},
}

func TestFramer(t *testing.T) {
	t.Parallel()
	for _, s := range streams {
		want := s.out
		if want == "=" {
			want = s.in
		}
		got, f, err := run([]byte(s.in), 1<<20)
		if err != nil || string(got) != want || f.Dropped() != s.dropped {
			t.Errorf("%s: %q, %d dropped, %v; want %q, %d", s.name, got, f.Dropped(), err, want, s.dropped)
		}
		for cut := 1; cut <= len(s.in); cut++ {
			if got, _, _ := run([]byte(s.in), cut, 1<<20); string(got) != want {
				t.Errorf("%s, cut at %d: %q, want %q", s.name, cut, got, want)
			}
			if got, _, _ := run([]byte(s.in), cut); string(got) != want {
				t.Errorf("%s, cut every %d: %q, want %q", s.name, cut, got, want)
			}
		}
	}
}

func TestSeen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in                   string
		done, finish, failed bool
		usage                string
		events               int
	}{
		{chunk, false, false, false, "", 1},
		{strings.Replace(chunk, "null", ` "stop"`, 1), false, true, false, "", 1},
		{"data: [DONE]\n\n", true, false, false, "", 1},
		{"data:[DONE]", true, false, false, "", 1},
		{`data: {"usage":null}` + "\n\n", false, false, false, "", 1},
		{`data: {"usage": {"a":{"b":"}"},"c":2},"x":1}` + "\n\n" + `data: {"usage":null}`, false, false, false, `{"a":{"b":"}"},"c":2}`, 2},
		{`data: {"x_usage":1,"usage":{"a":1}}` + "\n\n", false, false, false, `{"a":1}`, 1},
		{`data: {"content":"\"usage\":{\"finish_reason\":\"stop\",\"error\":1}"}` + "\n\n", false, false, false, "", 1},
		{`data: {"error":null}` + "\n\n", false, false, false, "", 1},
		{`data: {"error":{"message":"x"}}` + "\n\n", false, false, true, "", 1},
		{`{"error":"x"}` + "\n", false, false, true, "", 1},
		{": ping\n\n", false, false, false, "", 0},
	} {
		_, f, _ := run([]byte(c.in), 7)
		if f.Done() != c.done || f.Finished() != c.finish || f.Failed() != c.failed || string(f.Usage()) != c.usage || f.Events() != c.events {
			t.Errorf("%q: done %v, finished %v, failed %v, usage %q, %d events", c.in, f.Done(), f.Finished(), f.Failed(), f.Usage(), f.Events())
		}
	}
}

// A block goes out as soon as its event is complete, and not before.
func TestBlocks(t *testing.T) {
	t.Parallel()
	var f Framer
	for i, c := range []struct{ in, out string }{
		{"data: a", ""}, {"\n", ""}, {"\ndata: b\n\nda", "data: a\n\ndata: b\n\n"}, {"ta: c\n", ""}, {"\r", "data: c\n\r"}, {"\n", "\n"}, {"data: d\n\n", "data: d\n\n"},
	} {
		got, err := f.Feed([]byte(c.in))
		if err != nil || string(got) != c.out {
			t.Errorf("step %d: %q, %v; want %q", i, got, err, c.out)
		}
	}
}

func TestTooLong(t *testing.T) {
	t.Parallel()
	for _, n := range []int{maxLine - 16, maxLine + 16} {
		in := fmt.Appendf(nil, "data: %s\n\n", bytes.Repeat([]byte("x"), n))
		out, _, err := run(in, 32<<10)
		if n < maxLine && (err != nil || !bytes.Equal(in, out)) {
			t.Errorf("a line of %d: %v", n, err)
		}
		if n > maxLine && err != ErrTooLong {
			t.Errorf("a line of %d: %v, want ErrTooLong", n, err)
		}
	}
	if _, _, err := run(bytes.Repeat([]byte("data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"), maxEvent/32), 32<<10); err != ErrTooLong {
		t.Errorf("an endless event: %v, want ErrTooLong", err)
	}
}

func TestNoAllocs(t *testing.T) {
	one := []byte(chunk)
	half := len(one) / 2
	var f Framer
	f.Feed(one[:half])
	f.Feed(one[half:])
	if n := testing.AllocsPerRun(100, func() { f.Feed(one) }); n != 0 {
		t.Errorf("%v allocations per whole event, want 0", n)
	}
	if n := testing.AllocsPerRun(100, func() { f.Feed(one[:half]); f.Feed(one[half:]) }); n != 0 {
		t.Errorf("%v allocations per event in two parts, want 0", n)
	}
}

// TestBulk: what comes in reads of many events each, cut anywhere, costs no
// allocation either, and the room that it takes is not kept for ever.
func TestBulk(t *testing.T) {
	all := bytes.Repeat([]byte(chunk), 2000)
	var f Framer
	feed := func(size int) {
		for at := 0; at < len(all); at += size {
			f.Feed(all[at:min(at+size, len(all))])
		}
	}
	for _, size := range []int{32 << 10, 5000, 777} {
		feed(size)
		if n := testing.AllocsPerRun(10, func() { feed(size) }); n != 0 {
			t.Errorf("%v allocations for 2,000 events in reads of %d", n, size)
		}
	}
	feed(32 << 10)
	feed(100)
	if kept := cap(f.out) + cap(f.event) + cap(f.part); kept > 2*keepCap {
		t.Errorf("%d bytes are kept for a stream of small events", kept)
	}
}

func FuzzFramer(f *testing.F) {
	for _, s := range streams {
		f.Add([]byte(s.in), uint8(3))
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint8) {
		whole, a, _ := run(in, len(in)+1)
		pieces, b, _ := run(in, int(cut)+1)
		if !bytes.Equal(whole, pieces) {
			t.Fatalf("cut every %d: %q, uncut %q", int(cut)+1, pieces, whole)
		}
		if a.Done() != b.Done() || a.Events() != b.Events() || a.Dropped() != b.Dropped() || !bytes.Equal(a.Usage(), b.Usage()) {
			t.Fatalf("cut every %d changes what is seen", int(cut)+1)
		}
		again, _, _ := run(whole, len(whole)+1)
		if !bytes.Equal(again, whole) {
			t.Fatalf("the output %q is not legal itself: %q", whole, again)
		}
	})
}

func BenchmarkFramer(b *testing.B) {
	one := []byte(chunk)
	var f Framer
	b.ReportAllocs()
	b.SetBytes(int64(len(one)))
	for b.Loop() {
		f.Feed(one)
	}
}
