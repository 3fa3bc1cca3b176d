// Package ollama holds what the Ollama door says on the wire, for the routes
// that make their own answers and for the description of those that pass on.
// Members that are not described here are passed on all the same.
package ollama

import "encoding/json"

// Chat is a body of /api/chat. stream is on unless it is false.
type Chat struct {
	Model     string          `json:"model" require:"true"`
	Messages  []Message       `json:"messages"`
	Tools     json.RawMessage `json:"tools,omitempty"`
	Stream    *bool           `json:"stream,omitempty"`
	Format    json.RawMessage `json:"format,omitempty"`
	Think     json.RawMessage `json:"think,omitempty"`
	KeepAlive json.RawMessage `json:"keep_alive,omitempty"`
	Options   map[string]any  `json:"options,omitempty"`
}

// Message is one message of a chat. Images are base64.
type Message struct {
	Role     string   `json:"role"`
	Content  string   `json:"content"`
	Thinking string   `json:"thinking,omitempty"`
	Images   []string `json:"images,omitempty"`
}

// ChatAnswer is an answer of /api/chat, or one line of it.
type ChatAnswer struct {
	Model     string  `json:"model"`
	CreatedAt string  `json:"created_at"`
	Message   Message `json:"message"`
	Done      bool    `json:"done"`
	Figures
}

// Figures are those of the last line of an answer. Durations are nanoseconds.
type Figures struct {
	DoneReason         string `json:"done_reason,omitempty"`
	TotalDuration      int64  `json:"total_duration,omitempty"`
	LoadDuration       int64  `json:"load_duration,omitempty"`
	PromptEvalCount    int64  `json:"prompt_eval_count,omitempty"`
	PromptEvalDuration int64  `json:"prompt_eval_duration,omitempty"`
	EvalCount          int64  `json:"eval_count,omitempty"`
	EvalDuration       int64  `json:"eval_duration,omitempty"`
}

// Generate is a body of /api/generate. stream is on unless it is false.
type Generate struct {
	Model     string          `json:"model" require:"true"`
	Prompt    string          `json:"prompt"`
	Suffix    string          `json:"suffix,omitempty"`
	System    string          `json:"system,omitempty"`
	Images    []string        `json:"images,omitempty"`
	Context   []int           `json:"context,omitempty"`
	Raw       bool            `json:"raw,omitempty"`
	Stream    *bool           `json:"stream,omitempty"`
	Format    json.RawMessage `json:"format,omitempty"`
	KeepAlive json.RawMessage `json:"keep_alive,omitempty"`
	Options   map[string]any  `json:"options,omitempty"`
}

// GenerateAnswer is an answer of /api/generate, or one line of it.
type GenerateAnswer struct {
	Model     string `json:"model"`
	CreatedAt string `json:"created_at"`
	Response  string `json:"response"`
	Done      bool   `json:"done"`
	Context   []int  `json:"context,omitempty"`
	Figures
}

// Embed is a body of /api/embed; input is a text or a list of texts.
type Embed struct {
	Model string          `json:"model" require:"true"`
	Input json.RawMessage `json:"input"`
}

// EmbedAnswer is an answer of /api/embed.
type EmbedAnswer struct {
	Model      string      `json:"model"`
	Embeddings [][]float32 `json:"embeddings"`
}

// Embeddings is a body of /api/embeddings.
type Embeddings struct {
	Model  string `json:"model" require:"true"`
	Prompt string `json:"prompt"`
}

// EmbeddingsAnswer is an answer of /api/embeddings.
type EmbeddingsAnswer struct {
	Embedding []float64 `json:"embedding"`
}

// Name names a model. Older clients say name instead of model.
type Name struct {
	Model    string `json:"model"`
	Name     string `json:"name,omitempty"`
	Insecure *bool  `json:"insecure,omitempty"`
	Stream   *bool  `json:"stream,omitempty"`
}

// Copy is a body of /api/copy.
type Copy struct {
	Source      string `json:"source" require:"true"`
	Destination string `json:"destination" require:"true"`
}

// Progress is one line of work that takes long.
type Progress struct {
	Status    string `json:"status"`
	Digest    string `json:"digest,omitempty"`
	Total     int64  `json:"total,omitempty"`
	Completed int64  `json:"completed,omitempty"`
}

// Tag is one model of a list.
type Tag struct {
	Name           string         `json:"name"`
	Model          string         `json:"model"`
	ModifiedAt     string         `json:"modified_at"`
	Size           int64          `json:"size"`
	Digest         string         `json:"digest"`
	Details        map[string]any `json:"details"`
	ConnectionType string         `json:"connection_type,omitempty"`
	URLs           []int          `json:"urls,omitempty"`
	ExpiresAt      int64          `json:"expires_at,omitempty"` // of a loaded model, seconds since 1970
}

// Tags is an answer of /api/tags.
type Tags struct {
	Models []Tag `json:"models"`
}

// Loaded is one model in memory.
type Loaded struct {
	Name          string         `json:"name"`
	Model         string         `json:"model"`
	Size          int64          `json:"size"`
	SizeVRAM      int64          `json:"size_vram,omitempty"`
	Digest        string         `json:"digest"`
	Details       map[string]any `json:"details"`
	ExpiresAt     string         `json:"expires_at"` // RFC 3339
	ContextLength int64          `json:"context_length,omitempty"`
}

// LoadedModels is an answer of /api/ps.
type LoadedModels struct {
	Models []Loaded `json:"models"`
}

// Version is an answer of /api/version. It is false when the door is closed.
type Version struct {
	Version any `json:"version"`
}

// Status says that all is well.
type Status struct {
	Status bool `json:"status"`
}

// Config is the configuration of the connections. Keys are masked when they
// are returned; a masked key that is sent back stays as it was.
type Config struct {
	Enable   *bool                                 `json:"ENABLE_OLLAMA_API"`
	BaseURLs []string                              `json:"OLLAMA_BASE_URLS" require:"true"`
	Configs  map[string]map[string]json.RawMessage `json:"OLLAMA_API_CONFIGS" require:"true"`
}

// Verify is a connection to be tried.
type Verify struct {
	URL    string                     `json:"url" require:"true"`
	Key    string                     `json:"key,omitempty"`
	Config map[string]json.RawMessage `json:"config,omitempty"`
}

// Download names a file of models to be fetched.
type Download struct {
	URL string `json:"url" require:"true"`
}

// Transfer is one event of a file on its way, or the last one.
type Transfer struct {
	Progress     float64 `json:"progress"` // percent
	Total        int64   `json:"total,omitempty"`
	Completed    int64   `json:"completed,omitempty"`
	Done         bool    `json:"done,omitempty"`
	Blob         string  `json:"blob,omitempty"` // "sha256:…"
	Name         string  `json:"name,omitempty"` // of the file
	ModelCreated string  `json:"model_created,omitempty"`
	Error        string  `json:"error,omitempty"`
}

// Model is one entry of /v1/models.
type Model struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

// Models is an answer of /v1/models.
type Models struct {
	Data   []Model `json:"data"`
	Object string  `json:"object"`
}
