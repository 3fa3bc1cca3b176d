package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portico/internal/blob"
	"portico/internal/config"
	"portico/internal/file"
	"portico/internal/server"
)

// TestDoctorFiles finds and mends what a crash or a disk did to uploads.
func TestDoctorFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg, err := config.Load(config.Source{Environ: []string{"DATA_DIR=" + dir}})
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := blob.OpenDir(filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	defer blobs.Close()
	r, err := server.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	put := func(text string) (hash, path string) {
		b, err := blobs.Put(t.Context(), strings.NewReader(text), 100)
		if err != nil {
			t.Fatal(err)
		}
		path = filepath.Join(dir, "blobs", b.Hash[:2], b.Hash)
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
		return b.Hash, path
	}
	add := func(f *file.File) {
		f.Kind, f.UserID = file.Upload, "u"
		if err := r.DB.CreateFile(t.Context(), f, false); err != nil {
			t.Fatal(err)
		}
	}
	look := func(flags ...string) finding {
		t.Helper()
		_, stdout, stderr := run(t, dir, "", []string{"PORT=0"}, append([]string{"doctor", "--json"}, flags...)...)
		var all []finding
		if err := json.Unmarshal([]byte(stdout), &all); err != nil {
			t.Fatalf("%s %s", stdout, stderr)
		}
		for _, f := range all {
			if f.Check == "files" {
				return f
			}
		}
		t.Fatal("uploads were not looked at")
		return finding{}
	}
	check := func(f finding, ok bool, says ...string) {
		t.Helper()
		if f.OK != ok {
			t.Errorf("%+v", f)
		}
		for _, s := range says {
			if !strings.Contains(f.Note, s) {
				t.Errorf("%q does not say %q", f.Note, s)
			}
		}
	}
	kept, keptPath := put("kept")
	add(&file.File{ID: "kept", Blob: kept})
	_, orphan := put("orphan")
	check(look("--mend"), false, "another database") // nobody claimed them
	id, err := r.DB.InstanceID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if ours, err := blobs.Claim(id); !ours || err != nil {
		t.Fatal(ours, err)
	}
	check(look(), true, "1 file, all of them there", "6 bytes nobody refers to")
	check(look("--mend"), true, "1 file, all of them there")
	if _, err := os.Stat(orphan); !os.IsNotExist(err) {
		t.Errorf("the orphan: %v", err)
	}
	add(&file.File{ID: "gone", Blob: strings.Repeat("0", 64)})
	add(&file.File{ID: "unread", Blob: kept, Document: strings.Repeat("1", 64), Status: file.Completed})
	add(&file.File{ID: "idle", Blob: kept, Status: file.Pending})
	check(look(), false, "the bytes of 1 file are gone", "gone", "what was read of 1 file is gone", "reading 1 file was lost")
	f := look("--mend")
	check(f, false, "the bytes of 1 file are gone")
	if strings.Contains(f.Note, "--mend") {
		t.Errorf("not all was mended: %s", f.Note)
	}
	if n, err := r.DB.CountJobs(t.Context()); n != 2 || err != nil {
		t.Errorf("%d jobs, %v", n, err)
	}
	frame, err := os.ReadFile(keptPath)
	if err != nil {
		t.Fatal(err)
	}
	frame[0] ^= 1
	if err := os.WriteFile(keptPath, frame, 0o600); err != nil {
		t.Fatal(err)
	}
	check(look("--deep"), false, "2 files changed on the disk")
}
