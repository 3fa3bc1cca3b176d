// Package document is what was read in a file: its text, and what is known of
// places in it. It is the seam between extract, which makes it, and chunk,
// which cuts it. It holds no code that reads or cuts.
package document

// Document is the text of one file. All positions are byte offsets into Text,
// in rising order within each list.
type Document struct {
	// Text is UTF-8 with LF line ends, no NUL and no byte order mark. It is what
	// GET /api/v1/files/{id}/data/content answers.
	Text string `json:"text"`
	// Title is the document's own, or "".
	Title    string    `json:"title,omitempty"`
	Pages    []Page    `json:"pages,omitempty"`
	Headings []Heading `json:"headings,omitempty"`
	Tables   []Table   `json:"tables,omitempty"`
	// Solid lists what should not be cut unless it is too long alone: code.
	Solid []Span `json:"solid,omitempty"`
	// Warnings say what could not be read, in sentences for the user.
	Warnings []string `json:"warnings,omitempty"`
}

// Span is Text[Start:End].
type Span struct {
	Start int `json:"start"`
	End   int `json:"end"`
}

// Page begins a page, slide or sheet. It ends where the next begins.
type Page struct {
	Start int    `json:"start"`
	Label string `json:"label"` // "12", "slide 3", a sheet's name
}

// Heading is the line Text[Start:End], which names what follows it.
type Heading struct {
	Span
	Level int `json:"level"` // 1 is the top
}

// Table is a run of lines, one row each, Text[Start:End]. Header is its header
// row as it stands in the text ("" where there is none), which chunks of later
// rows are read with.
type Table struct {
	Span
	Header string `json:"header,omitempty"`
}
