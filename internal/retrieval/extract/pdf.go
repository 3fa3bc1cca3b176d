package extract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/klippa-app/go-pdfium"
	pdferrors "github.com/klippa-app/go-pdfium/errors"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/responses"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"portico/internal/retrieval/document"
)

// pdfEngine is pdfium, compiled on first use and kept. Each document gets an
// instance of its own, whose memory goes with it.
type pdfEngine struct {
	opt   Options
	pages uint32 // of WebAssembly memory, 64 KiB each

	mu   sync.Mutex
	pool pdfium.Pool
}

func newPDFEngine(opt Options, memory int64) *pdfEngine {
	const page = 64 << 10
	return &pdfEngine{opt: opt, pages: uint32(min(max(memory/2/page, 256), 1<<15))}
}

// Close gives back what is compiled.
func (e *pdfEngine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.pool == nil {
		return nil
	}
	err := e.pool.Close()
	e.pool = nil
	return err
}

// instance gives a fresh instance. The first one ever compiles pdfium, which
// takes seconds, and says so.
func (e *pdfEngine) instance(ctx context.Context) (pdfium.Pdfium, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.pool == nil {
		pool, err := e.compile(context.WithoutCancel(ctx))
		if err != nil {
			return nil, fmt.Errorf("extract: pdfium: %w", err)
		}
		e.pool = pool
	}
	return e.pool.GetInstanceWithContext(ctx)
}

func (e *pdfEngine) compile(ctx context.Context) (pdfium.Pool, error) {
	config := wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling).
		WithMemoryLimitPages(e.pages)
	cached := false
	if e.opt.CacheDir != "" {
		made, _ := filepath.Glob(filepath.Join(e.opt.CacheDir, "wazero-*", "*"))
		cached = len(made) > 0
		cache, err := wazero.NewCompilationCacheWithDir(e.opt.CacheDir)
		if err != nil {
			e.opt.Log.Warn("what is compiled for PDFs cannot be kept, so that the first PDF of each child takes seconds longer", "error", err)
		} else {
			config = config.WithCompilationCache(cache)
		}
	}
	start := time.Now()
	if !cached {
		e.opt.Log.Info("the reader of PDFs is compiled for this machine; this happens once and takes seconds")
	}
	pool, err := webassembly.Init(webassembly.Config{
		Context: ctx, MaxTotal: 1024, MaxIdle: 1, RuntimeConfig: config,
		FSConfig: wazero.NewFSConfig(), Stdout: io.Discard, Stderr: io.Discard,
	})
	if err == nil && !cached {
		e.opt.Log.Info("the reader of PDFs is compiled", "seconds", time.Since(start).Round(100*time.Millisecond).Seconds())
	}
	return pool, err
}

// pdfFile is one open PDF.
type pdfFile struct {
	pdfium.Pdfium
	doc   references.FPDF_DOCUMENT
	count int
}

// readPDF reads pages, their words with positions, and lays them out.
func readPDF(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	p := in.whole().parser
	inst, err := p.pdf.instance(ctx)
	if err != nil {
		return nil, err
	}
	defer inst.Close()
	f, err := openPDF(inst, in, lim)
	if err != nil {
		return nil, err
	}
	pages, err := f.pages(ctx, p.pdf, in, lim)
	if err != nil {
		return nil, err
	}
	var pictures []int
	for i := range pages {
		if pages[i].picture {
			pictures = append(pictures, i)
		}
	}
	b := newBuilder(lim)
	b.title(f.title())
	if len(pictures) > 0 {
		if err := f.readPictures(ctx, in, p.opt, pages, pictures, b); err != nil {
			return nil, err
		}
	}
	layPages(b, pages, f.outline())
	return b.done()
}

// fewPages is up to how many pages one instance reads alone.
const fewPages = 24

// pages reads all pages: many of them by two instances side by side, where
// there are two cores.
func (f *pdfFile) pages(ctx context.Context, engine *pdfEngine, in *Input, lim *Limits) ([]pdfPage, error) {
	pages := make([]pdfPage, f.count)
	var (
		next  atomic.Int64
		done  int
		mu    sync.Mutex
		group sync.WaitGroup
	)
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	read := func(f *pdfFile) {
		for ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= len(pages) {
				return
			}
			var err error
			if pages[i], err = f.page(i); err != nil {
				fail(broken("PDF", err))
				return
			}
			mu.Lock()
			done++
			in.progress(done, len(pages))
			mu.Unlock()
		}
	}
	if f.count > fewPages && runtime.GOMAXPROCS(0) > 1 {
		group.Go(func() {
			inst, err := engine.instance(ctx)
			if err != nil {
				fail(err)
				return
			}
			defer inst.Close()
			second, err := openPDF(inst, in, lim)
			if err != nil {
				fail(err)
				return
			}
			read(second)
		})
	}
	read(f)
	group.Wait()
	return pages, context.Cause(ctx)
}

func openPDF(inst pdfium.Pdfium, in *Input, lim *Limits) (*pdfFile, error) {
	raw := make([]byte, in.Size)
	if n, err := in.Content.ReadAt(raw, 0); err != nil && (err != io.EOF || int64(n) < in.Size) {
		return nil, err
	}
	doc, err := inst.OpenDocument(&requests.OpenDocument{File: &raw})
	switch {
	case errors.Is(err, pdferrors.ErrPassword), errors.Is(err, pdferrors.ErrSecurity):
		return nil, &Error{Code: "encrypted", Detail: "This PDF is protected by a password. Save it without one and upload it again.", Err: err}
	case err != nil:
		return nil, broken("PDF", err)
	}
	n, err := inst.FPDF_GetPageCount(&requests.FPDF_GetPageCount{Document: doc.Document})
	if err != nil {
		return nil, broken("PDF", err)
	}
	if n.PageCount > lim.Pages {
		return nil, overLimit("pages", "This PDF has %d pages; at most %d are read. Split it and upload the parts.", n.PageCount, lim.Pages)
	}
	if n.PageCount == 0 {
		return nil, broken("PDF", errors.New("no pages"))
	}
	return &pdfFile{Pdfium: inst, doc: doc.Document, count: n.PageCount}, nil
}

// maxChars is how much text a page may hold; more is no page that was printed.
const maxChars = 1 << 20

// page reads one page. A page that pdfium cannot load is an empty one: the
// others may be well.
func (f *pdfFile) page(i int) (pdfPage, error) {
	p := pdfPage{number: i + 1}
	loaded, err := f.FPDF_LoadPage(&requests.FPDF_LoadPage{Document: f.doc, Index: i})
	if err != nil {
		if trapped(err) {
			return p, err
		}
		p.broken = true
		return p, nil
	}
	page := requests.Page{ByReference: &loaded.Page}
	defer func() { _, _ = f.FPDF_ClosePage(&requests.FPDF_ClosePage{Page: loaded.Page}) }()
	if h, err := f.FPDF_GetPageHeight(&requests.FPDF_GetPageHeight{Page: page}); err == nil {
		p.height = float32(h.Height)
	}
	text, err := f.FPDFText_LoadPage(&requests.FPDFText_LoadPage{Page: page})
	if err != nil {
		if trapped(err) {
			return p, err
		}
		p.broken = true
		return p, nil
	}
	defer func() { _, _ = f.FPDFText_ClosePage(&requests.FPDFText_ClosePage{TextPage: text.TextPage}) }()
	n, err := f.FPDFText_CountChars(&requests.FPDFText_CountChars{TextPage: text.TextPage})
	if err != nil {
		return p, err
	}
	if n.Count > 0 {
		s, err := f.FPDFText_GetText(&requests.FPDFText_GetText{TextPage: text.TextPage, Count: min(n.Count, maxChars)})
		if err != nil {
			return p, err
		}
		t := pdfText{f: f, page: text.TextPage, same: utf8.RuneCountInString(s.Text) == n.Count}
		p.lines = t.lines(s.Text)
	}
	if len(p.lines) == 0 {
		objects, err := f.FPDFPage_CountObjects(&requests.FPDFPage_CountObjects{Page: page})
		p.picture = err == nil && objects.Count > 0
	}
	return p, nil
}

// trapped reports whether pdfium itself broke down, after which the instance is
// of no use.
func trapped(err error) bool {
	return strings.Contains(err.Error(), "wasm error") || strings.Contains(err.Error(), "module closed")
}

// pdfText finds the places of the characters of one page.
type pdfText struct {
	f    *pdfFile
	page references.FPDF_TEXTPAGE
	same bool // the n-th rune of the text is the n-th character of the page
}

// box gives the place of a rune of the text; ok is false for what pdfium made
// up, such as spaces between words.
func (t *pdfText) box(i int) (r pdfBox, ok bool) {
	if !t.same {
		at, err := t.f.FPDFText_GetCharIndexFromTextIndex(&requests.FPDFText_GetCharIndexFromTextIndex{TextPage: t.page, NTextIndex: i})
		if err != nil {
			return pdfBox{}, false
		}
		i = at.CharIndex
	}
	b, err := t.f.FPDFText_GetLooseCharBox(&requests.FPDFText_GetLooseCharBox{TextPage: t.page, Index: i})
	if err != nil {
		return pdfBox{}, false
	}
	return pdfBox{left: b.Rect.Left, right: b.Rect.Right, top: b.Rect.Top, bottom: b.Rect.Bottom}, true
}

// lines cuts the text of a page into lines of words with their places. pdfium
// ends lines with CR LF, and writes U+0002 or U+FFFE for a hyphen at which a
// word was broken, after which the next line follows at once.
func (t *pdfText) lines(text string) []pdfLine {
	var (
		lines []pdfLine
		line  pdfLine
		at    int // runes
	)
	end := func(hyphen bool) {
		if n := len(line.words); n > 0 {
			t.finish(&line.words[n-1])
			line.hyphen = hyphen
			line.measure()
			lines = append(lines, line)
		}
		line = pdfLine{}
	}
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == '\n':
			end(false)
		case r == '\x02' || r == '\ufffe':
			end(true)
		case r <= ' ' || r == '\u00a0':
		default:
			length, runes := wordEnd(text[i:])
			w := pdfWord{text: text[i : i+length], last: at + runes - 1}
			w.pdfBox, _ = t.box(at)
			if n := len(line.words); n > 0 {
				t.close(&line.words[n-1], w.left)
			}
			line.words = append(line.words, w)
			i, at = i+length, at+runes
			continue
		}
		i, at = i+n, at+1
	}
	end(false)
	return lines
}

// finish finds where a word ends.
func (t *pdfText) finish(w *pdfWord) {
	if last, ok := t.box(w.last); ok {
		w.join(last)
	}
}

// close finds where a word ends that is followed by another one at next. To
// ask for every word costs a fifth of the time that a page takes: so a word is
// believed to reach up to a space before the next, unless more room is there
// than letters of common width fill.
func (t *pdfText) close(w *pdfWord, next float32) {
	const letter, space = 0.45, 0.25
	height := w.top - w.bottom
	n := float32(utf8.RuneCountInString(w.text) + 1)
	if room := next - w.left; room <= 0 || room > n*letter*height+0.3*height {
		t.finish(w)
		return
	}
	w.right = max(w.right, next-space*height)
}

// wordEnd gives the length of the word at the beginning of s.
func wordEnd(s string) (length, runes int) {
	for i, r := range s {
		if r <= ' ' || r == '\u00a0' || r == '\ufffe' {
			return i, runes
		}
		runes++
	}
	return len(s), runes
}

// title is that of the document's own information, unless a program put there
// what nobody would call it.
func (f *pdfFile) title() string {
	m, err := f.FPDF_GetMetaText(&requests.FPDF_GetMetaText{Document: f.doc, Tag: "Title"})
	if err != nil {
		return ""
	}
	s := oneLine(m.Value)
	lower := strings.ToLower(s)
	if strings.HasPrefix(lower, "microsoft ") || strings.Contains(lower, "untitled") || lower == "(anonymous)" || strings.HasSuffix(lower, ".doc") || strings.HasSuffix(lower, ".docx") || strings.HasSuffix(lower, ".indd") {
		return ""
	}
	return s
}

// pdfMark is an entry of the outline: a title that stands on a page.
type pdfMark struct {
	title string
	page  int // index
	level int
}

// maxMarks bounds an outline. One that is longer goes in circles, as broken
// ones do, and is of no use.
const maxMarks = 5_000

// outline gives the entries that point to pages, in order. pdfium's own list
// never ends where entries go in circles, and its single entries do not tell
// their pages (go-pdfium 1.20 asks FPDFBookmark_Find for them): so the entries
// are counted first.
func (f *pdfFile) outline() []pdfMark {
	left := maxMarks
	f.countMarks(nil, &left)
	if left <= 0 {
		return nil
	}
	got, err := f.GetBookmarks(&requests.GetBookmarks{Document: f.doc})
	if err != nil {
		return nil
	}
	var marks []pdfMark
	var walk func(all []responses.GetBookmarksBookmark, level int)
	walk = func(all []responses.GetBookmarksBookmark, level int) {
		for _, m := range all {
			title := oneLine(m.Title)
			if d := m.DestInfo; d != nil && d.PageIndex >= 0 && d.PageIndex < f.count && title != "" {
				marks = append(marks, pdfMark{title: title, page: d.PageIndex, level: level})
			}
			walk(m.Children, level+1)
		}
	}
	walk(got.Bookmarks, 1)
	return marks
}

// countMarks takes the entries below parent, nil for all, off left.
func (f *pdfFile) countMarks(parent *references.FPDF_BOOKMARK, left *int) {
	first, err := f.FPDFBookmark_GetFirstChild(&requests.FPDFBookmark_GetFirstChild{Document: f.doc, Bookmark: parent})
	if err != nil {
		*left = 0
		return
	}
	for at := first.Bookmark; at != nil && *left > 0; {
		*left--
		f.countMarks(at, left)
		next, err := f.FPDFBookmark_GetNextSibling(&requests.FPDFBookmark_GetNextSibling{Document: f.doc, Bookmark: *at})
		if err != nil {
			*left = 0
			return
		}
		at = next.Bookmark
	}
}

// pageList names pages, "3, 7–9", at most a dozen runs.
func pageList(indexes []int) string {
	var b strings.Builder
	for i, runs := 0, 0; i < len(indexes); runs++ {
		j := i
		for j+1 < len(indexes) && indexes[j+1] == indexes[j]+1 {
			j++
		}
		if runs == 12 {
			b.WriteString(", …")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(indexes[i] + 1))
		if j > i {
			b.WriteString("–" + strconv.Itoa(indexes[j]+1))
		}
		i = j + 1
	}
	return b.String()
}
