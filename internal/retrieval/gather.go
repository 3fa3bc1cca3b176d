package retrieval

import (
	"encoding/json"

	"portico/internal/file"
)

// Item is one thing that a chat is to be answered from: a member of "files" in
// its body, or a collection attached to its model.
type Item struct {
	Type            string            `json:"type"` // "file", "collection", "text", "url", "chat", "note", "folder", …
	ID              string            `json:"id"`
	Name            string            `json:"name"`
	Content         string            `json:"content"`
	URL             string            `json:"url"`
	Context         string            `json:"context"` // "full" gives the whole, searches nothing
	CollectionName  string            `json:"collection_name"`
	CollectionNames []string          `json:"collection_names"`
	Docs            []json.RawMessage `json:"docs"` // [{"content","metadata"}]
	File            *ItemFile         `json:"file"`
	// Raw is the item as it was sent: sources repeat it.
	Raw json.RawMessage `json:"-"`
}

// ItemFile is a file that an item brings with it.
type ItemFile struct {
	ID       string `json:"id"`
	Filename string `json:"filename"`
	Data     struct {
		Content string `json:"content"`
	} `json:"data"`
}

// Passage is one piece of text that may be cited.
type Passage struct {
	Text    string
	Context string // title, headings, the header of its table
	// Of a file's chunk; empty for what came with the request.
	File     *file.File
	FileID   string
	Set      int64
	N        int
	Name     string // of the file, for people
	Source   string // what counts as one source: the name, or a URL
	First    int    // characters in the file's text
	Last     int
	Page     string
	LastPage string
	Score    float64         // 0…1, of the stage that ordered them last; 0 where nothing was searched
	Metadata json.RawMessage // of what the client brought itself, or nil
}

// Source is what one item contributed.
type Source struct {
	Item     Item
	Passages []Passage
}

// Gathered is the context of one chat. Warnings name, in sentences for the
// caller, what was asked for and not used; foreign and absent things alike.
type Gathered struct {
	Sources  []Source
	Warnings []string
}

// Question is what to search for. Zero fields take the collection's or the
// instance's settings.
type Question struct {
	Text      string
	More      []string // other wordings of it
	K         int      // passages to give
	RerankK   int
	Threshold *float64
	Hybrid    *bool
	Weight    *float64 // of the lexical side, 0…1
	Full      bool
}
