package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"portico/internal/access"
	"portico/internal/conversation"
	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/user"
)

func yes() *bool { b := true; return &b }
func no() *bool  { return new(bool) }

func ids(chats []*conversation.Chat) []string {
	list := make([]string, 0, len(chats))
	for _, c := range chats {
		list = append(list, c.ID)
	}
	return list
}

func testChats(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	addPerson(t, f, "a", user.Admin)
	c := &conversation.Chat{ID: "c", UserID: "a", Title: "Tïtel", Body: json.RawMessage(`{"title":"Tïtel","messages":["\u0000",{"x":null}]}`),
		Meta: json.RawMessage(`{"k":[]}`), Tags: []conversation.Tag{{ID: "a_b", Name: "A b"}}, FolderID: "f", Archived: true, Pinned: true, ReadAt: 7, CreatedAt: 1, UpdatedAt: 2}
	must(t, db.CreateChats(ctx, c))
	f.told(t, event.Event{Topic: event.Chat, ID: "c"})
	got, err := db.ChatByID(ctx, "c")
	must(t, err)
	equal(t, got, c)
	// All or none.
	fails(t, db.CreateChats(ctx, &conversation.Chat{ID: "d", UserID: "a"}, c), errdefs.Conflict)
	_, err = db.ChatByID(ctx, "d")
	fails(t, err, errdefs.NotFound)
	fails(t, db.CreateChats(ctx, &conversation.Chat{ID: "d", UserID: "nobody"}), errdefs.NotFound)
	f.told(t)

	got, err = db.ChangeChat(ctx, "c", func(c *conversation.Chat) error {
		c.Title, c.Body, c.Meta, c.UpdatedAt = "N", json.RawMessage(`{"n":1}`), json.RawMessage(`{}`), 9
		c.FolderID, c.UserID = "ignored", "ignored"
		return nil
	})
	must(t, err)
	equal(t, got.Title, "N")
	f.told(t, event.Event{Topic: event.Chat, ID: "c"})
	c.Title, c.Body, c.Meta, c.UpdatedAt = "N", json.RawMessage(`{"n":1}`), json.RawMessage(`{}`), 9
	got, err = db.ChatByID(ctx, "c")
	must(t, err)
	equal(t, got, c)
	stop := errors.New("no")
	if _, err = db.ChangeChat(ctx, "c", func(c *conversation.Chat) error { c.Title = "lost"; return stop }); !errors.Is(err, stop) && !errdefs.Is(err, errdefs.Internal) {
		t.Errorf("got %v", err)
	}
	_, err = db.ChangeChat(ctx, "d", func(*conversation.Chat) error { return nil })
	fails(t, err, errdefs.NotFound)

	none, at := "", int64(11)
	must(t, db.SetChat(ctx, "c", conversation.Change{FolderID: &none}))
	must(t, db.SetChat(ctx, "c", conversation.Change{ReadAt: &at}))
	must(t, db.ToggleChat(ctx, "c", "pinned"))
	must(t, db.ToggleChat(ctx, "c", "archived"))
	fails(t, db.ToggleChat(ctx, "d", "pinned"), errdefs.NotFound)
	fails(t, db.SetChat(ctx, "d", conversation.Change{}), errdefs.NotFound)
	c.FolderID, c.ReadAt, c.Pinned, c.Archived = "", 11, false, false
	got, err = db.ChatByID(ctx, "c")
	must(t, err)
	equal(t, got, c)

	must(t, db.AddTag(ctx, "c", conversation.Tag{ID: "a_b", Name: "again"}))
	must(t, db.AddTag(ctx, "c", conversation.Tag{ID: "z", Name: "Z"}))
	fails(t, db.AddTag(ctx, "d", conversation.Tag{ID: "z", Name: "Z"}), errdefs.NotFound)
	tags, err := db.TagsOf(ctx, "a")
	must(t, err)
	equal(t, tags, []conversation.Tag{{ID: "a_b", Name: "A b"}, {ID: "z", Name: "Z"}})
	must(t, db.DropTag(ctx, "c", "z"))
	must(t, db.DropTag(ctx, "c", ""))
	tags, err = db.TagsOf(ctx, "a")
	must(t, err)
	equal(t, len(tags), 0)

	f.events = nil
	must(t, db.DeleteChat(ctx, "c"))
	f.told(t, event.Event{Topic: event.Chat, ID: "c"})
	_, err = db.ChatByID(ctx, "c")
	fails(t, err, errdefs.NotFound)
	fails(t, db.DeleteChat(ctx, "c"), errdefs.NotFound)
}

func testChatPages(t *testing.T, f *Fixture) {
	db := f.DB
	addPerson(t, f, "a", user.Admin)
	addPerson(t, f, "b", user.Member)
	const all = 1000
	var chats []*conversation.Chat
	for i := range all {
		for _, owner := range []string{"a", "b"} {
			c := &conversation.Chat{ID: fmt.Sprintf("%s%04d", owner, i), UserID: owner, Title: fmt.Sprintf("Chat %d%%", i), Archived: i%2 == 1, Pinned: i%100 == 0, UpdatedAt: int64(i / 4),
				Body: json.RawMessage(fmt.Sprintf(`{"history":{"messages":{"m":{"content":"Größe %d'"}}}}`, i))}
			if i%10 == 0 {
				c.FolderID = "f"
				c.Tags = []conversation.Tag{{ID: "ten", Name: "ten"}}
			}
			chats = append(chats, c)
		}
	}
	must(t, db.CreateChats(t.Context(), chats...))
	var got []string
	for offset := 0; ; offset += 60 {
		page, err := db.ListChats(t.Context(), conversation.Filter{UserID: "a", Archived: no(), Offset: offset, Limit: 60})
		must(t, err)
		got = append(got, ids(page)...)
		if len(page) < 60 {
			break
		}
		equal(t, len(page[0].Body), 0)
	}
	var want []string
	for i := all - 2; i >= 0; i -= 2 {
		want = append(want, fmt.Sprintf("a%04d", i))
	}
	equal(t, got, want)
	for _, c := range []struct {
		filter conversation.Filter
		want   int
	}{
		{conversation.Filter{}, all},
		{conversation.Filter{Pinned: yes()}, 10},
		{conversation.Filter{Pinned: no(), Folders: []string{""}, Archived: no()}, 400},
		{conversation.Filter{Folders: []string{"f", "g"}}, 100},
		{conversation.Filter{Folders: []string{}}, 0},
		{conversation.Filter{Tags: []string{"ten"}}, 100},
		{conversation.Filter{Tags: []string{"ten", "other"}}, 0},
		{conversation.Filter{Untagged: true}, 900},
		{conversation.Filter{Shared: yes()}, 0},
		{conversation.Filter{Query: "GRÖSSE 77'"}, 0},
		{conversation.Filter{Query: "GRÖßE 77'"}, 1},
		{conversation.Filter{Query: "chat 77%"}, 1},
		{conversation.Filter{Query: "chat 77%", InTitle: true}, 1},
		{conversation.Filter{Query: "größe", InTitle: true}, 0},
		{conversation.Filter{Query: "chat %"}, 0},
	} {
		c.filter.UserID = "a"
		n, err := db.CountChats(t.Context(), c.filter)
		must(t, err)
		page, err := db.ListChats(t.Context(), c.filter)
		must(t, err)
		equal(t, []int{n, len(page)}, []int{c.want, c.want})
	}
	first, err := db.ListChats(t.Context(), conversation.Filter{UserID: "a", OrderBy: "title", Ascending: true, Limit: 2})
	must(t, err)
	equal(t, ids(first), []string{"a0000", "a0001"})
	must(t, db.ArchiveChatsOf(t.Context(), "a", true))
	n, err := db.CountChats(t.Context(), conversation.Filter{UserID: "a", Archived: yes()})
	must(t, err)
	equal(t, n, all)
	must(t, db.ReadChatsOf(t.Context(), "a", "f", 5))
	must(t, db.DeleteChatsOf(t.Context(), "a"))
	n, err = db.CountChats(t.Context(), conversation.Filter{UserID: "b"})
	must(t, err)
	equal(t, n, all)
}

// testChatRace: no change of a chat is lost, however many come at once.
func testChatRace(t *testing.T, f *Fixture) {
	addPerson(t, f, "a", user.Admin)
	must(t, f.DB.CreateChats(t.Context(), &conversation.Chat{ID: "c", UserID: "a", Body: json.RawMessage(`{"n":[]}`)}))
	const all = 20
	var work sync.WaitGroup
	for i := range all {
		work.Go(func() {
			_, err := f.DB.ChangeChat(context.Background(), "c", func(c *conversation.Chat) error {
				var body struct{ N []int }
				if err := json.Unmarshal(c.Body, &body); err != nil {
					return err
				}
				c.Body, _ = json.Marshal(map[string]any{"n": append(body.N, i)})
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	c, err := f.DB.ChatByID(t.Context(), "c")
	must(t, err)
	var body struct{ N []int }
	must(t, json.Unmarshal(c.Body, &body))
	equal(t, len(body.N), all)
}

func testChatShares(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	addPerson(t, f, "a", user.Admin)
	must(t, db.CreateChats(ctx, &conversation.Chat{ID: "c", UserID: "a"}, &conversation.Chat{ID: "d", UserID: "a"}))
	sh := &conversation.Shared{ID: "s", ChatID: "c", UserID: "a", Title: "T", Body: json.RawMessage(`{"n":1}`), CreatedAt: 1, UpdatedAt: 1}
	f.events = nil
	must(t, db.ShareChat(ctx, sh, []access.Grant{{PrincipalType: "user", PrincipalID: "*", Permission: "read"}}))
	f.told(t, event.Event{Topic: event.Chat, ID: "c"}, event.Event{Topic: event.Grant, ID: "chat/c"})
	sh.Title, sh.UpdatedAt = "U", 2
	must(t, db.ShareChat(ctx, sh, nil))
	got, err := db.SharedByID(ctx, "s")
	must(t, err)
	equal(t, got, sh)
	c, err := db.ChatByID(ctx, "c")
	must(t, err)
	equal(t, c.ShareID, "s")
	grants, err := db.GrantsOf(ctx, access.Chat, "c")
	must(t, err)
	equal(t, len(grants), 1)
	fails(t, db.ShareChat(ctx, &conversation.Shared{ID: "x", ChatID: "c", UserID: "a"}, nil), errdefs.Conflict)
	fails(t, db.ShareChat(ctx, &conversation.Shared{ID: "x", ChatID: "none", UserID: "a"}, nil), errdefs.NotFound)
	must(t, db.Unshare(ctx, "b", ""))
	must(t, db.Unshare(ctx, "a", "c"))
	_, err = db.SharedByID(ctx, "s")
	fails(t, err, errdefs.NotFound)
	grants, err = db.GrantsOf(ctx, access.Chat, "c")
	must(t, err)
	equal(t, len(grants), 0)
	must(t, db.ShareChat(ctx, sh, nil))
	must(t, db.DeleteChat(ctx, "c"))
	_, err = db.SharedByID(ctx, "s")
	fails(t, err, errdefs.NotFound)
}

func testFolders(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	addPerson(t, f, "a", user.Admin)
	addPerson(t, f, "b", user.Member)
	save := func(folder *conversation.Folder) error {
		_, err := db.ChangeFolders(ctx, folder.UserID, func([]*conversation.Folder) (*conversation.Folder, error) { return folder, nil })
		return err
	}
	x := &conversation.Folder{ID: "x", UserID: "a", Name: "X", Expanded: true, Meta: json.RawMessage(`{"icon":"i"}`), Data: json.RawMessage(`{}`), CreatedAt: 1, UpdatedAt: 1}
	y := &conversation.Folder{ID: "y", UserID: "a", Name: "Y", ParentID: "x", CreatedAt: 2, UpdatedAt: 2}
	must(t, save(x))
	must(t, save(y))
	must(t, save(&conversation.Folder{ID: "z", UserID: "b", Name: "Z"}))
	fails(t, save(&conversation.Folder{ID: "q", UserID: "nobody", Name: "Z"}), errdefs.NotFound)
	x.Name, x.Meta, x.UpdatedAt = "X2", nil, 3
	_, err := db.ChangeFolders(ctx, "a", func(all []*conversation.Folder) (*conversation.Folder, error) {
		equal(t, len(all), 2)
		return x, nil
	})
	must(t, err)
	got, err := db.FoldersOf(ctx, "a")
	must(t, err)
	equal(t, got, []*conversation.Folder{x, y})
	must(t, db.CreateChats(ctx, &conversation.Chat{ID: "c", UserID: "a", FolderID: "x"}, &conversation.Chat{ID: "d", UserID: "a", FolderID: "y"}))
	f.events = nil
	must(t, db.DeleteFolders(ctx, "a", []string{"y", "z"}, false))
	f.told(t, event.Event{Topic: event.Chat, ID: "d"})
	must(t, db.DeleteFolders(ctx, "a", []string{"x"}, true))
	f.told(t, event.Event{Topic: event.Chat, ID: "c"})
	left, err := db.ListChats(ctx, conversation.Filter{UserID: "a"})
	must(t, err)
	equal(t, ids(left), []string{"d"})
	got, err = db.FoldersOf(ctx, "b")
	must(t, err)
	equal(t, len(got), 1)
}
