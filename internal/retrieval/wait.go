package retrieval

import (
	"context"
	"sync"
	"time"

	"portico/internal/errdefs"
	"portico/internal/file"
)

// lookAgain is how often somebody who waits looks at the row though nobody
// told of it.
const lookAgain = 2 * time.Second

// waiting is who wants to hear of a file.
type waiting struct {
	mu    sync.Mutex
	files map[string]map[chan struct{}]bool
}

func (w *waiting) join(id string) (told chan struct{}, leave func()) {
	told = make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.files == nil {
		w.files = map[string]map[chan struct{}]bool{}
	}
	if w.files[id] == nil {
		w.files[id] = map[chan struct{}]bool{}
	}
	w.files[id][told] = true
	return told, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if delete(w.files[id], told); len(w.files[id]) == 0 {
			delete(w.files, id)
		}
	}
}

func (w *waiting) tell(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for told := range w.files[id] {
		signal(told)
	}
}

func (w *waiting) tellAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, all := range w.files {
		for told := range all {
			signal(told)
		}
	}
}

// Wait implements file.Reader.
func (s *Service) Wait(ctx context.Context, id string) (*file.File, error) {
	told, leave := s.waiting.join(id)
	defer leave()
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		// The row is read even when ctx has ended: the caller gets it as it is.
		f, err := s.cfg.Files.FileByID(context.WithoutCancel(ctx), id)
		if err != nil || f.Status.Done() || ctx.Err() != nil {
			return f, err
		}
		select {
		case <-ctx.Done():
		case <-told:
		case <-tick.C:
		}
	}
}

// bench is the files in work on this server.
type bench struct {
	mu       sync.Mutex
	at       map[string][]*work // by file: one is read, another profile of it embedded
	suspects chan string        // files in work that may be gone
}

// work is one job in hand.
type work struct {
	job      *Job
	cancel   context.CancelCauseFunc
	progress file.Progress
	done     chan struct{}
}

func (b *bench) put(w *work) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.init()
	b.at[w.job.FileID] = append(b.at[w.job.FileID], w)
}

// init makes what the zero bench lacks. The caller holds the lock.
func (b *bench) init() {
	if b.at == nil {
		b.at, b.suspects = map[string][]*work{}, make(chan string, 256)
	}
}

func (b *bench) take(w *work) {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := b.at[w.job.FileID][:0:0]
	for _, other := range b.at[w.job.FileID] {
		if other != w {
			left = append(left, other)
		}
	}
	if b.at[w.job.FileID] = left; len(left) == 0 {
		delete(b.at, w.job.FileID)
	}
	close(w.done)
}

func (b *bench) report(w *work, stage string, done, total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w.progress = file.Progress{Stage: stage, Done: done, Total: total}
}

// busy reports whether this server is at anything.
func (b *bench) busy() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.at) > 0
}

// Progress implements file.Reader.
func (s *Service) Progress(id string) (file.Progress, bool) {
	s.bench.mu.Lock()
	defer s.bench.mu.Unlock()
	if all := s.bench.at[id]; len(all) > 0 {
		return all[0].progress, all[0].progress.Stage != ""
	}
	return file.Progress{}, false
}

// suspect says that a file has changed: if it is in work, somebody should look
// whether it is still there.
func (b *bench) suspect(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.init()
	if len(b.at[id]) == 0 {
		return
	}
	select {
	case b.suspects <- id:
	default: // the work finds out by itself at its next write
	}
}

// watch stops work on files that are gone.
func (b *bench) watch(ctx context.Context, exists func(ctx context.Context, id string) bool) {
	b.mu.Lock()
	b.init()
	b.mu.Unlock()
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-b.suspects:
			if !exists(ctx, id) {
				b.stop(id, errGone)
			}
		}
	}
}

// stop cancels all work on a file and gives what to wait for.
func (b *bench) stop(id string, cause error) []chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	var done []chan struct{}
	for _, w := range b.at[id] {
		w.cancel(cause)
		done = append(done, w.done)
	}
	return done
}

func (s *Service) exists(ctx context.Context, id string) bool {
	_, err := s.cfg.Files.FileByID(ctx, id)
	return !errdefs.Is(err, errdefs.NotFound)
}
