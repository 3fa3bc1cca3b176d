package extract

import (
	"slices"
	"strings"
	"unicode"
)

// dropEdges takes running heads, feet and page numbers away: lines among the
// two highest or lowest of a page, within its outer eighth, that stand at the
// same height on at least half of the pages, differ in digits alone and are not
// larger than the text. The first time one stays, unless it is a page number: it may be the title.
func dropEdges(pages []pdfPage, body float32) {
	const fewest = 4
	if len(pages) < fewest {
		return
	}
	type place struct {
		text   string
		height int
	}
	seen := map[place]int{}
	key := func(p *pdfPage, l *pdfLine) place {
		return place{text: edgeText(l.text()), height: int(l.top/4 + 0.5)}
	}
	for i := range pages {
		for _, j := range edges(&pages[i], body) {
			seen[key(&pages[i], &pages[i].lines[j])]++
		}
	}
	kept := map[place]bool{}
	for i := range pages {
		p := &pages[i]
		var drop []int
		for _, j := range edges(p, body) {
			k := key(p, &p.lines[j])
			if seen[k] < fewest || seen[k]*2 < len(pages) {
				continue
			}
			if !kept[k] && !pageNumber(k.text) {
				kept[k] = true
				continue
			}
			drop = append(drop, j)
		}
		slices.Sort(drop)
		for _, j := range slices.Backward(drop) {
			p.lines = slices.Delete(p.lines, j, j+1)
		}
	}
}

// edges gives the lines that may be running heads or feet.
func edges(p *pdfPage, body float32) []int {
	const outer = 0.125
	var all []int
	for j := range p.lines {
		l := &p.lines[j]
		if l.chars <= 150 && l.size <= body*larger && (l.bottom > p.height*(1-outer) || l.top < p.height*outer) {
			all = append(all, j)
		}
	}
	slices.SortStableFunc(all, func(a, b int) int {
		return int((p.lines[b].top - p.lines[a].top) * 8)
	})
	if len(all) > 4 {
		all = append(all[:2:2], all[len(all)-2:]...)
	}
	return all
}

// pageNumber reports whether a line is a number with few letters around it:
// "Page # of #".
func pageNumber(text string) bool {
	return strings.Contains(text, "#") && len(letters(text)) <= 12
}

// edgeText is a line without what differs from page to page.
func edgeText(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return '#'
		}
		return unicode.ToLower(r)
	}, s)
	for strings.Contains(s, "##") {
		s = strings.ReplaceAll(s, "##", "#")
	}
	return s
}
