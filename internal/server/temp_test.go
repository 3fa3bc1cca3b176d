package server

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestTempDir(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	dir, err := tempDir(data)
	if err != nil {
		t.Fatal(err)
	}
	left, other := filepath.Join(dir, "portico-model-123"), filepath.Join(dir, "other")
	young := filepath.Join(dir, "portico-model-456") // another server's, of now
	for _, path := range []string{left, other, young} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-leftBehind - time.Minute)
	if err := os.Chtimes(left, long, long); err != nil {
		t.Fatal(err)
	}
	if again, err := tempDir(data); err != nil || again != dir {
		t.Fatal(again, err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("what a crash left is still there: %v", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("what another server uses is gone: %v", err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Errorf("what is not ours is gone: %v", err)
	}
	if _, err := tempDir(filepath.Join(other, "x")); err == nil {
		t.Error("no folder, and nothing is said")
	}
}
