// Package portico holds no code: its test keeps the house as it was planned.
// docs/architecture.md says why.
package portico

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// may says which rooms each room may import. A room that is not named here
// fails the test, so that a new one is a decision. Only server may all.
var may = map[string]string{
	"errdefs":                  "",
	"rawjson":                  "",
	"sse":                      "",
	"event":                    "",
	"hop":                      "",
	"egress":                   "",
	"relay":                    "",
	"language":                 "",
	"usage":                    "",
	"telemetry":                "",
	"user":                     "",
	"config":                   "",
	"schema/openai":            "",
	"schema/ollama":            "",
	"access":                   "user errdefs",
	"setting":                  "event errdefs rawjson",
	"auth":                     "user access event setting errdefs",
	"provider":                 "rawjson errdefs hop",
	"provider/openai":          "provider hop sse rawjson errdefs",
	"provider/ollama":          "provider hop sse rawjson errdefs",
	"provider/quote":           "language provider rawjson errdefs",
	"provider/providertest":    "provider hop sse rawjson errdefs egress",
	"model":                    "provider access event setting errdefs rawjson user",
	"blob":                     "errdefs",
	"file":                     "access event setting errdefs blob",
	"task":                     "language",
	"conversation":             "access errdefs",
	"knowledge":                "file access event setting errdefs",
	"retrieval/document":       "",
	"retrieval/index":          "",
	"retrieval/extract":        "retrieval/document hop",
	"retrieval/extract/worker": "retrieval/document retrieval/extract",
	"retrieval/chunk":          "retrieval/document",
	"retrieval/embed":          "retrieval/embed/bert retrieval/embed/tensor retrieval/embed/tokenize hop errdefs",
	"retrieval/embed/tokenize": "",
	"retrieval/embed/tensor":   "",
	"retrieval/embed/bert":     "retrieval/embed/tensor",
	"retrieval/embed/worker":   "retrieval/embed errdefs",
	"retrieval/embed/weights":  "retrieval/embed errdefs",
	"retrieval/lexical":        "retrieval/index",
	"retrieval/float16":        "",
	"retrieval/vector":         "retrieval/index retrieval/float16",
	"retrieval/rerank":         "hop errdefs",
	"retrieval":                "language retrieval/document retrieval/index retrieval/extract retrieval/chunk retrieval/embed file knowledge blob access event setting errdefs user",
	"chat":                     "conversation language model provider relay rawjson access usage errdefs retrieval",
	"api/route":                "access errdefs rawjson",
	"api":                      "api/route conversation task auth user access setting model chat provider relay rawjson usage errdefs event schema/openai schema/ollama file knowledge retrieval blob",
	"store":                    "conversation user access auth model setting chat event errdefs file knowledge retrieval retrieval/index retrieval/float16 retrieval/chunk",
	"eval":                     "",
	"cli":                      "eval config server auth user errdefs api retrieval/extract retrieval/extract/worker retrieval/embed/weights retrieval/embed/worker",
	"server":                   "*",
}

// testRooms are imported by tests alone.
var testRooms = []string{"store/storetest", "blob/blobtest", "provider/providertest", "api/apitest", "retrieval/vector/vectortest", "retrieval/retrievaltest", "retrieval/extract/pdftest"}

type pkg struct {
	ImportPath, Dir, Doc               string
	Imports                            []string
	GoFiles, TestGoFiles, XTestGoFiles []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,Imports,GoFiles,TestGoFiles,XTestGoFiles", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		room, ok := strings.CutPrefix(p.ImportPath, "portico/internal/")
		if !ok || slices.Contains(testRooms, room) {
			continue
		}
		allowed, known := may[room]
		if !known {
			t.Errorf("room %s is not in the table of layout_test.go", room)
			continue
		}
		for _, i := range p.Imports {
			other, ours := strings.CutPrefix(i, "portico/internal/")
			if ours && allowed != "*" && !slices.Contains(strings.Fields(allowed), other) {
				t.Errorf("%s imports %s, which the table does not allow", room, other)
			}
		}
	}
}

func TestDocumented(t *testing.T) {
	for _, p := range packages(t) {
		if p.Doc == "" && len(p.GoFiles) > 0 {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

// The gates of a file.
const (
	maxFile = 32 << 10
	maxMain = 60 // lines
)

var (
	forbiddenName = regexp.MustCompile(`^(utils?|common|helpers?|misc|types|shared)(_test)?(\.go)?$`)
	// A registry or a path of one machine has no place in the sources.
	forbiddenText = regexp.MustCompile(`(?i)(https?://)?(pypi\.org|files\.pythonhosted\.org|registry\.npmjs\.org|proxy\.golang\.org|deb\.debian\.org)|/(work|root|opt)/[a-z]`)
)

func TestFiles(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != "." && (strings.HasPrefix(name, ".") && name != ".ci" || name == "bin" || name == "data" || name == "node_modules") {
				return fs.SkipDir
			}
			if forbiddenName.MatchString(name) {
				t.Errorf("%s: a folder is named after what is in it", path)
			}
			return nil
		}
		if forbiddenName.MatchString(name) {
			t.Errorf("%s: a file is named after what is in it", path)
		}
		checkFile(t, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkFile(t *testing.T, path string) {
	t.Helper()
	if strings.Contains(path, "testdata") || filepath.Ext(path) == ".sum" || path == "layout_test.go" {
		return
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(path) == ".go" && len(b) > maxFile {
		t.Errorf("%s has %d bytes, more than %d", path, len(b), maxFile)
	}
	if n := strings.Count(string(b), "\n"); filepath.Base(path) == "main.go" && strings.HasPrefix(path, "cmd") && n > maxMain {
		t.Errorf("%s has %d lines, more than %d", path, n, maxMain)
	}
	if m := forbiddenText.Find(b); m != nil {
		t.Errorf("%s names %q", path, m)
	}
}

// TestArchitectureListsRooms keeps docs/architecture.md and the tree alike.
func TestArchitectureListsRooms(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	for room := range may {
		if !strings.Contains(string(b), "`"+room+"`") {
			t.Errorf("docs/architecture.md does not name the room %s", room)
		}
	}
}
