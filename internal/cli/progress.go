package cli

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// progress shows how far a sync is: one line that is drawn again and again on
// a terminal, a plain line now and then elsewhere.
type progress struct {
	out   io.Writer
	live  bool // a terminal
	quiet bool
	began time.Time

	files, filesTotal int64
	bytes, bytesTotal int64
	sent              atomic.Int64 // bytes that went out

	mu     sync.Mutex
	chunks map[string][2]int // by file: done and total of what is being embedded
	name   string
	drawn  bool
	shown  time.Time
}

// The pauses between two lines.
const (
	drawEvery  = 100 * time.Millisecond
	printEvery = 5 * time.Second
)

func newProgress(out io.Writer, quiet bool, files int, bytes int64) *progress {
	return &progress{out: out, live: terminal(out), quiet: quiet, began: time.Now(), filesTotal: int64(files), bytesTotal: bytes,
		chunks: map[string][2]int{}, shown: time.Now()}
}

// at notes what the server does with a file.
func (p *progress) at(name string, s stage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.name = name
	if s.Stage == "embed" || s.Stage == "chunk" {
		p.chunks[name] = [2]int{s.Done, s.Total}
	}
	p.draw(false)
}

// uploading notes that bytes went out.
func (p *progress) uploading(name string, n int) {
	p.sent.Add(int64(n))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.name = name
	p.draw(false)
}

// done notes the end of a file.
func (p *progress) done(name string, size int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files++
	p.bytes += size
	if c, ok := p.chunks[name]; ok {
		p.chunks[name] = [2]int{c[1], c[1]}
	}
	p.draw(p.files == p.filesTotal)
}

// end leaves the last line, or nothing when there was nothing to do.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

// clear takes the drawn line away.
func (p *progress) clear() {
	if p.drawn {
		p.print("\r\033[K")
		p.drawn = false
	}
}

func (p *progress) draw(last bool) {
	pause := printEvery
	if p.live {
		pause = drawEvery
	}
	if p.quiet || !last && time.Since(p.shown) < pause {
		return
	}
	p.shown = time.Now()
	if !p.live {
		p.print("%s\n", p.line())
		return
	}
	p.print("\r\033[K%s", cut(p.line(), 100))
	p.drawn = true
}

func (p *progress) print(format string, args ...any) {
	if !p.quiet {
		_, _ = fmt.Fprintf(p.out, format, args...)
	}
}

// line is like "3/12 files, 1.2/4.0 MB, 40/120 chunks, 0:21 left  guide.pdf".
func (p *progress) line() string {
	done, total := 0, 0
	for _, c := range p.chunks {
		done, total = done+c[0], total+c[1]
	}
	line := fmt.Sprintf("%d/%d files, %.1f/%.1f MB", p.files, p.filesTotal, float64(p.sent.Load())/1e6, float64(p.bytesTotal)/1e6)
	if total > 0 {
		line += fmt.Sprintf(", %d/%d chunks", done, total)
	}
	if left, ok := p.left(); ok {
		line += fmt.Sprintf(", %d:%02d left", int(left.Minutes()), int(left.Seconds())%60)
	}
	return line + "  " + p.name
}

// left guesses from the bytes that are through and those that are not.
func (p *progress) left() (time.Duration, bool) {
	if p.bytes == 0 || p.bytesTotal <= p.bytes {
		return 0, false
	}
	spent := time.Since(p.began)
	return time.Duration(float64(spent) / float64(p.bytes) * float64(p.bytesTotal-p.bytes)), true
}

// cut keeps the beginning of a line, and nothing that moves the cursor.
func cut(line string, most int) string {
	clean := make([]rune, 0, most)
	for _, r := range line {
		if len(clean) == most {
			break
		}
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			r = '?'
		}
		clean = append(clean, r)
	}
	return string(clean)
}
