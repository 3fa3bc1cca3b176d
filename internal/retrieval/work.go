package retrieval

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"portico/internal/errdefs"
	"portico/internal/file"
	"portico/internal/retrieval/extract"
)

// The pace and the patience of workers.
const (
	lease     = time.Minute      // after which another server may take a job
	renewal   = 20 * time.Second // of the leases in hand
	poll      = 15 * time.Second // for work that nobody told of
	faultTime = time.Second      // after a fault of the database
	// settleTime is how long the rows of a job are waited for when the server stops.
	settleTime = 5 * time.Second

	maxTries  = 4 // of a job that the server or an embedder failed
	maxDeaths = 5 // claims of a job, so that no file stops the server for ever
	maxCrash  = 2 // readings that killed the extractor: the second is the last
)

// Why work in hand ends early.
var (
	errGone  = errors.New("retrieval: the file was deleted")
	errAnew  = errors.New("retrieval: the file is to be read anew")
	errEmbed = errors.New("retrieval: the embedder failed")
)

// stageError is a fault of one stage that another try may not meet.
type stageError struct {
	stage string
	err   error
}

func (e *stageError) Error() string { return e.stage + ": " + e.err.Error() }
func (e *stageError) Unwrap() error { return e.err }

// labour takes one job of a kind after the other until ctx ends.
func (s *Service) labour(ctx context.Context, kind string, do func(context.Context, *work) error) {
	for ctx.Err() == nil {
		job, err := s.claim(ctx, kind)
		switch {
		case ctx.Err() != nil:
			if job != nil {
				s.giveBack(ctx, job, 0)
			}
			return
		case err != nil:
			s.cfg.Log.Warn("work on files cannot be taken up; it will be", "err", err)
			pause(ctx, nil, faultTime)
		case job == nil:
			pause(ctx, s.bells[kind], poll)
		default:
			s.ring(kind) // there may be some for a colleague, too
			s.perform(ctx, job, do)
		}
	}
}

// claim takes a job, and knows that it did even when the server stops meanwhile.
func (s *Service) claim(ctx context.Context, kind string) (*Job, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	now := s.cfg.Now()
	return s.cfg.Store.ClaimJob(ctx, kind, s.owner, now.Unix(), now.Add(lease).Unix())
}

// perform does one job and settles what becomes of it.
func (s *Service) perform(ctx context.Context, job *Job, do func(context.Context, *work) error) {
	at, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &work{job: job, cancel: cancel, done: make(chan struct{})}
	s.bench.put(w)
	defer s.bench.take(w)
	err := do(at, w)
	if cause := context.Cause(at); cause != nil && err != nil {
		err = cause
	}
	if ctx.Err() != nil && err != nil {
		s.giveBack(ctx, job, 0)
		return
	}
	// What is done is settled though the server stops: else it would be done
	// again when the lease ends.
	end, stop := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer stop()
	if err = s.conclude(end, job, err); err != nil {
		// The lease runs out, and somebody takes it up again.
		s.cfg.Log.Warn("a job on a file could not be settled; it will be taken up again", "file", job.FileID, "kind", job.Kind, "err", err)
	}
}

// giveBack returns a job at once when this server stops.
func (s *Service) giveBack(ctx context.Context, job *Job, notBefore int64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := s.cfg.Store.RetryJob(ctx, job.ID, s.owner, notBefore); err != nil && !isGone(err) {
		s.cfg.Log.Warn("a job could not be given back; its lease will run out", "file", job.FileID, "err", err)
	}
}

// conclude ends, retries or fails a job after err.
func (s *Service) conclude(ctx context.Context, job *Job, err error) error {
	switch {
	case err == nil, errors.Is(err, errGone), errors.Is(err, errAnew), !s.exists(ctx, job.FileID):
		return s.endJob(ctx, job)
	case s.retry(job, err):
		wait := s.backoff(job.Attempts)
		s.cfg.Log.Info("a job on a file failed and will be tried again", "file", job.FileID, "kind", job.Kind, "try", job.Attempts, "err", err)
		retryErr := s.cfg.Store.RetryJob(ctx, job.ID, s.owner, s.cfg.Now().Add(wait).Unix())
		time.AfterFunc(wait+time.Second, func() { s.ring(job.Kind) })
		return ignoreGone(retryErr)
	}
	s.cfg.Log.Warn("a job on a file failed", "file", job.FileID, "kind", job.Kind, "try", job.Attempts, "err", err)
	if err := s.fail(ctx, job, err); err != nil {
		return err
	}
	return s.endJob(ctx, job)
}

// retry reports whether another try may help.
func (s *Service) retry(job *Job, err error) bool {
	var bad *extract.Error
	var poison *poisonError
	switch {
	case errors.As(err, &bad), errors.As(err, &poison):
		return false
	case errors.Is(err, extract.ErrCrashed):
		return job.Attempts < maxCrash
	}
	return job.Attempts < maxTries
}

// backoff is the pause before the next try, with jitter.
func (s *Service) backoff(attempts int) time.Duration {
	d := s.cfg.Pause
	for range min(attempts, maxTries) - 1 {
		d *= 4
	}
	return d/2 + rand.N(d)
}

func (s *Service) endJob(ctx context.Context, job *Job) error {
	return ignoreGone(s.cfg.Store.EndJob(ctx, job.ID, s.owner))
}

// isGone reports that a row is not there, or no longer ours.
func isGone(err error) bool {
	return errdefs.Is(err, errdefs.NotFound) || errdefs.Is(err, errdefs.Conflict)
}

func ignoreGone(err error) error {
	if isGone(err) {
		return nil
	}
	return err
}

// poisonError is a file that was claimed too often without an end.
type poisonError struct{ times int }

func (e *poisonError) Error() string {
	return fmt.Sprintf("retrieval: claimed %d times without an end", e.times)
}

// fail records why a job cannot be done, in a sentence for the file's owner.
func (s *Service) fail(ctx context.Context, job *Job, cause error) error {
	reason := sentence(cause)
	if job.Kind == ReadFile {
		return ignoreGone(s.cfg.Files.SetOutcome(ctx, job.FileID, file.Outcome{Status: file.Failed, Error: reason}, s.now()))
	}
	if set, err := s.cfg.Store.SetOf(ctx, job.FileID, job.Profile); err == nil {
		if err := ignoreGone(s.cfg.Store.FailSet(ctx, set.ID, reason)); err != nil {
			return err
		}
	} else if !isGone(err) {
		return err
	}
	inst, err := s.instance(ctx)
	if err != nil {
		return err
	}
	signal(s.settling)
	if inst.current.ID != job.Profile {
		return nil // a profile of one collection, or the next one: the file itself is well
	}
	return ignoreGone(s.cfg.Files.SetOutcome(ctx, job.FileID, file.Outcome{Status: file.Failed, Error: reason}, s.now()))
}

// sentence says what went wrong, at which stage, and what to do. The words in
// brackets are for programs.
func sentence(cause error) string {
	var bad *extract.Error
	var poison *poisonError
	var known *errdefs.Error
	var stage *stageError
	name := "extract"
	if errors.As(cause, &stage) {
		name = stage.stage
	}
	switch {
	case errors.As(cause, &bad):
		return fmt.Sprintf("%s [%s:%s]", bad.Detail, name, bad.Code)
	case errors.As(cause, &poison):
		return "The server stopped several times while it worked on this file, and will not try again by itself. [" + name + ":poison]"
	case errors.Is(cause, extract.ErrCrashed):
		return "Reading this file ended its reader twice; the file is probably damaged. Save it anew, or as another format. [extract:crash]"
	case errors.Is(cause, errEmbed):
		return "The text of this file can be searched by its words, but not by its meaning: the embedder failed. Try again when it works. [embed:failed]"
	case errors.As(cause, &known) && known.Kind != errdefs.Internal:
		return known.Detail + " [" + name + ":server]"
	}
	return "The server met an error of its own while it worked on this file. Try again; if it stays, tell the administrator. [" + name + ":server]"
}

// renew keeps the leases of what is in hand.
func (s *Service) renew(ctx context.Context) {
	tick := time.NewTicker(renewal)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !s.bench.busy() {
			continue
		}
		if err := s.cfg.Store.RenewJobs(ctx, s.owner, s.cfg.Now().Add(lease).Unix()); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("leases on files could not be renewed", "err", err)
		}
	}
}
