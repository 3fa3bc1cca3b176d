package vector

import (
	"cmp"
	"encoding/binary"
	"flag"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"portico/internal/retrieval/embed"
)

// modelDir names the folder of all-MiniLM-L6-v2, which makes the file of
// -vectors if it is not there.
var modelDir = flag.String("model", "", "`folder` of the encoder that makes the file of -vectors if there is none")

// makeVectors embeds n paragraphs of the documentation of Go's own library: a
// text that is on every machine which can run this. It takes some minutes.
func makeVectors(t testing.TB, n int) {
	t.Helper()
	local, err := embed.OpenLocal(*modelDir, embed.LocalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	vectors, err := local.Passages(t.Context(), paragraphs(t, n), nil)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 0, 4*len(vectors))
	for _, f := range vectors {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	if err := os.WriteFile(*vectorsFile, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

var comment = regexp.MustCompile(`(?m)(?:^[ \t]*//.*\n){3,}`)

// paragraphs are comments of at least 120 characters, cut at 700.
func paragraphs(t testing.TB, n int) []string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	err = filepath.WalkDir(filepath.Join(strings.TrimSpace(string(root)), "src"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "testdata" || d.Name() == "vendor") {
			return cmp.Or(err, fs.SkipDir)
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		b, err := os.ReadFile(path)
		for _, c := range comment.FindAllString(string(b), -1) {
			c = strings.Join(strings.Fields(strings.ReplaceAll(c, "//", "")), " ")
			if len(c) >= 120 && !strings.Contains(c, "Copyright") {
				all = append(all, strings.ToValidUTF8(c[:min(700, len(c))], ""))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(n, len(all))]
}
