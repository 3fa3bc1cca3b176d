package retrieval

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/file"
	"portico/internal/knowledge"
	"portico/internal/setting"
)

const (
	// gatherWait is how long a chat waits for files that are still in work, all
	// of them together.
	gatherWait = 20 * time.Second
	maxItems   = 256
	wholeFiles = 1000 // of a collection, in full context
)

// Gather collects what a chat is to be answered from. What cannot be used is
// left out and named in the warnings, the same way whether it is not there or
// not the caller's.
func (s *Service) Gather(ctx context.Context, who *access.Principal, items []Item, q Question) (*Gathered, error) {
	if len(items) > maxItems {
		return nil, errdefs.Newf(errdefs.Invalid, "A chat takes at most %d files.", maxItems)
	}
	if len(q.Text) > maxQuestion {
		q.Text = strings.ToValidUTF8(q.Text[:maxQuestion], "")
	}
	whole := q.Full || setting.Get(s.cfg.Settings, setting.FullContext) || setting.Get(s.cfg.Settings, setting.BypassRetrieval)
	waiting, cancel := context.WithTimeout(ctx, gatherWait)
	defer cancel()
	g := &gathering{s: s, who: who, asked: s.ask(q), whole: whole, waiting: waiting, out: new(Gathered), seen: map[string]bool{}}
	for i, item := range items {
		if again(items[:i], item) {
			continue
		}
		src := Source{Item: item}
		if err := g.item(ctx, &src); err != nil {
			return nil, err
		}
		s.describe(&src)
		if len(src.Passages) > 0 {
			g.out.Sources = append(g.out.Sources, src)
		}
	}
	return g.out, nil
}

// again reports whether an item was sent before, letter for letter: once more
// it says nothing new.
func again(before []Item, item Item) bool {
	return len(item.Raw) > 0 && slices.ContainsFunc(before, func(b Item) bool { return bytes.Equal(b.Raw, item.Raw) })
}

// gathering is one Gather.
type gathering struct {
	s       *Service
	who     *access.Principal
	asked   *asked
	whole   bool
	waiting context.Context // of files in work
	out     *Gathered
	seen    map[string]bool // warnings
}

func (g *gathering) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !g.seen[text] {
		g.seen[text] = true
		g.out.Warnings = append(g.out.Warnings, text)
	}
}

// unusable is the one sentence for what is absent and what is foreign.
func (g *gathering) unusable(what, id string) {
	g.warn("The %s %q was not used: it is not there, or you may not read it.", what, shortened(id))
}

// shortened keeps a name that a caller made up to the length of a line.
func shortened(name string) string {
	if r := []rune(name); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return name
}

func (g *gathering) item(ctx context.Context, src *Source) error {
	item := &src.Item
	full := g.whole || item.Context == "full"
	names := item.CollectionNames
	if item.CollectionName != "" {
		names = append([]string{item.CollectionName}, names...)
	}
	switch {
	case len(item.Docs) > 0:
		g.docs(src)
		return nil
	case item.Type == "file":
		return g.file(ctx, src, full)
	case item.Type == "collection" && len(names) == 0:
		return g.collections(ctx, src, []string{item.ID}, full)
	case item.Type == "text" && g.inline(src):
		return nil
	case item.Type == "url":
		g.page(ctx, src)
		return nil
	case item.Type == "image":
		return nil // the model sees it
	case len(names) > 0:
		return g.collections(ctx, src, names, full)
	case item.Type == "text":
		g.warn("The text %q was not used: it is empty.", shortened(item.Name))
		return nil
	}
	// Notes, chats and folders are not kept here, so nobody has any.
	g.unusable(cmp.Or(shortened(item.Type), "item"), item.ID)
	return nil
}

// docs takes what the client brought ready-made.
func (g *gathering) docs(src *Source) {
	for _, raw := range src.Item.Docs {
		var doc struct {
			Content  string          `json:"content"`
			Text     string          `json:"page_content"`
			Metadata json.RawMessage `json:"metadata"`
		}
		if json.Unmarshal(raw, &doc) != nil || cmp.Or(doc.Content, doc.Text) == "" {
			g.warn("A document of %q was not used: it has no content.", shortened(src.Item.Name))
			continue
		}
		name := src.Item.Name
		var meta struct{ Source, Name string }
		if json.Unmarshal(doc.Metadata, &meta) == nil {
			name = cmp.Or(meta.Name, meta.Source, name)
		}
		text := cmp.Or(doc.Content, doc.Text)
		src.Passages = append(src.Passages, Passage{Text: text, Name: name, Source: cmp.Or(meta.Source, name), Last: runes(text), Metadata: doc.Metadata})
	}
}

// inline takes the text that an item brings with it; false when it brings none.
func (g *gathering) inline(src *Source) bool {
	item := &src.Item
	text, name := item.Content, item.Name
	if text == "" && item.File != nil {
		text, name = item.File.Data.Content, cmp.Or(name, item.File.Filename)
	}
	if text == "" {
		return false
	}
	src.Passages = []Passage{{Text: text, Name: name, Source: cmp.Or(name, "text"), Last: runes(text)}}
	return true
}

// inlineOf says of which file the text is that an item brought with it. What
// else is known of the file need not be true of that text.
func (g *gathering) inlineOf(ctx context.Context, src *Source, id string) {
	if id == "" {
		return
	}
	if f, err := g.s.files.Load(ctx, g.who, access.Read, id); err == nil {
		p := &src.Passages[0]
		p.FileID, p.Name = f.ID, cmp.Or(p.Name, f.Filename)
		p.Source = p.Name
	}
}

func runes(text string) int { return len([]rune(text)) }

// page reads an address now, whole.
func (g *gathering) page(ctx context.Context, src *Source) {
	url := cmp.Or(src.Item.URL, src.Item.ID)
	page, err := g.s.readPage(ctx, url)
	if err != nil {
		g.warn("The page %q was not used: %s", shortened(url), sentence(err))
		return
	}
	text := page.doc.Text
	src.Passages = []Passage{{Text: text, Name: cmp.Or(src.Item.Name, page.title), Source: url, Last: runes(text)}}
}

func (g *gathering) file(ctx context.Context, src *Source, full bool) error {
	item := &src.Item
	id := item.ID
	if id == "" && item.File != nil {
		id = item.File.ID
	}
	if full && g.inline(src) {
		g.inlineOf(ctx, src, id)
		return nil
	}
	f, err := g.s.files.Load(ctx, g.who, access.Read, id)
	if isDenied(err) {
		g.unusable("file", id)
		return nil
	}
	if err != nil {
		return err
	}
	if f = g.ready(f); f == nil {
		return nil
	}
	if full {
		return g.wholeFile(ctx, src, f)
	}
	t, err := g.s.fileTarget(ctx, f)
	if err != nil {
		return err
	}
	return g.search(ctx, src, []target{t})
}

// ready waits for a file that is in work, not for ever, and says what is left
// to say about it. It gives nil when there is nothing to use yet.
func (g *gathering) ready(f *file.File) *file.File {
	if !f.Status.Done() {
		if now, err := g.s.Wait(g.waiting, f.ID); err == nil {
			f = now
		}
	}
	switch {
	case f.Status == file.Failed:
		g.warn("The file %q could not be read: %s", f.Filename, f.Error)
	case f.Status == file.Stored || f.Status == file.Completed && f.Document == "":
		g.warn("The file %q was not used: it has no text, or was not processed.", f.Filename)
		return nil
	case !f.Status.Done():
		g.warn("The file %q is still being processed; only what is ready of it was used.", f.Filename)
	}
	if f.Document == "" {
		return nil
	}
	for _, w := range f.Warnings {
		g.warn("%s: %s", f.Filename, w)
	}
	return f
}

// wholeFile takes the whole text of a file.
func (g *gathering) wholeFile(ctx context.Context, src *Source, f *file.File) error {
	text, err := g.s.Text(ctx, f)
	if errdefs.Is(err, errdefs.NotFound) {
		g.warn("The file %q was not used: its text is gone. Process it again.", f.Filename)
		return nil
	}
	if err != nil {
		return err
	}
	if text != "" {
		src.Passages = append(src.Passages, Passage{Text: text, File: f, FileID: f.ID, Name: f.Filename, Source: sourceOf(f), Last: runes(text)})
	}
	return nil
}

// collections takes what is named as the API names it. Each name is judged by
// itself: one that is denied takes nothing from the others.
func (g *gathering) collections(ctx context.Context, src *Source, names []string, full bool) error {
	if len(names) > maxNames {
		g.warn("Of %d collections only the first %d were used.", len(names), maxNames)
		names = names[:maxNames]
	}
	var targets []target
	for _, name := range names {
		t, err := g.s.resolveOne(ctx, g.who, name)
		if err != nil && !isDenied(err) {
			return err
		}
		if err != nil || t.profile == nil {
			g.unusable("collection", name)
			continue
		}
		whole := full || t.knowledge != nil && or(t.knowledge.Settings.Full, false)
		if whole {
			if err := g.wholeTarget(ctx, src, t); err != nil {
				return err
			}
			continue
		}
		if t.knowledge != nil && len(t.scope) == 0 {
			g.warn("The collection %q has no text that could be searched yet.", t.knowledge.Name)
			continue
		}
		targets = append(targets, t)
	}
	if len(targets) == 0 {
		return nil
	}
	return g.search(ctx, src, targets)
}

// wholeTarget takes whole files, in the order in which a collection has them.
func (g *gathering) wholeTarget(ctx context.Context, src *Source, t target) error {
	if t.file != nil {
		if f := g.ready(t.file); f != nil {
			return g.wholeFile(ctx, src, f)
		}
		return nil
	}
	entries, total, err := g.s.cfg.Knowledge.Entries(ctx, t.knowledge.ID, knowledge.FileFilter{OrderBy: "created_at", Ascending: true, Limit: wholeFiles})
	if err != nil {
		return err
	}
	if total > len(entries) {
		g.warn("Of the %d files of %q only the first %d were used.", total, t.knowledge.Name, len(entries))
	}
	for _, e := range entries {
		if f := g.ready(e.File); f != nil {
			if err := g.wholeFile(ctx, src, f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *gathering) search(ctx context.Context, src *Source, targets []target) error {
	found, err := g.s.search(ctx, targets, g.asked)
	if err != nil {
		return err
	}
	src.Passages = append(src.Passages, found.Passages...)
	for _, w := range found.Warnings {
		g.warn("%s", w)
	}
	return nil
}
