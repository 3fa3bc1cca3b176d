// Package chunk cuts a document into the pieces that are searched and cited.
// It is pure: the same document under the same settings always gives the same
// chunks.
//
//	document → sections (at headings) → atoms (paragraph, line, sentence, word)
//	         → pieces (atoms that fit together) → small pieces merged → chunks
package chunk

// Settings say how to cut. They are part of a profile: a change means new sets.
type Settings struct {
	Splitter  string `json:"splitter"`             // "" or "character", "token", "token_transformers"
	Size      int    `json:"size"`                 // characters, or tokens where the splitter counts those (1,000)
	Overlap   int    `json:"overlap"`              // in the same unit
	MinSize   int    `json:"min_size"`             // smaller pieces are merged with their neighbours; 0 chooses
	Headings  bool   `json:"headings"`             // cut at headings first
	MaxTokens int    `json:"max_tokens,omitempty"` // of the embedder; 0 is no bound
}

// Chunk is one piece.
type Chunk struct {
	// Text is document.Text from byte Start to End, as it stands there.
	Text string
	// Context is what the piece is read with and found by, but is not itself:
	// title, heading path, the header of its table; lines, or "".
	Context        string
	Start, End     int    // bytes
	First, Last    int    // the same in characters (code points), for citations
	Page, LastPage string // labels, or ""
}
