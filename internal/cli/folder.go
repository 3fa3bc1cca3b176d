package cli

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
)

// listing is one file of a folder, as the manifest has it.
type listing struct {
	Path string `json:"path"` // with /
	Hash string `json:"hash"`
	Size int64  `json:"size"`
}

// scan says which files of a folder count.
type scan struct {
	hidden bool     // also those whose name begins with a dot
	rules  []ignore // the last that fits wins
}

// files gives the regular files of a folder, by path, without their hashes.
// Links are not followed: what they lead to may be outside.
func (s *scan) files(root *os.Root) (list []listing, err error) {
	err = fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if p == "." {
			return nil
		}
		if !s.hidden && strings.HasPrefix(d.Name(), ".") || ignored(s.rules, p, d.IsDir()) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		list = append(list, listing{Path: p, Size: info.Size()})
		return nil
	})
	return list, err
}

// hash fills in the hashes, two files at a time, and gives those that cannot be
// read.
func hash(ctx context.Context, root *os.Root, list []listing, told func(n int64)) (failed []outcome) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	next := make(chan int)
	for range 2 {
		wg.Go(func() {
			for i := range next {
				err := hashOne(root, &list[i], told)
				if err != nil {
					mu.Lock()
					failed = append(failed, outcome{Path: list[i].Path, Error: err.Error()})
					mu.Unlock()
				}
			}
		})
	}
	for i := range list {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	return failed
}

func hashOne(root *os.Root, l *listing, told func(n int64)) error {
	f, err := root.Open(l.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if l.Size, err = io.Copy(sum, f); err != nil {
		return err
	}
	l.Hash = hex.EncodeToString(sum.Sum(nil))
	told(l.Size)
	return nil
}

// ignore is one line of a list of patterns, as version control systems have
// them: * and ? within a name, ** for any folders, / at the end for folders
// only, / elsewhere to begin at the top, ! to take a file in again.
type ignore struct {
	segments []string
	anchored bool // from the top
	folders  bool // only folders
	again    bool // not ignored after all
}

// readIgnore reads a pattern; false for a comment or an empty line.
func readIgnore(line string) (g ignore, ok bool) {
	line = strings.TrimRight(line, " \t\r")
	if line == "" || strings.HasPrefix(line, "#") {
		return ignore{}, false
	}
	line, g.again = strings.CutPrefix(line, "!")
	line, g.folders = strings.CutSuffix(line, "/")
	line, rooted := strings.CutPrefix(line, "/")
	g.anchored = rooted || strings.Contains(line, "/")
	g.segments = strings.Split(line, "/")
	return g, line != ""
}

func readIgnores(r io.Reader) (rules []ignore, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if g, ok := readIgnore(lines.Text()); ok {
			rules = append(rules, g)
		}
	}
	return rules, lines.Err()
}

// ignored reports whether the rules leave out a file or folder. What is in a
// folder that is left out is never asked for.
func ignored(rules []ignore, p string, folder bool) bool {
	for _, g := range slices.Backward(rules) {
		if g.folders && !folder {
			continue
		}
		names := strings.Split(p, "/")
		if !g.anchored {
			names = names[len(names)-1:]
		}
		if fits(g.segments, names) {
			return !g.again
		}
	}
	return false
}

// fits matches names with patterns, one by one; ** is any number of names.
func fits(patterns, names []string) bool {
	if len(patterns) == 0 {
		return len(names) == 0
	}
	if patterns[0] == "**" {
		for i := range len(names) + 1 {
			if fits(patterns[1:], names[i:]) {
				return true
			}
		}
		return false
	}
	if len(names) == 0 {
		return false
	}
	ok, err := path.Match(patterns[0], names[0])
	return err == nil && ok && fits(patterns[1:], names[1:])
}
