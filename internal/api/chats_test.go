package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"portico/internal/api/apitest"
	"portico/internal/conversation"
)

const twoTurns = `{"title":"Sky","models":["mock"],"history":{"currentId":"m4","messages":{
	"m1":{"id":"m1","parentId":null,"childrenIds":["m2"],"role":"user","content":"Why is the sky blue?","timestamp":10},
	"m2":{"id":"m2","parentId":"m1","childrenIds":["m3"],"role":"assistant","content":"Rayleigh scattering.","model":"mock","timestamp":12},
	"m3":{"id":"m3","parentId":"m2","childrenIds":["m4"],"role":"user","content":"And red at night?","timestamp":20},
	"m4":{"id":"m4","parentId":"m3","childrenIds":[],"role":"assistant","content":"A longer way.","model":"mock","timestamp":24}}}}`

// saved makes a chat and gives its id.
func saved(t *testing.T, s *apitest.Server, p *apitest.Person, body string) string {
	t.Helper()
	a := s.Do(t, p.Key, "POST", "/api/v1/chats/new", `{"chat":`+body+`}`)
	if a.Status != 200 {
		t.Fatalf("new chat: %d %s", a.Status, a.Body)
	}
	return a.JSON(t)["id"].(string)
}

func list(t *testing.T, a *apitest.Answer) []map[string]any {
	t.Helper()
	var all []map[string]any
	if err := json.Unmarshal([]byte(a.Body), &all); err != nil || a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return all
}

func TestChatLife(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	do := func(method, path string, body any) *apitest.Answer {
		t.Helper()
		return s.Do(t, s.User.Key, method, "/api/v1/chats/"+path, body)
	}
	id := saved(t, s, s.User, twoTurns)
	got := do("GET", id, nil).JSON(t)
	if got["title"] != "Sky" || got["current_message_id"] != "m4" || got["user_id"] != s.User.ID || got["archived"] != false {
		t.Errorf("got %v", got)
	}
	// Members are laid over, others stay.
	got = do("POST", id, `{"chat":{"title":"Sky & sea"}}`).JSON(t)
	if chat := got["chat"].(map[string]any); got["title"] != "Sky & sea" || chat["models"] == nil || chat["history"] == nil {
		t.Errorf("got %v", got)
	}
	if all := list(t, do("GET", "?page=1", nil)); len(all) != 1 || all[0]["title"] != "Sky & sea" || all[0]["chat"] != nil {
		t.Errorf("got %v", all)
	}
	for text, n := range map[string]int{"rayleigh": 1, "SEA": 1, "nowhere": 0, "tag:nature": 0, "tag:none": 1, "folder:x": 0, "pinned:true": 0, "archived:true": 0} {
		if all := list(t, do("GET", "search?text="+text, nil)); len(all) != n {
			t.Errorf("search %q: %v", text, all)
		}
	}
	if a := do("GET", "search", nil); a.Status != 422 {
		t.Errorf("search for nothing: %d", a.Status)
	}
	if tags := list(t, do("POST", id+"/tags", `{"name":"Big Nature"}`)); len(tags) != 1 || tags[0]["id"] != "big_nature" || tags[0]["name"] != "Big Nature" {
		t.Errorf("got %v", tags)
	}
	if n := len(list(t, do("GET", "search?text=tag:big_nature", nil))) + len(list(t, do("GET", "all/tags", nil))) + len(list(t, do("POST", "tags", `{"name":"big nature"}`))); n != 3 {
		t.Errorf("found by tag: %d", n)
	}
	if a := do("POST", id+"/tags", `{"name":"None"}`); a.Status != 400 {
		t.Errorf("the tag none: %d", a.Status)
	}
	if tags := list(t, do("DELETE", id+"/tags", `{"name":"big nature"}`)); len(tags) != 0 {
		t.Errorf("got %v", tags)
	}
	if a := do("POST", id+"/pin", nil); a.JSON(t)["pinned"] != true {
		t.Errorf("pin: %s", a.Body)
	}
	if n := len(list(t, do("GET", "", nil))); n != 0 {
		t.Errorf("pinned ones are in the list")
	}
	if n := len(list(t, do("GET", "pinned", nil))) + len(list(t, do("GET", "?include_pinned=true", nil))); n != 2 {
		t.Errorf("pinned: %d", n)
	}
	do("POST", id+"/pin", nil)
	if a := do("POST", id+"/archive", nil); a.JSON(t)["archived"] != true {
		t.Errorf("archive: %s", a.Body)
	}
	if a := do("GET", "archived/count", nil); a.Body != "1" || len(list(t, do("GET", "archived?query=sea", nil))) != 1 || len(list(t, do("GET", "archived?query=rayleigh", nil))) != 0 {
		t.Errorf("archived: %s", a.Body)
	}
	do("POST", "unarchive/all", nil)
	if a := do("POST", id+"/messages/m2", `{"content":"Light."}`); !strings.Contains(a.Body, `"content":"Light."`) || strings.Contains(a.Body, "Rayleigh") {
		t.Errorf("edit: %s", a.Body)
	}
	do("POST", id+"/messages/m2/event", `{"type":"message","data":{"content":" More."}}`)
	if a := do("GET", id, nil); !strings.Contains(a.Body, `"content":"Light. More."`) {
		t.Errorf("event: %s", a.Body)
	}
	if a := do("POST", id+"/messages/none", `{"content":"x"}`); a.Status != 404 {
		t.Errorf("edit of no message: %d", a.Status)
	}
	fork := do("POST", id+"/fork", `{"message_id":"m2"}`)
	if m := fork.JSON(t)["chat"].(map[string]any)["history"].(map[string]any); m["currentId"] != "m2" || len(m["messages"].(map[string]any)) != 2 {
		t.Errorf("fork: %s", fork.Body)
	}
	if a := do("POST", id+"/clone", nil); a.JSON(t)["title"] != "Clone of Sky & sea" {
		t.Errorf("clone: %s", a.Body)
	}
	if a := do("GET", "stats/usage", nil); a.JSON(t)["total"] != 3.0 || !strings.Contains(a.Body, `"history_message_count":4`) || !strings.Contains(a.Body, `"average_response_time":3`) {
		t.Errorf("stats: %s", a.Body)
	}
	all := do("GET", "all", nil)
	if len(list(t, all)) != 3 {
		t.Errorf("export: %s", all.Body)
	}
	if made := list(t, do("POST", "import", `{"chats":`+all.Body+`}`)); len(made) != 3 {
		t.Errorf("import: %v", made)
	}
	if a := do("DELETE", id, nil); a.Body != "true" || do("GET", id, nil).Status != 401 {
		t.Errorf("delete: %s", a.Body)
	}
	if a := do("DELETE", "", nil); a.Body != "true" || len(list(t, do("GET", "all", nil))) != 0 {
		t.Errorf("delete all: %s", a.Body)
	}
}

// TestChatRights tries every route on somebody else's chat, message and folder:
// the answer is that of what is not there, and nothing changes.
func TestChatRights(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	id := saved(t, s, s.User, twoTurns)
	folder := s.Do(t, s.User.Key, "POST", "/api/v1/folders/", `{"name":"Mine"}`).JSON(t)["id"].(string)
	before := s.Do(t, s.User.Key, "GET", "/api/v1/chats/"+id, nil).Body
	for _, who := range []*apitest.Person{s.Other, s.Admin} {
		for _, row := range s.API.Routes() {
			if row.Tag != "chats" && row.Tag != "folders" || !strings.Contains(row.Path, "{id}") || strings.Contains(row.Path, "/user/") {
				continue
			}
			answers := make([]string, 2)
			for i, target := range []string{id, "absent"} {
				if row.Tag == "folders" || strings.Contains(row.Path, "/folder/{id}") {
					target = strings.Replace(target, id, folder, 1)
				}
				path := strings.NewReplacer("{id}", target, "{message}", "m2").Replace(row.Path)
				a := s.Do(t, who.Key, row.Method, path, `{"chat":{"title":"x"},"name":"x","content":"x","type":"message","data":{},"is_expanded":true,"access_grants":[]}`)
				answers[i] = fmt.Sprint(a.Status, a.Body)
				mayRead := who == s.Admin && row.Method == "GET" && row.Op == "chat" && target == id
				want := 401
				if row.Tag == "folders" || strings.Contains(row.Path, "/folder/{id}") {
					want = 404
				}
				if a.Status != want && !mayRead {
					t.Errorf("%s %s as %s: %d %s", row.Method, path, who.Name, a.Status, a.Body)
				}
				if mayRead {
					answers[i] = "read"
				}
			}
			if answers[0] != answers[1] && answers[0] != "read" {
				t.Errorf("%s tells foreign from absent: %s", row.Path, answers)
			}
		}
		// Ids in bodies.
		for path, body := range map[string]string{"chats/new": `{"chat":{},"folder_id":"` + folder + `"}`, "folders/": `{"name":"n","parent_id":"` + folder + `"}`,
			"chats/import": `{"chats":[{"chat":{},"folder_id":"` + folder + `"}]}`} {
			if a := s.Do(t, who.Key, "POST", "/api/v1/"+path, body); a.Status != 404 {
				t.Errorf("%s into a foreign folder: %d %s", path, a.Status, a.Body)
			}
		}
	}
	if after := s.Do(t, s.User.Key, "GET", "/api/v1/chats/"+id, nil).Body; after != before {
		t.Errorf("it changed:\n%s\n%s", before, after)
	}
	if err := s.Settings.Set(t.Context(), map[string]any{"ui.enable_admin_chat_access": false, "ui.enable_admin_export": false}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{id, "list/user/" + s.User.ID, "all/db"} {
		if a := s.Do(t, s.Admin.Key, "GET", "/api/v1/chats/"+path, nil); a.Status != 401 {
			t.Errorf("switched off, %s: %d", path, a.Status)
		}
	}
	// What is the server's to say does not come from a body.
	a := s.Do(t, s.User.Key, "POST", "/api/v1/chats/new", `{"chat":{},"id":"mine","user_id":"`+s.Other.ID+`","share_id":"s","archived":true}`).JSON(t)
	if a["id"] == "mine" || a["user_id"] != s.User.ID || a["share_id"] != nil || a["archived"] != false {
		t.Errorf("got %v", a)
	}
}

func TestSharedChats(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	id := saved(t, s, s.User, twoTurns)
	share := func() string {
		a := s.Do(t, s.User.Key, "POST", "/api/v1/chats/"+id+"/share", nil)
		if a.Status != 200 {
			t.Fatalf("share: %d %s", a.Status, a.Body)
		}
		return a.JSON(t)["share_id"].(string)
	}
	link := share()
	read := func(p *apitest.Person) int { return s.Do(t, p.Key, "GET", "/api/v1/chats/share/"+link, nil).Status }
	if got := []int{read(s.User), read(s.Other)}; got[0] != 200 || got[1] != 401 {
		t.Errorf("without the permission to share with everybody: %v", got)
	}
	grant := `{"access_grants":[{"principal_type":"user","principal_id":"` + s.Other.ID + `","permission":"write"}]}`
	if a := s.Do(t, s.User.Key, "POST", "/api/v1/chats/shared/"+id+"/access/update", grant); a.Status != 200 {
		t.Fatalf("grant: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.User.Key, "POST", "/api/v1/chats/shared/"+id+"/access/update", `{"access_grants":[{"principal_type":"user","principal_id":"*","permission":"read"}]}`); a.Status != 403 {
		t.Errorf("a grant to everybody: %d %s", a.Status, a.Body)
	}
	if read(s.Other) != 200 || s.Do(t, s.Other.Key, "GET", "/api/v1/chats/"+id, nil).Status != 401 || s.Do(t, s.Other.Key, "POST", "/api/v1/chats/"+id, `{"chat":{}}`).Status != 401 {
		t.Error("a share is of the copy, for reading")
	}
	// What is said later is not shared until the copy is renewed.
	s.Do(t, s.User.Key, "POST", "/api/v1/chats/"+id+"/messages/m2", `{"content":"secret"}`)
	if a := s.Do(t, s.Other.Key, "GET", "/api/v1/chats/share/"+link, nil); strings.Contains(a.Body, "secret") || strings.Contains(a.Body, id) {
		t.Errorf("the copy changed: %s", a.Body)
	}
	if share() != link || !strings.Contains(s.Do(t, s.Other.Key, "GET", "/api/v1/chats/share/"+link, nil).Body, "secret") {
		t.Error("the copy was not renewed")
	}
	clone := s.Do(t, s.Other.Key, "POST", "/api/v1/chats/"+link+"/clone/shared", nil).JSON(t)
	if clone["user_id"] != s.Other.ID {
		t.Errorf("clone: %v", clone)
	}
	if len(list(t, s.Do(t, s.User.Key, "GET", "/api/v1/chats/shared", nil))) != 1 {
		t.Error("it is not in the list of shared chats")
	}
	if a := s.Do(t, s.User.Key, "DELETE", "/api/v1/chats/"+id+"/share", nil); a.Body != "true" || read(s.Other) != 401 || read(s.User) != 401 {
		t.Errorf("unshare: %s", a.Body)
	}
	if a := s.Do(t, s.Admin.Key, "POST", "/api/v1/chats/"+saved(t, s, s.Admin, `{}`)+"/share", nil).JSON(t); s.Do(t, s.Other.Key, "GET", "/api/v1/chats/share/"+a["share_id"].(string), nil).Status != 200 {
		t.Error("who may share with everybody does")
	}
}

func TestFolders(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	do := func(method, path string, body any) *apitest.Answer {
		t.Helper()
		return s.Do(t, s.User.Key, method, "/api/v1/folders/"+path, body)
	}
	parent, ids := "", []string{}
	for i := range 64 {
		a := do("POST", "", fmt.Sprintf(`{"name":"F %d","parent_id":%q}`, i, parent))
		if a.Status != 200 {
			t.Fatalf("folder %d: %d %s", i, a.Status, a.Body)
		}
		parent = a.JSON(t)["id"].(string)
		ids = append(ids, parent)
	}
	for what, a := range map[string]*apitest.Answer{
		"too deep":   do("POST", "", fmt.Sprintf(`{"name":"x","parent_id":%q}`, parent)),
		"a circle":   do("POST", ids[0]+"/update/parent", fmt.Sprintf(`{"parent_id":%q}`, ids[9])),
		"itself":     do("POST", ids[0]+"/update/parent", fmt.Sprintf(`{"parent_id":%q}`, ids[0])),
		"same name":  do("POST", "", `{"name":"f 0"}`),
		"no name":    do("POST", "", `{"name":"  "}`),
		"long name":  do("POST", "", `{"name":"`+strings.Repeat("x", 257)+`"}`),
		"meta list":  do("POST", "", `{"name":"n","meta":[]}`),
		"wrong data": do("POST", ids[0]+"/update", `{"data":"x"}`),
	} {
		if a.Status != 400 {
			t.Errorf("%s: %d %s", what, a.Status, a.Body)
		}
	}
	if a := do("POST", ids[0]+"/update/parent", `{"parent_id":"absent"}`); a.Status != 404 {
		t.Errorf("no parent: %d", a.Status)
	}
	if a := do("POST", ids[63]+"/update/parent", `{"parent_id":null}`); a.JSON(t)["parent_id"] != nil {
		t.Errorf("to the top: %s", a.Body)
	}
	if a := do("POST", ids[0]+"/update/expanded", `{"is_expanded":true}`).JSON(t); a["is_expanded"] != true {
		t.Errorf("got %v", a)
	}
	if a := do("POST", ids[0]+"/update", `{"name":"Top","meta":{"icon":"i"}}`).JSON(t); a["name"] != "Top" || a["is_expanded"] != true {
		t.Errorf("got %v", a)
	}
	id := saved(t, s, s.User, twoTurns)
	if a := s.Do(t, s.User.Key, "POST", "/api/v1/chats/"+id+"/folder", fmt.Sprintf(`{"folder_id":%q}`, ids[5])); a.JSON(t)["folder_id"] != ids[5] {
		t.Errorf("move: %s", a.Body)
	}
	for path, n := range map[string]int{"": 0, "?include_folders=true": 1, "folder/" + ids[5] + "/list": 1, "folder/" + ids[5]: 1, "folder/" + ids[0]: 1, "folder/" + ids[6]: 0, "search?text=folder:f_5": 1} {
		if all := list(t, s.Do(t, s.User.Key, "GET", "/api/v1/chats/"+path, nil)); len(all) != n {
			t.Errorf("%s: %v", path, all)
		}
	}
	if a := do("DELETE", ids[0]+"?delete_contents=false", nil); a.Body != "true" || len(list(t, do("GET", "", nil))) != 1 {
		t.Errorf("delete: %s", a.Body)
	}
	if a := s.Do(t, s.User.Key, "GET", "/api/v1/chats/"+id, nil).JSON(t); a["folder_id"] != nil {
		t.Errorf("the chat is in no folder any more: %v", a["folder_id"])
	}
}

func TestChatBadInput(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	for body, want := range map[string]int{
		``: 422, `{`: 422, `{}`: 422, `{"chat":null}`: 400, `{"chat":[]}`: 400, `{"chat":"x"}`: 400, `{"chat":{"title":5}}`: 400,
		`{"chat":{"history":[]}}`: 400, `{"chat":{"history":{"messages":[]}}}`: 400, `{"chat":{"history":{"messages":{"a":5}}}}`: 400,
		`{"chat":{"history":{"messages":{"":{}}}}}`: 400, `{"chat":{},"folder_id":5}`: 422,
		`{"chat":{"title":null,"history":{"currentId":"a","messages":{"a":{"parentId":"b"},"b":{"parentId":"a","content":{"x":[]},"timestamp":"soon"}}}}}`: 200,
	} {
		a := s.Do(t, s.User.Key, "POST", "/api/v1/chats/new", body)
		if a.Status != want {
			t.Errorf("%s: %d %s", body, a.Status, a.Body)
		}
		if a.Status != 200 {
			checkError(t, body, []byte(a.Body))
		}
	}
	if a := s.Do(t, s.User.Key, "GET", "/api/v1/chats/stats/usage", nil); a.Status != 200 { // the circle ends
		t.Errorf("stats: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.User.Key, "POST", "/api/v1/chats/import", `{"chats":[{"chat":{}},{"chat":[]}]}`); a.Status != 400 || len(list(t, s.Do(t, s.User.Key, "GET", "/api/v1/chats/", nil))) != 1 {
		t.Errorf("import: %d %s", a.Status, a.Body)
	}
}

// TestManyChats: what a page costs in statements does not grow, and no body is read.
func TestManyChats(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	chats := make([]*conversation.Chat, 5000)
	for i := range chats {
		chats[i] = &conversation.Chat{ID: fmt.Sprint("c", i), UserID: s.User.ID, Title: fmt.Sprint("Chat ", i), Body: json.RawMessage(twoTurns), UpdatedAt: int64(i)}
	}
	if err := s.DB.CreateChats(t.Context(), chats...); err != nil {
		t.Fatal(err)
	}
	s.Do(t, s.User.Key, "GET", "/api/v1/chats/?page=1", nil)
	for path, n := range map[string]int{"?page=1": 60, "?page=84": 20, "?page=85": 0, "": 5000, "search?text=4711": 1, "search?text=rayleigh&page=2": 60} {
		found := 0
		cost := s.Cost(func() { found = len(list(t, s.Do(t, s.User.Key, "GET", "/api/v1/chats/"+path, nil))) })
		if found != n || cost != 1 {
			t.Errorf("%q: %d chats, %d statements", path, found, cost)
		}
	}
}
