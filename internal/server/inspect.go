package server

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"portico/internal/blob"
	"portico/internal/config"
	"portico/internal/file"
)

// ErrOtherBlobs is a folder of uploaded files that another database refers to.
var ErrOtherBlobs = errors.New("the uploaded files in DATA_DIR belong to another database")

// Files compares the files that the database knows with the bytes in DATA_DIR,
// and with mend removes what nothing refers to and has read again what can be.
// deep reads all bytes. A nil report is a folder that is not there yet.
func (r *Rooms) Files(ctx context.Context, cfg *config.Config, deep, mend bool) (*file.Report, error) {
	dir := filepath.Join(cfg.DataDir, "blobs")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	blobs, err := blob.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	defer blobs.Close()
	whose, err := blobs.Owner()
	if err != nil {
		return nil, err
	}
	id, err := r.DB.InstanceID(ctx)
	if err != nil {
		return nil, err
	}
	// A folder that no server claimed may be looked at, but nothing in it is known to be waste.
	if whose != id && (whose != "" || mend) {
		return nil, ErrOtherBlobs
	}
	now := time.Now()
	report, err := file.Inspect(ctx, r.DB, blobs, now, deep)
	if err != nil || !mend {
		return report, err
	}
	return report, report.Mend(ctx, r.DB, blobs, now)
}
