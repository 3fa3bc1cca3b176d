package api_test

import (
	"encoding/json"
	"testing"

	"portico/internal/api/apitest"
)

// TestTextsInLists holds that each file of a list has its own text, whatever
// its client put beside it.
func TestTextsInLists(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	texts := map[string]string{
		uploaded(t, s, s.Admin.Key, "", "@a.txt", `the "first" text`, "metadata", `{"content":"","data":{"content":""}}`): `the "first" text`,
		uploaded(t, s, s.Admin.Key, "", `@"content":"".txt`, `"content":""`):                                              `"content":""`,
		uploaded(t, s, s.Admin.Key, "", "@c.txt", "third <text>"):                                                         "third <text>",
	}
	var k struct{ ID string }
	made := s.Do(t, s.Admin.Key, "POST", "/api/v1/knowledge/create", `{"name":"k","description":""}`)
	if err := json.Unmarshal([]byte(made.Body), &k); err != nil {
		t.Fatal(err)
	}
	for id := range texts {
		if a := s.Do(t, s.Admin.Key, "POST", "/api/v1/knowledge/"+k.ID+"/file/add", map[string]string{"file_id": id}); a.Status != 200 {
			t.Fatal(a.Status, a.Body)
		}
	}
	for _, path := range []string{"/api/v1/files/", "/api/v1/knowledge/" + k.ID + "/files?include_content=true", "/api/v1/knowledge/search/files?include_content=true"} {
		var page struct {
			Items []struct {
				ID   string
				Data struct{ Content string }
			}
			Total int
		}
		a := s.Do(t, s.Admin.Key, "GET", path, nil)
		if err := json.Unmarshal([]byte(a.Body), &page); err != nil || len(page.Items) != 3 || page.Total != 3 {
			t.Fatalf("%s: %v %s", path, err, a.Body)
		}
		for _, f := range page.Items {
			if f.Data.Content != texts[f.ID] {
				t.Errorf("%s: %q, want %q", path, f.Data.Content, texts[f.ID])
			}
		}
	}
}
