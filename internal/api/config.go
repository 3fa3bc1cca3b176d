package api

// Config is what the edge must know of the process. Its zero value is that of
// a server in production with the usual limits.
type Config struct {
	Version      string // of this server
	DeploymentID string
	Dev          bool // ENV=dev: /docs and /openapi.json exist
	NoAuth       bool // WEBUI_AUTH=false
	TrustedProxy bool // a proxy's header signs people in
	// OpenAIPassthrough lets verified users make calls of a provider's API that
	// have no route of their own (ENABLE_OPENAI_API_PASSTHROUGH).
	OpenAIPassthrough bool
	CORSOrigins       []string // of web pages that may call; none, or "*", is all, without cookies
	// AnonymousRate and AnonymousBurst limit callers without a credential, per
	// address; 0 is 10 per second and 20, a negative rate is no limit.
	AnonymousRate  float64
	AnonymousBurst int
}
