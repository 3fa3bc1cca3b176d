// Package openai is the shape of OpenAI's dialect on the wire, as far as the
// documented API uses it. The types describe; on the hot path bodies stay
// bytes, and members that are not named here pass through untouched.
package openai

import "encoding/json"

// ChatRequest is the body of a chat completions route.
type ChatRequest struct {
	Model               string          `json:"model" require:"true"`
	Messages            []Message       `json:"messages" require:"true"`
	Stream              bool            `json:"stream,omitempty"`
	StreamOptions       *StreamOptions  `json:"stream_options,omitempty"`
	Temperature         *float64        `json:"temperature,omitempty"`
	TopP                *float64        `json:"top_p,omitempty"`
	MaxTokens           *int            `json:"max_tokens,omitempty"`
	MaxCompletionTokens *int            `json:"max_completion_tokens,omitempty"`
	Stop                json.RawMessage `json:"stop,omitempty"` // a text or a list of texts
	Seed                *int            `json:"seed,omitempty"`
	ResponseFormat      json.RawMessage `json:"response_format,omitempty"`
	Tools               []Tool          `json:"tools,omitempty"`
	ToolChoice          json.RawMessage `json:"tool_choice,omitempty"`
	// Params are parameters for the model that count where the top level is silent.
	Params json.RawMessage `json:"params,omitempty"`
}

// StreamOptions are options of a stream.
type StreamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

// Message is one turn of a conversation.
type Message struct {
	Role       string          `json:"role"`
	Content    json.RawMessage `json:"content"` // a text, or a list of parts
	Name       string          `json:"name,omitempty"`
	ToolCalls  []ToolCall      `json:"tool_calls,omitempty"`
	ToolCallID string          `json:"tool_call_id,omitempty"`
}

// Tool is a function that the model may ask to have called.
type Tool struct {
	Type     string       `json:"type"` // "function"
	Function ToolFunction `json:"function"`
}

// ToolFunction describes a function; Parameters is a JSON schema.
type ToolFunction struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"`
}

// ToolCall is a call that the model wants made.
type ToolCall struct {
	Index    *int         `json:"index,omitempty"` // in streams
	ID       string       `json:"id"`
	Type     string       `json:"type"`
	Function FunctionCall `json:"function"`
}

// FunctionCall names a function; Arguments is JSON as text.
type FunctionCall struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

// ChatCompletion is a whole answer. With "stream": true the answer is a list
// of events whose data are ChatChunks, ended by "data: [DONE]".
type ChatCompletion struct {
	ID      string   `json:"id"`
	Object  string   `json:"object"` // "chat.completion"
	Created int64    `json:"created"`
	Model   string   `json:"model"`
	Choices []Choice `json:"choices"`
	Usage   *Usage   `json:"usage,omitempty"`
}

// Choice is one of the answers.
type Choice struct {
	Index        int            `json:"index"`
	Message      *AnswerMessage `json:"message,omitempty"`
	FinishReason *string        `json:"finish_reason"`
}

// AnswerMessage is what the model said.
type AnswerMessage struct {
	Role             string     `json:"role"`
	Content          *string    `json:"content"`
	ReasoningContent string     `json:"reasoning_content,omitempty"`
	ToolCalls        []ToolCall `json:"tool_calls,omitempty"`
}

// ChatChunk is one event of a streamed answer.
type ChatChunk struct {
	ID      string        `json:"id"`
	Object  string        `json:"object"` // "chat.completion.chunk"
	Created int64         `json:"created"`
	Model   string        `json:"model"`
	Choices []ChunkChoice `json:"choices"`
	Usage   *Usage        `json:"usage,omitempty"`
}

// ChunkChoice is what one event adds to an answer.
type ChunkChoice struct {
	Index        int           `json:"index"`
	Delta        AnswerMessage `json:"delta"`
	FinishReason *string       `json:"finish_reason"`
}

// Usage is what an answer cost, in tokens.
type Usage struct {
	PromptTokens     int64 `json:"prompt_tokens"`
	CompletionTokens int64 `json:"completion_tokens"`
	TotalTokens      int64 `json:"total_tokens"`
}

// EmbeddingRequest is the body of an embeddings route.
type EmbeddingRequest struct {
	Model          string          `json:"model" require:"true"`
	Input          json.RawMessage `json:"input" require:"true"` // a text, a list of texts, or tokens
	EncodingFormat string          `json:"encoding_format,omitempty"`
	Dimensions     *int            `json:"dimensions,omitempty"`
}

// EmbeddingList is the answer of an embeddings route.
type EmbeddingList struct {
	Object string          `json:"object"` // "list"
	Data   []Embedding     `json:"data"`
	Model  string          `json:"model"`
	Usage  *EmbeddingUsage `json:"usage,omitempty"`
}

// EmbeddingUsage is what vectors cost, in tokens: nothing is completed.
type EmbeddingUsage struct {
	PromptTokens int64 `json:"prompt_tokens"`
	TotalTokens  int64 `json:"total_tokens"`
}

// Embedding is one vector: a list of numbers, or base64 where that was asked for.
type Embedding struct {
	Object    string          `json:"object"` // "embedding"
	Index     int             `json:"index"`
	Embedding json.RawMessage `json:"embedding"`
}

// ResponseRequest is the body of a responses route, as far as it is common to
// the servers that have one.
type ResponseRequest struct {
	Model              string          `json:"model" require:"true"`
	Input              json.RawMessage `json:"input,omitempty"` // a text or a list of items
	Instructions       string          `json:"instructions,omitempty"`
	Stream             bool            `json:"stream,omitempty"`
	Temperature        *float64        `json:"temperature,omitempty"`
	TopP               *float64        `json:"top_p,omitempty"`
	MaxOutputTokens    *int            `json:"max_output_tokens,omitempty"`
	Tools              json.RawMessage `json:"tools,omitempty"`
	ToolChoice         json.RawMessage `json:"tool_choice,omitempty"`
	PreviousResponseID string          `json:"previous_response_id,omitempty"`
}

// SpeechRequest is the body of a speech route.
type SpeechRequest struct {
	Model          string   `json:"model" require:"true"`
	Input          string   `json:"input"`
	Voice          string   `json:"voice"`
	Instructions   string   `json:"instructions,omitempty"`
	ResponseFormat string   `json:"response_format,omitempty"` // mp3, opus, aac, flac, wav or pcm
	Speed          *float64 `json:"speed,omitempty"`
	StreamFormat   string   `json:"stream_format,omitempty"` // audio or sse
}
