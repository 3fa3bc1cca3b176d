package server

import (
	"os"
	"strings"
	"testing"
)

func TestMapping(t *testing.T) {
	for line, want := range map[string]bool{
		"00400000-01a00000 r-xp 00000000 08:01 42 /usr/bin/portico": true,
		"01a00000-02a00000 r--p 01600000 08:01 42 /usr/bin/portico": true,
		"02a00000-02b00000 rw-p 02600000 08:01 42 /usr/bin/portico": false,
		"02a00000-02b00000 r--s 02600000 08:01 42 /usr/bin/portico": false,
		"7f000000-7f001000 r-xp 00000000 08:01 43 /usr/lib/other":   false,
		"c000000000-c000400000 rw-p 00000000 00:00 0":               false,
		"nonsense": false,
	} {
		if _, _, ok := mapping(line, "/usr/bin/portico"); ok != want {
			t.Errorf("%q: %v", line, ok)
		}
	}
}

// The program goes on as if nothing had happened, with less of it in memory.
func TestUnmapProgram(t *testing.T) {
	unmapProgram()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil || !strings.Contains(string(status), "RssFile") {
		t.Fatal(err)
	}
}
