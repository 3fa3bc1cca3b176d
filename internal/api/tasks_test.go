package api_test

import (
	"strings"
	"testing"

	"portico/internal/api/apitest"
)

func TestTaskQuestions(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	const body = `{"model":"mock","messages":[{"role":"user","content":"Why is the sky blue?"},{"role":"assistant","content":[{"type":"text","text":"Light."}]}],"chat_id":"anything"}`
	for path, want := range map[string]int{"title": 200, "tags": 200, "follow_up": 200, "follow-up": 200, "queries": 200, "emoji": 200, "image_prompt": 200, "auto": 400} {
		a := s.Do(t, s.Admin.Key, "POST", "/api/v1/tasks/"+path+"/completions", body)
		if a.Status != want || want == 200 && !strings.Contains(a.Body, `"content":"hello"`) {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
	for _, c := range []struct {
		key, path, body string
		want            int
	}{
		{s.Admin.Key, "title", `{"model":"none","messages":[]}`, 404},
		{s.User.Key, "title", body, 404}, // private to administrators
		{s.Admin.Key, "title", `{"messages":[]}`, 422},
		{s.Admin.Key, "title", `{"model":"mock","messages":{}}`, 422},
	} {
		if a := s.Do(t, c.key, "POST", "/api/v1/tasks/"+c.path+"/completions", c.body); a.Status != c.want {
			t.Errorf("%s %s: %d %s", c.path, c.body, a.Status, a.Body)
		}
	}
	if a := s.Do(t, s.User.Key, "POST", "/api/v1/tasks/config/update", `{}`); a.Status != 401 {
		t.Errorf("config by a user: %d", a.Status)
	}
	a := s.Do(t, s.Admin.Key, "POST", "/api/v1/tasks/config/update",
		`{"ENABLE_TITLE_GENERATION":false,"ENABLE_AUTOCOMPLETE_GENERATION":true,"AUTOCOMPLETE_GENERATION_INPUT_MAX_LENGTH":3,"TASK_MODEL":null,"TASK_MODEL_EXTERNAL":"none","TAGS_GENERATION_PROMPT_TEMPLATE":"Tags of {{MESSAGES}}"}`).JSON(t)
	if a["ENABLE_TITLE_GENERATION"] != false || a["ENABLE_TAGS_GENERATION"] != true || a["TASK_MODEL_EXTERNAL"] != "none" || a["TAGS_GENERATION_PROMPT_TEMPLATE"] != "Tags of {{MESSAGES}}" {
		t.Errorf("got %v", a)
	}
	for body, want := range map[string]int{`{"model":"mock","prompt":"Why","type":"general"}`: 200, `{"model":"mock","prompt":"Wh\u00fcy"}`: 400} {
		if a := s.Do(t, s.Admin.Key, "POST", "/api/v1/tasks/auto/completions", body); a.Status != want {
			t.Errorf("%s: %d %s", body, a.Status, a.Body)
		}
	}
	if a := s.Do(t, s.Admin.Key, "POST", "/api/v1/tasks/title/completions", body); a.Status != 400 {
		t.Errorf("switched off: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.Admin.Key, "POST", "/api/v1/tasks/config/update", `{"TITLE_GENERATION_PROMPT_TEMPLATE":"`+strings.Repeat("x", 65<<10)+`"}`); a.Status != 400 {
		t.Errorf("a long template: %d", a.Status)
	}
}

func TestTasksOfOthers(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	id := saved(t, s, s.User, twoTurns)
	for _, c := range []struct {
		who          *apitest.Person
		method, path string
		want         int
	}{
		{s.User, "GET", "/api/tasks/chat/" + id, 200},
		{s.User, "POST", "/api/tasks/chat/" + id + "/stop", 200},
		{s.Other, "GET", "/api/tasks/chat/" + id, 404},
		{s.Other, "POST", "/api/tasks/chat/" + id + "/stop", 404},
		{s.Other, "GET", "/api/tasks/chat/absent", 404},
		{s.Admin, "GET", "/api/tasks/chat/" + id, 200},
		{s.User, "GET", "/api/tasks", 401},
		{s.Admin, "POST", "/api/tasks/stop/none", 404},
	} {
		if a := s.Do(t, c.who.Key, c.method, c.path, nil); a.Status != c.want {
			t.Errorf("%s %s as %s: %d %s", c.method, c.path, c.who.Name, a.Status, a.Body)
		}
	}
}
