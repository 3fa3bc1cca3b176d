package api

import (
	"context"
	"encoding/json"
	"net/http"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/errdefs"
	"portico/internal/file"
)

const (
	// filesPage is how many files one page lists.
	filesPage = 50
	// maxFound bounds a search, and maxGlob what is searched for.
	maxFound = 1000
	maxGlob  = 256
	// maxTextBody bounds a text that replaces what was read of a file.
	maxTextBody = 64 << 20
)

// fileRoutes are uploaded files.
func (a *API) fileRoutes() []route.Route {
	const base, one = "/api/v1/files", "/api/v1/files/{id}"
	content := route.Param{Name: "content", In: "query", Doc: "Whether the text that was read is given, too.", Type: true}
	search := []route.Param{
		{Name: "filename", In: "query", Doc: "What the name must be, with * and ? for any text and any character.", Required: true},
		content,
		{Name: "skip", In: "query", Doc: "How many to leave out.", Type: 0},
		{Name: "limit", In: "query", Doc: "How many to give, up to 1000; 100 unless given.", Type: 0},
	}
	return []route.Route{
		{
			Method: "POST", Path: base, Op: "upload_file", Tag: "files", Who: route.Verified, MaxBody: -1, Consumes: "multipart/form-data",
			Summary: "Upload a file", Body: uploadForm{}, Answer: fileAnswer{}, Errors: []int{400, 413, 507}, Handler: a.uploadFile,
			Doc: "The answer tells the true state: a small text is read at once, everything else is pending. " +
				"Members knowledge_id and directory_id of the metadata put the file into a collection once it is read.",
			Params: []route.Param{
				{Name: "process", In: "query", Doc: "Whether the file is read, so that it can be found and cited; on by default.", Type: true},
				{Name: "process_in_background", In: "query", Doc: "false waits until it is read, up to a minute.", Type: true},
			},
		},
		{
			Method: "GET", Path: base, Op: "files", Tag: "files", Who: route.Verified,
			Summary: "List files, newest first", Answer: filesAnswer{}, Handler: a.listFiles,
			Params: []route.Param{{Name: "page", In: "query", Doc: "From 1, with 50 files each.", Type: 0}, content},
		},
		{
			Method: "GET", Path: base + "/search", Op: "search_files", Tag: "files", Who: route.Verified, Params: search,
			Summary: "Find files by name", Answer: []fileAnswer{}, Errors: []int{404}, Handler: a.searchFiles(false),
		},
		{
			Method: "GET", Path: base + "/user/search", Op: "search_own_files", Tag: "files", Who: route.Verified, Params: search,
			Summary: "Find the caller's own files by name", Answer: []fileAnswer{}, Handler: a.searchFiles(true),
		},
		{
			Method: "GET", Path: base + "/count", Op: "count_files", Tag: "files", Who: route.Verified,
			Summary: "How many files the caller can list", Answer: 0, Handler: a.countFiles(false),
		},
		{
			Method: "GET", Path: base + "/user/count", Op: "count_own_files", Tag: "files", Who: route.Verified,
			Summary: "How many files the caller has", Answer: 0, Handler: a.countFiles(true),
		},
		{
			Method: "DELETE", Path: base + "/all", Op: "delete_all_files", Tag: "files", Who: route.Admin,
			Summary: "Delete everybody's files", Answer: messageAnswer{},
			Handler: route.NoBody(func(ctx context.Context, _ *route.Call) (messageAnswer, error) {
				_, err := a.Files.DeleteAll(ctx)
				return messageAnswer{"All files deleted successfully"}, err
			}),
		},
		{
			Method: "GET", Path: one, Op: "file", Tag: "files", Who: route.Verified,
			Summary: "One file, with the text that was read", Answer: fileAnswer{}, Errors: []int{404}, Handler: a.oneFile,
		},
		{
			Method: "DELETE", Path: one, Op: "delete_file", Tag: "files", Who: route.Verified,
			Summary: "Delete a file", Answer: messageAnswer{}, Errors: []int{404}, Handler: a.deleteFile,
			Doc: "It goes from every collection and index, and what is at work on it ends.",
		},
		{
			Method: "POST", Path: one + "/rename", Op: "rename_file", Tag: "files", Who: route.Verified,
			Summary: "Give a file another name", Body: renameForm{}, Answer: fileAnswer{}, Errors: []int{400, 404}, Handler: a.renameFile,
		},
		{
			Method: "GET", Path: one + "/data/content", Op: "file_text", Tag: "files", Who: route.Verified,
			Summary: "The text that was read of a file", Answer: contentAnswer{}, Errors: []int{404}, Handler: a.fileText,
		},
		{
			Method: "POST", Path: one + "/data/content/update", Op: "update_file_text", Tag: "files", Who: route.Verified, MaxBody: maxTextBody,
			Summary: "Put another text in place of what was read", Body: contentForm{}, Answer: contentAnswer{}, Errors: []int{400, 404}, Handler: a.updateFileText,
		},
		{
			Method: "GET", Path: one + "/process/status", Op: "file_status", Tag: "files", Who: route.Verified,
			Summary: "How far a file is read", Answer: fileProgress{}, Produces: "application/json, text/event-stream", Errors: []int{404}, Handler: a.fileStatus,
			Params: []route.Param{{Name: "stream", In: "query", Doc: "Whether to tell in events, until it is completed or failed.", Type: true}},
		},
		{
			Method: "GET", Path: one + "/content", Op: "file_content", Tag: "files", Who: route.Verified, Produces: "application/octet-stream",
			Summary: "The bytes of a file", Errors: []int{404, 416}, Handler: a.fileContent,
			Doc:    "Parts of it can be asked for by a Range header.",
			Params: []route.Param{{Name: "attachment", In: "query", Doc: "Whether a browser keeps it rather than shows it.", Type: true}},
		},
		{
			Method: "GET", Path: one + "/content/html", Op: "file_page", Tag: "files", Who: route.Verified, Produces: "text/html",
			Summary: "A page that an administrator uploaded", Errors: []int{404}, Handler: a.filePage,
			Doc: "It is shown without scripts and without anything from elsewhere.",
		},
		{
			Method: "GET", Path: one + "/content/{file_name}", Op: "file_download", Tag: "files", Who: route.Verified, Produces: "application/octet-stream",
			Summary: "The bytes of a file, to keep", Errors: []int{404, 416}, Handler: a.fileDownload,
		},
	}
}

// uploadForm describes the body of an upload.
type uploadForm struct {
	File     string `json:"file" require:"true"` // the bytes
	Metadata string `json:"metadata"`            // a JSON object
}

type renameForm struct {
	Filename string `json:"filename" require:"true"`
}

type contentForm struct {
	Content string `json:"content" require:"true"`
}

type contentAnswer struct {
	Content string `json:"content"`
}

type messageAnswer struct {
	Message string `json:"message"`
}

type filesAnswer struct {
	Items []fileAnswer `json:"items"`
	Total int          `json:"total"`
}

// fileAnswer describes a file. hash is of the text that was read, null until
// then; meta.file_hash is of the bytes.
type fileAnswer struct {
	ID        string   `json:"id"`
	UserID    string   `json:"user_id"`
	Hash      *string  `json:"hash"`
	Filename  string   `json:"filename"`
	Path      string   `json:"path,omitempty"` // names the bytes to nobody but the server
	Data      fileData `json:"data"`
	Meta      fileMeta `json:"meta"`
	CreatedAt int64    `json:"created_at"`
	UpdatedAt int64    `json:"updated_at"`
	Status    *bool    `json:"status,omitempty"` // of an upload that is read
}

// fileData is what became of reading a file; nothing for one that nobody
// asked to be read.
type fileData struct {
	Status   file.Status `json:"status"`
	Error    *string     `json:"error"`
	Content  *string     `json:"content,omitempty"`
	Warnings []string    `json:"warnings,omitempty"` // what could not be read
	Index    *file.Index `json:"index,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (d fileData) MarshalJSON() ([]byte, error) {
	if d.Status == file.Stored {
		return []byte("{}"), nil
	}
	type plain fileData
	return route.Marshal(plain(d))
}

type fileMeta struct {
	Name           string          `json:"name"`
	ContentType    *string         `json:"content_type"` // as the client said or the file shows, null when neither tells
	Size           int64           `json:"size"`
	FileHash       string          `json:"file_hash"`
	Data           json.RawMessage `json:"data"` // the client's own
	CollectionName string          `json:"collection_name,omitempty"`
}

// fileOf describes a file without the text that was read. x is nil where it is
// not known how far it can be searched.
func fileOf(f *file.File, x *file.Index) fileAnswer {
	out := fileAnswer{
		ID: f.ID, UserID: f.UserID, Filename: f.Filename, CreatedAt: f.CreatedAt, UpdatedAt: f.UpdatedAt,
		Data: fileData{Status: f.Status, Warnings: f.Warnings, Index: x},
		Meta: fileMeta{Name: f.Filename, Size: f.Size, FileHash: f.Blob, Data: f.Metadata},
	}
	if f.TextHash != "" {
		out.Hash = &f.TextHash
	}
	if f.Status == file.Failed {
		out.Data.Error = &f.Error
	}
	if f.Status == file.Completed {
		out.Meta.CollectionName = "file-" + f.ID
	}
	if f.ContentType != "" {
		out.Meta.ContentType = &f.ContentType
	}
	if len(f.Metadata) == 0 {
		out.Meta.Data = json.RawMessage("{}")
	}
	return out
}

// wholeFile describes a file with how far it can be searched and, if asked,
// room for the text that was read.
func (a *API) wholeFile(ctx context.Context, f *file.File, text bool) (fileAnswer, error) {
	indexes, err := a.Files.Indexes(ctx, f)
	if err != nil {
		return fileAnswer{}, err
	}
	return fileWith(f, indexes, text), nil
}

// fileWith leaves room for the text: see noContent.
func fileWith(f *file.File, indexes map[string]file.Index, text bool) fileAnswer {
	var x *file.Index
	if found, ok := indexes[f.ID]; ok {
		x = &found
	}
	out := fileOf(f, x)
	if text && f.Document != "" {
		out.Data.Content = new(string)
	}
	return out
}

func (a *API) oneFile(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	f, err := a.Files.Load(r.Context(), c.Who, access.Read, r.PathValue("id"))
	if err != nil {
		return err
	}
	return a.sendFile(w, r, f)
}

// sendFile answers with all that is told of a file.
func (a *API) sendFile(w http.ResponseWriter, r *http.Request, f *file.File) error {
	out, err := a.wholeFile(r.Context(), f, true)
	if err != nil {
		return err
	}
	out.Path = f.ID
	return a.sendText(w, r, out, f)
}

func (a *API) deleteFile(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	if err := a.Files.Delete(r.Context(), c.Who, r.PathValue("id")); err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, messageAnswer{"File deleted successfully"})
}

func (a *API) renameFile(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	var in renameForm
	if err := route.Decode(w, r, c, &in); err != nil {
		return err
	}
	f, err := a.Files.Rename(r.Context(), c.Who, r.PathValue("id"), in.Filename)
	if err != nil {
		return err
	}
	return a.sendFile(w, r, f)
}

func (a *API) fileText(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	f, err := a.Files.Load(r.Context(), c.Who, access.Read, r.PathValue("id"))
	if err != nil {
		return err
	}
	return a.sendText(w, r, contentAnswer{}, f)
}

func (a *API) updateFileText(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	// Who may not write is told so before the text is taken.
	if _, err := a.Files.Load(r.Context(), c.Who, access.Write, r.PathValue("id")); err != nil {
		return err
	}
	var in contentForm
	if err := route.Decode(w, r, c, &in); err != nil {
		return err
	}
	f, err := a.Files.Replace(r.Context(), c.Who, r.PathValue("id"), in.Content)
	if err != nil {
		return err
	}
	return a.sendText(w, r, contentAnswer{}, f)
}

func (a *API) countFiles(own bool) route.Handler {
	return route.NoBody(func(ctx context.Context, c *route.Call) (int, error) { return a.Files.Count(ctx, c.Who, own) })
}

// listFiles answers one page.
func (a *API) listFiles(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args := route.ArgsOf(r)
	page, text := args.Page(), args.Bool("content", true)
	if err := args.Err(); err != nil {
		return err
	}
	files, total, err := a.Files.List(r.Context(), c.Who, false, file.Filter{Offset: (page - 1) * filesPage, Limit: filesPage})
	if err != nil {
		return err
	}
	n, err := route.Marshal(total)
	if err != nil {
		return err
	}
	return a.sendFiles(w, r, `{"items":[`, files, text, `],"total":`+string(n)+`}`)
}

var errNoneFound = errdefs.New(errdefs.NotFound, "No file has such a name.")

// searchFiles answers with the files of a name: the caller's own, or all that
// they can list.
func (a *API) searchFiles(own bool) route.Handler {
	return func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
		args := route.ArgsOf(r)
		f := file.Filter{Glob: args.String("filename", "*"), Offset: max(args.Int("skip", 0), 0), Limit: args.Int("limit", 100)}
		text := args.Bool("content", !own)
		if !own {
			f.Glob = args.Required("filename")
		}
		if err := args.Err(); err != nil {
			return err
		}
		if f.Limit < 1 || f.Limit > maxFound {
			return route.Fault("less_than_equal", []any{"query", "limit"}, "Input should be between 1 and 1000", nil)
		}
		if len(f.Glob) > maxGlob {
			return route.Fault("string_too_long", []any{"query", "filename"}, "String should have at most 256 characters", nil)
		}
		if f.Glob == "" {
			f.Glob = "*"
		}
		files, _, err := a.Files.List(r.Context(), c.Who, own, f)
		if err != nil {
			return err
		}
		if len(files) == 0 && !own {
			return errNoneFound
		}
		return a.sendFiles(w, r, "[", files, text, "]")
	}
}

// sendFiles writes a list of files between two ends.
func (a *API) sendFiles(w http.ResponseWriter, r *http.Request, before string, files []*file.File, text bool, after string) error {
	indexes, err := a.Files.Indexes(r.Context(), files...)
	if err != nil {
		return err
	}
	list := make([]texted, len(files))
	for i, f := range files {
		list[i] = textedOf(fileWith(f, indexes, text), f, text)
	}
	return a.sendTexts(w, r, before, list, after)
}
