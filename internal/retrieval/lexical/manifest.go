package lexical

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
)

// A folder holds a manifest and the segments that it names; other segments are
// what was left by a crash. A line of the manifest is its checksum, the rest is
// JSON. It is replaced whole.
const (
	manifestName = "manifest"
	segmentExt   = ".seg"
	freshExt     = ".new" // of files that are being written
)

type manifest struct {
	Instance string          `json:"instance"`
	Analyser int             `json:"analyser"`
	Seq      int64           `json:"seq"`
	Next     int             `json:"next"` // number of the next segment
	Segments []manifestEntry `json:"segments"`
}

type manifestEntry struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	Sum  uint32 `json:"sum"` // of the foot
}

// errForeign says that a folder is not ours, not now, or not whole.
var errForeign = errors.New("lexical: the folder is of no use")

func readManifest(dir, instance string) (*manifest, error) {
	b, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errForeign
	}
	if err != nil {
		return nil, err
	}
	sum, body, _ := strings.Cut(string(b), "\n")
	var m manifest
	if sum != checksum([]byte(body)) || json.Unmarshal([]byte(body), &m) != nil ||
		m.Instance != instance || m.Analyser != analyserVersion {
		return nil, errForeign
	}
	return &m, nil
}

func checksum(b []byte) string { return fmt.Sprintf("%08x", crc32.Checksum(b, castagnoli)) }

func writeManifest(dir string, m *manifest) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, manifestName)
	err = writeFile(path+freshExt, func(f *os.File) error {
		_, err := fmt.Fprintf(f, "%s\n%s", checksum(body), body)
		return err
	})
	if err != nil {
		return err
	}
	if err := os.Rename(path+freshExt, path); err != nil {
		return err
	}
	return syncDir(dir)
}

// writeFile makes a file that is on the disk when it returns, or is not there.
func writeFile(path string, fill func(*os.File) error) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil {
			_ = os.Remove(path) // it is removed at the next start
		}
	}()
	if err := fill(f); err != nil {
		return err
	}
	return f.Sync()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close() // was only read
	return d.Sync()
}

// clean removes what is ours in a folder and not kept.
func clean(dir string, keep func(name string) bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		ours := name == manifestName || strings.HasSuffix(name, segmentExt) || strings.HasSuffix(name, freshExt)
		if !ours || keep(name) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// openFolder opens the segments that the manifest names.
func openFolder(dir, instance string) (*manifest, []*segment, error) {
	m, err := readManifest(dir, instance)
	if err != nil {
		return nil, nil, err
	}
	var segments []*segment
	for _, e := range m.Segments {
		s, err := openFile(dir, e.Name)
		if err == nil && (int64(len(s.data)) != e.Size || s.FootSum != e.Sum) {
			s.drop()
			err = errForeign
		}
		if err != nil {
			for _, s := range segments {
				s.drop()
			}
			return nil, nil, err
		}
		segments = append(segments, s)
	}
	return m, segments, nil
}

func openFile(dir, name string) (s *segment, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer caught(&err)
	if filepath.Base(name) != name || !strings.HasSuffix(name, segmentExt) {
		return nil, errForeign
	}
	data, unmap, err := mapFile(filepath.Join(dir, name))
	if err != nil {
		return nil, errors.Join(errForeign, err)
	}
	s, ok := openSegment(data, false)
	if !ok {
		if unmap != nil {
			_ = unmap() // nothing reads it
		}
		return nil, errForeign
	}
	s.name, s.unmap = name, unmap
	return s, nil
}
