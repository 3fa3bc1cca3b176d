package file

import (
	"context"
	"strings"

	"portico/internal/access"
	"portico/internal/blob"
	"portico/internal/errdefs"
)

// Rename gives a file of the caller's another name.
func (s *Service) Rename(ctx context.Context, who *access.Principal, id, filename string) (*File, error) {
	f, err := s.Load(ctx, who, access.Write, id)
	if err != nil {
		return nil, err
	}
	if f.Filename, err = CleanName(filename); err != nil {
		return nil, err
	}
	f.UpdatedAt = s.cfg.Now().Unix()
	return f, s.absent(s.cfg.Store.RenameFile(ctx, f.ID, f.Filename, f.UpdatedAt))
}

var errNoContent = errdefs.New(errdefs.Invalid, "The content is empty. Send some text, or delete the file.")

// Replace puts a text in place of what was read of a file of the caller's, and
// makes it searchable wherever the file is.
func (s *Service) Replace(ctx context.Context, who *access.Principal, id, text string) (*File, error) {
	f, err := s.Load(ctx, who, access.Write, id)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(text) == "" {
		return nil, errNoContent
	}
	if err := s.cfg.Reader.Replace(ctx, f, text); err != nil {
		return nil, s.absent(err)
	}
	f, err = s.cfg.Store.FileByID(ctx, id)
	if err != nil {
		return nil, s.absent(err)
	}
	if len(text) <= quick {
		f = s.briefly(ctx, f) // who asks next finds the new text
	}
	return f, nil
}

// Delete removes a file of the caller's from everywhere: collections, indexes,
// work in hand, and its bytes unless another file has the same.
func (s *Service) Delete(ctx context.Context, who *access.Principal, id string) error {
	f, err := s.Load(ctx, who, access.Write, id)
	if err != nil {
		return err
	}
	orphans, err := s.cfg.Store.DeleteFile(ctx, f.ID)
	if err != nil {
		return s.absent(err)
	}
	s.discard(ctx, orphans...)
	return nil
}

// DeleteAll removes everybody's files. The route is for administrators.
func (s *Service) DeleteAll(ctx context.Context) (int, error) {
	n, orphans, err := s.cfg.Store.DeleteFiles(ctx, Filter{})
	s.discard(ctx, orphans...)
	return n, err
}

// absent says of what was deleted meanwhile what is said of what never was.
func (s *Service) absent(err error) error {
	if errdefs.Is(err, errdefs.NotFound) {
		return errAbsent
	}
	return err
}

// Discard removes blobs that nothing refers to any more, as the store's
// deletions give them: at once, or soon where they were put a moment ago.
func (s *Service) Discard(ctx context.Context, hashes ...string) { s.discard(ctx, hashes...) }

func (s *Service) discard(ctx context.Context, hashes ...string) {
	if len(hashes) == 0 {
		return
	}
	now := s.cfg.Now()
	s.mu.Lock()
	for _, h := range hashes {
		s.unwanted[h] = now
	}
	s.mu.Unlock()
	// The caller's work is done, even if they leave.
	s.remove(context.WithoutCancel(ctx), hashes)
}

// remove takes away those of the blobs that are old enough and not in use.
func (s *Service) remove(ctx context.Context, hashes []string) {
	cutoff := s.cfg.Now().Add(-blob.Grace) // before asking who uses them: see blob.Store
	used, err := s.cfg.Store.UsedBlobs(ctx, hashes)
	if err != nil {
		s.cfg.Log.Warn("unused bytes stay for now", "err", err)
		return
	}
	for _, h := range hashes {
		if used[h] {
			continue
		}
		if err := s.cfg.Blobs.Remove(ctx, h, cutoff); err != nil {
			s.cfg.Log.Warn("unused bytes could not be removed", "blob", h, "err", err)
		}
	}
}
