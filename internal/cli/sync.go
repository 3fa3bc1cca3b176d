package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

// syncOptions is what the flags of the verb say.
type syncOptions struct {
	collection                              string
	create, dryRun, remove, retry, honoured bool
	hidden                                  bool
	ignore                                  []string
	parallel                                int
}

func knowledgeSync(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use: "sync DIR", Short: "Keep a collection like a folder: only what changed is uploaded", Args: cobra.ExactArgs(1),
		Long: "Keep a collection like a folder. Files are compared by their bytes; only what the server lacks is uploaded,\n" +
			"and what was only renamed is not. With --delete, files that the folder has no more leave the collection.\n" +
			"Files that were put into the collection by other means are left alone. Links are not followed.",
		Example: "  portico knowledge sync ./docs --knowledge Handbooks --delete\n  portico knowledge sync . --knowledge Code --gitignore --ignore '*.lock' --dry-run",
	}
	var o syncOptions
	c.Flags().StringVar(&o.collection, "knowledge", "", "id or name of the collection")
	c.Flags().BoolVar(&o.create, "create", false, "make the collection when there is none of that name")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "only say what would be done")
	c.Flags().BoolVar(&o.remove, "delete", false, "take out what the folder has no more, and delete it where it is yours and in no other collection")
	c.Flags().BoolVar(&o.retry, "retry", false, "upload files again that could not be read")
	c.Flags().BoolVar(&o.hidden, "hidden", false, "also files and folders whose name begins with a dot")
	c.Flags().BoolVar(&o.honoured, "gitignore", false, "leave out what the .gitignore of the folder names")
	c.Flags().StringArrayVar(&o.ignore, "ignore", nil, "pattern of files to leave out, such as '*.log', 'build/' or 'docs/**/*.tmp'; may be repeated")
	c.Flags().IntVar(&o.parallel, "parallel", 4, "uploads at a time")
	return onRemote(env, c, func(cmd *cobra.Command, r *remote, args []string) error {
		if o.collection == "" {
			return wrong{errors.New("say which collection by --knowledge")}
		}
		if o.parallel < 1 || o.parallel > 32 {
			return wrong{errors.New("--parallel is 1 to 32")}
		}
		root, err := os.OpenRoot(args[0])
		if err != nil {
			return fmt.Errorf("the folder cannot be opened: %w", err)
		}
		defer root.Close()
		s := &syncing{remote: r, root: root, opt: o, errs: env.Stderr, quiet: jsonWanted(cmd)}
		err = s.run(cmd.Context())
		if s.report == nil {
			return err
		}
		return errors.Join(show(cmd, s.report, s.report.print), err)
	})
}

// plan is the server's answer to a manifest.
type plan struct {
	Missing []listing `json:"missing"`
	Present []outcome `json:"present"`
	Moved   []outcome `json:"moved"`
	Pending []outcome `json:"pending"`
	Failed  []outcome `json:"failed"`
	Same    []outcome `json:"same"`
	Removed []outcome `json:"removed"`
}

// report is what a sync did, or would do.
type report struct {
	DryRun    bool      `json:"dry_run"`
	Knowledge string    `json:"knowledge_id"`
	Unchanged int       `json:"unchanged"`
	Uploaded  []string  `json:"uploaded"`
	Moved     []string  `json:"moved"`
	Removed   []string  `json:"removed"`
	Kept      []string  `json:"kept"`    // the folder has them no more; --delete was not given
	Skipped   []string  `json:"skipped"` // empty files
	Failed    []outcome `json:"failed"`
	Seconds   float64   `json:"seconds"`
}

func (r *report) print(w io.Writer) {
	if r.DryRun {
		for _, l := range []struct {
			verb  string
			paths []string
		}{{"upload", r.Uploaded}, {"move to", r.Moved}, {"remove", r.Removed}} {
			for _, p := range l.paths {
				_, _ = fmt.Fprintf(w, "would %s %s\n", l.verb, p)
			}
		}
	}
	for _, f := range r.Failed {
		_, _ = fmt.Fprintf(w, "FAILED %s: %s\n", f.Path, f.Error)
	}
	_, _ = fmt.Fprintf(w, "%d uploaded, %d moved, %d removed, %d unchanged, %d failed", len(r.Uploaded), len(r.Moved), len(r.Removed), r.Unchanged, len(r.Failed))
	if len(r.Kept) > 0 {
		_, _ = fmt.Fprintf(w, ", %d no longer in the folder (use --delete)", len(r.Kept))
	}
	if len(r.Skipped) > 0 {
		_, _ = fmt.Fprintf(w, ", %d empty skipped", len(r.Skipped))
	}
	_, _ = fmt.Fprintf(w, " in %.1f s\n", r.Seconds)
}

// syncing is one run of the verb.
type syncing struct {
	remote *remote
	root   *os.Root
	opt    syncOptions
	errs   io.Writer
	quiet  bool

	id       string
	report   *report
	progress *progress
	mu       sync.Mutex // of report.Failed
}

func (s *syncing) run(ctx context.Context) error {
	began := time.Now()
	list, failed, skipped, err := s.folder(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 && s.opt.remove {
		return errors.New("there is no file in the folder: nothing was deleted, in case it is the wrong one")
	}
	k, err := s.remote.collection(ctx, s.opt.collection)
	if err != nil && s.opt.create && !s.opt.dryRun && !statusIs(err, http.StatusInternalServerError) {
		k, err = s.remote.create(ctx, s.opt.collection, "")
	}
	if err != nil {
		return err
	}
	s.id = k.ID
	s.report = &report{DryRun: s.opt.dryRun, Knowledge: s.id, Failed: failed, Skipped: skipped,
		Uploaded: []string{}, Moved: []string{}, Removed: []string{}, Kept: []string{}}
	// What cannot be read now is not gone: it must not be removed.
	remove := s.opt.remove && len(failed) == 0
	p, err := s.manifest(ctx, list, !s.opt.dryRun, remove && !s.opt.dryRun)
	if err != nil {
		return err
	}
	s.note(p, remove)
	if !s.opt.dryRun {
		err = s.upload(ctx, list, p)
	}
	s.report.Seconds = time.Since(began).Seconds()
	if err == nil && len(s.report.Failed) > 0 {
		err = fmt.Errorf("%d of %d files could not be synced", len(s.report.Failed), len(list)+len(failed))
	}
	return err
}

// folder lists and hashes what counts.
func (s *syncing) folder(ctx context.Context) (list []listing, failed []outcome, skipped []string, err error) {
	sc := scan{hidden: s.opt.hidden}
	if s.opt.honoured {
		f, err := s.root.Open(".gitignore")
		if err != nil {
			return nil, nil, nil, fmt.Errorf("--gitignore: %w", err)
		}
		defer f.Close()
		if sc.rules, err = readIgnores(f); err != nil {
			return nil, nil, nil, err
		}
	}
	for _, pattern := range s.opt.ignore {
		if g, ok := readIgnore(pattern); ok {
			sc.rules = append(sc.rules, g)
		}
	}
	if list, err = sc.files(s.root); err != nil {
		return nil, nil, nil, err
	}
	skipped = []string{}
	list = slices.DeleteFunc(list, func(l listing) bool {
		if l.Size == 0 {
			skipped = append(skipped, l.Path)
		}
		return l.Size == 0
	})
	failed = append([]outcome{}, hash(ctx, s.root, list, func(int64) {})...)
	list = slices.DeleteFunc(list, func(l listing) bool { return l.Hash == "" })
	return list, failed, skipped, ctx.Err()
}

func (s *syncing) manifest(ctx context.Context, list []listing, apply, remove bool) (*plan, error) {
	p := new(plan)
	query := fmt.Sprintf("?apply=%t&delete=%t", apply, remove)
	return p, s.remote.call(ctx, http.MethodPut, knowledgePath+url.PathEscape(s.id)+"/manifest"+query, list, p)
}

// note puts a plan into the report.
func (s *syncing) note(p *plan, remove bool) {
	r := s.report
	r.Unchanged = len(p.Present) + len(p.Same)
	for _, m := range p.Moved {
		r.Moved = append(r.Moved, m.Path)
	}
	gone := &r.Kept
	if remove {
		gone = &r.Removed
	}
	for _, g := range p.Removed {
		*gone = append(*gone, g.Path)
	}
	if !s.opt.retry {
		r.Failed = append(r.Failed, p.Failed...)
	}
	if s.opt.dryRun {
		for _, m := range p.Missing {
			r.Uploaded = append(r.Uploaded, m.Path)
		}
	}
}

// upload sends what is missing, waits for all that is being read, and looks
// whether it arrived in the collection.
func (s *syncing) upload(ctx context.Context, list []listing, p *plan) error {
	missing := p.Missing
	if s.opt.retry {
		for _, f := range p.Failed {
			if err := s.remote.drop(ctx, f.FileID); err != nil {
				return err
			}
			i, _ := slices.BinarySearchFunc(list, f.Path, func(l listing, path string) int { return strings.Compare(l.Path, path) })
			if i < len(list) && list[i].Path == f.Path {
				missing = append(missing, list[i])
			}
		}
	}
	if len(missing)+len(p.Pending) == 0 {
		return nil
	}
	var bytes int64
	for _, l := range missing {
		bytes += l.Size
	}
	s.progress = newProgress(s.errs, s.quiet, len(missing)+len(p.Pending), bytes)
	defer s.progress.end()
	sent := s.all(ctx, missing, p.Pending)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("stopped; what was uploaded is kept, and the next sync goes on from here: %w", err)
	}
	return s.arrived(ctx, list, sent)
}

// all runs the uploads a few at a time, and follows each file while the next
// are under way. It gives the files that were read, by path.
func (s *syncing) all(ctx context.Context, missing []listing, pending []outcome) map[string]string {
	sent := map[string]string{}
	var wg sync.WaitGroup
	slots, watchers := make(chan struct{}, s.opt.parallel), make(chan struct{}, 64)
	watch := func(p, id string, size int64) {
		defer func() { <-watchers }()
		_, err := s.remote.follow(ctx, id, func(st stage) { s.progress.at(p, st) })
		s.over(p, id, size, err)
		if err == nil {
			s.mu.Lock()
			sent[p] = id
			s.mu.Unlock()
		}
	}
	for _, o := range pending {
		watchers <- struct{}{}
		wg.Go(func() { watch(o.Path, o.FileID, 0) })
	}
	for _, l := range missing {
		if ctx.Err() != nil {
			break
		}
		slots <- struct{}{}
		wg.Go(func() {
			id, err := s.one(ctx, l)
			<-slots
			if err != nil {
				s.over(l.Path, "", l.Size, err)
				return
			}
			watchers <- struct{}{}
			watch(l.Path, id, l.Size)
		})
	}
	wg.Wait()
	return sent
}

// over notes the end of a file; what stopped with the whole run is no failure
// of its own.
func (s *syncing) over(p, id string, size int64, err error) {
	if err != nil && errors.Is(err, context.Canceled) {
		return
	}
	s.progress.done(p, size)
	if err != nil {
		s.mu.Lock()
		s.report.Failed = append(s.report.Failed, outcome{Path: p, FileID: id, Error: sentence(err)})
		s.mu.Unlock()
	}
}

// one uploads a file, once more when the server is busy for a moment.
func (s *syncing) one(ctx context.Context, l listing) (id string, err error) {
	for try := range 3 {
		if try > 0 {
			select {
			case <-ctx.Done():
				return "", ctx.Err()
			case <-time.After(time.Duration(try) * 2 * time.Second):
			}
		}
		var f *os.File
		if f, err = s.root.Open(l.Path); err != nil {
			return "", err
		}
		var up *uploaded
		up, err = s.remote.upload(ctx, path.Base(l.Path), counted{f, func(n int) { s.progress.uploading(l.Path, n) }},
			map[string]string{"knowledge_id": s.id, "path": l.Path})
		_ = f.Close()
		if err == nil {
			return up.ID, nil
		}
		if !statusIs(err, http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusGatewayTimeout) {
			return "", err
		}
	}
	return "", err
}

// counted tells of each piece that is read.
type counted struct {
	io.Reader
	told func(n int)
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.told(n)
	return n, err
}

// arrived asks for the plan again until what was sent is in the collection.
// That takes a moment after it is read; what never arrives has a reason.
func (s *syncing) arrived(ctx context.Context, list []listing, sent map[string]string) error {
	want := make([]listing, 0, len(sent))
	for _, l := range list {
		if sent[l.Path] != "" {
			want = append(want, l)
		}
	}
	for try := 0; len(want) > 0; try++ {
		p, err := s.manifest(ctx, list, true, false)
		if err != nil {
			return err
		}
		there := map[string]bool{}
		for _, o := range slices.Concat(p.Present, p.Moved, p.Same) {
			there[o.Path] = true
		}
		want = slices.DeleteFunc(want, func(l listing) bool {
			if there[l.Path] {
				s.report.Uploaded = append(s.report.Uploaded, l.Path)
			}
			return there[l.Path]
		})
		if len(want) == 0 || try == 20 {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
	for _, l := range want {
		s.report.Failed = append(s.report.Failed, outcome{Path: l.Path, FileID: sent[l.Path], Error: s.whyNot(ctx, sent[l.Path])})
	}
	slices.Sort(s.report.Uploaded)
	return nil
}

// whyNot asks a file why it is not in the collection.
func (s *syncing) whyNot(ctx context.Context, id string) string {
	f := new(uploaded)
	if err := s.remote.call(ctx, http.MethodGet, "/api/v1/files/"+url.PathEscape(id), nil, f); err != nil {
		return sentence(err)
	}
	if f.Data.Error != "" {
		return f.Data.Error
	}
	if n := len(f.Data.Warnings); n > 0 {
		return f.Data.Warnings[n-1]
	}
	return "the file was read, but is not in the collection"
}
