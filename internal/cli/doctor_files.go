package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"portico/internal/config"
	"portico/internal/server"
)

// fileLook says how closely doctor looks at uploaded files.
type fileLook struct{ deep, mend bool }

// uploads compares what was uploaded with what is known of it.
func uploads(ctx context.Context, cfg *config.Config, r *server.Rooms, look fileLook) finding {
	const check = "files"
	report, err := r.Files(ctx, cfg, look.deep, look.mend)
	switch {
	case errors.Is(err, server.ErrOtherBlobs):
		return finding{check, false, "the uploaded files in " + cfg.DataDir + " belong to another database, so that the server removes none: " +
			"mend DATABASE_URL or DATA_DIR, or delete the file blobs/owner there if this database is to have them"}
	case err != nil:
		return finding{check, false, sentence(err)}
	case report == nil:
		return finding{check, true, "nothing was uploaded yet"}
	}
	var faults []string
	add := func(n int, format string, args ...any) {
		if n > 0 {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	add(len(report.Missing), "the bytes of %s are gone: restore %s/blobs from a backup, or delete or upload again %s", count(len(report.Missing)), cfg.DataDir, some(report.Missing))
	add(len(report.Damaged), "%s changed on the disk: check it, and upload again or delete %s", count(len(report.Damaged)), some(report.Damaged))
	add(len(report.Unread), "what was read of %s is gone: run doctor --mend", count(len(report.Unread)))
	add(len(report.Idle), "the work of reading %s was lost: run doctor --mend", count(len(report.Idle)))
	if len(faults) > 0 {
		return finding{check, false, strings.Join(faults, "; ")}
	}
	note := fmt.Sprintf("%s, all of them there", count(report.Files))
	if n := len(report.Orphans); n > 0 {
		// A crash leaves them, and the server takes them within the hour.
		note += fmt.Sprintf("; %d bytes nobody refers to: a running server removes them within an hour, doctor --mend now", report.OrphanBytes)
	}
	return finding{check, true, note}
}

func count(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

// some names a few ids.
func some(ids []string) string {
	const few = 5
	if len(ids) > few {
		return strings.Join(ids[:few], ", ") + ", …"
	}
	return strings.Join(ids, ", ")
}
