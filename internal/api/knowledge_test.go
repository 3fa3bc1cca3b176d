package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"portico/internal/api/apitest"
)

// TestKnowledgeStatuses holds what each route says of a collection that is not
// there, and of one that the caller may not use, as clients know it.
func TestKnowledgeStatuses(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	a := s.Do(t, s.Admin.Key, "POST", "/api/v1/knowledge/create", `{"name":"Tides","description":""}`)
	if a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	id := a.JSON(t)["id"].(string)
	for _, c := range []struct {
		method, path, body string
		absent, denied     int
	}{
		{"GET", "", "", 404, 401},
		{"GET", "/files", "", 400, 400},
		{"GET", "/files/pending", "", 404, 400},
		{"POST", "/update", `{"name":"n","description":"d"}`, 400, 400},
		{"POST", "/access/update", `{"access_grants":[]}`, 404, 400},
		{"POST", "/reset", "", 400, 400},
		{"POST", "/file/move", `{"file_id":"f"}`, 404, 403},
		{"POST", "/dirs/create", `{"name":"n"}`, 404, 403},
		{"POST", "/dirs/d/update", `{"name":"n"}`, 404, 403},
		{"DELETE", "/dirs/d/delete", "", 404, 403},
		{"POST", "/sync/diff", `{"manifest":[]}`, 404, 403},
		{"POST", "/sync/cleanup", `{"file_ids":[]}`, 404, 403},
		{"DELETE", "/delete", "", 400, 400},
	} {
		var body any
		if c.body != "" {
			body = json.RawMessage(c.body)
		}
		if a := s.Do(t, s.Admin.Key, c.method, "/api/v1/knowledge/nope"+c.path, body); a.Status != c.absent {
			t.Errorf("%s %s, absent: %d %s", c.method, c.path, a.Status, a.Body)
		}
		if a := s.Do(t, s.User.Key, c.method, "/api/v1/knowledge/"+id+c.path, body); a.Status != c.denied {
			t.Errorf("%s %s, denied: %d %s", c.method, c.path, a.Status, a.Body)
		}
	}
	a = s.Do(t, s.Admin.Key, "POST", "/api/v1/knowledge/"+id+"/dirs/create", `{"name":"north"}`)
	dir := a.JSON(t)["id"].(string)
	if a := s.Do(t, s.Admin.Key, "DELETE", "/api/v1/knowledge/"+id+"/dirs/"+dir+"/delete", nil); !strings.Contains(a.Body, `"status":true`) {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// TestQueryOfNothing: one collection that is not there is null, a list of them
// finds nothing.
func TestQueryOfNothing(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	a := s.Do(t, s.Admin.Key, "POST", "/api/v1/retrieval/query/collection", `{"collection_names":["nobodys"],"query":"x"}`)
	if a.Status != http.StatusOK || !strings.Contains(a.Body, `"documents":[[]]`) {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// TestLimitsOfFiles: null leaves a limit as it is, an empty text takes it away.
func TestLimitsOfFiles(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	for _, c := range []struct {
		body string
		want any
	}{{`{"FILE_MAX_SIZE":7}`, 7.0}, {`{"FILE_MAX_SIZE":null}`, 7.0}, {`{"FILE_MAX_SIZE":""}`, nil}} {
		a := s.Do(t, s.Admin.Key, "POST", "/api/v1/retrieval/config/update", json.RawMessage(c.body))
		if a.Status != http.StatusOK || a.JSON(t)["FILE_MAX_SIZE"] != c.want {
			t.Errorf("%s: %d %.200s", c.body, a.Status, a.Body)
		}
	}
}
