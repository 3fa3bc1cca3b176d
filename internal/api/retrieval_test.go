package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"portico/internal/access"
	"portico/internal/api/apitest"
	"portico/internal/errdefs"
	"portico/internal/file"
	"portico/internal/knowledge"
	"portico/internal/retrieval"
)

// kept makes a file of a person's that can be found.
func kept(t *testing.T, s *apitest.Server, p *apitest.Person, name, text string) *file.File {
	t.Helper()
	ctx := context.Background()
	who := callerAs(p)
	f, err := s.Files.Upload(ctx, who, file.UploadInput{Filename: name, ContentType: "text/plain", Body: strings.NewReader(text), Process: true, Wait: true})
	if err != nil {
		t.Fatal(err)
	}
	wait, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if f, err = s.Retrieval.Wait(wait, f.ID); err != nil || f.Status != file.Completed {
		t.Fatalf("%+v %v", f, err)
	}
	return f
}

func callerAs(p *apitest.Person) *access.Principal {
	return &access.Principal{UserID: p.ID, Name: p.Name, Role: p.Role}
}

func collected(t *testing.T, s *apitest.Server, p *apitest.Person, name string, files ...*file.File) *knowledge.Knowledge {
	t.Helper()
	ctx := context.Background()
	sheet, err := s.Knowledge.Create(ctx, access.Author{Principal: callerAs(p), May: func(string) bool { return true }}, knowledge.Draft{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if _, err := s.Knowledge.AddFile(ctx, callerAs(p), sheet.ID, knowledge.Addition{FileID: f.ID}); err != nil {
			t.Fatal(err)
		}
	}
	return sheet.Knowledge
}

const retrievalBase = "/api/v1/retrieval"

func TestQuery(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	f := kept(t, s, s.User, "engines.txt", "The engine of the boat is loud.")
	k := collected(t, s, s.User, "boats", f)
	for path, body := range map[string]map[string]any{
		"/query/doc":        {"collection_name": "file-" + f.ID, "query": "engine", "k": 2},
		"/query/collection": {"collection_names": []string{k.ID}, "query": "engine", "k": 2},
	} {
		a := s.Do(t, s.User.Key, "POST", retrievalBase+path, body)
		var got struct {
			Documents [][]string
			Distances [][]float64
			Metadatas [][]map[string]any
		}
		if err := json.Unmarshal([]byte(a.Body), &got); err != nil || a.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, a.Status, a.Body)
		}
		if len(got.Documents) != 1 || len(got.Documents[0]) != 1 || got.Documents[0][0] != "The engine of the boat is loud." {
			t.Errorf("%s: %s", path, a.Body)
		}
		if d := got.Distances[0][0]; d <= 0 || d > 1 {
			t.Errorf("%s: a distance of %v", path, d)
		}
		if m := got.Metadatas[0][0]; m["file_id"] != f.ID || m["name"] != "engines.txt" || m["created_by"] != s.User.ID {
			t.Errorf("%s: %v", path, m)
		}
		if a := s.Do(t, s.Other.Key, "POST", retrievalBase+path, body); a.Status != http.StatusForbidden {
			t.Errorf("%s of somebody else: %d %s", path, a.Status, a.Body)
		}
		if a := s.Do(t, s.Admin.Key, "POST", retrievalBase+path, body); a.Status != http.StatusOK {
			t.Errorf("%s by an administrator: %d %s", path, a.Status, a.Body)
		}
	}
	a := s.Do(t, s.User.Key, "POST", retrievalBase+"/explain", map[string]any{"collection_names": []string{k.ID}, "query": "engine"})
	if v := a.JSON(t); a.Status != http.StatusOK || len(v["chunks"].([]any)) != 1 || len(v["context"].([]any)) != 1 {
		t.Errorf("explain: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.Admin.Key, "POST", retrievalBase+"/query/doc", map[string]any{"collection_name": "nobodys", "query": "x"}); a.Body != "null" {
		t.Errorf("a name that nobody has: %d %s", a.Status, a.Body)
	}
	for _, name := range []string{"nobodys", "user-memory-" + s.User.ID, "web-search-" + s.User.ID, "knowledge-bases", "", strings.Repeat("x", 300), "file-", "FILE-" + f.ID, strings.ToUpper(k.ID), k.ID + " ", strings.ReplaceAll(k.ID, "-", "_")} {
		a := s.Do(t, s.User.Key, "POST", retrievalBase+"/query/collection", map[string]any{"collection_names": []string{name}, "query": "engine"})
		if a.Status != http.StatusForbidden {
			t.Errorf("%q: %d %s", name, a.Status, a.Body)
		}
	}
}

func TestRetrievalConfig(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Env: map[string]string{"RAG_TOP_K": "4"}})
	before := s.Do(t, s.Admin.Key, "GET", retrievalBase+"/config", nil).JSON(t)
	if before["TOP_K"] != 4.0 || before["ENABLE_RAG_HYBRID_SEARCH"] != true || before["FILE_MAX_SIZE"] != nil || before["web"] == nil {
		t.Errorf("%v", before)
	}
	// The whole form comes back as it was sent out, and changes nothing.
	if a := s.Do(t, s.Admin.Key, "POST", retrievalBase+"/config/update", before); a.Status != http.StatusOK {
		t.Errorf("the form itself: %d %s", a.Status, a.Body)
	}
	after := s.Do(t, s.Admin.Key, "POST", retrievalBase+"/config/update", map[string]any{
		"CHUNK_SIZE": 500, "FILE_MAX_SIZE": 7, "RAG_EXTERNAL_RERANKER_API_KEY": "sk-canary-0123456789", "RAG_EXTERNAL_RERANKER_TIMEOUT": "30", "TOP_K": nil,
	})
	v := after.JSON(t)
	if after.Status != http.StatusOK || v["CHUNK_SIZE"] != 500.0 || v["FILE_MAX_SIZE"] != 7.0 || v["RAG_EXTERNAL_RERANKER_TIMEOUT"] != "30" ||
		strings.Contains(after.Body, "canary") {
		t.Errorf("%d %s", after.Status, after.Body)
	}
	for field, c := range map[string]struct {
		value any
		want  int
	}{
		"TOP_K": {5, http.StatusConflict}, "CHUNK_SIZE": {"x", http.StatusBadRequest}, "CHUNK_OVERLAP": {-1, http.StatusBadRequest},
		"HYBRID_BM25_WEIGHT": {2, http.StatusBadRequest}, "RAG_EXTERNAL_RERANKER_TIMEOUT": {"soon", http.StatusBadRequest},
	} {
		if a := s.Do(t, s.Admin.Key, "POST", retrievalBase+"/config/update", map[string]any{field: c.value}); a.Status != c.want {
			t.Errorf("%s = %v: %d %s", field, c.value, a.Status, a.Body)
		}
	}
	set := map[string]any{"RAG_EMBEDDING_ENGINE": "openai", "RAG_EMBEDDING_MODEL": "m", "openai_config": map[string]any{"url": "http://x/v1", "key": "sk-canary-0123456789"}}
	if a := s.Do(t, s.Admin.Key, "POST", retrievalBase+"/embedding/update", set); a.Status != http.StatusOK || strings.Contains(a.Body, "canary") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.Admin.Key, "POST", retrievalBase+"/embedding/update", map[string]any{"RAG_EMBEDDING_ENGINE": ""}); a.Status != http.StatusUnprocessableEntity {
		t.Errorf("without a model: %d", a.Status)
	}
}

func TestProcess(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Fetch: func(_ context.Context, url string) (*retrieval.Page, error) {
		if url != "https://example.com/page" {
			return nil, errdefs.New(errdefs.Invalid, "No such page.")
		}
		return &retrieval.Page{URL: url, Name: "page", ContentType: "text/html", Body: []byte("<title>Tides</title><p>The tide comes twice a day.</p>")}, nil
	}})
	do := func(path string, body any, want int) map[string]any {
		t.Helper()
		a := s.Do(t, s.User.Key, "POST", retrievalBase+path, body)
		if a.Status != want {
			t.Fatalf("%s: %d %s", path, a.Status, a.Body)
		}
		return a.JSON(t)
	}
	asked := func(name, question string) string {
		t.Helper()
		return s.Do(t, s.User.Key, "POST", retrievalBase+"/query/collection", map[string]any{"collection_names": []string{name}, "query": question}).Body
	}
	text := do("/process/text", map[string]any{"name": "n", "content": "A glacier moves slowly."}, http.StatusOK)
	if name, _ := text["collection_name"].(string); len(name) != 64 || !strings.Contains(asked(name, "glacier"), "moves slowly") {
		t.Errorf("%v", text)
	}
	do("/process/text", map[string]any{"name": "n", "content": "A second text.", "collection_name": "mine"}, http.StatusOK)
	do("/process/text", map[string]any{"name": "n", "content": "A second text.", "collection_name": "mine"}, http.StatusOK)
	if got := asked("mine", "second text"); strings.Count(got, "A second text.") != 1 {
		t.Errorf("the same text twice: %s", got)
	}
	page := do("/process/web", map[string]any{"url": "https://example.com/page"}, http.StatusOK)
	if name, _ := page["collection_name"].(string); len(name) != 63 || !strings.Contains(asked(name, "tide"), `"source":"https://example.com/page"`) {
		t.Errorf("%v: %s", page, asked(name, "tide"))
	}
	do("/process/web", map[string]any{"url": "https://example.com/other"}, http.StatusBadRequest)
	do("/process/text", map[string]any{"name": "n", "content": " "}, http.StatusBadRequest)
	do("/process/text", map[string]any{"name": "n", "content": "x", "collection_name": "no such/name"}, http.StatusBadRequest)
	do("/process/web/search", map[string]any{"queries": []string{"x"}}, http.StatusForbidden)
	do("/process/file", map[string]any{"file_id": "none"}, http.StatusNotFound)
	f := kept(t, s, s.User, "a.txt", "Old words.")
	if got := do("/process/file", map[string]any{"file_id": f.ID, "content": "New words."}, http.StatusOK); got["content"] != "New words." || got["collection_name"] != "file-"+f.ID {
		t.Errorf("%v", got)
	}
	theirs := collected(t, s, s.Other, "theirs")
	for _, path := range []string{"/process/text", "/process/file", "/process/web", "/process/files/batch"} {
		do(path, map[string]any{"file_id": f.ID, "files": []any{map[string]any{"id": f.ID}}, "name": "n", "content": "x", "url": "https://example.com/page", "collection_name": theirs.ID}, http.StatusForbidden)
	}
	mine := collected(t, s, s.User, "mine too")
	batch := do("/process/files/batch", map[string]any{"files": []any{map[string]any{"id": f.ID}, map[string]any{"id": "none"}}, "collection_name": mine.ID}, http.StatusOK)
	if len(batch["results"].([]any)) != 1 || len(batch["errors"].([]any)) != 1 {
		t.Errorf("%v", batch)
	}
	if s.Do(t, s.User.Key, "GET", "/api/v1/files/count", nil).Body != "1" {
		t.Error("texts and pages are listed among the files")
	}
}

// Nothing of one person reaches another through any way into retrieval.
func TestRAGPathsAll(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	const marker = "MARKER-OF-THE-OWNER-7431"
	f := kept(t, s, s.User, "secret.txt", "The word is "+marker+".")
	k := collected(t, s, s.User, "secrets", f)
	text := s.Do(t, s.User.Key, "POST", retrievalBase+"/process/text", map[string]any{"name": "n", "content": "Also " + marker + ".", "collection_name": "notes"})
	if text.Status != http.StatusOK {
		t.Fatal(text.Body)
	}
	own := kept(t, s, s.Other, "own.txt", "My own words about nothing.")
	names := []string{"file-" + f.ID, f.ID, k.ID, "notes", "secrets", strings.ToUpper(k.ID)}
	var items []map[string]any
	for _, name := range names {
		for _, full := range []string{"", "full"} {
			items = append(items,
				map[string]any{"type": "collection", "id": name, "context": full},
				map[string]any{"type": "collection", "collection_name": name, "context": full},
				map[string]any{"type": "collection", "collection_names": []string{"file-" + own.ID, name}, "legacy": true, "context": full},
				map[string]any{"collection_name": name, "context": full},
				map[string]any{"collection_names": []string{name}, "context": full},
				map[string]any{"type": "text", "collection_name": name, "context": full},
				map[string]any{"type": "web_search", "collection_name": name, "context": full},
			)
		}
	}
	for _, kind := range []string{"file", "note", "chat", "folder", "text", "url", "image", "doc", ""} {
		for _, full := range []string{"", "full"} {
			items = append(items,
				map[string]any{"type": kind, "id": f.ID, "url": f.ID, "context": full},
				map[string]any{"type": kind, "file": map[string]any{"id": f.ID}, "context": full},
				map[string]any{"type": kind, "id": own.ID, "file": map[string]any{"id": f.ID}, "context": full},
			)
		}
	}
	ctx := context.Background()
	gather := func(p *apitest.Person, item map[string]any) (string, []string) {
		t.Helper()
		raw, err := json.Marshal(item)
		if err != nil {
			t.Fatal(err)
		}
		var i retrieval.Item
		if err := json.Unmarshal(raw, &i); err != nil {
			t.Fatal(err)
		}
		got, err := s.Retrieval.Gather(ctx, callerAs(p), []retrieval.Item{i}, retrieval.Question{Text: "the word " + marker})
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		all, err := json.Marshal(got.Sources)
		if err != nil {
			t.Fatal(err)
		}
		return string(all), got.Warnings
	}
	for _, item := range items {
		if got, _ := gather(s.Other, item); strings.Contains(got, marker) {
			t.Errorf("%v gives another person %s", item, got)
		}
	}
	for _, name := range names {
		for _, path := range []string{"/query/doc", "/query/collection", "/explain"} {
			body := map[string]any{"collection_name": name, "collection_names": []string{"file-" + own.ID, name}, "query": marker}
			if a := s.Do(t, s.Other.Key, "POST", retrievalBase+path, body); a.Status != http.StatusForbidden || strings.Contains(a.Body, marker) {
				t.Errorf("%s %s: %d %s", path, name, a.Status, a.Body)
			}
		}
	}
	// What is not theirs and what is not there is told alike.
	_, foreign := gather(s.Other, map[string]any{"type": "file", "id": f.ID})
	_, absent := gather(s.Other, map[string]any{"type": "file", "id": "x"})
	if len(foreign) != 1 || len(absent) != 1 || strings.ReplaceAll(foreign[0], f.ID, "x") != absent[0] {
		t.Errorf("%q %q", foreign, absent)
	}
	// And the owner gets it, each way that there is.
	for _, item := range []map[string]any{
		{"type": "file", "id": f.ID}, {"type": "file", "id": f.ID, "context": "full"}, {"type": "collection", "id": k.ID},
		{"type": "collection", "id": k.ID, "context": "full"}, {"collection_names": []string{"file-" + f.ID}}, {"type": "text", "collection_name": "notes"},
	} {
		if got, warnings := gather(s.User, item); !strings.Contains(got, marker) || len(warnings) > 0 {
			t.Errorf("%v gives the owner %s %q", item, got, warnings)
		}
	}
}

// What a client brings with its items is used as it is.
func TestGatherInline(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	for item, want := range map[string]string{
		`{"type":"text","content":"brought along","name":"n"}`:                                                "n|brought along",
		`{"type":"text","file":{"filename":"f","data":{"content":"in a file"}}}`:                              "f|in a file",
		`{"type":"file","context":"full","file":{"filename":"f","data":{"content":"whole"}}}`:                 "f|whole",
		`{"type":"doc","docs":[{"content":"one","metadata":{"source":"u"}},{"content":"two"}],"name":"both"}`: "u|one both|two",
	} {
		var i retrieval.Item
		if err := json.Unmarshal([]byte(item), &i); err != nil {
			t.Fatal(err)
		}
		got, err := s.Retrieval.Gather(context.Background(), callerAs(s.User), []retrieval.Item{i}, retrieval.Question{Text: "q"})
		if err != nil || len(got.Sources) != 1 || len(got.Warnings) != 0 {
			t.Fatalf("%s: %+v %v", item, got, err)
		}
		var texts []string
		for _, p := range got.Sources[0].Passages {
			texts = append(texts, fmt.Sprintf("%s|%s", p.Name, p.Text))
		}
		if !slices.Equal(texts, strings.Split(want, " ")) && strings.Join(texts, " ") != want {
			t.Errorf("%s: %q", item, texts)
		}
	}
}
