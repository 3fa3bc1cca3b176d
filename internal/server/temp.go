package server

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// leftBehind is the age at which nobody uses a temporary file any more; servers
// that share a folder must not take each other's away.
const leftBehind = 24 * time.Hour

// tempDir gives the folder where files of models wait to be sent on, without
// what a crash left there. It is in the data folder: such files are larger than
// what many systems have for temporary ones.
func tempDir(data string) (string, error) {
	dir := filepath.Join(data, "tmp")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("the data folder has no place for temporary files: %w", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "portico-model-*"))
	if err != nil {
		return "", err
	}
	for _, path := range left {
		if info, err := os.Stat(path); err != nil || time.Since(info.ModTime()) < leftBehind {
			continue
		}
		if err := os.Remove(path); err != nil {
			return "", fmt.Errorf("a temporary file cannot be removed: %w", err)
		}
	}
	return dir, nil
}
