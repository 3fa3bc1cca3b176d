package faults

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/internal/retrieval/extract/pdftest"
	"portico/tests/stage"
)

// childLimit is how much memory a reader of files may have.
const childLimit = 1 << 30

// zipped is a ZIP file of one member, which is what it holds again and again.
func zipped(name, head, again string, times int, end string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, part := range []struct{ name, text string }{{"[Content_Types].xml", `<Types/>`}, {name, ""}} {
		w, err := z.Create(part.name)
		if err != nil {
			panic(err) // a buffer takes everything
		}
		if part.text != "" {
			_, _ = io.WriteString(w, part.text)
			continue
		}
		_, _ = io.WriteString(w, head)
		piece := strings.Repeat(again, 1024)
		for range times / 1024 {
			_, _ = io.WriteString(w, piece)
		}
		_, _ = io.WriteString(w, end)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// poison is what is uploaded to do harm, by name.
func poison() map[string][]byte {
	all := map[string][]byte{
		"bomb.zip":       zipped("zeros.txt", "", strings.Repeat("\x00", 64), 4<<20, ""),
		"deep.docx":      zipped("word/document.xml", "<w:document>", "<w:p>", 2<<20, ""),
		"deep.xml":       []byte(strings.Repeat("<a>", 1<<20)),
		"huge.xlsx":      zipped("xl/worksheets/sheet1.xml", "<worksheet><sheetData>", `<row><c t="inlineStr"><is><t>abc</t></is></c></row>`, 4<<20, "</sheetData></worksheet>"),
		"entities.xml":   []byte(`<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><a>&b;&b;</a>`),
		"deep.json":      []byte(strings.Repeat("[", 1<<20)),
		"text.pdf":       []byte("This is no PDF at all."),
		"../../path.txt": []byte("A name with a path in it."),
		"empty.docx":     zipped("word/document.xml", "", "", 0, ""),
		"half.docx":      zipped("word/document.xml", "<w:document>", "<w:p>x</w:p>", 1<<12, "")[:300],
	}
	for name, content := range pdftest.Poison() {
		all[name+".pdf"] = content
	}
	for i, content := range pdftest.Broken(*broken) {
		all[fmt.Sprintf("broken %d.pdf", i)] = content
	}
	return all
}

// watch looks at the memory of a process and of its children until stop is
// called, which gives the most that each kind had.
func watch(t *testing.T, pid int) (stop func() (server, child int64)) {
	t.Helper()
	var server, child int64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			for _, other := range children(pid) {
				child = max(child, memory(other))
			}
			server = max(server, memory(pid))
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() (int64, int64) {
		close(done)
		<-ended
		return server, child
	}
}

// memory is the most that a process had, 0 where it is gone.
func memory(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(fields[0], 10, 64)
	return kib << 10
}

// children are the processes that one started.
func children(pid int) (all []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list) // gone with its thread
		for _, field := range strings.Fields(string(text)) {
			if n, err := strconv.Atoi(field); err == nil {
				all = append(all, n)
			}
		}
	}
	return all
}

// Files that are meant to harm end as failed with a reason, or are read; the
// server and its children stay within their memory, and chats go on.
func TestPoison(t *testing.T) {
	t.Parallel()
	l := newLab(t, "BYPASS_MODEL_ACCESS_CONTROL=true", "RAG_EMBEDDING_ENGINE=none")
	// What is compiled once for PDFs was compiled by make testenv.
	cache := filepath.Join(l.dir, "cache")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(stage.Tool(t, "pdfium"), filepath.Join(cache, "extract")); err != nil {
		t.Fatal(err)
	}
	s := l.start()
	idle, _ := rss(t, s.PID())
	calm := s.chats(40)
	stop := watch(t, s.PID())
	all := poison()
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	ended := make(chan struct{})
	var busy []time.Duration
	var chatting sync.WaitGroup
	chatting.Go(func() {
		for {
			select {
			case <-ended:
				return
			default:
				busy = append(busy, s.chats(1)...)
			}
		}
	})
	ids := make([]string, len(names))
	each(len(names), 4, func(i int) {
		id, status, err := s.upload(names[i], all[names[i]])
		if err != nil || id == "" && status != http.StatusBadRequest {
			t.Errorf("%s: status %d, %v", names[i], status, err)
		}
		ids[i] = id
	})
	how := map[string]int{}
	for i, id := range ids {
		if id == "" {
			how["refused"]++
			continue
		}
		state, reason := s.ended(id)
		if how[state]++; state == "failed" && reason == "" || state == "" {
			t.Errorf("%s: %q without a reason", names[i], state)
		}
	}
	close(ended)
	chatting.Wait()
	server, child := stop()
	t.Logf("%d files: %v; the server had %d MiB (idle %d), a child at most %d MiB", len(names), how, server>>20, idle>>20, child>>20)
	t.Logf("chats meanwhile: p99 %v, before %v", p99(busy), p99(calm))
	if server > idle+small {
		t.Errorf("the server's memory grew from %d to %d bytes", idle, server)
	}
	if child > childLimit || child == 0 {
		t.Errorf("a child had %d bytes", child)
	}
	if id, status, err := s.upload("after.txt", []byte("After all of it, qzafter.")); id == "" {
		t.Errorf("status %d, %v", status, err)
	} else if state, reason := s.ended(id); state != "completed" {
		t.Errorf("a sound file afterwards is %q: %s", state, reason)
	}
}

// chats asks n times, one after the other, and gives how long each took.
func (s *server) chats(n int) (took []time.Duration) {
	for range n {
		began := time.Now()
		status, answer, err := s.call(http.MethodPost, "/api/chat/completions", "application/json",
			strings.NewReader(`{"model":"mock-0","messages":[{"role":"user","content":"Hello?"}]}`))
		if err != nil || status != http.StatusOK {
			s.t.Errorf("chat: status %d, %v: %.300s", status, err, answer)
			return took
		}
		took = append(took, time.Since(began))
	}
	return took
}

func p99(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)*99/100]
}
