package faults

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// small is by how much the memory of a server may grow over that of one that
// has just started, whatever is sent to it.
const small = 256 << 20

// counting counts what is read of it.
type counting struct {
	io.Reader
	n atomic.Int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// A gigabyte is refused when the limit is passed, and leaves nothing: not on
// the disk, and not in memory.
func TestGibibyte(t *testing.T) {
	t.Parallel()
	s := newLab(t, "RAG_FILE_MAX_SIZE=8").start()
	idle, _ := rss(t, s.PID())
	sent := &counting{Reader: io.LimitReader(zeros{}, 1<<30)}
	kind, body := form("huge.bin", sent)
	status, answer, err := s.call(http.MethodPost, "/api/v1/files/", kind, body)
	if err == nil && status != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d: %s", status, answer)
	}
	// Beyond the limit only buffers on the way are filled.
	if n := sent.n.Load(); n > 32<<20 {
		t.Errorf("%d bytes were taken", n)
	}
	if _, peak := rss(t, s.PID()); peak > idle+small {
		t.Errorf("memory grew from %d to %d bytes", idle, peak)
	}
	eventually(t, "the bytes are gone", func() bool { names, _ := s.blobs(); return len(names) == 0 })
	if id, status, err := s.upload("a.txt", []byte("After it.")); id == "" {
		t.Errorf("the next upload: status %d, %v", status, err)
	}
	// At the byte: one more than is allowed is too much.
	for _, over := range []int64{0, 1} {
		kind, body := form("exact.bin", io.LimitReader(zeros{}, 8<<20+over))
		status, _, err := s.call(http.MethodPost, "/api/v1/files/?process=false", kind, body)
		if want := map[int64]int{0: http.StatusOK, 1: http.StatusRequestEntityTooLarge}[over]; status != want {
			t.Errorf("%d bytes over the limit: status %d, %v", over, status, err)
		}
	}
}

// An upload whose client goes away leaves neither a row nor bytes.
func TestCutUpload(t *testing.T) {
	t.Parallel()
	s := newLab(t).start()
	for i := range 20 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		kind, body := form("cut.txt", io.LimitReader(zeros{}, 1<<20))
		_, err = fmt.Fprintf(conn, "POST /api/v1/files/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", s.key, kind, 1<<20)
		if err == nil {
			_, err = io.CopyN(conn, body, int64(i)*40_000)
		}
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 { // not even an end
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
		_ = conn.Close()
	}
	eventually(t, "nothing is left", func() bool { names, _ := s.blobs(); return len(names) == 0 })
	status, answer, err := s.call(http.MethodGet, "/api/v1/files/", "", nil)
	if err != nil || status != http.StatusOK || bytes.Contains(answer, []byte("cut.txt")) {
		t.Errorf("status %d, %v: %s", status, err, answer)
	}
}

// A full disk refuses uploads with 507 and loses nothing; deletions still work
// and, with room again, so does everything. Instead of a small disk, which only
// root can mount, the reserve is as large as what is free: then room is gone
// for uploads, and the database goes on, as it is meant to.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	s := l.start()
	kept, _, err := s.upload("kept.txt", []byte("The lighthouse of qzkept is white."))
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := s.upload("other.txt", []byte("The pier of qzother is black."))
	if err != nil {
		t.Fatal(err)
	}
	s.ended(kept)
	s.ended(other)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(l.dir, &disk); err != nil {
		t.Fatal(err)
	}
	free := int64(disk.Bavail) * disk.Bsize
	s = l.start(fmt.Sprintf("DISK_RESERVE=%d", free>>20+64<<10))
	for range 5 {
		if id, status, err := s.upload("new.txt", passage("qznew")); id != "" || status != http.StatusInsufficientStorage {
			t.Errorf("status %d, %v", status, err)
		}
	}
	if !s.finds(kept, "qzkept", "qzkept") {
		t.Error("what was there is not found")
	}
	if status, answer, err := s.call(http.MethodDelete, "/api/v1/files/"+other, "", nil); status != http.StatusOK {
		t.Errorf("delete: status %d, %v: %s", status, err, answer)
	}
	if state, _ := s.state(other); state != "" {
		t.Errorf("the deleted file is %q", state)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	s = l.start()
	if id, status, err := s.upload("new.txt", []byte("There is room again.")); id == "" {
		t.Errorf("status %d, %v", status, err)
	}
	if found, well := l.doctor(); !well {
		t.Errorf("doctor: %v", found)
	}
}

// onSmallDisk starts a server whose data folder is a disk of its own, in a
// namespace of its own, which needs no root. It gives where the disk can be
// seen from here, and nil where the machine has no such namespaces.
func (l *lab) onSmallDisk(mib int) (*server, string) {
	l.t.Helper()
	mount := fmt.Sprintf(`mount -t tmpfs -o size=%dm none "$DATA_DIR"`, mib)
	probe := exec.Command("unshare", "-Urm", "bash", "-c", mount)
	probe.Env = append(os.Environ(), "DATA_DIR="+l.dir)
	if out, err := probe.CombinedOutput(); err != nil {
		l.t.Logf("no namespaces here, so the disk is not filled: %v %s", err, out)
		return nil, ""
	}
	script := l.dir + ".sh"
	text := fmt.Sprintf("#!/bin/bash\nexec unshare -Urm bash -c '%s && exec %s \"$@\"' server \"$@\"\n", mount, binary)
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		l.t.Fatal(err)
	}
	s := l.startBinary(script)
	return s, fmt.Sprintf("/proc/%d/root%s", s.PID(), l.dir)
}

// A disk that is full in the middle of whatever is written refuses what that
// was for with 507, and damages nothing; with room again all goes on.
func TestDiskFills(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	s, seen := l.onSmallDisk(24)
	if s == nil {
		return // TestFullDisk is there everywhere
	}
	ballast := filepath.Join(seen, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 10<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	acked := map[string]string{}
	refused, last := 0, ""
	for i := 0; i < 80 && refused < 8; i++ {
		marker := fmt.Sprintf("qzword%d", i)
		content := []byte(marker + " begins. " + strings.Repeat(fmt.Sprintf("Line %d of the tide table. ", i), 1+i%5*3000))
		switch id, status, err := s.upload(marker+".txt", content); {
		case id != "":
			acked[id], last = marker, id
			if i < 3 {
				s.ended(id)
			}
		case err != nil || status != http.StatusInsufficientStorage:
			t.Fatalf("upload %d: status %d, %v", i, status, err)
		default:
			refused++
		}
	}
	if refused == 0 {
		t.Fatal("the disk was never full")
	}
	// The database may have no page left to note it in: then it says so, and the
	// file stays as it was.
	status, answer, err := s.call(http.MethodDelete, "/api/v1/files/"+last, "", nil)
	switch {
	case status == http.StatusOK:
		delete(acked, last)
	case status != http.StatusServiceUnavailable:
		t.Errorf("delete on a full disk: status %d, %v: %s", status, err, answer)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	id, status, err := s.upload("again.txt", []byte("qzagain: there is room."))
	if id == "" {
		t.Fatalf("with room again: status %d, %v", status, err)
	}
	acked[id] = "qzagain"
	failed := 0
	for id, marker := range acked {
		switch state, reason := s.ended(id); {
		case state == "":
			t.Errorf("%s was acknowledged and is lost", marker)
		case state == "failed" && reason == "":
			t.Errorf("%s failed without a reason", marker)
		case state == "failed":
			failed++
		case !s.finds(id, marker, marker):
			t.Errorf("%s is not found", marker)
		}
	}
	t.Logf("%d uploads kept, %d refused, %d could not be read for want of room", len(acked), refused, failed)
}

// Many tiny files at once are all there, all searchable in the end, and cost
// little memory; nobody waits for all of somebody else's, and a kill loses none.
func TestManyTinyFiles(t *testing.T) {
	t.Parallel()
	l := newLab(t, "MAX_FILES_PER_USER=0")
	s := l.start()
	idle, _ := rss(t, s.PID())
	ids := make([]string, *tiny)
	each(*tiny, 16, func(i int) {
		var status int
		var err error
		if ids[i], status, err = s.upload(fmt.Sprintf("%d.txt", i), []byte(fmt.Sprintf("Tiny file qztiny%d of many.", i))); ids[i] == "" {
			t.Errorf("status %d, %v", status, err)
		}
	})
	_, peak := rss(t, s.PID())
	t.Logf("%d files: memory %d MiB, at most %d MiB", *tiny, idle>>20, peak>>20)
	if peak > idle+small {
		t.Errorf("memory grew from %d to %d bytes", idle, peak)
	}
	// Somebody else, who comes last, is served among the first.
	var bia struct{ Token string }
	if err := s.Post("/api/v1/auths/add", s.key, map[string]string{"name": "Bia", "email": "bia@example.com", "password": "s3cret-Pass!", "role": "user"}, &bia); err != nil {
		t.Fatal(err)
	}
	hers := &server{s.Server, &lab{t: t, dir: l.dir, key: bia.Token}}
	last, _, err := hers.upload("hers.txt", []byte("The file of qzbia."))
	if err != nil || last == "" {
		t.Fatal(err)
	}
	before := s.unended(ids)
	hers.ended(last)
	if after := s.unended(ids); before > 200 && after < before/2 {
		t.Errorf("somebody's one file waited for %d of another's %d", before-after, before)
	}
	_ = s.Signal(syscall.SIGKILL)
	s.killed()
	s = l.start()
	for i, id := range ids {
		if state, reason := s.ended(id); state != "completed" {
			t.Errorf("%d is %q: %s", i, state, reason)
		}
	}
	if i := *tiny / 2; !s.finds(ids[i], fmt.Sprintf("qztiny%d", i), fmt.Sprintf("qztiny%d", i)) {
		t.Error("a file is not found")
	}
	if now, _ := rss(t, s.PID()); now > idle+small {
		t.Errorf("memory is %d bytes in the end", now)
	}
}

// unended counts the files that are still in work.
func (s *server) unended(ids []string) (n int) {
	s.t.Helper()
	for _, id := range ids {
		if state, _ := s.state(id); state != "completed" && state != "failed" {
			n++
		}
	}
	return n
}
