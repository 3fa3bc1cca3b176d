package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"portico/internal/api/route"
)

var update = flag.Bool("update", false, "write openapi.json anew")

// TestOpenAPI keeps the document that is embedded equal to the routes. After
// a change of the routes: go test ./internal/api -run TestOpenAPI -update
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	doc, err := Document(new(API).Routes())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.json", doc, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(doc, OpenAPI) {
		t.Error("openapi.json is not what the routes say; run this test with -update and look at the difference")
	}
	again, err := Document(new(API).Routes())
	if err != nil || !bytes.Equal(doc, again) {
		t.Errorf("two documents of the same routes differ; %v", err)
	}
}

// TestOpenAPIIsWhole follows every reference and finds every row.
func TestOpenAPIIsWhole(t *testing.T) {
	t.Parallel()
	rows := new(API).Routes()
	raw, err := Document(rows)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths      map[string]map[string]operation
		Components struct {
			Schemas         map[string]any
			SecuritySchemes map[string]any
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	for _, ref := range regexp.MustCompile(`"\$ref": "([^"]*)"`).FindAllStringSubmatch(string(raw), -1) {
		name, ok := strings.CutPrefix(ref[1], "#/components/schemas/")
		if _, there := doc.Components.Schemas[name]; !ok || !there {
			t.Errorf("the reference %q leads nowhere", ref[1])
		}
	}
	ids := map[string]bool{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if op.OperationID == "" || op.Summary == "" || ids[op.OperationID] {
				t.Errorf("%s %s: operation %q is nameless, mute or there twice", method, path, op.OperationID)
			}
			ids[op.OperationID] = true
			var params []string
			for _, p := range op.Parameters {
				if p.In == "path" {
					params = append(params, "{"+p.Name+"}")
				}
			}
			if want := regexp.MustCompile(`\{[^}]*\}`).FindAllString(path, -1); !slices.Equal(params, want) {
				t.Errorf("%s %s: parameters %v", method, path, params)
			}
			for _, s := range op.Security {
				for name := range s {
					if doc.Components.SecuritySchemes[name] == nil {
						t.Errorf("%s %s: security %q is unknown", method, path, name)
					}
				}
			}
		}
	}
	for i := range rows {
		row := &rows[i]
		for _, path := range row.Paths() {
			op, ok := doc.Paths[strings.ReplaceAll(path, "...}", "}")][strings.ToLower(row.Method)]
			if !ok {
				t.Errorf("%s %s has no operation", row.Method, path)
			}
			if public := row.Who == route.Public; public != (len(op.Security) == 0) {
				t.Errorf("%s %s: security %v", row.Method, path, op.Security)
			}
		}
	}
}

type operation struct {
	OperationID string
	Summary     string
	Parameters  []struct{ Name, In string }
	Security    []map[string]any
}

type recursive struct {
	Name  string          `json:"name" require:"true" doc:"what it is called"`
	Next  *recursive      `json:"next"`
	Raw   any             `json:"raw,omitempty"`
	Bytes []byte          `json:"bytes"`
	Inner struct{ A int } `json:"inner"`
}

func TestSchemas(t *testing.T) {
	t.Parallel()
	s := newSchemas()
	out, in := s.of([]recursive{}, false), s.of(map[string]*recursive{}, true)
	got, _ := json.Marshal([]any{out, in, s.components})
	want := `[{"items":{"$ref":"#/components/schemas/Recursive"},"type":"array"},` +
		`{"additionalProperties":{"anyOf":[{"$ref":"#/components/schemas/RecursiveInput"},{"type":"null"}]},"type":"object"},` +
		`{"Recursive":{"properties":{"bytes":{"contentEncoding":"base64","type":"string"},"inner":{"properties":{"A":{"type":"integer"}},"required":["A"],"type":"object"},"name":{"description":"what it is called","type":"string"},"next":{"anyOf":[{"$ref":"#/components/schemas/Recursive"},{"type":"null"}]},"raw":{}},"required":["bytes","inner","name","next"],"type":"object"},` +
		`"RecursiveInput":{"properties":{"bytes":{"contentEncoding":"base64","type":"string"},"inner":{"properties":{"A":{"type":"integer"}},"type":"object"},"name":{"description":"what it is called","type":"string"},"next":{"anyOf":[{"$ref":"#/components/schemas/RecursiveInput"},{"type":"null"}]},"raw":{}},"required":["name"],"type":"object"}}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDocs(t *testing.T) {
	t.Parallel()
	a := &API{}
	e, err := newEdge(a.Routes(), stub{}, Config{Dev: true, AnonymousRate: -1})
	if err != nil {
		t.Fatal(err)
	}
	page := ask(e, "GET", "/docs", "")
	if page.Code != 200 || !strings.HasPrefix(page.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("%d %v", page.Code, page.Header())
	}
	policy := page.Header().Get("Content-Security-Policy")
	if strings.Count(policy, "sha256-") != 2 || strings.Contains(policy, "script-src 'self' 'unsafe") {
		t.Errorf("policy %q", policy)
	}
	body := regexp.MustCompile(`"https?://"`).ReplaceAllString(page.Body.String(), "") // what scripts compare with
	if m := regexp.MustCompile(`(?i)(https?:)?//[a-z0-9.-]+\.[a-z]+`).FindString(body); m != "" {
		t.Errorf("the page refers to %s", m)
	}
	files := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(body, -1)
	if len(files) < 4 {
		t.Errorf("files %v", files)
	}
	for _, f := range files {
		if w := ask(e, "GET", f[1], ""); w.Code != 200 || w.Body.Len() == 0 {
			t.Errorf("%s: %d", f[1], w.Code)
		}
	}
	if w := ask(e, "GET", "/docs/nope.js", ""); w.Code != 404 || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("unknown file: %d", w.Code)
	}
	if w := ask(e, "GET", "/openapi.json", ""); w.Code != 200 || !bytes.Equal(w.Body.Bytes(), OpenAPI) {
		t.Errorf("document: %d", w.Code)
	}
	e.dev = false
	for _, path := range []string{"/docs", "/docs/", "/docs/swagger-ui.css", "/openapi.json"} {
		if w := ask(e, "GET", path, ""); w.Code != 404 || w.Body.String() != `{"detail":"Not Found"}` {
			t.Errorf("%s in production: %d %s", path, w.Code, w.Body)
		}
	}
}
