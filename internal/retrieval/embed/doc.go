// Package embed turns texts into vectors: by an encoder of the BERT family that
// runs in this process and its children, or by an Ollama or OpenAI-compatible
// server. It knows no files, no users and no database.
package embed

import "context"

// Space is where vectors can be compared: two vectors of different spaces say
// nothing about each other.
type Space struct {
	ID     string // hash of what makes its vectors what they are; "" where there is no embedder
	Engine string // "local", "ollama", "openai"
	Model  string
	Dims   int // 0 until a remote engine has answered for the first time
}

// Embedder makes vectors of one space, of length 1. It is safe for concurrent use.
type Embedder interface {
	Space() Space
	// Question embeds one short text, before any bulk work that is waiting.
	Question(ctx context.Context, text string) ([]float32, error)
	// Passages embeds texts in bulk, at low priority, and appends their vectors,
	// row by row, to dst.
	Passages(ctx context.Context, texts []string, dst []float32) ([]float32, error)
	// Tokens counts the tokens of a text as the encoder would see it; MaxTokens
	// is where it cuts. Both are 0 where nobody knows.
	Tokens(text string) int
	MaxTokens() int
	Close() error
}
