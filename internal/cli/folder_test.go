package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestIgnored(t *testing.T) {
	t.Parallel()
	rules, err := readIgnores(strings.NewReader("# comment\n\n*.log\n!keep.log\nbuild/\n/top.txt\ndocs/**/*.tmp\na/?.md  \n**/deep\n[\n"))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"x.log": true, "a/b/x.log": true, "keep.log": false, "a/keep.log": false, "build": false, "build/": true, "a/build/": true,
		"top.txt": true, "a/top.txt": false, "docs/x.tmp": true, "docs/a/b/x.tmp": true, "x.tmp": false, "a/b.md": true, "a/bc.md": false, "b/a/b.md": false,
		"deep": true, "x/y/deep": true, "deeper": false, "[": false,
	} {
		name, folder := strings.CutSuffix(path, "/")
		if got := ignored(rules, name, folder); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestScan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a.md", "sub/b.md", ".hidden", ".git/config", "skip/c.md"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	rule, _ := readIgnore("skip/")
	for _, c := range []struct {
		scan scan
		want []string
	}{
		{scan{}, []string{"a.md", "skip/c.md", "sub/b.md"}},
		{scan{hidden: true, rules: []ignore{rule}}, []string{".git/config", ".hidden", "a.md", "sub/b.md"}},
	} {
		list, err := c.scan.files(root)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range list {
			got = append(got, l.Path)
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%v, want %v", got, c.want)
		}
		list = append(list, listing{Path: "gone.md"})
		failed := hash(t.Context(), root, list, func(int64) {})
		if len(failed) != 1 || failed[0].Path != "gone.md" || list[0].Hash != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" || list[0].Size != 3 {
			t.Errorf("%+v %+v", failed, list[0])
		}
	}
}

func FuzzIgnored(f *testing.F) {
	f.Add("docs/**/*.tmp", "docs/a/b.tmp")
	f.Add("!/**/**/", "a")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if strings.Count(pattern, "**") > 4 || len(path) > 100 {
			return
		}
		if g, ok := readIgnore(pattern); ok {
			ignored([]ignore{g}, path, false)
		}
	})
}

func TestProgressLine(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	p := newProgress(&out, false, 2, 4_000_000)
	p.uploading("a.pdf", 1_000_000)
	p.at("a.pdf", stage{Status: "processing", Stage: "embed", Done: 3, Total: 9})
	if got := p.line(); got != "0/2 files, 1.0/4.0 MB, 3/9 chunks  a.pdf" {
		t.Error(got)
	}
	p.done("a.pdf", 1_000_000)
	p.done("b\x1b[2J.pdf", 3_000_000)
	if got := out.String(); !strings.Contains(got, "2/2 files") || !strings.Contains(got, "9/9 chunks") {
		t.Errorf("%q", got)
	}
	if got := cut("a\x1b[2Jé", 4); got != "a?[2" {
		t.Errorf("%q", got)
	}
}
