package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/errdefs"
	"portico/internal/knowledge"
)

// knowledgeRow is what every answer about a collection has. meta is null when
// nobody set it.
type knowledgeRow struct {
	ID          string             `json:"id"`
	UserID      string             `json:"user_id"`
	Name        string             `json:"name"`
	Description string             `json:"description"`
	Meta        json.RawMessage    `json:"meta"`
	Grants      []access.Grant     `json:"access_grants"`
	CreatedAt   int64              `json:"created_at"`
	UpdatedAt   int64              `json:"updated_at"`
	Settings    knowledge.Settings `json:"settings"`
	Writable    bool               `json:"write_access"`
}

func rowOf(s *knowledge.Sheet) knowledgeRow {
	r := knowledgeRow{
		ID: s.ID, UserID: s.UserID, Name: s.Name, Description: s.Description, Meta: s.Meta, Grants: s.Grants,
		CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, Settings: s.Settings, Writable: s.Writable,
	}
	if len(r.Meta) == 0 {
		r.Meta = json.RawMessage("null")
	}
	if r.Grants == nil {
		r.Grants = []access.Grant{}
	}
	return r
}

// knowledgeSheet is one collection. files is null where they are not listed;
// after a change it has those that were put in last, file_count how many there
// are in all.
type knowledgeSheet struct {
	knowledgeRow
	Files    []knowledgeFile    `json:"files"`
	Count    *int               `json:"file_count,omitempty"`
	Index    *knowledgeIndex    `json:"index,omitempty"`
	Warnings *knowledgeWarnings `json:"warnings,omitempty"`
}

type knowledgeIndex struct {
	State string `json:"state"` // ready or building
	Done  *int   `json:"done,omitempty"`
	Total *int   `json:"total,omitempty"`
}

type knowledgeWarnings struct {
	Message string             `json:"message"`
	Errors  []knowledgeFailure `json:"errors"`
}

type knowledgeFailure struct {
	FileID string `json:"file_id"`
	Error  string `json:"error"`
}

// knowledgeFile is a file as a collection's own answers have it.
type knowledgeFile struct {
	ID        string   `json:"id"`
	Hash      *string  `json:"hash"`
	Meta      fileMeta `json:"meta"`
	CreatedAt int64    `json:"created_at"`
	UpdatedAt int64    `json:"updated_at"`
}

// knowledgeItem is a collection in a list.
type knowledgeItem struct {
	knowledgeRow
	User  json.RawMessage `json:"user"`
	Files int             `json:"file_count"`
}

type knowledgeList struct {
	Items []knowledgeItem `json:"items"`
	Total int             `json:"total"`
}

// knowledgeEntry is a file in a list of a collection's files.
type knowledgeEntry struct {
	fileAnswer
	DirectoryID   *string         `json:"directory_id"`
	DirectoryPath string          `json:"directory_path"`
	SyncPath      string          `json:"sync_path,omitempty"` // in a folder that is kept in sync
	KnowledgeID   string          `json:"knowledge_id"`
	HasOriginal   bool            `json:"has_original"`
	User          json.RawMessage `json:"user"`
	Collection    *knowledgeRow   `json:"collection,omitempty"` // in lists of several
}

type knowledgeFiles struct {
	Items       []knowledgeEntry `json:"items"`
	Directories []directoryRow   `json:"directories"`
	Breadcrumbs []directoryRow   `json:"breadcrumbs"`
	Total       int              `json:"total"`
}

type directoryRow struct {
	ID          string          `json:"id"`
	KnowledgeID string          `json:"knowledge_id"`
	ParentID    *string         `json:"parent_id"`
	UserID      string          `json:"user_id"`
	Name        string          `json:"name"`
	Meta        json.RawMessage `json:"meta"`
	CreatedAt   int64           `json:"created_at"`
	UpdatedAt   int64           `json:"updated_at"`
}

func directoryOf(d *knowledge.Directory) directoryRow {
	r := directoryRow{ID: d.ID, KnowledgeID: d.KnowledgeID, ParentID: textOrNull(d.ParentID), UserID: d.UserID, Name: d.Name,
		Meta: d.Meta, CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt}
	if len(r.Meta) == 0 {
		r.Meta = json.RawMessage("null")
	}
	return r
}

func directoriesOf(list []*knowledge.Directory) []directoryRow {
	rows := make([]directoryRow, len(list))
	for i, d := range list {
		rows[i] = directoryOf(d)
	}
	return rows
}

func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func sheetOf(s *knowledge.Sheet) *knowledgeSheet { return &knowledgeSheet{knowledgeRow: rowOf(s)} }

// shownFiles is how many files a collection's own answers list; all of them
// are in /files, page by page.
const shownFiles = 250

// withFiles is the answer to a change.
func (a *API) withFiles(ctx context.Context, s *knowledge.Sheet, err error) (*knowledgeSheet, error) {
	if err != nil {
		return nil, err
	}
	entries, total, err := a.Knowledge.Newest(ctx, s.ID, shownFiles)
	if err != nil {
		return nil, err
	}
	answer := sheetOf(s)
	answer.Count = &total
	answer.Files = make([]knowledgeFile, len(entries))
	for i, e := range entries {
		f := fileOf(e.File, nil)
		answer.Files[i] = knowledgeFile{ID: f.ID, Hash: f.Hash, Meta: f.Meta, CreatedAt: f.CreatedAt, UpdatedAt: f.UpdatedAt}
	}
	return answer, nil
}

// owners describes the people of a list, each read once.
type owners struct {
	a      *API
	emails bool
	seen   map[string]json.RawMessage
}

func (a *API) owners(c *route.Call) *owners {
	return &owners{a: a, emails: c.Who.IsAdmin(), seen: map[string]json.RawMessage{}}
}

func (o *owners) of(ctx context.Context, id string) (json.RawMessage, error) {
	if raw, ok := o.seen[id]; ok {
		return raw, nil
	}
	raw, err := o.a.owner(ctx, id, o.emails)
	o.seen[id] = raw
	return raw, err
}

func (a *API) knowledgeItems(ctx context.Context, c *route.Call, sheets []*knowledge.Sheet) ([]knowledgeItem, error) {
	items := make([]knowledgeItem, len(sheets))
	people := a.owners(c)
	for i, s := range sheets {
		user, err := people.of(ctx, s.UserID)
		if err != nil {
			return nil, err
		}
		items[i] = knowledgeItem{knowledgeRow: rowOf(s), User: user, Files: s.Files}
	}
	return items, nil
}

// collectionsOf says in which collection each file of a list is, each read
// once. One that is gone meanwhile is left out.
func (a *API) collectionsOf(ctx context.Context, c *route.Call, items []knowledgeEntry) error {
	rows := map[string]*knowledgeRow{}
	for i := range items {
		id := items[i].KnowledgeID
		if _, seen := rows[id]; !seen {
			s, err := a.Knowledge.Get(ctx, c.Who, id)
			switch {
			case err == nil:
				rows[id] = new(rowOf(s))
			case errdefs.Is(err, errdefs.NotFound), errdefs.Is(err, errdefs.Forbidden):
				rows[id] = nil
			default:
				return err
			}
		}
		items[i].Collection = rows[id]
	}
	return nil
}

// knowledgeEntries describes files of collections; path names a directory.
func (a *API) knowledgeEntries(ctx context.Context, c *route.Call, list []*knowledge.Entry, path func(e *knowledge.Entry) string, content bool) ([]knowledgeEntry, error) {
	items := make([]knowledgeEntry, len(list))
	people := a.owners(c)
	for i, e := range list {
		user, err := people.of(ctx, e.File.UserID)
		if err != nil {
			return nil, err
		}
		items[i] = knowledgeEntry{fileAnswer: fileWith(e.File, nil, content), DirectoryID: textOrNull(e.DirectoryID), DirectoryPath: path(e), SyncPath: e.Path,
			KnowledgeID: e.KnowledgeID, HasOriginal: e.File.Blob != "", User: user}
	}
	return items, nil
}

// sendEntries answers with a page of files of collections, and their texts if
// that is asked for.
func (a *API) sendEntries(w http.ResponseWriter, r *http.Request, page knowledgeFiles, entries []*knowledge.Entry, content bool) error {
	if !content {
		return route.WriteJSON(w, http.StatusOK, page)
	}
	list := make([]texted, len(entries))
	for i, e := range entries {
		list[i] = textedOf(page.Items[i], e.File, true)
	}
	page.Items = []knowledgeEntry{}
	raw, err := route.Marshal(page)
	if err != nil {
		return err
	}
	const items = `"items":[`
	before, after, _ := strings.Cut(string(raw), items)
	return a.sendTexts(w, r, before+items, list, after)
}
