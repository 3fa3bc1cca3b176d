package provider

import "bytes"

// Consumed reports whether a top-level member of a chat's body is this
// server's own and never sent upstream. A client's "metadata" is among them:
// the contract has it overwritten.
func Consumed(key []byte) bool {
	switch string(key) {
	case "model_item", "background_tasks", "parent_id", "new_chat", "message_ids", "id",
		"user_message", "parent_message", "chat_id", "chat_variables", "tool_servers",
		"automation_id", "assistant_message_id", "regeneration_message_id", "regeneration_prompt",
		"session_id", "folder_id", "filter_ids", "params", "variables", "features", "tool_ids",
		"terminal_id", "files", "skill_ids", "metadata":
		return true
	}
	return false
}

// ServerParam reports whether a key of params is for this server, not for a
// model.
func ServerParam(key []byte) bool {
	switch string(key) {
	case "stream_response", "stream_delta_chunk_size", "function_calling", "reasoning_tags",
		"compact_token_threshold", "system", "note_id", "tool_approval_mode", "model_controls",
		"custom_params":
		return true
	}
	return false
}

// settled are the members of a body whose meaning this server has settled when
// it sends them on: who may use the model, how the answer is to come, what was
// counted and what was put in front of the messages.
var settled = [...][]byte{[]byte("model"), []byte("messages"), []byte("stream"), []byte("stream_options"), []byte("tools")}

// Lookalike reports whether a key is another spelling of a member that this
// server has settled: the same letters in another case, as Unicode folds them.
// Servers written in Go read keys of any case, the last one wins, so such a
// member could put another model, or another question, in the place of the one
// that was judged. It is never sent.
func Lookalike(key []byte) bool {
	for _, name := range settled {
		if len(key) >= len(name) && bytes.EqualFold(key, name) {
			return !bytes.Equal(key, name)
		}
	}
	return false
}
