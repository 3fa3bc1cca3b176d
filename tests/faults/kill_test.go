package faults

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// passage is a text of more chunks than are embedded in one go.
func passage(marker string) []byte {
	return []byte("# " + marker + "\n\n" + strings.Repeat("The harbour master keeps the tide table of the northern pier. ", 18_000))
}

// Killed at any moment of taking a file in, the server has it whole after the
// next start, or not at all where it was not acknowledged; nothing stays in
// work, and nothing is left over.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, moment := range []string{"blob", "row", "document", "text", "vectors", "completed"} {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			first := l.start()
			// A file of before, which nothing may happen to.
			before, status, err := first.upload("before.md", []byte("The lighthouse of qzbefore is white."))
			if err != nil || before == "" {
				t.Fatalf("status %d, %v", status, err)
			}
			first.ended(before)
			if err := first.Stop(); err != nil {
				t.Fatal(err)
			}
			acked := map[string]string{before: "qzbefore"}
			for n := range *kills {
				s := l.start("PORTICO_FAILPOINT=" + moment)
				marker := fmt.Sprintf("qzmarker%d", n)
				if id, _, err := s.upload("big.md", passage(marker)); err == nil && id != "" {
					acked[id] = marker
				}
				s.killed()
				if n%3 == 2 { // a file that meets the end of many servers is given up
					s = l.start()
					for id := range acked {
						s.ended(id)
					}
					if err := s.Stop(); err != nil {
						t.Fatal(err)
					}
				}
			}
			s := l.start()
			for id, marker := range acked {
				if state, reason := s.ended(id); state != "completed" {
					t.Errorf("an acknowledged file is %q: %s", state, reason)
				}
				if !s.finds(id, marker, marker) {
					t.Errorf("%s is not found", marker)
				}
			}
			s.cleans()
		})
	}
}

// cleans waits until the janitor was there, and holds that doctor finds nothing.
func (s *server) cleans() {
	s.t.Helper()
	old := time.Now().Add(-time.Hour) // as if all of it had been put long ago
	names, _ := s.blobs()
	for _, name := range names {
		_ = os.Chtimes(name, old, old) // it may be gone
	}
	var said map[string]string
	eventually(s.t, "nothing is left over", func() bool {
		var well bool
		said, well = s.doctor()
		if !well {
			time.Sleep(time.Second)
		}
		return well && !strings.Contains(said["files"], "nobody refers to")
	})
	s.t.Logf("doctor: %s", said["files"])
}
