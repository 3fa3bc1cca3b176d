package vector

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
)

const (
	manifestName = "manifest"
	suffix       = ".vec"
)

// manifest says which files count. It is replaced whole.
type manifest struct {
	Instance string   `json:"instance"`
	Seq      int64    `json:"seq"`
	Segments []string `json:"segments"`
}

// readManifest gives ErrBroken for what is not there, damaged or foreign.
func readManifest(dir, instance string) (*manifest, error) {
	b, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrBroken
	}
	if err != nil {
		return nil, err
	}
	sum, body, _ := bytes.Cut(b, []byte("\n"))
	m := new(manifest)
	if string(sum) != checksum(body) || json.Unmarshal(body, m) != nil || m.Instance != instance {
		return nil, ErrBroken
	}
	for _, name := range m.Segments {
		if !strings.HasSuffix(name, suffix) || filepath.Base(name) != name {
			return nil, ErrBroken
		}
	}
	return m, nil
}

func checksum(body []byte) string { return fmt.Sprintf("%08x", crc32.Checksum(body, table)) }

// write puts the manifest in place of the one that was; it is on the disk when
// it returns.
func (m *manifest) write(dir string) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, manifestName)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append([]byte(checksum(body)+"\n"), body...))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// sweep removes the files of an index that a manifest does not name: what a
// crash left, or all of a broken one.
func sweep(dir string, m *manifest) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	if m != nil {
		keep[manifestName] = true
		for _, name := range m.Segments {
			keep[name] = true
		}
	}
	for _, e := range entries {
		name := e.Name()
		ours := strings.HasSuffix(name, suffix) || strings.HasPrefix(name, manifestName)
		if ours && !keep[name] {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}
