package file

import (
	"context"
	"errors"
	"time"

	"portico/internal/blob"
	"portico/internal/errdefs"
	"portico/internal/event"
)

const (
	sweepEvery = 10 * time.Second // for what was deleted
	walkEvery  = time.Hour        // over everything
	// staleDraft is the age at which an upload that does not move is dead: a
	// client that pauses for half a minute is given up.
	staleDraft = 5 * time.Minute
	batch      = 500
)

// Run keeps house until ctx ends: it removes bytes that nothing refers to, as a
// crash leaves them, files of people who are gone, and puts files that are read
// where their upload said.
func (s *Service) Run(ctx context.Context) {
	defer s.cfg.Bus.Subscribe(s.heard)()
	s.resume(ctx)
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	// What a crash left is old enough a moment after the start.
	walk := time.NewTimer(blob.Grace)
	due := s.cfg.Now().Add(blob.Grace)
	defer walk.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-s.read:
			s.settleID(ctx, id)
		case <-sweep.C:
			s.sweep(ctx)
			s.settleBound(ctx)
		case id := <-s.people:
			soon := s.cfg.Now().Add(blob.Grace + sweepEvery)
			if _, err := s.cfg.Person(ctx, id); errdefs.Is(err, errdefs.NotFound) && due.After(soon) {
				due = soon
				walk.Reset(blob.Grace + sweepEvery)
			}
		case <-walk.C:
			if err := s.Walk(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Log.Warn("unused bytes could not be looked for", "err", err)
			}
			due = s.cfg.Now().Add(walkEvery)
			walk.Reset(walkEvery)
		}
	}
}

// heard is told of every change.
func (s *Service) heard(e event.Event) {
	switch e.Topic {
	case event.File:
		if s.isBound(e.ID) {
			select {
			case s.read <- e.ID:
			default: // the next sweep asks for all of them
			}
		}
	case event.User: // who may be gone, and their files with them
		select {
		case s.people <- e.ID:
		default: // the hourly walk finds them
		}
	}
}

// sweep removes blobs of deleted files that were too young then.
func (s *Service) sweep(ctx context.Context) {
	old := s.cfg.Now().Add(-blob.Grace)
	var due []string
	s.mu.Lock()
	for h, at := range s.unwanted {
		if at.Before(old) {
			due = append(due, h)
			delete(s.unwanted, h)
		}
	}
	s.mu.Unlock()
	for len(due) > 0 {
		n := min(batch, len(due))
		s.remove(ctx, due[:n])
		due = due[n:]
	}
}

// Walk looks at everything once.
func (s *Service) Walk(ctx context.Context) error {
	_, orphans, err := s.cfg.Store.DeleteStray(ctx)
	s.discard(ctx, orphans...)
	if err != nil {
		return err
	}
	now := s.cfg.Now()
	if _, err := s.cfg.Blobs.Tidy(ctx, now.Add(-staleDraft)); err != nil {
		return err
	}
	cutoff := now.Add(-blob.Grace)
	var some []string
	err = s.cfg.Blobs.Each(ctx, func(b blob.Blob, put time.Time) error {
		if put.Before(cutoff) {
			some = append(some, b.Hash)
		}
		if len(some) == batch {
			s.remove(ctx, some)
			some = some[:0]
		}
		return nil
	})
	if len(some) > 0 {
		s.remove(ctx, some)
	}
	return err
}

// bind remembers a file that goes to a collection once it is read.
func (s *Service) bind(f *File) {
	if f.Target.KnowledgeID != "" {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.bound[f.ID] = true
	}
}

func (s *Service) unbind(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.bound, id)
}

func (s *Service) isBound(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bound[id]
}

// resume takes up what the last process did not come to.
func (s *Service) resume(ctx context.Context) {
	files, err := s.cfg.Store.FilesWithTarget(ctx)
	if ctx.Err() != nil {
		return // the next process does it
	}
	if err != nil {
		s.cfg.Log.Warn("files that wait to be put into collections cannot be found", "err", err)
		return
	}
	for _, f := range files {
		s.bind(f)
		s.settle(ctx, f)
	}
}

// settleBound looks again at all that wait: an event may have been missed.
func (s *Service) settleBound(ctx context.Context) {
	s.mu.Lock()
	ids := make([]string, 0, len(s.bound))
	for id := range s.bound {
		ids = append(ids, id)
	}
	s.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	files, err := s.cfg.Store.FilesByID(ctx, ids)
	if err != nil {
		return
	}
	there := make(map[string]bool, len(files))
	for _, f := range files {
		there[f.ID] = true
		s.settle(ctx, f)
	}
	for _, id := range ids {
		if !there[id] {
			s.unbind(id) // deleted
		}
	}
}

func (s *Service) settleID(ctx context.Context, id string) {
	f, err := s.cfg.Store.FileByID(ctx, id)
	if errdefs.Is(err, errdefs.NotFound) {
		s.unbind(id)
	}
	if err == nil {
		s.settle(ctx, f)
	}
}

// settle puts a file that is read where its upload said. What keeps it away is
// told in the file's warnings; a fault of ours is tried again later.
func (s *Service) settle(ctx context.Context, f *File) {
	if f.Target.KnowledgeID == "" || !f.Status.Done() {
		return
	}
	if f.Status == Completed && s.linker != nil {
		who, err := s.cfg.Person(ctx, f.UserID)
		if err == nil {
			err = s.linker.LinkFile(ctx, who, f.ID, f.Target.KnowledgeID, f.Target.DirectoryID)
		}
		if passing(err) {
			s.cfg.Log.Warn("a file could not be put into its collection yet", "file", f.ID, "err", err)
			return
		}
		if err != nil {
			s.warn(ctx, f, "The file was not put into the collection: "+errdefs.From(err).Detail)
		}
	}
	if err := s.cfg.Store.DropTarget(ctx, f.ID); err != nil && !errdefs.Is(err, errdefs.NotFound) {
		s.cfg.Log.Warn("a file's collection could not be noted", "file", f.ID, "err", err)
		return
	}
	f.Target = Target{}
	s.unbind(f.ID)
}

// passing reports whether an error may be gone at the next try.
func passing(err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	switch errdefs.From(err).Kind {
	case errdefs.Internal, errdefs.Unavailable, errdefs.Timeout:
		return true
	}
	return false
}

func (s *Service) warn(ctx context.Context, f *File, sentence string) {
	f.Warnings = append(f.Warnings, sentence)
	o := Outcome{Status: f.Status, Error: f.Error, Warnings: f.Warnings}
	if err := s.cfg.Store.SetOutcome(ctx, f.ID, o, s.cfg.Now().Unix()); err != nil {
		s.cfg.Log.Warn("a warning could not be kept", "file", f.ID, "err", err)
	}
}
