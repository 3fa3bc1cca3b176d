package retrieval

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/file"
	"portico/internal/language"
	"portico/internal/retrieval/index"
	"portico/internal/setting"
)

// Found is what a search gave. Warnings are sentences for the caller: which
// stage was left out, that nothing seems relevant.
type Found struct {
	Passages []Passage
	Warnings []string
	// Known is whether any of the names was there: to an administrator,
	// unknown ones are no fault.
	Known bool

	trace *trace
}

// The warnings of a search.
const (
	warnNoEmbedder  = "These documents were searched by words alone: there is no embedding model for them."
	warnNoQuestion  = "These documents were searched by words alone: the embedder did not answer."
	warnCatchingUp  = "The search index is being brought up to date; some passages may be missing."
	warnNotRelevant = "Nothing in these documents seems to be about the question. The closest passages were given."
	warnNoRerank    = "The reranker did not answer; the order of the search was kept."
)

// Search finds the passages that answer a question best, in collections that
// are named as the API names them: ids of collections, "file-" and the id of a
// file, names of the caller's own texts. What the caller may not read is
// errdefs.Forbidden.
func (s *Service) Search(ctx context.Context, who *access.Principal, collections []string, q Question) ([]Passage, error) {
	found, err := s.Find(ctx, who, collections, q)
	if err != nil {
		return nil, err
	}
	return found.Passages, nil
}

// Find is Search with what there is to say about it.
func (s *Service) Find(ctx context.Context, who *access.Principal, collections []string, q Question) (*Found, error) {
	if len(q.Text) > maxQuestion {
		return nil, errdefs.Newf(errdefs.Invalid, "The question is longer than %d KiB.", maxQuestion>>10)
	}
	targets, err := s.resolve(ctx, who, collections)
	if err != nil {
		return nil, err
	}
	return s.search(ctx, targets, s.ask(q))
}

// asked is a question on its way through the stages. Its vectors are made
// once for all that is searched.
type asked struct {
	Question
	wordings []string

	mu      sync.Mutex
	vectors map[string][][]float32 // by space; nil is "cannot be made"
}

func (s *Service) ask(q Question) *asked {
	a := &asked{Question: q, vectors: map[string][][]float32{}}
	for _, text := range append([]string{q.Text}, q.More...) {
		if text != "" && len(text) <= maxQuestion && !slices.Contains(a.wordings, text) && len(a.wordings) < maxWordings {
			a.wordings = append(a.wordings, text)
		}
	}
	return a
}

// in gives the question's vectors in the space of a profile; nil when nobody
// can make them.
func (s *Service) in(ctx context.Context, a *asked, p *Profile) [][]float32 {
	e := s.embedder(p)
	if e == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if v, ok := a.vectors[p.Space]; ok {
		return v
	}
	var all [][]float32
	for _, text := range a.wordings {
		v, err := e.Question(ctx, text)
		if err != nil {
			s.cfg.Log.Warn("a question could not be embedded; it is searched by its words", "err", err)
			all = nil
			break
		}
		all = append(all, v)
	}
	a.vectors[p.Space] = all
	return all
}

// plan is how a search is done: what the question says, else its only
// collection, else the instance.
type plan struct {
	k, rerankK        int
	hybrid            bool
	weight, threshold float64
}

func (s *Service) plan(q *Question, targets []target) plan {
	set := s.cfg.Settings
	p := plan{
		k: setting.Get(set, setting.TopK), rerankK: setting.Get(set, setting.TopKReranker),
		hybrid: setting.Get(set, setting.HybridSearch), weight: setting.Get(set, setting.HybridWeight),
		threshold: setting.Get(set, setting.RelevanceThreshold),
	}
	if len(targets) == 1 && targets[0].knowledge != nil {
		own := targets[0].knowledge.Settings
		p.k = cmp.Or(own.TopK, p.k)
		p.hybrid, p.weight, p.threshold = or(own.Hybrid, p.hybrid), or(own.Weight, p.weight), or(own.Threshold, p.threshold)
	}
	if q.K != 0 {
		p.k = q.K
	}
	p.rerankK = cmp.Or(q.RerankK, min(p.rerankK, p.k))
	p.k, p.rerankK = min(max(p.k, 1), maxK), min(max(p.rerankK, 1), maxK)
	p.hybrid, p.weight, p.threshold = or(q.Hybrid, p.hybrid), or(q.Weight, p.weight), or(q.Threshold, p.threshold)
	p.weight = min(max(p.weight, 0), 1)
	return p
}

func or[T any](v *T, otherwise T) T {
	if v != nil {
		return *v
	}
	return otherwise
}

// search does all stages over what was resolved.
func (s *Service) search(ctx context.Context, targets []target, a *asked) (*Found, error) {
	p := s.plan(&a.Question, targets)
	out := &Found{trace: &trace{plan: p}}
	bySpace := map[*Profile]index.Scope{}
	var scope index.Scope
	for _, t := range targets {
		out.Known = out.Known || t.profile != nil
		if len(t.scope) > 0 {
			bySpace[t.profile] = union(bySpace[t.profile], t.scope)
			scope = union(scope, t.scope)
		}
	}
	if len(scope) == 0 || len(a.wordings) == 0 {
		return out, nil
	}
	by, err := s.scales(ctx, a, p, scope, bySpace)
	if err != nil {
		return nil, err
	}
	hits, err := s.ranked(ctx, a, p, by, scope, bySpace, out)
	if err != nil {
		return nil, err
	}
	if err := s.passages(ctx, hits, p, by, a, out); err != nil {
		return nil, err
	}
	return out, nil
}

// scales finds what the scores of the two indexes are worth for a question.
func (s *Service) scales(ctx context.Context, a *asked, p plan, scope index.Scope, bySpace map[*Profile]index.Scope) (scales, error) {
	by := scales{weight: p.weight, trust: 1}
	var err error
	if by.rarity, err = s.cfg.Lexical.Rarity(scope); err != nil && !s.without(ctx, s.text) {
		return by, err
	}
	for profile := range bySpace {
		if onlyEnglish(profile.Model) && !language.English(a.wordings[0]) {
			by.trust = foreignTrust
		}
	}
	return by, nil
}

// onlyEnglish reports whether an embedder is known to know English alone.
func onlyEnglish(model string) bool {
	name := strings.ToLower(model)
	return strings.Contains(name, "all-minilm") || strings.Contains(name, "all-mpnet") || strings.Contains(name, "-en-") || strings.HasSuffix(name, "-en")
}

// ranked asks both indexes at once and joins what they found.
func (s *Service) ranked(ctx context.Context, a *asked, p plan, by scales, scope index.Scope, bySpace map[*Profile]index.Scope, out *Found) ([]candidate, error) {
	n := depth(max(p.k, p.rerankK))
	var words, meaning [][]index.Hit
	var wordsErr error
	var wait sync.WaitGroup
	wait.Go(func() { words, wordsErr = s.byWords(ctx, a, scope, n) })
	meaning, warning, err := s.byMeaning(ctx, a, bySpace, n)
	wait.Wait()
	if err := cmp.Or(wordsErr, err); err != nil {
		return nil, err
	}
	if warning != "" {
		out.Warnings = append(out.Warnings, warning)
	}
	if s.text.behind() || s.vectors.behind() {
		out.Warnings = append(out.Warnings, warnCatchingUp)
	}
	if !p.hybrid && len(meaning) > 0 {
		words = nil
	}
	return fuse(words, meaning, by), nil
}

func (s *Service) byWords(ctx context.Context, a *asked, scope index.Scope, n int) ([][]index.Hit, error) {
	var all [][]index.Hit
	for _, text := range a.wordings {
		hits, err := s.cfg.Lexical.Search(ctx, text, scope, n)
		if err != nil {
			if s.without(ctx, s.text) {
				return nil, nil
			}
			return nil, err
		}
		if len(hits) > 0 {
			all = append(all, hits)
		}
	}
	return all, nil
}

func (s *Service) byMeaning(ctx context.Context, a *asked, bySpace map[*Profile]index.Scope, n int) (all [][]index.Hit, warning string, err error) {
	for p, scope := range bySpace {
		if p.Space == "" {
			warning = warnNoEmbedder
			continue
		}
		vectors := s.in(ctx, a, p)
		if vectors == nil {
			warning = warnNoQuestion
			if s.embedder(p) == nil {
				warning = warnNoEmbedder
			}
			continue
		}
		for _, v := range vectors {
			hits, err := s.cfg.Vectors.Search(ctx, p.Space, v, scope, n)
			if err != nil {
				if s.without(ctx, s.vectors) {
					return nil, warning, nil
				}
				return nil, "", err
			}
			if len(hits) > 0 {
				all = append(all, hits)
			}
		}
	}
	return all, warning, nil
}

// without reports whether a search goes on though an index failed: where it
// turned out broken and is being filled again. The answer then says so.
func (s *Service) without(ctx context.Context, f *follower) bool {
	f.restart()
	return ctx.Err() == nil && f.behind()
}

// passages reads the best candidates, leaves repetitions out, reranks, and
// keeps what is asked for.
func (s *Service) passages(ctx context.Context, hits []candidate, p plan, by scales, a *asked, out *Found) error {
	want := p.k
	rerank := s.cfg.Rerank != nil && s.cfg.Rerank.Ready()
	if rerank {
		want = max(p.k, rerankDepth)
	}
	all, err := s.readPassages(ctx, hits, want, out.trace)
	if err != nil || len(all) == 0 {
		return err
	}
	sure, about := confidence(hits, by)
	if top := all[0].Score; top > 0 {
		for i := range all {
			all[i].Score *= sure / top
		}
	}
	if rerank {
		order, err := s.reranked(ctx, a.wordings[0], all)
		if err == nil {
			all, about = order, about || order[0].Score >= relevantRerank
			out.trace.reranked(all)
			all = all[:min(len(all), p.rerankK)]
		} else {
			s.cfg.Log.Warn("the reranker failed; the order of the search is kept", "err", err)
			out.Warnings = append(out.Warnings, warnNoRerank)
		}
	}
	all = all[:min(len(all), p.k)]
	if p.threshold > 0 {
		all = slices.DeleteFunc(all, func(v Passage) bool {
			low := v.Score < p.threshold
			if low {
				out.trace.drop(place{v.Set, v.N}, "below the threshold")
			}
			return low
		})
	}
	if !about {
		out.Warnings = append(out.Warnings, warnNotRelevant)
	}
	out.Passages = all
	return nil
}

// readPassages reads candidates in their order until n different texts are
// there.
func (s *Service) readPassages(ctx context.Context, hits []candidate, n int, t *trace) ([]Passage, error) {
	t.ranked(hits)
	var all []Passage
	seen := map[string]bool{}
	for from := 0; from < len(hits) && len(all) < n; from += n {
		some := hits[from:min(from+n, len(hits))]
		at := make([]index.Hit, len(some))
		score := map[place]float64{}
		for i, h := range some {
			at[i] = index.Hit{Set: h.set, N: h.n}
			score[h.place] = h.score
		}
		rows, err := s.cfg.Store.ChunksAt(ctx, at)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			switch {
			case seen[r.Text]:
				t.drop(place{r.Set, r.N}, "the same text as a better one")
			case len(all) < n:
				seen[r.Text] = true
				all = append(all, passageOf(r, score[place{r.Set, r.N}]))
			}
		}
	}
	return all, s.nameSources(ctx, all)
}

func passageOf(r Row, score float64) Passage {
	return Passage{Text: r.Text, Context: r.Context, Set: r.Set, N: r.N, First: r.First, Last: r.Last,
		Page: r.Page, LastPage: r.LastPage, Score: score}
}

// nameSources says which file each passage is of.
func (s *Service) nameSources(ctx context.Context, all []Passage) error {
	var sets []int64
	for i := range all {
		if !slices.Contains(sets, all[i].Set) {
			sets = append(sets, all[i].Set)
		}
	}
	files, err := s.cfg.Store.FilesOfSets(ctx, sets)
	if err != nil {
		return err
	}
	for i := range all {
		if f := files[all[i].Set]; f != nil {
			all[i].File, all[i].FileID, all[i].Name, all[i].Source = f, f.ID, f.Filename, sourceOf(f)
		}
	}
	return nil
}

// sourceOf is what counts as one source: a page's address, else the file's name.
func sourceOf(f *file.File) string {
	if f.Kind == file.Web {
		var meta struct{ Source string }
		if json.Unmarshal(f.Metadata, &meta) == nil && meta.Source != "" {
			return meta.Source
		}
	}
	return f.Filename
}
