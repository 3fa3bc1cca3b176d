package retrieval_test

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/internal/errdefs"
	"portico/internal/file"
	"portico/internal/user"
)

// races is how many deletions meet work in hand.
var races = flag.Int("races", 40, "deletions against work in hand, for each database")

// nothingLeft fails unless the work ends and nothing of any file is there.
func (s *stand) nothingLeft() {
	s.t.Helper()
	ctx := context.Background()
	eventually(s.t, "all work is ended", func() bool { n, err := s.db.CountJobs(ctx); return err == nil && n == 0 })
	if n, _, err := s.db.CountFiles(ctx, ""); n != 0 || err != nil {
		s.t.Errorf("%d files are left, %v", n, err)
	}
	sets, err := s.db.TextAfter(ctx, 0, 10)
	if err != nil || len(sets) != 0 {
		s.t.Errorf("sets of deleted files: %v %v", sets, err)
	}
}

// A person who is deleted while they upload and while their files are read and
// embedded leaves nothing, and no fault but that they are gone.
func TestPersonDeletedInWork(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, url string) {
		s := newStand(t, url, nil)
		ctx := context.Background()
		var all sync.WaitGroup
		for i := range *races {
			who := s.person(fmt.Sprintf("p%d", i), user.Member)
			s.collection(who, "own")
			all.Go(func() {
				for n := range 3 {
					text := fmt.Sprintf("Marker%d-%d. ", i, n) + strings.Repeat("Some words more. ", 60*(i%7))
					_, err := s.files.Upload(ctx, who, file.UploadInput{Filename: "a.pdf", ContentType: "text/plain", Body: strings.NewReader(text), Process: true})
					if err != nil && !errdefs.Is(err, errdefs.Unauthenticated) && !errdefs.Is(err, errdefs.NotFound) {
						t.Errorf("upload: %v", err)
					}
				}
			})
			all.Go(func() {
				time.Sleep(time.Duration(i%6) * 3 * time.Millisecond)
				if err := s.db.DeleteUser(ctx, who.UserID); err != nil {
					t.Errorf("delete: %v", err)
				}
			})
			if i%8 == 7 {
				all.Wait()
			}
		}
		all.Wait()
		// An upload whose row is written in the very moment of the deletion is left
		// for the janitor.
		must(t, s.files.Walk(ctx))
		s.nothingLeft()
	})
}
