package retrieval

import (
	"context"
	"errors"
	"time"

	"portico/internal/errdefs"
	"portico/internal/file"
	"portico/internal/knowledge"
)

// The pace of settling.
const (
	settleFirst = 2 * time.Second // after the start, which it must not slow down
	settleEvery = 5 * time.Minute
	settlePage  = 256 // files, sets
)

// settle keeps what is built in step with what is asked for: files that nobody
// would end are taken up, missing sets are made, profiles that are whole are
// switched to, and sets that nobody searches any more are thrown away.
func (s *Service) settle(ctx context.Context) {
	pause(ctx, s.settling, settleFirst)
	for ctx.Err() == nil {
		if err := s.settleOnce(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("profiles of documents could not be settled; they will be", "err", err)
			pause(ctx, nil, faultTime)
			continue
		}
		pause(ctx, s.settling, settleEvery)
	}
}

func (s *Service) settleOnce(ctx context.Context) error {
	s.settled.Lock()
	defer s.settled.Unlock()
	if n, _, err := s.cfg.Files.CountFiles(ctx, ""); err != nil {
		return err
	} else if n == 0 {
		// Nothing is built, so nothing is out of step: the next file brings the
		// profile that is wanted then.
		return s.begin(ctx)
	}
	if err := s.rescue(ctx); err != nil {
		return err
	}
	if err := s.settleInstance(ctx); err != nil {
		return err
	}
	building, err := s.cfg.Store.Building(ctx)
	if err != nil {
		return err
	}
	for _, k := range building {
		if err := s.settleKnowledge(ctx, k); err != nil && !errdefs.Is(err, errdefs.NotFound) {
			return err
		}
	}
	return s.sweep(ctx)
}

// begin forgets the profile of an instance that has no files.
func (s *Service) begin(ctx context.Context) error {
	current, next, err := s.cfg.Store.InstanceProfiles(ctx)
	if err != nil || current == "" && next == "" {
		return err
	}
	return s.cfg.Store.SetInstanceProfiles(ctx, "", "")
}

// rescue gives work to files that are in no job but not at their end.
func (s *Service) rescue(ctx context.Context) error {
	stuck, err := s.cfg.Store.Stuck(ctx, settlePage)
	if err != nil {
		return err
	}
	for _, f := range stuck {
		// A filler may just have ended its job: look at the row again.
		now, err := s.cfg.Files.FileByID(ctx, f.ID)
		if errdefs.Is(err, errdefs.NotFound) || err == nil && now.Status.Done() {
			continue
		}
		if err != nil {
			return err
		}
		if err := s.cfg.Store.AddJob(ctx, &Job{Kind: ReadFile, FileID: f.ID, UserID: f.UserID}, s.now()); err != nil && !errdefs.Is(err, errdefs.NotFound) {
			return err
		}
	}
	if len(stuck) > 0 {
		s.Wake()
	}
	return nil
}

// settleInstance builds the profile that the settings ask for and switches to
// it when it is whole. Without an embedder what has vectors stays as it is:
// the embedder may come back.
func (s *Service) settleInstance(ctx context.Context) error {
	inst, err := s.instance(ctx)
	if err != nil {
		return err
	}
	want, err := s.wanted(ctx, knowledge.Settings{})
	if err != nil {
		return err
	}
	if inst.current.Space != "" && want.Space == "" {
		want = inst.current
	}
	if err := s.build(ctx, inst.current, ""); err != nil {
		return err
	}
	if want.ID == inst.current.ID {
		if inst.next == nil {
			return nil
		}
		return s.cfg.Store.SetInstanceProfiles(ctx, want.ID, "") // changed back
	}
	if inst.next == nil || inst.next.ID != want.ID {
		if err := s.cfg.Store.SetInstanceProfiles(ctx, inst.current.ID, want.ID); err != nil {
			return err
		}
	}
	whole, err := s.whole(ctx, want, "")
	if err != nil || !whole {
		return err
	}
	if worse, err := s.cfg.Store.CountWorse(ctx, want.ID, inst.current.ID); err != nil || worse > 0 {
		return s.wait(ctx, want, worse, err)
	}
	s.cfg.Log.Info("searches use a new profile of chunks and vectors from now on", "profile", want.ID)
	return s.cfg.Store.SetInstanceProfiles(ctx, want.ID, "")
}

// wait leaves what is searched in use while the next profile is worse, and lets
// it be tried again from time to time.
func (s *Service) wait(ctx context.Context, p *Profile, worse int, err error) error {
	if err != nil || s.cfg.Now().Before(s.again) {
		return err
	}
	if !s.again.IsZero() {
		s.cfg.Log.Warn("a new profile of vectors is not used yet: some files could not be embedded; they are tried again", "files", worse, "profile", p.ID)
		err = s.cfg.Store.ForgetFaults(ctx, p.ID)
	}
	s.again = s.cfg.Now().Add(settleEvery)
	return err
}

// settleKnowledge is the same for a collection.
func (s *Service) settleKnowledge(ctx context.Context, k *knowledge.Knowledge) error {
	p, err := s.profile(ctx, k.Next)
	if err != nil {
		return err
	}
	whole, err := s.whole(ctx, p, k.ID)
	if err != nil || !whole {
		return err
	}
	inst, err := s.instance(ctx)
	if err != nil {
		return err
	}
	id := k.Next
	if id == inst.current.ID {
		id = "" // nothing of its own any more
	}
	return s.cfg.Knowledge.SetProfiles(ctx, k.ID, id, "", s.now())
}

// build adds the work that a profile lacks.
func (s *Service) build(ctx context.Context, p *Profile, knowledgeID string) error {
	for {
		files, err := s.cfg.Store.Lacking(ctx, p.ID, knowledgeID, s.canEmbed(p), settlePage)
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := s.addFill(ctx, f, p); err != nil {
				return err
			}
		}
		if len(files) < settlePage {
			if len(files) > 0 {
				s.ring(FillSet)
			}
			return nil
		}
		s.ring(FillSet)
	}
}

func (s *Service) addFill(ctx context.Context, f *file.File, p *Profile) error {
	err := s.cfg.Store.AddJob(ctx, &Job{Kind: FillSet, FileID: f.ID, Profile: p.ID, UserID: f.UserID}, s.now())
	if errdefs.Is(err, errdefs.NotFound) {
		return nil // deleted meanwhile
	}
	return err
}

// whole reports whether every file of a collection (of the instance, where
// that is "") has its set under a profile, and adds the work that is missing.
func (s *Service) whole(ctx context.Context, p *Profile, knowledgeID string) (bool, error) {
	if err := s.build(ctx, p, knowledgeID); err != nil {
		return false, err
	}
	n, err := s.cfg.Store.CountLacking(ctx, p.ID, knowledgeID, s.canEmbed(p))
	return n == 0, err
}

// sweep throws away sets that nobody searches with.
func (s *Service) sweep(ctx context.Context) error {
	inst, err := s.instance(ctx)
	if err != nil {
		return err
	}
	keep, err := s.cfg.Store.ProfilesInUse(ctx)
	if err != nil {
		return err
	}
	keep = append(keep, inst.current.ID)
	if inst.next != nil {
		keep = append(keep, inst.next.ID)
	}
	for {
		ids, err := s.cfg.Store.UnusedSets(ctx, keep, settlePage)
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := s.cfg.Store.DeleteSets(ctx, ids); err != nil {
			return err
		}
	}
}

// Reprofile implements knowledge.Indexer.
func (s *Service) Reprofile(ctx context.Context, k *knowledge.Knowledge) error {
	next := ""
	if own(k.Settings) || k.Profile != "" {
		want, err := s.wanted(ctx, k.Settings)
		if err != nil {
			return err
		}
		now, err := s.profileOf(ctx, k)
		if err != nil {
			return err
		}
		if want.ID != now.ID {
			next = want.ID
		}
	}
	if next == k.Next && next == "" {
		return nil
	}
	if err := s.cfg.Knowledge.SetProfiles(ctx, k.ID, k.Profile, next, s.now()); err != nil {
		return err
	}
	signal(s.settling)
	return nil
}

// Ready implements knowledge.Indexer.
func (s *Service) Ready(ctx context.Context, fileID string, k *knowledge.Knowledge) error {
	f, err := s.Wait(ctx, fileID)
	if err != nil {
		return err
	}
	switch {
	case f.Status == file.Stored, f.Status == file.Completed && f.Document == "":
		return errUnread
	case f.Status == file.Failed:
		return errdefs.New(errdefs.Invalid, f.Error)
	case !f.Status.Done():
		return errStillInWork
	}
	ids := []string{k.Profile, k.Next}
	for _, id := range ids {
		if id == "" {
			continue
		}
		p, err := s.profile(ctx, id)
		if err != nil {
			return err
		}
		if err := s.readyUnder(ctx, f, p); err != nil {
			return err
		}
	}
	return nil
}

var errStillInWork = errdefs.New(errdefs.Invalid, "The file is still being processed. Try again in a moment.")

// readyUnder waits until a file has its set under a profile.
func (s *Service) readyUnder(ctx context.Context, f *file.File, p *Profile) error {
	told, leave := s.waiting.join(f.ID)
	defer leave()
	added := false
	for {
		set, err := s.cfg.Store.SetOf(ctx, f.ID, p.ID)
		switch {
		case err == nil && set.Error != "":
			return errdefs.New(errdefs.Invalid, set.Error)
		case err == nil && set.TextSeq > 0 && (set.VectorSeq > 0 || !s.canEmbed(p)):
			return nil
		case err != nil && !errdefs.Is(err, errdefs.NotFound):
			return err
		}
		if !added {
			if err := s.addFill(ctx, f, p); err != nil {
				return err
			}
			s.ring(FillSet)
			added = true
		}
		if pause(ctx, told, lookAgain); ctx.Err() != nil {
			return errStillInWork
		}
	}
}

// Reindex builds everything anew that is not as the settings ask for.
func (s *Service) Reindex(ctx context.Context) error {
	err := s.settleOnce(ctx)
	if errors.Is(err, context.Canceled) {
		signal(s.settling)
	}
	return err
}
