package server

import "context"

// Found says in plain sentences which upstreams are there, as far as they
// answer before ctx ends. An Ollama that nobody configured and that is not
// there is nothing to speak of.
func (s *Server) Found(ctx context.Context) []string {
	var out []string
	for _, c := range s.Check(ctx, s.cfg) {
		if c.Err == nil || !c.Assumed {
			out = append(out, c.String())
		}
	}
	if len(out) == 0 {
		out = []string{"no connection yet: start Ollama on this machine, or set OPENAI_API_BASE_URL and OPENAI_API_KEY"}
	}
	return out
}
